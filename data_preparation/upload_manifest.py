"""manifest.json, the last object of an upload: what lies beside it is a whole dataset.

```
{"dataset": {"format": 1, "content_sha256": "…", "files": 2003, "bytes": 10240000, "train": 1800, …},
 "files": [
{"path":"dict.txt","bytes":20,"sha256":"…"},
…
]}
```
The summary comes first: a million files make 150 MB, and whoever asks whether the dataset is there reads 8 KB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import BinaryIO

from contract.dataset import path_problem
from contract.shards import plain_path
from data_preparation.dataset_files import DatasetFile, ImageFiles, LocalDataset

NAME = "manifest.json"
FORMAT = 1
SUMMARY_BYTES = 8192  # no summary is longer


@dataclass(frozen=True)
class Summary:
    """What the manifest says of the dataset as a whole; enough to check a recipe against it."""

    format: int
    content_sha256: str
    files: int  # objects, without the manifest itself
    bytes: int
    train: int
    val: int
    characters: int  # of the dictionary
    longest_label: int  # code points
    most_steps: int  # CTC time steps that the hardest label needs
    has_space: bool
    typical_aspect: float
    texts: Mapping[str, str]  # label files and dictionary → sha256
    kms_key: str  # as it was named for the upload; empty: as the bucket encrypts
    shards: int = 0  # 0: the images are loose


def texts_of(dataset: LocalDataset) -> dict[str, str]:
    """The `texts` of a summary: which dataset it is among those with the same content hash."""
    return {file.path: file.sha256 for file in dataset.texts}


def summarise(
    dataset: LocalDataset, files: list[DatasetFile], images: ImageFiles, shards: int, kms_key: str
) -> Summary:
    """The summary of a dataset that lies in S3 as these files and, when it is loose, these images."""
    report = dataset.report
    return Summary(
        format=FORMAT,
        content_sha256=dataset.content_sha256,
        files=len(files) + len(images),
        bytes=sum(file.bytes for file in files) + images.bytes,
        train=len(report.samples("train")),
        val=len(report.samples("val")),
        characters=len(report.dictionary.characters) if report.dictionary else 0,
        longest_label=report.longest_label,
        most_steps=report.most_steps,
        has_space=report.has_space,
        typical_aspect=round(report.typical_aspect, 4),
        texts=texts_of(dataset),
        kms_key=kms_key,
        shards=shards,
    )


def write_manifest(summary: Summary, files: Iterable[DatasetFile], out: BinaryIO) -> None:
    """The same dataset makes the same bytes. Some 150 bytes a file."""
    out.write(b'{"dataset": ' + _json(asdict(summary)) + b',\n "files": [')
    separator = b"\n"
    for file in files:
        out.write(separator + _json(asdict(file)))
        separator = b",\n"
    out.write(b"\n]}\n")


def parse_summary(start: bytes) -> Summary:
    """The summary from the first SUMMARY_BYTES of a manifest; ValueError when it is none of ours."""
    text = start.decode(errors="replace")
    if not text.startswith('{"dataset": {'):
        raise ValueError("it does not begin with a summary of a dataset")
    fields, _ = json.JSONDecoder().raw_decode(text, len('{"dataset": '))
    if fields.get("format") != FORMAT:
        raise ValueError(f"its format is {fields.get('format')!r}, this version reads {FORMAT}")
    try:
        return Summary(**fields)
    except TypeError as error:
        raise ValueError(f"its fields are others ({error})") from None


def parse_manifest(data: bytes) -> tuple[Summary, list[DatasetFile]]:
    """A whole manifest; ValueError when it is none of ours, or its paths would leave the folder."""
    summary = parse_summary(data[:SUMMARY_BYTES])
    try:
        files = [DatasetFile(**row) for row in json.loads(data)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its list of files cannot be read: {error}") from None
    for file in files:
        if path_problem(file.path) or plain_path(file.path) != file.path:
            raise ValueError(f"it lists the path {file.path!r}")
    if (len(files), sum(file.bytes for file in files)) != (summary.files, summary.bytes):
        raise ValueError("its list of files is not what it says in the beginning")
    return summary, files


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
