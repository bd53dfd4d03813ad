"""Is what was trained in one place what was trained in another?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest


def assert_same_model(one: Path, other: Path) -> None:
    """Two model folders: bit by bit where Python and every package are the same, else in their scores."""
    first, second = (json.loads((model / "run.json").read_text(encoding="utf-8")) for model in (one, other))
    assert first["best"] == pytest.approx(second["best"], abs=1e-3)
    if _wheels(first) == _wheels(second):
        assert first["best"] == second["best"]
        assert hash_of_weights(one) == hash_of_weights(other)


def hash_of_weights(model: Path) -> str:
    """Of the arrays: pickles may order alike contents unlike."""
    from container.trainer.weights import read_weights

    arrays = sorted(read_weights(model / "best_accuracy.pdparams").items())
    return hashlib.sha256(b"".join(name.encode() + array.tobytes() for name, array in arrays)).hexdigest()


def _wheels(run: dict) -> dict[str, str]:
    """Versions that decide which wheels are installed: of Python 3.11.2 the 3.11."""
    return run["versions"] | {"python": ".".join(run["versions"]["python"].split(".")[:2])}
