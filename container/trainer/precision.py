"""Mixed precision: matrix products in half precision, weights and losses in float32, and a loss scale for float16.

Half precision has no kernels on a CPU (Paddle 3.3), so `amp` stays off there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import paddle

FIRST_SCALE = 2.0**15
LARGEST_SCALE = 2.0**24
GROWS_AFTER = 1000  # steps in a row without an overflow
TRIES = 5  # of one batch, each at half the scale of the one before


class LossScale:
    """Keeps gradients of float16 in its range: they are computed of a multiple of the loss, and divided by it.

    A batch whose gradients overflow is tried again at half the scale, so that every sample trains once, and a step is
    a step. Only what overflows five times is given up: the step counts and changes nothing. Gradients decide, not the
    loss: after all-reduce they are the same in every process, and so are the tries.
    """

    def __init__(self, scale: float = FIRST_SCALE, good_steps: int = 0, given_up: int = 0):
        self.scale = scale
        self.good_steps = good_steps  # since the scale changed
        self.given_up = given_up  # steps of the run

    @property
    def state(self) -> dict[str, float | int]:
        """The arguments that make the same one again."""
        return {"scale": self.scale, "good_steps": self.good_steps, "given_up": self.given_up}

    def restore(self, state: dict[str, Any]) -> None:
        self.scale, self.good_steps = float(state["scale"]), int(state["good_steps"])
        self.given_up = int(state["given_up"])

    def step(
        self,
        loss_of_batch: Callable[[], paddle.Tensor],
        weight: float,
        parameters: Sequence[paddle.Tensor],
        optimizer: paddle.optimizer.Optimizer,
    ) -> paddle.Tensor:
        """One step of gradient descent, or none when every try overflows. Returns the loss, not scaled.

        `weight`: of the batch among those of all ranks.
        """
        for _ in range(TRIES):
            loss = loss_of_batch()
            (loss * (weight * self.scale)).backward()
            if self._unscale(parameters):
                optimizer.step()
                self._went_well()
                return loss
            optimizer.clear_grad()
            self.scale, self.good_steps = max(1.0, self.scale / 2), 0
        self.given_up += 1
        return loss

    def _unscale(self, parameters: Sequence[paddle.Tensor]) -> bool:
        """Divide the gradients by the scale, in place. Returns whether all of them are finite."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        _, overflow = paddle._C_ops.check_finite_and_unscale_(gradients, paddle.to_tensor([self.scale]))
        return not bool(overflow)

    def _went_well(self) -> None:
        self.good_steps += 1
        if self.good_steps >= GROWS_AFTER:
            self.scale, self.good_steps = min(LARGEST_SCALE, self.scale * 2), 0


@dataclass(frozen=True)
class Precision:
    """What a step computes in. dtype: "float16" or "bfloat16"; None: all in float32."""

    dtype: str | None = None
    loss_scale: LossScale | None = None

    @classmethod
    def of(cls, recipe_global: dict[str, Any]) -> Precision:
        """From the Global section of a resolved recipe, with PaddleOCR's own keys."""
        if not recipe_global.get("use_amp"):
            return cls()
        dtype = str(recipe_global["amp_dtype"])
        return cls(dtype, LossScale() if dtype == "float16" else None)

    def context(self) -> AbstractContextManager[Any]:
        """Inside, Paddle casts products and convolutions; what loses by it (softmax, norms, exp) stays in float32."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return paddle.amp.auto_cast(level="O1", dtype=self.dtype)


def in_float32(output: Any) -> Any:
    """A network's output, whatever it is made of, with every half-precision tensor in float32: losses need it."""
    if isinstance(output, dict):
        return {name: in_float32(value) for name, value in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(in_float32(value) for value in output)
    if isinstance(output, paddle.Tensor) and output.dtype in (paddle.float16, paddle.bfloat16):
        return output.astype("float32")
    return output
