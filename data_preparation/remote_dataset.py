"""A dataset folder in S3, looked at without reading its images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from contract.dataset import DICTIONARY, TRAIN_LABELS
from contract.errors import UserError
from data_preparation.aws import open_client
from data_preparation.pieces import INDEX_PATH, SUMMARY_PATH
from data_preparation.s3_folder import S3Folder, s3_folder
from data_preparation.upload_manifest import NAME, SUMMARY_BYTES, Summary, parse_summary

NAMED = 5  # datasets that a message names


@dataclass(frozen=True)
class RemoteDataset:
    """A dataset folder in S3. `summary` is None when no upload of ours was completed there."""

    uri: str
    files: int  # objects
    bytes: int
    summary: Summary | None


def describe_dataset_uri(uri: str, session: Any, region: str) -> RemoteDataset:
    """What a dataset folder in S3 holds: from its manifest, or counted when it has none. Raises UserError."""
    folder = s3_folder(open_client(session, "s3", region), uri, region)
    with folder.explained(f"looking at {folder.uri}"):
        folder.check_region()
        summary = read_summary(folder)
        if summary:
            return RemoteDataset(folder.uri, summary.files, summary.bytes, summary)
        files = size = 0
        needed = {TRAIN_LABELS, DICTIONARY}
        names = {*needed, INDEX_PATH, SUMMARY_PATH}
        found = set()
        for each in folder.listed():
            files, size = files + 1, size + each.bytes
            found |= names & {each.path}
        needed |= {SUMMARY_PATH} if INDEX_PATH in found else set()  # a packed one, and its last file is missing
        needed -= found
    if not files:
        raise UserError(f"{folder.uri} holds nothing: check the address, or upload a dataset folder there")
    if needed:
        raise UserError(f"{folder.uri} holds no {' and no '.join(sorted(needed))}: name the folder of a dataset")
    return RemoteDataset(folder.uri, files, size, None)


def read_summary(folder: S3Folder) -> Summary | None:
    """What the manifest of a complete upload says; None where there is none. Raises UserError."""
    start = folder.beginning(NAME, SUMMARY_BYTES)
    try:
        return None if start is None else parse_summary(start)
    except ValueError as error:
        raise UserError(f"{folder.uri}{NAME} is no manifest of an upload ({error}): take another prefix") from None


def find_dataset(folder: S3Folder) -> S3Folder:
    """The folder itself where an upload was completed there, else the only one below it. Raises UserError.

    The folder may be a prefix of uploads, `datasets/` in it, or that of a dataset with a folder for each content.
    """
    with folder.explained(f"looking at {folder.uri}"):
        if read_summary(folder):
            return folder
        names = folder.below("datasets/") or (folder.below("") if "datasets" in folder.key.split("/") else [])
        below = [*names, *(each for name in names for each in folder.below(name))]
        complete = [each for each in below if folder.beginning(f"{each}{NAME}", 1)]
    if len(complete) == 1:
        return replace(folder, key=folder.key + complete[0])
    if complete:
        some = ", ".join(folder.uri + each for each in complete[:NAMED]) + (", …" if len(complete) > NAMED else "")
        raise UserError(f"{folder.uri} has {len(complete)} datasets: name one of {some}")
    raise UserError(
        f"{folder.uri} holds no complete upload, which {NAME} would say: check the address, or upload the dataset"
    )
