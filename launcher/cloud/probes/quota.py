"""The quota that would refuse the job: of exactly this instance, on demand or Spot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from launcher.aws import Account
from launcher.cloud.check import Check, asking, fine, problem, unknown
from launcher.cloud.partition import console_page

NAME = "quota"
CONSOLE = "servicequotas/home/services/sagemaker/quotas"


def quota_name(instance: str, spot: bool) -> str:
    """What AWS calls the quota; its code differs from instance to instance, its name follows a rule."""
    return f"{instance} for {'spot ' if spot else ''}training job usage"


def check_quota(account: Account, instances: tuple[str, ...], count: int, spot: bool) -> Check:
    """Of several instances one that may run is enough: submit moves on to it."""
    return asking(NAME, "asking for the quotas of SageMaker", lambda: _judge(account, instances, count, spot))


def request_link(region: str, code: str = "") -> str:
    """Where in the console a higher quota is requested."""
    return console_page(region, CONSOLE) + (f"/{code}" if code else "")


def _judge(account: Account, instances: tuple[str, ...], count: int, spot: bool) -> Check:
    found = _find(account.client("service-quotas"), {quota_name(instance, spot) for instance in instances})
    told, can_run, unseen = [], False, False
    for instance in instances:
        quota = found.get(quota_name(instance, spot))
        told.append(f"{quota_name(instance, spot)} is {_number(quota)} in {account.region}")
        unseen |= quota is None
        can_run |= quota is not None and quota["Value"] >= count
    detail = "; ".join(told)
    if can_run:
        return fine(NAME, detail)
    first = next((found[name] for name in (quota_name(each, spot) for each in instances) if name in found), None)
    link = request_link(account.region, first["QuotaCode"] if first else "")
    if unseen:
        return unknown(NAME, detail, f"look for it at {link}")
    switch = "" if spot else ", or try --spot, which has a quota of its own"
    return problem(NAME, f"{detail}, and the job needs {count}", f"request {count} at {link}{switch}")


def _find(client: Any, names: set[str]) -> dict[str, dict[str, Any]]:
    """The quotas of these names: as they are for this account, else as they are for every account."""
    found: dict[str, dict[str, Any]] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for quota in _all(client, operation):
            if quota["QuotaName"] in names:
                found.setdefault(quota["QuotaName"], quota)
            if len(found) == len(names):
                return found
    return found


def _all(client: Any, operation: str) -> Iterator[dict[str, Any]]:
    """SageMaker has some thousand quotas, a hundred a page."""
    for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
        yield from page["Quotas"]


def _number(quota: dict[str, Any] | None) -> str:
    return "not listed" if quota is None else f"{quota['Value']:g}"
