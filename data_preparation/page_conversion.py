"""From annotated pages to a dataset folder of crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.dataset import Problem
from contract.errors import UserError
from data_preparation.cropping import Cut
from data_preparation.dataset_writer import DatasetWriter
from data_preparation.new_folder import new_folder
from data_preparation.page_cutting import Crop, cut_pages, page_orders
from data_preparation.progress import Advance
from data_preparation.regions import PageSource
from data_preparation.rejected import write_rejected
from data_preparation.split import Split, split_by_folders, split_by_hash


@dataclass(frozen=True)
class Conversion:
    """What was written, and every region that was left out."""

    manifest: dict[str, Any]
    split: Split
    rejected: tuple[Problem, ...]


def convert_pages(
    source: PageSource,
    images: Path,
    folder: Path,
    how: Cut,
    *,
    encoding: str,
    workers: int,
    seed: int,
    fraction: float,
    advance: Advance,
) -> Conversion:
    """Cut the regions out and write the dataset with its rejected.csv. Raises UserError when no crop comes of it."""
    with new_folder(folder) as staging:
        orders, problems = page_orders(source.regions, images, staging, how, encoding)
        rejected = [*source.problems, *problems]
        crops: list[Crop] = []
        for found, bad in cut_pages(orders, workers, advance):
            crops += found
            rejected += bad
        if len(crops) < 2:
            raise UserError(_too_few(crops, rejected))
        split = _split(crops, seed, fraction)
        writer = DatasetWriter(staging)
        for crop in crops:
            writer.record("val" if crop.name in split.val else "train", crop.name, crop.label, crop.sha256)
        write_rejected(staging, rejected)
        manifest = writer.finish({"source": source.format, "rejected": len(rejected), "split": split.facts})
    return Conversion(manifest, split, tuple(rejected))


def _split(crops: list[Crop], seed: int, fraction: float) -> Split:
    """Crops of one page stay together: they share paper, light and words."""
    by_folders = split_by_folders([crop.name for crop in crops])
    if by_folders:
        return by_folders
    pages = {crop.page for crop in crops}
    if len(pages) == 1:
        return split_by_hash([crop.name for crop in crops], seed, fraction)
    by_page = split_by_hash(pages, seed, fraction)
    val = frozenset(crop.name for crop in crops if crop.page in by_page.val)
    return Split(val, by_page.reason, by_page.facts)


def _too_few(crops: list[Crop], rejected: list[Problem]) -> str:
    first = f"; the first that was not is {rejected[0]}" if rejected else ""
    return f"{len(crops)} of {len(crops) + len(rejected)} regions could be cut out{first}"
