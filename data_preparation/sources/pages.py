"""The page images that annotations name: found below the folder of the pages, and their size."""

from __future__ import annotations

import io
from pathlib import Path

from contract.image_header import read_header
from contract.quoting import quoted
from data_preparation.sources.entries import BadSample, refuse_link
from data_preparation.sources.finding import find_file, only_in_s3
from data_preparation.wording import folder_name

_ORIENTATION = 0x0112  # EXIF
_ON_ITS_SIDE = (5, 6, 7, 8)


def find_page(images: Path, name: str, beside: str = "") -> Path:
    """The page image that an annotation names; `beside`: the annotation's own folder below --input-labels.

    The name may be absolute, of Windows, in S3, or lead elsewhere with `..`: it is looked for below `images` only,
    first in the folder `beside`, then in those above it (Transkribus puts annotations into a folder `page` beside the
    images), with its leading folders and without them. Raises BadSample when it is not there.
    """
    if not name.strip() or "\0" in name:
        raise BadSample("page", f"the page's name {quoted(name)} names no file", "name the page's image file")
    roots = [images / folder for folder in (Path(beside), *Path(beside).parents)]
    page = find_file(name, roots, shortened_in=roots)
    if page is None and name.startswith("s3://"):
        raise only_in_s3(name, images)
    if page is None and "://" in name:
        raise BadSample("page", f"the page {quoted(name)} is an address, not a file", "download it and name the file")
    if page is None:
        message = f"the page {quoted(name)} is not in {folder_name(images)}"
        raise BadSample("page", message, "add it or correct --input-images")
    refuse_link(page, images)
    return page


def page_size(page: Path) -> tuple[int, int]:
    """Width and height in pixels of a page as people see it: its EXIF orientation applied.

    Raises BadSample when the file is no image.
    """
    from PIL import Image

    try:
        data = page.read_bytes()
        header = read_header(data)
        with Image.open(io.BytesIO(data)) as image:  # for its EXIF only: TIFF's size is turned by some versions
            turned = image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    except OSError as error:
        reason = f"cannot be read ({error.strerror})" if error.strerror else "is damaged"
        raise BadSample("page", f"the page {page.name!r} {reason}", "replace it") from None
    except ValueError as error:
        raise BadSample("page", f"the page {page.name!r} {error}", "replace it") from None
    return (header.height, header.width) if turned else (header.width, header.height)


def relative_folder(relative: Path) -> str:
    """The folder of a relative path, as `beside` wants it; empty where it has none."""
    folder = relative.parent.as_posix()
    return "" if folder == "." else folder
