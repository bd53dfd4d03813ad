"""What an hour costs, and what the job may cost at most."""

from __future__ import annotations

from launcher.aws import Account
from launcher.cloud.check import Check, fine, unknown
from launcher.cloud.prices import SPOT_SOURCE, cost_of, price_of

NAME = "price"


def check_price(
    account: Account | None, region: str, instances: tuple[str, ...], count: int, spot: bool, max_run_s: int | None
) -> Check:
    """The price of each instance, and where the number comes from."""
    told, missing = [], []
    for instance in instances:
        price = price_of(account, instance, region)
        if price is None:
            missing.append(instance)
            continue
        hour = f"{instance}: {price}"
        if spot:
            hour += f"; with Spot {cost_of(price, 3600, 1, spot=True)}/h"
        if max_run_s:
            hour += f"; at most {cost_of(price, max_run_s, count)} for {_hours(max_run_s)}{_machines(count)}"
        told.append(hour)
    if missing:
        told.append(f"nobody here knows the price of {', '.join(missing)}")
        return unknown(NAME, "; ".join(told), "look it up at https://aws.amazon.com/sagemaker/pricing/")
    return fine(NAME, "; ".join(told) + (f" ({SPOT_SOURCE})" if spot else ""))


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"


def _machines(count: int) -> str:
    return f" on {count} machines" if count > 1 else ""
