"""What the user asked of a job on SageMaker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contract.errors import UserError
from contract.hyperparameters import parse_bool
from launcher.cloud.layout import S3Uri, check_bucket, check_key, parse_s3_uri
from launcher.interruption import parse_duration
from launcher.sources import Given, pair_of, texts_of

ML = "ml."
S3 = "s3://"
NO_CHECKPOINTS = "none"  # as --checkpoint-uri

_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_AWS_CHIPS = re.compile(r"ml\.(trn|inf)\d")  # Trainium, Inferentia


@dataclass(frozen=True)
class CloudSettings:
    """The part of a call of `submit` that only SageMaker understands. Empty and None mean: not given."""

    instances: tuple[str, ...]  # tried in turn
    instance_count: int
    dataset: S3Uri | None  # these three: None when it is a folder of this machine, or not given
    validation: S3Uri | None
    pretrained: S3Uri | None
    runs: S3Uri | None  # --output s3://
    checkpoints: S3Uri | None
    keeps_checkpoints: bool
    spot: bool
    max_run_s: int
    max_wait_s: int | None
    max_cost: float | None  # US dollars
    keep_alive_s: int
    volume_gb: int | None
    bucket: str
    prefix: str
    role: str  # a name or an ARN
    region: str
    profile: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    kms_key: str
    network_isolation: bool
    tags: tuple[tuple[str, str], ...]
    from_job: str
    waits: bool
    asks: bool


def is_cloud(given: Mapping[str, Given]) -> bool:
    """The call is about a job on SageMaker; where a run is to be resumed, its newest job there may say all the rest."""
    names = _listed(given, "instance")
    return any(name.startswith(ML) for name in names) or "from_job" in given or ("resume" in given and not names)


def is_in_s3(given: Given | None) -> bool:
    return given is not None and str(given.raw).startswith(S3)


def cloud_settings(given: Mapping[str, Given]) -> CloudSettings:
    """Type what only SageMaker understands. Raises UserError."""

    def text(key: str) -> str:
        return str(given[key].raw) if key in given else ""

    def switch(key: str) -> bool:
        return key in given and _switch(key, text(key))

    def address(key: str) -> S3Uri | None:
        return parse_s3_uri(text(key), _flag(key)) if is_in_s3(given.get(key)) else None

    return CloudSettings(
        instances=_instances(_listed(given, "instance")),
        instance_count=instance_count(text("instance_count")),
        dataset=address("dataset"),
        validation=address("validation"),
        pretrained=address("pretrained"),
        runs=address("output"),
        checkpoints=_checkpoints(text("checkpoint_uri")),
        keeps_checkpoints=text("checkpoint_uri") != NO_CHECKPOINTS,
        spot=switch("spot"),
        max_run_s=_seconds("max_run", text("max_run")) or 1,
        max_wait_s=_seconds("max_wait", text("max_wait")),
        max_cost=_dollars(text("max_cost")),
        keep_alive_s=_seconds("keep_alive", text("keep_alive")) or 0,
        volume_gb=_number("volume_size", text("volume_size")),
        bucket=check_bucket(text("bucket").removeprefix(S3).rstrip("/")) if text("bucket") else "",
        prefix=check_key(text("prefix").strip("/")),
        role=text("role"),
        region=text("region"),
        profile=text("profile"),
        subnets=_listed(given, "subnets"),
        security_groups=_listed(given, "security_groups"),
        kms_key=text("kms_key"),
        network_isolation=switch("network_isolation"),
        # no tag holds a comma: SageMaker takes letters, digits, blanks and _ . : / = + - @
        tags=tuple(pair_of(raw, "--tags") for raw in _listed(given, "tags")),
        from_job=text("from_job"),
        waits=not text("no_wait"),
        asks=not text("yes"),
    )


def _instances(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not name.startswith(ML):
            raise UserError(f"--instance {','.join(names)}: name either ml types, or {name} alone")
        if not _INSTANCE.fullmatch(name):
            raise UserError(f"--instance {name}: SageMaker's types look like ml.g4dn.xlarge")
        if _AWS_CHIPS.match(name):
            raise UserError(
                f"--instance {name}: it computes with AWS's own chips, which PaddlePaddle cannot use: name a type with "
                "NVIDIA GPUs such as ml.g4dn.xlarge"
            )
    return tuple(dict.fromkeys(names))


def _checkpoints(text: str) -> S3Uri | None:
    return parse_s3_uri(text, "--checkpoint-uri") if text and text != NO_CHECKPOINTS else None


def _listed(given: Mapping[str, Given], key: str) -> tuple[str, ...]:
    """The values of a list, which may also be written with commas."""
    return tuple(part.strip() for raw in texts_of(given, key) for part in raw.split(",") if part.strip())


def _switch(key: str, text: str) -> bool:
    try:
        return parse_bool(text)
    except ValueError:
        raise UserError(f"{_flag(key)} is true or false, not {text!r}") from None


def _seconds(key: str, text: str) -> int | None:
    if not text:
        return None
    try:
        seconds = round(parse_duration(text))
    except UserError as error:
        raise UserError(f"{_flag(key)}: {error}") from None
    if seconds < 1:
        raise UserError(f"{_flag(key)} {text}: give at least a second")
    return seconds


def instance_count(text: str) -> int:
    """How many machines train together, on SageMaker or here. Raises UserError."""
    return _number("instance_count", text) or 1


def _number(key: str, text: str) -> int | None:
    if text and not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise UserError(f"{_flag(key)} is a whole number from 1, not {text!r}")
    return int(text) if text else None


def _dollars(text: str) -> float | None:
    if not text:
        return None
    match = re.fullmatch(r"\$?(\d+(?:\.\d+)?)(?:\s*(?:USD|\$))?", text)
    if not match or float(match[1]) <= 0:
        raise UserError(f"--max-cost is an amount of US dollars, such as 5 or 2.50, not {text!r}")
    return float(match[1])


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")
