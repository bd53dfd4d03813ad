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

    client = account.client("s3")
    for job in reversed(jobs):
        if not job.is_over or not job.model_uri:
            continue
        bucket, _, key = job.model_uri.removeprefix("s3://").partition("/")
        with explained(f"looking for {job.model_uri}"):
            try:
                head = client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                    continue  # it ended before it had a model
                raise
        return StoredModel(job.name, S3Uri(bucket, key), head["ContentLength"], head["ETag"])
    return None


def fetch(account: Account, model: StoredModel, archive: Path, show: Callable[[int], None]) -> bool:
    """Download unless it is there; goes on where an earlier download was cut. Returns whether anything came.

    The part that has come, and of what it is a part, lie beside the archive. Raises UserError.
    """
    part, note = archive.with_name(archive.name + ".part"), _source(archive)
    source = json.dumps({"uri": str(model.place), "etag": model.etag, "size": model.size})
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        is_same = note.is_file() and note.read_text(encoding="utf-8") == source
        if is_same and archive.is_file() and archive.stat().st_size == model.size:
            return False
        if not is_same:
            part.unlink(missing_ok=True)
        note.write_text(source, encoding="utf-8")
        _fill(account, model, part, show)
        part.replace(archive)
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
        _source(archive).unlink(missing_ok=True)  # it may have been damaged on the way: the next call downloads it anew
        raise ModelDamaged(f"{error.filename or archive}: {error.strerror or error}: nothing was replaced") from None
    if not is_complete:
        raise ModelDamaged(f"{archive} is no complete model (it lacks run.json or more): nothing was replaced")
    try:
        return json.loads((model / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{model / 'run.json'} cannot be read ({error})") from None


def _source(archive: Path) -> Path:
    """Beside the archive: of what it is a copy."""
    return archive.with_name(archive.name + ".source")


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
