"""The page images of annotations that name none: those of the same name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from data_preparation.sources.entries import BadSample, refuse_link
from data_preparation.sources.finding import ImagesByStem
from data_preparation.wording import folder_name

_SEPARATORS = "-_."
_DIGITS = range(1, 6)  # scan-1, scan-01 … scan-00001


@dataclass
class SameName:
    """Finds pages in the folder `images`."""

    images: Path
    by_stem: ImagesByStem = field(default_factory=ImagesByStem)

    def find(self, stem: str, beside: str = "", number: int = 1) -> Path:
        """The image `stem`, or `stem-2` for the second page of a document; `beside`: the annotation's own folder.

        Looked for in the same folder of the pages first, then in the folder of the pages itself. Raises BadSample
        when there is none.
        """
        for folder in dict.fromkeys((self.images / beside, self.images)):
            for name in _names(stem, number):
                page = self.by_stem.find(folder, name)
                if page:
                    refuse_link(page, self.images)
                    return page
        name = stem if number == 1 else f"{stem}-{number}"
        raise BadSample("page", f"there is no page {name}.jpg (.png, …) in {folder_name(self.images)}", "add it")


def _names(stem: str, number: int) -> list[str]:
    numbered = [f"{stem}{separator}{number:0{digits}}" for separator in _SEPARATORS for digits in _DIGITS]
    return [stem, *numbered] if number == 1 else numbered
