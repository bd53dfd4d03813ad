"""Feature columns are time steps."""

from __future__ import annotations

from paddle import Tensor


def columns_to_sequence(x: Tensor) -> Tensor:
    """(B, C, 1, T) → (B, T, C)."""
    height = x.shape[2]
    if height != 1:
        raise ValueError(
            f"The backbone left {height} rows of features where the neck needs one: "
            "use images of height 32, or larger strides."
        )
    return x.squeeze(2).transpose([0, 2, 1])
