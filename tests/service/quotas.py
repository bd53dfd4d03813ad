"""Service Quotas: how many machines of each type an account may use for training."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tests.service.model_check import model_of
from tests.service.paging import page_of
from tests.service.refusal import Refusal
from tests.service.training_job import ACCOUNT

if TYPE_CHECKING:
    from tests.service.service import Service

NAME = "service-quotas"
PAGE = 100
USUAL = 4.0

Body = dict[str, Any]


def quota_name(instance: str, *, spot: bool = False) -> str:
    return f"{instance} for {'spot ' if spot else ''}training job usage"


def all_quotas() -> dict[str, float]:
    """The usual value of every quota about training; of warm pools nobody has any before asking."""
    quotas = {"Longest run time for a training job": 432000.0, "Number of instances across training jobs": 20.0}
    for instance in sorted(model_of("sagemaker").shape_for("TrainingInstanceType").enum):
        quotas |= {quota_name(instance): USUAL, quota_name(instance, spot=True): USUAL}
        quotas[f"{instance} for training warm pool usage"] = 0.0
    return quotas


def list_service_quotas(service: Service, region: str, body: Body) -> Body:
    rows = _rows(service, region, body["ServiceCode"])
    bad_token = Refusal("InvalidPaginationTokenException", "Invalid pagination token.")
    page, token = page_of(rows, body.get("NextToken"), body.get("MaxResults", PAGE), bad_token)
    return {"Quotas": list(page)} | ({"NextToken": token} if token else {})


def get_service_quota(service: Service, region: str, body: Body) -> Body:
    rows = _rows(service, region, body["ServiceCode"])
    found = next((row for row in rows if row["QuotaCode"] == body["QuotaCode"]), None)
    if found is None:
        raise Refusal("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return {"Quota": found}


OPERATIONS = {
    "ListServiceQuotas": list_service_quotas,
    "ListAWSDefaultServiceQuotas": list_service_quotas,
    "GetServiceQuota": get_service_quota,
}


def _rows(service: Service, region: str, code: str) -> list[Body]:
    if code != "sagemaker":
        raise Refusal("NoSuchResourceException", "The request failed because the specified service does not exist.")
    return [_row(name, value, region) for name, value in service.quotas.items()]


def _row(name: str, value: float, region: str) -> Body:
    code = "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:sagemaker/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
