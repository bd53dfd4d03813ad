"""From annotated pages to a dataset folder of crops."""

from __future__ import annotations

from contextlib import closing
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
from data_preparation.split import Split, choose_split, split_by_folders
from data_preparation.split_flags import SplitRule
from data_preparation.together import Candidate
from data_preparation.wording import counted


@dataclass(frozen=True)
class Conversion:
    """What was written, and every region that was left out."""

    manifest: dict[str, Any]
    split: Split
    rejected: tuple[Problem, ...]
    turned: tuple[Crop, ...]  # because they are tall


def convert_pages(
    source: PageSource,
    images: Path,
    folder: Path,
    how: Cut,
    *,
    workers: int | None,
    rule: SplitRule,
    advance: Advance,
) -> Conversion:
    """Cut the regions out and write the dataset with its rejected.csv. Raises UserError when no crop comes of it."""
    with new_folder(folder) as staging:
        orders, problems = page_orders(source.regions, images, staging, how)
        rejected = [*source.problems, *problems]
        crops: list[Crop] = []
        with closing(cut_pages(orders, workers, advance)) as cuttings:
            for found, bad in cuttings:
                crops += found
                rejected += bad
        if len(crops) < 2:
            raise UserError(_too_few(crops, rejected))
        candidates = [Candidate(crop.name, crop.label, crop.likeness) for crop in crops]
        split = split_by_folders([crop.name for crop in crops]) or choose_split(candidates, rule)
        writer = DatasetWriter(staging)
        for crop in crops:
            writer.record("val" if crop.name in split.val else "train", crop.name, crop.label, crop.likeness.sha256)
        write_rejected(staging, rejected)
        turned = tuple(crop for crop in crops if crop.turned)
        facts = {
            "source": source.format,
            "rejected": len(rejected),
            "cut": how.facts | {"turned": len(turned)},
            "split": split.facts,
        }
        manifest = writer.finish(facts)
    return Conversion(manifest, split, tuple(rejected), turned)


def _too_few(crops: list[Crop], rejected: list[Problem]) -> str:
    regions = counted(len(crops) + len(rejected), "region")
    said = f"{len(crops)} of {regions} could be cut out, and a dataset needs two"
    if not rejected:
        return f"{said}: name more annotations with --input-labels"
    unread = all(problem.kind in ("format", "file") for problem in rejected)
    return f"{said}: the first that could not is {rejected[0]}" + (", or name another --format" if unread else "")
