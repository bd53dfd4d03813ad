"""Names and places of a run on SageMaker: its jobs, its tags, and its folders in S3. Pure.

```
s3://BUCKET/PREFIX/datasets/<name>/<content hash>/   a dataset, once per content
s3://BUCKET/PREFIX/files/<name>/<sha256>/<name>      a recipe or weights of the user's own, once per name and content
s3://BUCKET/PREFIX/runs/<run>/checkpoints/           what the run continues from, whichever job of it comes next
s3://BUCKET/PREFIX/runs/<run>/output/<job>/output/model.tar.gz
```
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone

from contract.errors import UserError

DEFAULT_PREFIX = "ocr"
LONGEST_JOB_NAME = 63  # CreateTrainingJob
JOB_DIGITS = 12  # with which the name of a job ends
LONGEST_URI = 1024

RUN_TAG = "paddleocr-sagemaker:run"
PROJECT_TAG = "paddleocr-sagemaker:project"
PROJECT = "paddleocr-sagemaker"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# The characters that S3 calls safe in keys: any tool and any URL takes them as they are.
_KEY = re.compile(r"[A-Za-z0-9!_.*'()/=@:+-]*")
_STAMP = "%y%m%d%H%M%S"


@dataclass(frozen=True)
class S3Uri:
    """`s3://BUCKET/KEY`. The key of a folder ends with /: S3 matches prefixes, and `run-1` would match `run-10` too."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def folder(self, *names: str) -> S3Uri:
        """The folder of these names below this one."""
        stem = self.key if self.key.endswith("/") or not self.key else f"{self.key}/"
        return S3Uri(self.bucket, stem + "".join(f"{name}/" for name in names))

    def file(self, name: str) -> S3Uri:
        """The object of this name in this folder."""
        return S3Uri(self.bucket, self.folder().key + name)

    def holds(self, other: S3Uri) -> bool:
        """`other` is this folder or lies in it."""
        return self.bucket == other.bucket and other.folder().key.startswith(self.folder().key)


@dataclass(frozen=True)
class RunLayout:
    """Where a run keeps what it reads and writes."""

    root: S3Uri  # s3://BUCKET/PREFIX/
    runs: S3Uri  # the folder of all runs
    run: str

    @property
    def datasets(self) -> S3Uri:
        return self.root.folder("datasets")

    def dataset(self, name: str, content_sha256: str) -> S3Uri:
        return self.datasets.folder(name, content_sha256)

    def files(self, name: str, sha256: str) -> S3Uri:
        """The folder of one file and no other: a channel is a whole folder, and two weights in it would be refused."""
        return self.root.folder("files", name, sha256)

    @property
    def home(self) -> S3Uri:
        return self.runs.folder(self.run)

    @property
    def checkpoints(self) -> S3Uri:
        return self.home.folder("checkpoints")

    def fresh_checkpoints(self, when: datetime) -> S3Uri:
        """Where a run that starts over keeps its checkpoints; the earlier ones stay where they are."""
        return self.home.folder(f"checkpoints-{_stamp(when)}")

    @property
    def output(self) -> S3Uri:
        return self.home.folder("output")

    def model(self, job: str) -> S3Uri:
        """The artifact of a job of the run."""
        return self.output.folder(job, "output").file("model.tar.gz")


def run_layout(bucket: str, run: str, prefix: str = DEFAULT_PREFIX, runs: S3Uri | None = None) -> RunLayout:
    """The places of a run. `runs`: another folder of all runs than BUCKET/PREFIX/runs/."""
    root = S3Uri(bucket).folder(*filter(None, prefix.split("/")))
    return RunLayout(root, runs.folder() if runs else root.folder("runs"), run)


def parse_s3_uri(text: str, flag: str) -> S3Uri:
    """`s3://BUCKET/some/folder` as a folder. Raises UserError, naming the flag."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket:
        raise UserError(f"{flag} {text}: write an address in S3 as s3://BUCKET/folder/")
    check_bucket(bucket, flag)
    check_key(key, flag)
    uri = S3Uri(bucket, key).folder()
    if len(str(uri)) > LONGEST_URI:
        raise UserError(f"{flag}: an address in S3 has at most {LONGEST_URI} characters, not {len(str(uri))}")
    return uri


def check_bucket(bucket: str, flag: str = "--bucket") -> str:
    """The name of a bucket. Raises UserError."""
    if "/" in bucket:
        raise UserError(f"{flag} {bucket}: name the bucket alone, and the folder in it with --prefix")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise UserError(f"{flag} {bucket}: a bucket's name has 3 to 63 lower-case letters, digits, - and .")
    return bucket


def check_key(key: str, flag: str = "--prefix") -> str:
    """A folder in a bucket. Raises UserError."""
    if not _KEY.fullmatch(key) or "//" in key or any(part in (".", "..") for part in key.split("/")):
        raise UserError(
            f"{flag} {key}: name folders with a–z, A–Z, 0–9 and - _ . = @ + only, one / between them, none . or .."
        )
    return key


def job_stem(run: str) -> str:
    """How the names of all jobs of a run begin. Two runs may share it: compare the hyperparameter run_id as well."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", run).strip("-") or "run"
    return plain[: LONGEST_JOB_NAME - len("-") - JOB_DIGITS].rstrip("-")


def job_name(run: str, number: int, previous: str = "") -> str:
    """The name of the `number`-th job of a run, which follows the job `previous` (empty: there is none).

    Whoever sees the same jobs makes the same name, and SageMaker takes a name once: of two submissions at the same time
    one makes the job, and the other finds it.
    """
    digest = int(hashlib.sha256(f"{run}\n{previous}".encode()).hexdigest(), 16)
    return f"{job_stem(run)}-{number % 1000:03d}{digest % 10**9:09d}"


def is_job_name(name: str, run: str = "") -> bool:
    """`name` is one that this launcher makes, for this run if one is named."""
    stem = re.escape(job_stem(run)) if run else ".+"
    return re.fullmatch(rf"{stem}-\d{{{JOB_DIGITS}}}", name) is not None


def job_tags(run: str, own: dict[str, str]) -> dict[str, str]:
    """The tags of a job: the user's own, and ours, by which costs add up per run."""
    ours = {PROJECT_TAG: PROJECT, RUN_TAG: run}
    return ours | own | ours  # ours come first and win


def _stamp(when: datetime) -> str:
    return (when.astimezone(timezone.utc) if when.tzinfo else when).strftime(_STAMP)
