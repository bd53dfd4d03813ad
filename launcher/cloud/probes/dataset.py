"""The dataset against recipe and dictionary, and its size against the disk of the instance."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.dataset import DICTIONARY, TRAIN_LABELS, VAL_LABELS
from contract.errors import UserError
from contract.parameters import OpenRecipe
from launcher.aws import Account
from launcher.cloud.check import Check, asking, fine, problem, unknown
from launcher.cloud.instances import DEFAULT_VOLUME_GB, InstanceFacts, instance_facts
from launcher.cloud.layout import S3Uri
from launcher.images.push_progress import size_text

NAME, DISK = "dataset", "disk"
ROOM = 1.1  # of the data: SageMaker copies it all, and checkpoints and the model lie beside it
TEXT_BYTES = 500_000_000  # of a label file; a line has some dozen

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class DatasetFound:
    """The check of a dataset and its size in bytes (None: not known)."""

    check: Check
    size: int | None


def check_folder(folder: Path, recipe: OpenRecipe | None, advance: Advance | None) -> DatasetFound:
    """A dataset on this machine: every label and every image."""
    from data_preparation.validation import validate

    try:
        verdict = validate(folder, recipe, advance)
    except UserError as error:
        reason, _, remedy = str(error).rpartition(": ")
        return DatasetFound(problem(NAME, reason, remedy), None)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return DatasetFound(_judge(str(folder), verdict, images=True), size)


def check_s3(account: Account, uri: S3Uri, recipe: OpenRecipe | None) -> DatasetFound:
    """A dataset in S3: its labels and its dictionary; images stay where they are."""
    sizes: dict[str, int] = {}

    def work() -> Check:
        client = account.client("s3")
        sizes.update(_sizes(client, uri))
        if not sizes:
            return problem(NAME, f"there is nothing at {uri}", "upload the dataset, or correct --dataset")
        missing = [name for name in (TRAIN_LABELS, VAL_LABELS, DICTIONARY) if name not in sizes]
        if missing:
            remedy = "upload the folder that data_preparation made, or correct --dataset"
            return problem(NAME, f"{uri} has no {', '.join(missing)}", remedy)
        with tempfile.TemporaryDirectory() as temporary:
            for name in (TRAIN_LABELS, VAL_LABELS, DICTIONARY):
                if sizes[name] > TEXT_BYTES:
                    return unknown(NAME, f"{uri}{name} has {sizes[name]:,} bytes, too many to fetch for a check")
                client.download_file(uri.bucket, uri.file(name).key, str(Path(temporary, name)))
            from data_preparation.validation import validate

            return _judge(str(uri), validate(Path(temporary), recipe, None, images=False), images=False)

    check = asking(NAME, f"reading {uri}", work)
    return DatasetFound(check, sum(sizes.values()) if sizes else None)


def check_disk(size: int | None, instances: tuple[str, ...], volume_gb: int | None) -> Check:
    """Does the data fit? SageMaker copies it to the instance before training, and bills the time."""
    if size is None:
        return unknown(DISK, "the size of the dataset is not known")
    told, too_small = [], []
    for facts in map(instance_facts, instances):
        room = facts.disk_gb(volume_gb)
        if room is None:
            told.append(f"{facts.name} is not in this version's table")
        elif size * ROOM > room * 1e9:
            too_small.append(facts)
        else:
            told.append(f"{facts.name} has {room:,} GB")
    data = f"{size_text(size)} of data"
    if too_small:
        return problem(
            DISK,
            f"{data} need {size_text(int(size * ROOM))}, and "
            + ", ".join(_room(facts, volume_gb) for facts in too_small),
            _remedy(too_small[0], size),
        )
    if any("table" in each for each in told):
        return unknown(DISK, f"{data}; {', '.join(told)}")
    return fine(DISK, f"{data}; {', '.join(told)}")


def _room(facts: InstanceFacts, volume_gb: int | None) -> str:
    kind = "NVMe" if facts.has_fixed_disk else "EBS"
    return f"{facts.name} has {facts.disk_gb(volume_gb):,} GB {kind}"


def _remedy(facts: InstanceFacts, size: int) -> str:
    if facts.has_fixed_disk:
        return "take a larger size of this instance: its disk cannot be chosen"
    return f"give --volume-size {max(DEFAULT_VOLUME_GB, int(size * ROOM / 1e9) + 1)}"


def _judge(where: str, verdict: Any, *, images: bool) -> Check:
    report = verdict.report
    count = f"{len(report.samples('train')):,} train and {len(report.samples('val')):,} val samples"
    if verdict.ok:
        return fine(NAME, f"{where}: {count}" + ("" if images else "; labels checked, images not opened"))
    first = report.problems[0]
    others = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
    if verdict.overrides:
        flags = " ".join(f"-o {override}" for override in verdict.overrides)
        return problem(NAME, f"{where}: {first.where}: {first.message}{others}", f"add {flags}")
    remedy = f"{first.remedy}; python -m data_preparation validate lists all"
    return problem(NAME, f"{where}: {first.where}: {first.message}{others}", remedy)


def _sizes(client: Any, uri: S3Uri) -> dict[str, int]:
    return {item["Key"][len(uri.key) :]: item["Size"] for item in _objects(client, uri)}


def _objects(client: Any, uri: S3Uri) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=uri.bucket, Prefix=uri.key):
        yield from page.get("Contents", [])
