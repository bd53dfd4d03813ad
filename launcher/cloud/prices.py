"""What an hour of training costs: from AWS's Pricing API, else from a dated table that comes along, and said which."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.aws import Account, error_code, explained
from launcher.cloud.partition import partition_of

TABLE = Path(__file__).with_name("prices.yml")
API, FALLBACK = "AWS Pricing API", "fallback table"
SERVICE = "AmazonSageMaker"

# What Spot takes off the price on demand, as users report it; AWS promises nothing and prints the saving at the end.
SPOT_SAVES = (0.5, 0.7)
DEAREST_REGION = 2.0  # times the price of us-east-1; the dearest known to us, sa-east-1, takes 1.7 times for ml.g4dn
SPOT_SOURCE = "50–70 % off is what users report for GPU training; the saving is known when the job has ended"

_known: dict[tuple[str, str, str], Price] = {}  # account, instance, region; for as long as this process lives


@dataclass(frozen=True)
class Price:
    """One instance for one hour, on demand."""

    per_hour: float
    currency: str
    source: str
    dated: str  # YYYY-MM-DD
    region: str  # whose price it is: the fallback knows one region only
    note: str = ""  # why it is not the Pricing API's

    @property
    def is_fallback(self) -> bool:
        return self.source == FALLBACK

    def __str__(self) -> str:
        return f"{money(self.per_hour, self.currency)}/h on demand ({self.origin})"

    def bound_in(self, region: str) -> Price:
        """What an hour in this region costs at most: where only another region's price is known, more than that."""
        return self if region == self.region else replace(self, per_hour=self.per_hour * DEAREST_REGION)

    @property
    def origin(self) -> str:
        """Where the number comes from, in words."""
        where = f"{self.source} of {self.dated} for {self.region}"
        return f"{where}, because {self.note}" if self.note else where


@dataclass(frozen=True)
class Cost:
    """What a time costs: a range, because nobody knows a Spot price beforehand. On demand both ends are the same."""

    low: float
    high: float
    currency: str

    def __str__(self) -> str:
        if self.low == self.high:
            return money(self.high, self.currency)
        return f"{money(self.low, self.currency)} to {money(self.high, self.currency)}"


def price_of(account: Account | None, instance: str, region: str) -> Price | None:
    """The price of an instance, or None when neither the Pricing API nor the table has it.

    `account`: whose credentials ask; without one the table answers.
    """
    key = (account.id if account else "", instance, region)
    if key not in _known:
        price, why = _ask(account, instance, region) if account else (None, "AWS could not be asked")
        price = price or _from_table(instance, why)
        if price is None:
            return None
        _known[key] = price
    return _known[key]


def cost_of(price: Price, seconds: float, count: int = 1, *, spot: bool = False) -> Cost:
    """What `count` instances cost for this long."""
    full = price.per_hour * seconds / 3600 * count
    least, most = SPOT_SAVES
    return Cost(full * (1 - most), full * (1 - least), price.currency) if spot else Cost(full, full, price.currency)


def seconds_for(price: Price, limit: float, count: int = 1) -> int:
    """For how long `limit` pays, on demand: what --max-cost means. A Spot job costs less, never more."""
    return int(limit / (price.per_hour * count) * 3600)


def money(amount: float, currency: str = "USD") -> str:
    """$0.7364, $17.67, 35.20 CNY."""
    digits = 4 if 0 < amount < 1 else 2
    text = f"{amount:,.{digits}f}"
    return f"${text}" if currency == "USD" else f"{text} {currency}"


def _ask(account: Account, instance: str, region: str) -> tuple[Price | None, str]:
    """The price, or why there is none. The Pricing API lives in a few regions and knows the prices of all."""
    from contract.errors import UserError

    home = partition_of(region).pricing
    if not home:
        return None, "this part of AWS has no Pricing API"
    try:
        with explained("asking for prices"):
            found = list(_products(account.client("pricing", home), instance, region))
    except UserError as error:
        code = error_code(error.__cause__) if isinstance(error.__cause__, Exception) else ""
        return None, f"the Pricing API answers {code}" if code else "the Pricing API cannot be reached"
    prices = [price for product in found for price in _hourly(product, instance, region)]
    if not prices:
        return None, f"the Pricing API has none for {instance} in {region}"
    return max(prices, key=lambda price: price.per_hour), ""  # --max-cost is a bound: of several, the one that holds


def _products(client: Any, instance: str, region: str) -> Iterable[dict[str, Any]]:
    """Usage types look like USE1-Train:ml.g4dn.xlarge, with a prefix per region that only AWS knows."""
    pages = client.get_paginator("get_products").paginate(
        ServiceCode=SERVICE,
        FormatVersion="aws_v1",
        Filters=[
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
            {"Type": "CONTAINS", "Field": "usagetype", "Value": f"Train:{instance}"},
        ],
    )
    for page in pages:
        yield from map(json.loads, page["PriceList"])


def _hourly(product: dict[str, Any], instance: str, region: str) -> Iterable[Price]:
    """The prices on demand in one product, if it is this very one: the filters are AWS's, the proof is ours."""
    attributes = product.get("product", {}).get("attributes", {})
    usage = str(attributes.get("usagetype", ""))
    is_training = usage == f"Train:{instance}" or usage.endswith(f"-Train:{instance}")
    if not is_training or attributes.get("regionCode", region) != region:
        return
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        dated = str(product.get("publicationDate") or term.get("effectiveDate") or "")[:10] or "today"
        for dimension in term.get("priceDimensions", {}).values():
            for currency, amount in dimension.get("pricePerUnit", {}).items():
                if float(amount) > 0:
                    yield Price(float(amount), currency, API, dated, region)


def _from_table(instance: str, why: str) -> Price | None:
    import yaml

    content = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    amount = content["per_hour"].get(instance)
    if amount is None:
        return None
    return Price(float(amount), content["currency"], FALLBACK, str(content["dated"]), content["region"], why)
