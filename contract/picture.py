"""One image of a dataset, looked at: read, told from its header, decoded, hashed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contract.errors import BadImage
from contract.image_header import Bytes, read_header
from contract.images import Images


class Look(NamedTuple):
    """What an image shows once decoded, as far as anybody looked."""

    size: tuple[int, int] | None = None  # width and height, upright
    deviation: float | None = None  # standard deviation of the channel that varies most, in levels of 255
    complaint: str = ""  # what the decoder said of it


Decode = Callable[[bytes], Look | None]  # None: the bytes do not decode


class Picture(NamedTuple):
    """A sound image of a dataset. Sizes in pixels, upright."""

    size: int  # bytes of the file
    sha256: str
    width: int
    height: int
    animated: bool
    turned: bool  # by its EXIF data
    look: Look
    data: Bytes = b""  # of the file, where somebody wants to keep them


Chunk = tuple[int, Sequence[str]]  # the number of a folder, and paths in it as labels have them


@dataclass(frozen=True)
class Looker:
    """Looks at images, chunk by chunk. It can be sent to another process when `decode` can."""

    folders: tuple[Images, ...]
    decode: Decode
    keep_data: bool = False

    def __call__(self, chunk: Chunk) -> list[Picture | BadImage]:
        folder, images = chunk
        return [self._look(self.folders[folder], image) for image in images]

    def _look(self, images: Images, image: str) -> Picture | BadImage:
        try:
            data, digest = images.read_verified(image)
            header = read_header(data)
        except BadImage as bad:
            return bad.with_traceback(None)
        look = self.decode(data)
        if look is None:
            return BadImage("damaged image", "does not decode: the file is damaged")
        width, height = look.size or (header.width, header.height)
        kept = data if self.keep_data else b""
        return Picture(len(data), digest, width, height, header.animated, header.orientation != 1, look, kept)
