"""Cuts all regions out of their pages, each page decoded once, in one process or several."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from contract.dataset import IMAGES, Problem
from contract.image_header import read_header
from contract.text import normalise
from data_preparation.cropping import Cut, cut_out, encoded
from data_preparation.images import decode
from data_preparation.in_processes import begin_work_on_images, in_processes, usable_cpus
from data_preparation.likeness import picture_hash
from data_preparation.progress import Advance
from data_preparation.quadrilaterals import quadrilateral
from data_preparation.regions import Region
from data_preparation.sources.entries import BadSample, refuse_no_text, safe_name
from data_preparation.together import NO_PICTURE, Likeness

PAGES_PER_PROCESS = 50  # a process starts in the time in which some 20 pages are cut


@dataclass(frozen=True, slots=True)  # there may be millions
class Crop:
    """A crop that was written: `name` below images/ (in a folder that is named as its page is), and its likeness."""

    where: str
    name: str
    label: str
    likeness: Likeness
    turned: bool  # by 90 degrees, because it is tall


@dataclass(frozen=True)
class PageOrder:
    """What a process is told: cut these regions of one page and write them below `folder`."""

    page: Path
    name: str  # the page's path below --input-images
    regions: tuple[Region, ...]
    repeated: frozenset[str]  # those of their texts that other regions have too, so that pictures are to be compared
    folder: Path
    how: Cut


Cutting = tuple[list[Crop], list[Problem]]


def cut_pages(orders: Sequence[PageOrder], workers: int | None, advance: Advance) -> Generator[Cutting, None, None]:
    """The crops and the problems of each page, in the order of the pages. Few pages are kept at a time.

    Close it before the folder is removed into which it writes: then no process writes any more.

    workers: processes; None: one for PAGES_PER_PROCESS pages, and no more than there are CPUs.
    """
    workers = workers or max(1, min(usable_cpus(), len(orders) // PAGES_PER_PROCESS))
    with closing(_cut_here(orders) if workers == 1 else in_processes(cut_page, orders, workers)) as cuttings:
        for done, cutting in enumerate(cuttings, start=1):
            advance(done, len(orders))
            yield cutting


def _cut_here(orders: Iterable[PageOrder]) -> Generator[Cutting, None, None]:
    begin_work_on_images()
    yield from map(cut_page, orders)


def page_orders(
    regions: Iterable[Region], images: Path, folder: Path, how: Cut
) -> tuple[list[PageOrder], list[Problem]]:
    """Regions put together by page, and a problem for each whose name on its page is taken."""
    pages: dict[tuple[Path, tuple[int, int] | None], list[Region]] = {}
    taken: dict[tuple[Path, str], str] = {}
    problems = []
    for region in regions:
        first = taken.get((region.page, region.ident))
        if first is not None:
            message = f"region {region.ident} of {region.page.name} is annotated at {first} already"
            problems.append(Problem("annotated twice", region.where, message, "keep one of the two"))
        else:
            taken[region.page, region.ident] = region.where
            pages.setdefault((region.page, region.page_size), []).append(region)
    counts = Counter(normalise(region.text) for found in pages.values() for region in found)
    orders = []
    for (page, _), found in pages.items():
        repeated = frozenset(region.text for region in found if counts[normalise(region.text)] > 1)
        orders.append(PageOrder(page, page.relative_to(images).as_posix(), tuple(found), repeated, folder, how))
    return orders, problems


def cut_page(order: PageOrder) -> Cutting:
    """Cut and write the regions of one page. Raises OSError when a crop cannot be written."""
    try:
        page = _read_page(order.page, order.regions[0].page_size)
    except BadSample as bad:
        return [], [bad.problem(region.where) for region in order.regions]
    size = (page.shape[1], page.shape[0])
    cut = []
    problems = []
    for region in order.regions:
        try:
            _check_text(region.text)
            crop, turned = cut_out(page, quadrilateral(region.polygon, size), order.how)
            picture = picture_hash(crop) if region.text in order.repeated else NO_PICTURE
            cut.append((region, encoded(crop, order.how.encoding), picture, turned))
        except BadSample as bad:
            problems.append(bad.problem(region.where))
    return _write(cut, order), problems


def _write(cut: list[tuple[Region, bytes, int, bool]], order: PageOrder) -> list[Crop]:
    """The files of a page in a folder of their own, which is there when it has one."""
    folder = safe_name(PurePosixPath(order.name))
    place = order.folder / IMAGES / folder
    if cut:
        place.mkdir(parents=True, exist_ok=True)
    crops = []
    for region, data, picture, turned in cut:
        file = _file_name(region.ident, order.how.encoding)
        with open(f"{place}/{file}", "wb") as image:
            image.write(data)
        likeness = Likeness(hashlib.sha256(data).hexdigest(), picture)
        crops.append(Crop(region.where, f"{folder}/{file}", region.text, likeness, turned))
    return crops


@lru_cache(maxsize=4096)
def _file_name(ident: str, encoding: str) -> str:
    """Idents are mostly numbers, the same ones on every page."""
    return safe_name(PurePosixPath(f"{ident}.{encoding}"))


def _check_text(text: str) -> None:
    if not text.strip():
        raise BadSample("blank text", "the region's text is blank", "write its text if it shows one")
    if "\n" in text or "\r" in text:
        raise BadSample("lines", "the region's text has several lines", "annotate each line of its own")
    if "\t" in text:
        raise BadSample("tab", "the region's text holds a tab", "replace it by a space")
    refuse_no_text(text)


def _read_page(path: Path, stated: tuple[int, int] | None) -> np.ndarray:
    """The pixels of a page as its annotation counts them: upright, unless the size it states says otherwise."""
    try:
        data = path.read_bytes()
        header = read_header(data)
    except OSError as error:
        raise BadSample("page", f"the page {path.name!r} cannot be read ({error.strerror})", "replace it") from None
    except ValueError as error:
        raise BadSample("page", f"the page {path.name!r} {error}", "replace it") from None
    page = decode(data)
    if page is not None and stated == (header.width, header.height) != (page.shape[1], page.shape[0]):
        page = decode(data, upright=False)
    if page is None:
        raise BadSample("page", f"the page {path.name!r} does not decode", "replace it")
    size = (page.shape[1], page.shape[0])
    if stated is not None and stated != size:
        sizes = f"{stated[0]} x {stated[1]} pixels, the file {path.name!r} has {size[0]} x {size[1]}"
        raise BadSample("page size", f"the annotated page has {sizes}", "give the image that was annotated")
    return page
