"""Metrics, for PaddleOCR's own tools: `tools/train.py` and `tools/eval.py` ask for them by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..supported import construct
from .rec_metric import RecMetric

METRICS = {"RecMetric": RecMetric}


def build_metric(config: Mapping[str, Any]) -> RecMetric:
    return construct("Metric", "metrics", config, METRICS)
