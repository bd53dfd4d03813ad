"""The parts of AWS that share nothing: each has ARNs, a console and prices of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """One part of AWS."""

    name: str  # as ARNs begin with it
    console: str  # domain, behind the region
    pricing: str  # the region whose Pricing API answers these credentials; empty: none does


_AWS = Partition("aws", "console.aws.amazon.com", "us-east-1")
# By the beginning of the region's name.
_OTHERS = {
    "cn-": Partition("aws-cn", "console.amazonaws.cn", "cn-northwest-1"),
    "us-gov-": Partition("aws-us-gov", "console.amazonaws-us-gov.com", ""),
}


def partition_of(region: str) -> Partition:
    """The part of AWS that a region belongs to."""
    return next((found for beginning, found in _OTHERS.items() if region.startswith(beginning)), _AWS)


def console_page(region: str, path: str) -> str:
    """An address in the console of a region."""
    return f"https://{region}.{partition_of(region).console}/{path}"
