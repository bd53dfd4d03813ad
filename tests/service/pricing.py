"""The Pricing API, which lives in us-east-1 and knows the prices of every region."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.service.paging import page_of
from tests.service.refusal import CONNECTION_RESET, Refusal

if TYPE_CHECKING:
    from tests.service.service import Service

NAME = "pricing"
HOME = "us-east-1"
PAGE = 100

# Dollars per hour in us-east-1; elsewhere it is a quarter more. Made up, except for their order.
PER_HOUR = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.c5.xlarge": 0.204,
    "ml.g4dn.xlarge": 0.7364,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g4dn.12xlarge": 4.89,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.12xlarge": 7.09,
    "ml.g6.xlarge": 1.127,
    "ml.g6.2xlarge": 1.222,
    "ml.p3.2xlarge": 3.825,
    "ml.p4d.24xlarge": 25.25,
}
# Region: how usage types begin there, and its name.
REGIONS = {
    "us-east-1": ("USE1", "US East (N. Virginia)"),
    "us-west-2": ("USW2", "US West (Oregon)"),
    "eu-west-1": ("EU", "EU (Ireland)"),
    "ap-northeast-1": ("APN1", "Asia Pacific (Tokyo)"),
    "ap-southeast-1": ("APS1", "Asia Pacific (Singapore)"),
}
COMPONENTS = {"Training": "Train", "Hosting": "Host", "Notebook": "Notebk", "Processing": "Processing"}

Body = dict[str, Any]


def all_prices() -> dict[tuple[str, str], float]:
    return {
        (instance, region): price if region == HOME else round(price * 1.25, 4)
        for region in REGIONS
        for instance, price in PER_HOUR.items()
    }


def get_products(service: Service, region: str, body: Body) -> Body:
    if region != HOME:
        raise Refusal(CONNECTION_RESET.code)  # there is no such host
    if body["ServiceCode"] != "AmazonSageMaker":
        raise Refusal("NotFoundException", f"Service {body['ServiceCode']} not found")
    products = [
        _product(component, instance, place, price)
        for (instance, place), price in service.prices.items()
        for component in COMPONENTS
    ]
    for one in body.get("Filters", ()):
        products = [each for each in products if _fits(each["product"]["attributes"], one)]
    bad_token = Refusal("InvalidNextTokenException", "Invalid NextToken")
    page, token = page_of(products, body.get("NextToken"), body.get("MaxResults", PAGE), bad_token)
    answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in page]}
    return answer | ({"NextToken": token} if token else {})


OPERATIONS = {"GetProducts": get_products}


def _fits(attributes: dict[str, str], one: dict[str, str]) -> bool:
    value, wanted = attributes.get(one["Field"], "").lower(), one["Value"].lower()
    if one["Type"] == "CONTAINS":
        return wanted in value
    if one["Type"] == "ANY_OF":
        return value in wanted.split(",")
    if one["Type"] == "NONE_OF":
        return value not in wanted.split(",")
    return value == wanted  # TERM_MATCH, EQUALS


def _product(component: str, instance: str, region: str, price: float) -> Body:
    prefix, location = REGIONS.get(region, (region.upper(), region))
    usage = f"{prefix}-{COMPONENTS[component]}:{instance}"
    sku = hashlib.sha256(usage.encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    return {
        "product": {
            "productFamily": "ML Instance",
            "sku": sku,
            "attributes": {
                "regionCode": region,
                "location": location,
                "locationType": "AWS Region",
                "servicecode": "AmazonSageMaker",
                "servicename": "Amazon SageMaker",
                "instanceName": instance,
                "instanceType": f"{instance}-{component}",
                "platoinstancename": instance.split(".")[1],
                "platoinstancetype": component,
                "component": component,
                "usagetype": usage,
                "operation": "RunInstance",
                "currentGeneration": "Yes",
            },
        },
        "serviceCode": "AmazonSageMaker",
        "terms": {
            "OnDemand": {
                term: {
                    "sku": sku,
                    "offerTermCode": "JRTCKXETXF",
                    "effectiveDate": "2026-11-01T00:00:00Z",
                    "termAttributes": {},
                    "priceDimensions": {
                        rate: {
                            "rateCode": rate,
                            "unit": "Hrs",
                            "beginRange": "0",
                            "endRange": "Inf",
                            "appliesTo": [],
                            "description": f"${price} per {component} {instance} hour in {location}",
                            "pricePerUnit": {"USD": f"{price:.10f}"},
                        }
                    },
                }
            }
        },
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }
