"""Everything that can be known before money is spent: asked at once, each answer with what to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract.errors import UserError
from contract.parameters import OpenRecipe
from launcher.aws import Account, NoRegion, open_account
from launcher.cloud.call import setup_command
from launcher.cloud.check import OK, PROBLEM, UNKNOWN, Check, fine, problem, unknown
from launcher.cloud.layout import DEFAULT_PREFIX, S3Uri
from launcher.cloud.permissions import Names
from launcher.cloud.probes import bucket, dataset, image, instance, permissions, price, quota, role
from launcher.cloud.probes.dataset import DatasetFound
from launcher.cloud.probes.places import Places

__all__ = ["OK", "PROBLEM", "UNKNOWN", "Check", "CheckRequest", "problems_of", "run_checks"]

# SageMaker's list of quotas alone has some dozen pages, and the service answers a few a second.
TIME_LIMIT_S = 45.0

CREDENTIALS = "credentials"
Advance = Callable[[int, int], None]
Answer = Check | DatasetFound


@dataclass(frozen=True)
class CheckRequest:
    """What a job needs. Empty: not set."""

    instances: tuple[str, ...] = ()  # tried in turn
    instance_count: int = 1
    spot: bool = False
    max_run_s: int | None = None
    volume_gb: int | None = None
    region: str = ""
    profile: str = ""
    bucket: str = ""
    prefix: str = DEFAULT_PREFIX
    others: tuple[S3Uri, ...] = ()  # folders outside of it that the job writes to
    role: str = ""  # name or ARN
    image_uris: tuple[str, ...] = ()  # one for each instance that has one
    dataset: Path | S3Uri | None = None  # None: is not looked at
    dataset_size: int | None = None  # bytes, when the dataset was checked already
    recipe: OpenRecipe | None = None  # that the dataset is to fit; None: the dataset alone
    places: Places = field(default_factory=Places)  # what the job touches, to ask IAM about
    # For an account that is open: the images of the job, and why one of its instances has none.
    find_images: Callable[[Account], tuple[tuple[str, ...], str]] | None = None
    setup_command: Callable[..., str] = setup_command
    push_command: str = "make push"


def run_checks(
    request: CheckRequest,
    account: Account | None = None,
    advance: Advance | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> tuple[Check, ...]:
    """All checks, in the order in which their problems are best mended. Writes nothing anywhere.

    `account`: the one that is open already. `advance`: is told how many images of a local dataset are checked.
    """
    beginning, account = _check_credentials(request, account)
    region = account.region if account else request.region
    jobs = [_Asked(probe) for probe in _probes(request, account, region)] if account else []
    # Here and not in a thread: a bar may follow it, and decoding keeps a core busy.
    local = (
        dataset.check_folder(request.dataset, request.recipe, advance) if isinstance(request.dataset, Path) else None
    )
    give_up = time.monotonic() + time_limit_s
    answers = [answer for job in jobs for answer in job.answers(give_up, time_limit_s)]
    checks = [*beginning, *(answer for answer in answers if isinstance(answer, Check))]
    if request.instances:
        checks.append(instance.check_instances(request.instances))
    data = local or next((answer for answer in answers if isinstance(answer, DatasetFound)), None)
    if data:
        checks.append(data.check)
    size = data.size if data else request.dataset_size
    if request.instances and (data or size is not None):
        checks.append(dataset.check_disk(size, request.instances, request.volume_gb))
    if request.instances and not account:
        checks.append(_check_price(request, None, region))
    return tuple(sorted(checks, key=lambda check: _ORDER.index(check.name)))


def problems_of(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Those that keep a job from being started."""
    return tuple(check for check in checks if check.status == PROBLEM)


_ORDER = (
    instance.REGION,
    CREDENTIALS,
    bucket.NAME,
    role.NAME,
    role.TRUST,
    permissions.CALLER_MAY,
    permissions.ROLE_MAY,
    image.NAME,
    instance.NAME,
    quota.NAME,
    dataset.NAME,
    dataset.DISK,
    price.NAME,
)


@dataclass(frozen=True)
class _Probe:
    """One question to AWS, and the names of the checks that it answers."""

    names: tuple[str, ...]
    ask: Callable[[], tuple[Answer, ...]]


class _Asked:
    """A question on its way, in a thread that dies with this process: an answer that never comes holds nothing up."""

    def __init__(self, probe: _Probe) -> None:
        self._probe = probe
        self._answers: tuple[Answer, ...] = ()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"check {probe.names[0]}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answers = self._probe.ask()
        except BaseException as error:  # raised where the answer is asked for
            self._error = error

    def answers(self, give_up: float, limit_s: float) -> tuple[Answer, ...]:
        """What came back; a check of which nothing came until the time `give_up` is unknown."""
        self._thread.join(max(0.0, give_up - time.monotonic()))
        if self._thread.is_alive():
            late = f"AWS has not answered for {limit_s:.0f} seconds"
            return tuple(unknown(name, late, "try again") for name in self._probe.names)
        if self._error:
            raise self._error
        return self._answers


def _check_credentials(request: CheckRequest, account: Account | None) -> tuple[tuple[Check, ...], Account | None]:
    """Who calls, and what is wrong with the region that keeps this from being known."""
    if account is None:
        try:
            account = open_account(request.profile, request.region)
        except NoRegion as error:
            reason, _, remedy = str(error).rpartition(": ")
            return (problem(instance.REGION, reason, remedy),), None
        except UserError as error:
            reason, _, remedy = str(error).rpartition(": ")
            return (*instance.check_spelling(request.region), problem(CREDENTIALS, reason, remedy)), None
    return (fine(CREDENTIALS, f"{account.arn}, account {account.id}"),), account


def _probes(request: CheckRequest, account: Account, region: str) -> list[_Probe]:
    """What AWS is asked. Each works alone, and asks nothing that the others have to wait for."""
    named = role.named_role(request.role, account.arn)
    images, missing = request.image_uris, ""
    if not images and request.find_images:
        images, missing = request.find_images(account)
    names = Names(
        account.id,
        region,
        request.bucket,
        request.prefix,
        role.role_name(named),
        image.repository_of(images),
    )
    setup, push = request.setup_command, request.push_command
    probes = [
        _Probe((instance.REGION,), lambda: (instance.check_region(account),)),
        _Probe(
            (bucket.NAME,),
            lambda: (bucket.check_all(account, request.bucket, request.prefix, request.others, setup),),
        ),
        _Probe((role.NAME, role.TRUST), lambda: role.check_role(account, named, setup)),
        _Probe((permissions.CALLER_MAY,), lambda: (permissions.check_caller(account, names, request.places),)),
        _Probe((permissions.ROLE_MAY,), lambda: (permissions.check_execution_role(account, names, request.places),)),
        _Probe((image.NAME,), lambda: (image.check_images(account, images, missing, push),)),
    ]
    if request.instances:
        count = request.instance_count
        probes += [
            _Probe((quota.NAME,), lambda: (quota.check_quota(account, request.instances, count, request.spot),)),
            _Probe((price.NAME,), lambda: (_check_price(request, account, region),)),
        ]
    uri = request.dataset
    if isinstance(uri, S3Uri):
        probes.append(_Probe((dataset.NAME,), lambda: (dataset.check_s3(account, uri, request.recipe),)))
    return probes


def _check_price(request: CheckRequest, account: Account | None, region: str) -> Check:
    return price.check_price(
        account, region, request.instances, request.instance_count, request.spot, request.max_run_s
    )
