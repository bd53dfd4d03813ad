"""The best model of a run, brought home: found, downloaded where it was cut, unpacked, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import UserError
from contract.paths import MODEL_FILES
from launcher.aws import Account, error_code, explained
from launcher.cloud.job import Job
from launcher.cloud.layout import S3Uri
from launcher.platforms.local_mode.model import take_model

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHIVE = "model.tar.gz"  # in the folder of a run
BLOCK = 1 << 20  # bytes read at a time
_CUT_AT_MOST = 8  # times that a connection may break with nothing gained


class ModelDamaged(UserError):
    """What has come is not a complete model, or cannot be kept."""


@dataclass(frozen=True)
class StoredModel:
    """model.tar.gz of a job, as S3 has it."""

    job: str
    place: S3Uri
    size: int
    etag: str


def find_model(account: Account, jobs: list[Job]) -> StoredModel | None:
    """The model of the newest job that has one: it is the best of the run so far. Raises UserError."""
    from botocore.exceptions import ClientError

    from data_preparation.s3_folder import is_missing  # imported here: --help needs no datasets (yaml)

    client = account.client("s3")
    for job in reversed(jobs):
        if not job.is_over or not job.model_uri:
            continue
        bucket, _, key = job.model_uri.removeprefix("s3://").partition("/")
        with explained(f"looking for {job.model_uri}"):
            try:
                head = client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if is_missing(error, client, bucket, key):
                    continue  # it ended before it had a model
                raise
        return StoredModel(job.name, S3Uri(bucket, key), head["ContentLength"], head["ETag"])
    return None


def check_home(archive: Path, model: Path, output: Path) -> None:
    """Refuse a folder that holds a model of another origin: runs of this machine have the same places. UserError."""
    from launcher.plan import LOG  # imported here: --help needs no recipes (yaml)

    home = archive.parent
    try:
        was_trained_here = (home / LOG).exists()
        is_taken = archive.exists() or (model.is_dir() and any(model.iterdir()))
    except OSError as error:
        raise ModelDamaged(f"{error.filename}: {error.strerror}: name another --output") from None
    if was_trained_here or (is_taken and not _note_of(archive).exists() and not _has_just_come(archive)):
        raise UserError(
            f"{home} holds a model that was not downloaded, and it would be replaced: name another folder than "
            f"--output {output}"
        )


def was_downloaded(home: Path) -> bool:
    """A model from SageMaker has come into this folder of a run."""
    return _note_of(home / ARCHIVE).exists()


def fetch(account: Account, model: StoredModel, archive: Path, show: Callable[[int], None]) -> bool:
    """Download unless it is there; goes on where an earlier download was cut. Returns whether anything came.

    The part that has come lies beside the archive. Both have a note of what they are a copy of. Raises UserError.
    """
    part = _part_of(archive)
    source = json.dumps({"uri": str(model.place), "etag": model.etag, "size": model.size})
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        if _has_just_come(archive):
            _note_of(part).replace(_note_of(archive))
        if _is_copy(archive, source) and archive.stat().st_size == model.size:
            return False
        if not _is_copy(part, source):
            part.unlink(missing_ok=True)
            _note_of(part).write_text(source, encoding="utf-8", newline="\n")
        _fill(account, model, part, show)
        part.replace(archive)
        _note_of(part).replace(_note_of(archive))
    except OSError as error:
        raise ModelDamaged(
            f"{error.filename or archive}: {error.strerror or error}: make room and start again"
        ) from None
    return True


def unpack_model(archive: Path, model: Path) -> dict[str, Any]:
    """Put the archive's model in the place of what `model` holds; returns its run.json. Raises UserError."""
    try:
        model.mkdir(parents=True, exist_ok=True)
        is_complete = take_model(archive.parent, model, MODEL_FILES)
    except OSError as error:
        archive.unlink(missing_ok=True)  # it may have been damaged on the way: the next call downloads it anew
        raise ModelDamaged(f"{error.filename or archive}: {error.strerror or error}: nothing was replaced") from None
    if not is_complete:
        raise ModelDamaged(f"{archive} is no complete model (it lacks run.json or more): nothing was replaced")
    try:
        return json.loads((model / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{model / 'run.json'} cannot be read ({error})") from None


def _part_of(archive: Path) -> Path:
    return archive.with_name(archive.name + ".part")


def _note_of(file: Path) -> Path:
    """Beside a file: of what it is a copy."""
    return file.with_name(file.name + ".source")


def _is_copy(file: Path, source: str) -> bool:
    return file.is_file() and _note_of(file).is_file() and _note_of(file).read_text(encoding="utf-8") == source


def _has_just_come(archive: Path) -> bool:
    """A download ended between the renaming of the archive and of its note."""
    part = _part_of(archive)
    return archive.is_file() and _note_of(part).is_file() and not part.exists()


def _fill(account: Account, model: StoredModel, part: Path, show: Callable[[int], None]) -> None:
    """Append to `part` until it is whole. A broken connection is taken up again where it broke."""
    from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError

    client = account.client("s3")
    cut = 0
    with part.open("ab") as file, explained(f"downloading {model.place}"):
        while (have := file.tell()) < model.size:
            show(have)
            try:
                answer = client.get_object(
                    Bucket=model.place.bucket, Key=model.place.key, IfMatch=model.etag, Range=f"bytes={have}-"
                )
                for block in answer["Body"].iter_chunks(BLOCK):
                    file.write(block)
                    show(file.tell())
            except ClientError as error:
                if error_code(error) in ("PreconditionFailed", "412"):
                    raise ModelDamaged(f"{model.place} was replaced while it came: start again") from None
                raise
            except (HTTPClientError, ResponseStreamingError):
                cut = cut + 1 if file.tell() == have else 0
                if cut > _CUT_AT_MOST:
                    raise
        file.flush()
    show(model.size)
    if part.stat().st_size != model.size:
        part.unlink()
        raise ModelDamaged(f"{model.place}: more has come than there is: start again")
