"""What a plan for SageMaker refuses, one sentence each. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contract.errors import UserError
from contract.paths import BASE_DIR_VARIABLE, CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE
from launcher.cloud.job import STOPPING, Job, current_job
from launcher.cloud.layout import RunLayout, S3Uri
from launcher.cloud.settings import CloudSettings
from launcher.images.ecr import parse_image
from launcher.settings import Settings

DAY_S = 86_400
LONGEST_RUN_S = 28 * DAY_S  # what SageMaker gives a training job at most
LONGEST_WAIT_S = 30 * DAY_S  # with the waiting
LONGEST_KEEP_ALIVE_S = 21_600

VISIBLE = "SageMaker shows variables to everyone who may describe the job"
_SECRET = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?(_|$)", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|://[^/\s:@]+:[^/\s@]+@")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_VPC_ID = re.compile(r"[-0-9a-zA-Z]{1,32}")
_KMS = re.compile(r"[a-zA-Z0-9:/_-]{1,2048}")


def check_time(wanted: CloudSettings) -> None:
    """The limits of SageMaker and of sense. Raises UserError."""
    if wanted.max_run_s > LONGEST_RUN_S:
        raise UserError(
            "--max-run: SageMaker runs a job for at most 28d: give less, and continue the run with --resume"
        )
    if wanted.spot and wanted.max_wait_s is not None:
        if wanted.max_wait_s < wanted.max_run_s:
            raise UserError(
                f"--max-wait {hours(wanted.max_wait_s)} is shorter than --max-run {hours(wanted.max_run_s)}, and it "
                "holds training and waiting together: make it longer, or --max-run shorter"
            )
        if wanted.max_wait_s > LONGEST_WAIT_S:
            raise UserError("--max-wait: SageMaker waits and trains for at most 30d: give less")
    if wanted.keep_alive_s > LONGEST_KEEP_ALIVE_S:
        raise UserError("--keep-alive: SageMaker keeps a machine warm for at most 6h: give less")
    if wanted.keep_alive_s and wanted.spot:
        raise UserError("--keep-alive is not possible with Spot: AWS takes the machine back: leave one of them out")


def check_network(wanted: CloudSettings) -> None:
    """A VPC needs both kinds of IDs. Raises UserError."""
    if bool(wanted.subnets) != bool(wanted.security_groups):
        given, missing = ("--subnets", "--security-groups") if wanted.subnets else ("--security-groups", "--subnets")
        raise UserError(f"{given} without {missing}: a job in a VPC needs both")
    for flag, ids, most in (("--subnets", wanted.subnets, 16), ("--security-groups", wanted.security_groups, 5)):
        if len(ids) > most:
            raise UserError(f"{flag}: SageMaker takes at most {most}, not {len(ids)}")
        for each in ids:
            if not _VPC_ID.fullmatch(each):
                raise UserError(f"{flag} {each}: an ID looks like {'subnet' if most == 16 else 'sg'}-0123456789abcdef0")


def check_encryption(wanted: CloudSettings) -> None:
    """The key is written as AWS takes it. Raises UserError."""
    if wanted.kms_key and not _KMS.fullmatch(wanted.kms_key):
        raise UserError(f"--kms-key {wanted.kms_key}: give a key's ID or ARN, or an alias as alias/NAME")


def check_role(role: str) -> None:
    """The role is an ARN by now. Raises UserError."""
    if role and not _ROLE.fullmatch(role):
        raise UserError(f"--role {role}: a role's ARN looks like arn:aws:iam::123456789012:role/NAME: correct it")


def job_environment(settings: Settings) -> dict[str, str]:
    """The variables of the job, none of them a secret. Raises UserError."""
    ours = (BASE_DIR_VARIABLE, CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE)
    for name, value in settings.env:
        if name in ours:
            raise UserError(f"--env {name}: this variable is set by the platform: leave it out")
        if _SECRET.search(name):
            raise UserError(f"--env {name} looks like a secret, and {VISIBLE}: leave it out, or give it another name")
        if _SECRET_VALUE.search(value):
            raise UserError(f"--env {name} holds a password or a key, and {VISIBLE}: leave it out")
    return dict(settings.env)


def check_apart(layout: RunLayout, checkpoints: S3Uri | None, channels: Mapping[str, S3Uri]) -> None:
    """The checkpoint folder is copied down whole, and what the job deletes is deleted there too. Raises UserError."""
    if checkpoints is None:
        return
    flag = f"--checkpoint-uri {checkpoints}"
    if layout.runs.holds(checkpoints) and checkpoints != layout.runs and not layout.home.holds(checkpoints):
        other = checkpoints.key.removeprefix(layout.runs.key).split("/")[0]
        raise UserError(f"{flag} lies in the folder of the run {other}: name a folder of this run, or leave it out")
    others = {"output": layout.output, **channels}
    for name, place in others.items():
        if checkpoints.holds(place) or place.holds(checkpoints):
            raise UserError(f"{flag} would mix checkpoints with the {name} folder {place}: name a folder of its own")


def check_earlier(settings: Settings, region: str, jobs: tuple[Job, ...] | None) -> None:
    """What the jobs of the run so far allow. Raises UserError."""
    if settings.must_exist and jobs == ():
        raise UserError(
            f"there is no run {settings.run!r} on SageMaker in {region}: `python -m launcher list` shows what there is"
        )
    job = current_job(jobs) if jobs else None
    if job is None or job.is_over:
        return
    if job.status == STOPPING:
        raise UserError(f"{job.name} of this run is still saving and stopping: try again in some minutes")
    if settings.fresh:
        raise UserError(
            f"{job.name} of this run is still running: stop it first with `python -m launcher stop {job.run}`"
        )


def check_image(image: str, region: str) -> None:
    """An image in ECR, in the job's region. Raises UserError."""
    if not image:
        return
    address = parse_image(image)
    if address.region != region:
        raise UserError(
            f"the image {image} is in {address.region} and the job in {region}, but SageMaker pulls from its own "
            f"region only: push it to {region}, or give --region {address.region}"
        )


def hours(seconds: int) -> str:
    """`90s`, `12h`, `1h30m`: as the flags take it, in the largest units that are whole."""
    parts = []
    for unit, size in (("d", DAY_S), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts[:2]) or "0s"
