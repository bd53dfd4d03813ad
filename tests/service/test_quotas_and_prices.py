"""Service Quotas and Pricing, through boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError

from tests.service import REGION, Service, scripted_service

ONE_TRY = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    changed = {"ml.g5.xlarge for training job usage": 7}
    with scripted_service(quotas=changed, prices={("ml.g5.xlarge", REGION): 2.5}) as service:
        yield service


def test_quotas_come_in_pages_and_can_be_asked_for_by_code(service: Service):
    client = service.client("service-quotas")
    pages = list(client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"))
    rows = {row["QuotaName"]: row for page in pages for row in page["Quotas"]}
    assert len(pages) > 3
    assert rows["ml.g5.xlarge for training job usage"]["Value"] == 7
    assert rows["ml.g5.xlarge for spot training job usage"]["Value"] == 4
    assert rows["ml.g5.xlarge for training warm pool usage"]["Value"] == 0
    code = rows["ml.g5.xlarge for training job usage"]["QuotaCode"]
    assert client.get_service_quota(ServiceCode="sagemaker", QuotaCode=code)["Quota"]["Value"] == 7
    with pytest.raises(client.exceptions.NoSuchResourceException):
        client.get_service_quota(ServiceCode="sagemaker", QuotaCode="L-00000000")
    with pytest.raises(client.exceptions.NoSuchResourceException):
        client.list_service_quotas(ServiceCode="ec2")


def prices(service: Service, *filters: tuple[str, str, str]) -> list[dict[str, Any]]:
    wanted = [{"Type": kind, "Field": name, "Value": value} for kind, name, value in filters]
    pages = (
        service.client("pricing", "us-east-1")
        .get_paginator("get_products")
        .paginate(ServiceCode="AmazonSageMaker", FormatVersion="aws_v1", Filters=wanted)
    )
    return [json.loads(product) for page in pages for product in page["PriceList"]]


def test_prices_of_training_are_found_by_usage_type(service: Service):
    (product,) = prices(service, ("TERM_MATCH", "regionCode", REGION), ("CONTAINS", "usagetype", "Train:ml.g5.xlarge"))
    assert product["product"]["attributes"]["usagetype"] == "APS1-Train:ml.g5.xlarge"
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", 2.5)


def test_the_same_machine_has_other_prices_for_other_uses(service: Service):
    found = prices(service, ("TERM_MATCH", "regionCode", REGION), ("TERM_MATCH", "instanceName", "ml.g5.xlarge"))
    components = {each["product"]["attributes"]["component"] for each in found}
    assert components == {"Training", "Hosting", "Notebook", "Processing"}
    assert len(prices(service)) > 100, "without filters: pages of everything"


def test_pricing_lives_in_one_region(service: Service):
    with pytest.raises(HTTPClientError):
        service.client("pricing", REGION, config=ONE_TRY).get_products(ServiceCode="AmazonSageMaker")
    client = service.client("pricing", "us-east-1")
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_products(ServiceCode="AmazonNothing")
