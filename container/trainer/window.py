"""The steps since the last train event: their loss, their rate, and what of the time was waiting for samples."""

from __future__ import annotations

import time

import paddle


class Window:
    """What happened since the last train event: losses stay on the device until they are asked for."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.losses: list[paddle.Tensor] = []
        self.samples = 0
        self.rate = 0.0  # of the last step
        self.reading = 0.0
        self.training = 0.0
        self.mark = time.monotonic()

    def read(self) -> None:
        """The next batch has arrived."""
        now = time.monotonic()
        self.reading += now - self.mark
        self.mark = now

    def add(self, loss: paddle.Tensor, samples: int) -> None:
        """A step has been done with it."""
        self.losses.append(loss)
        self.samples += samples
        now = time.monotonic()
        self.training += now - self.mark
        self.mark = now

    def resume(self) -> None:
        """Evaluation and saving are over: their time is not the reader's."""
        self.mark = time.monotonic()

    def loss(self) -> float:
        """Mean loss of the steps. Reading it waits for the device, so that the times are honest."""
        mark = time.monotonic()
        value = float(paddle.stack(self.losses).astype("float64").mean())
        self.training += time.monotonic() - mark
        return value

    def seconds(self) -> float:
        return self.reading + self.training

    def samples_per_second(self) -> float:
        return self.samples / max(self.seconds(), 1e-9)

    def reader_share(self) -> float:
        return self.reading / max(self.seconds(), 1e-9)
