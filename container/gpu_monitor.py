"""What the GPUs do while a job runs: event=gpu lines, and a summary that the trainer puts into run.json.

The supervisor samples, in a thread: it waits for the trainer anyway, and the trainer spends nothing on it.
All GPUs of the machine are there, numbered as NVML has them, whatever CUDA_VISIBLE_DEVICES says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.events import print_event

SAMPLE_SECONDS = 2.0
EVENT_SECONDS = 30.0
MEGABYTE = 1 << 20


@contextmanager
def watch_gpus(
    summary: Path, say: Callable[[str], None], sample: float = SAMPLE_SECONDS, event: float = EVENT_SECONDS
) -> Iterator[None]:
    """Watch while the block runs. `summary`: a JSON file, always whole; never made where there is no GPU.

    Whatever goes wrong ends the watching with a note, and never the job.
    """
    ended = threading.Event()

    def watch() -> None:
        try:
            _watch(summary, sample, event, ended)
        except Exception as error:  # a driver in trouble, a full disk: the job goes on
            say(f"note: GPU use is no longer recorded ({error})")

    thread = threading.Thread(target=watch, name="gpus", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=sample)  # a driver that hangs must not keep the job from ending


def _watch(summary: Path, sample: float, event: float, ended: threading.Event) -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver, so there is no GPU to watch
        return
    gpus = [Gpu.open(device) for device in range(pynvml.nvmlDeviceGetCount())]
    per_event = max(1, round(event / sample))
    while gpus:
        for gpu in gpus:
            gpu.sample()
            if gpu.samples % per_event == 1 % per_event:  # the first one at once: what was there before the training
                print_event("gpu", **gpu.event())
        staging = summary.with_suffix(".new")
        staging.write_text(json.dumps([gpu.summary() for gpu in gpus]), encoding="utf-8")
        staging.replace(summary)
        if ended.wait(sample):
            return


@dataclass
class Gpu:
    """One GPU and what was sampled of it: since the last event, and since the start. Utilisation in %, memory in MB."""

    device: int
    name: str
    handle: Any
    recent: list[dict[str, float]] = field(default_factory=list)
    samples: int = 0
    utilization_sum: float = 0.0
    highest: dict[str, float] = field(default_factory=dict)

    @classmethod
    def open(cls, device: int) -> Gpu:
        import pynvml

        handle = pynvml.nvmlDeviceGetHandleByIndex(device)
        return cls(device, str(pynvml.nvmlDeviceGetName(handle)), handle)

    def sample(self) -> None:
        """Ask the driver; what this GPU does not tell (utilisation under MIG, power on some cards) is left out."""
        import pynvml

        now: dict[str, float] = {}
        for read in _READINGS:
            try:
                now |= read(pynvml, self.handle)
            except pynvml.NVMLError_NotSupported:
                continue
        self.recent.append(now)
        self.samples += 1
        self.utilization_sum += now.get("utilization", 0.0)
        for name, value in now.items():
            self.highest[name] = max(value, self.highest.get(name, value))

    def event(self) -> dict[str, float]:
        """Means since the last event; of memory the most."""
        recent, self.recent = self.recent, []
        fields: dict[str, float] = {"device": self.device}
        for name in recent[-1] if recent else ():
            values = [each[name] for each in recent if name in each]
            fields[name] = max(values) if name.startswith("memory") else sum(values) / len(values)
        return fields

    def summary(self) -> dict[str, Any]:
        """For run.json."""
        known = self.highest
        mean = round(self.utilization_sum / self.samples, 1) if "utilization" in known else None
        return {
            "device": self.device,
            "name": self.name,
            "samples": self.samples,
            "utilization": {"mean": mean, "max": known.get("utilization")},
            "memory_mb": {"peak": known.get("memory_used_mb"), "total": known.get("memory_total_mb")},
            "temperature_c": {"max": known.get("temperature_c")},
            "power_w": {"max": known.get("power_w")},
        }


def _utilization(nvml: Any, handle: Any) -> dict[str, float]:
    return {"utilization": nvml.nvmlDeviceGetUtilizationRates(handle).gpu}


def _memory(nvml: Any, handle: Any) -> dict[str, float]:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return {"memory_used_mb": memory.used // MEGABYTE, "memory_total_mb": memory.total // MEGABYTE}


def _temperature(nvml: Any, handle: Any) -> dict[str, float]:
    return {"temperature_c": nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)}


def _power(nvml: Any, handle: Any) -> dict[str, float]:
    return {"power_w": nvml.nvmlDeviceGetPowerUsage(handle) / 1000}  # it says milliwatts


_READINGS = (_utilization, _memory, _temperature, _power)
