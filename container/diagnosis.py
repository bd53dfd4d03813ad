"""Why a trainer ended that did not say so itself: cause and remedy, in one line, from its exit and its last words.

The patterns are the words of Paddle 3.x, CUDA, NCCL and gloo. Whoever ends on purpose (a refusal, a watchdog) has said
why in a sentence of its own and is not asked here.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
QUOTED = 300  # characters of somebody else's error text in a sentence of ours
AGAIN = "start the run again, it continues from its checkpoint"


@dataclass(frozen=True)
class Circumstances:
    """What a remedy depends on. memory_kills: processes that the kernel killed for memory during the run; None where
    it does not say."""

    batch_size: int
    workers: int
    memory_kills: int | None = None

    @property
    def smaller_batch(self) -> str:
        """The next smaller batch to try."""
        if self.batch_size == 1:
            return "make the input smaller (image_shape), batch_size is 1 already"
        return f"set batch_size={self.batch_size // 2} (it is {self.batch_size})"

    @property
    def fewer_workers(self) -> str:
        return f"workers={self.workers // 2} (it is {self.workers})"


Say = Callable[["re.Match[str]", Circumstances], str]


def explain_end(code: int, last_words: str, at: Circumstances) -> str:
    """One line for an end that nobody foresaw. `code`: as subprocess returns it; `last_words`: the end of stderr."""
    for pattern, say in CAUSES:
        if found := pattern.search(last_words):
            return say(found, at)
    if code == -signal.SIGKILL:
        return _killed(at)
    if code == -signal.SIGBUS:
        return _bus_error()
    if last := _last_exception(last_words):
        return f"the trainer failed: {in_one_line(last)}"
    if code < 0:
        return f"the trainer died of signal {-code} ({signal.Signals(-code).name}): its last lines are in the log"
    return f"the trainer ended with exit code {code}: its last lines are in the log"


def memory_kills(cgroup: Path = CGROUP) -> int | None:
    """How often the kernel has killed a process of this container for memory so far; None where it does not say."""
    for name in ("memory.events", "memory/memory.oom_control"):  # version 2, version 1
        try:
            found = re.search(r"^oom_kill (\d+)$", (cgroup / name).read_text(encoding="ascii"), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found[1])
    return None


def in_one_line(text: str) -> str:
    """Somebody else's error text without C++ stack, source places and line breaks, at most QUOTED characters."""
    text = text.rpartition("Error Message Summary:")[2]
    text = re.sub(r"\[Hint:.*?\]|\(at \S+:\d+\)|\[operator <[^>]*> error\]|-{5,}", " ", text, flags=re.DOTALL)
    line = " ".join(text.split()).removeprefix("SystemError: (Fatal) ")
    return line if len(line) <= QUOTED else line[: QUOTED - 1] + "…"


def _last_exception(text: str) -> str:
    """The last `SomeError: text` of a log."""
    found = re.findall(r"^([\w.]*(?:Error|Exception): [^\n]+)", text, re.MULTILINE)
    return found[-1] if found else ""


def _killed(at: Circumstances) -> str:
    if at.memory_kills:
        return (
            f"the machine ran out of memory and the kernel killed the trainer (signal 9): {at.smaller_batch}, "
            "use fewer workers, or a bigger instance"
        )
    return "the trainer was killed (signal 9), most often for memory: use a smaller batch_size or a bigger instance"


def _gpu_memory(found: re.Match[str], at: Circumstances) -> str:
    return (
        f"the GPU's memory is full ({in_one_line(found[0])}): {at.smaller_batch} and {AGAIN}; "
        "or take an instance with more GPU memory"
    )


def _host_memory(found: re.Match[str], at: Circumstances) -> str:
    workers = f", {at.fewer_workers}" if at.workers else ""
    return f"the machine's memory is full ({in_one_line(found[0])}): {at.smaller_batch}{workers}, or a bigger instance"


def _bus_error() -> str:
    return (
        "a bus error: a shard of the dataset was cut while it was read, or /dev/shm is full, where processes that "
        f"train together meet (docker run --shm-size=8g gives it more); {AGAIN}"
    )


def _worker_died(found: re.Match[str], at: Circumstances) -> str:
    if signal.SIGKILL.name in found[1]:
        return f"{found[1]}, most often for memory: set {at.fewer_workers}, or use a bigger instance, and {AGAIN}"
    return f"{found[1]}: set workers=0, which shows more, and {AGAIN}"


def _driver_too_old(found: re.Match[str], _at: Circumstances) -> str:
    return (
        f"the NVIDIA driver is too old for this image's CUDA ({in_one_line(found[0])}): build the image for an older "
        "one (`python -m launcher push --cuda cu118`), or take a machine with a newer driver"
    )


def _no_driver(found: re.Match[str], _at: Circumstances) -> str:
    return f"there is no NVIDIA driver ({found[0]}): take a GPU instance, or the image for the CPU"


def _no_code_for_card(_found: re.Match[str], _at: Circumstances) -> str:
    return "this paddle holds no code for this GPU: build the image with `python -m launcher push --cuda cu118`"


def _gpu_broken(found: re.Match[str], _at: Circumstances) -> str:
    return f"the GPU failed ({in_one_line(found[0])}): {AGAIN}; if it fails there again, on another machine"


def _processes_parted(found: re.Match[str], _at: Circumstances) -> str:
    return (
        f"processes that train together lost each other ({in_one_line(found[0])}): the first that failed is in the "
        f"log; {AGAIN}; NCCL_DEBUG=INFO shows more"
    )


def _other_weights(found: re.Match[str], _at: Circumstances) -> str:
    return (
        f"the weights do not fit the network ({in_one_line(found[0])}): they were trained with another dictionary or "
        "recipe; name that recipe, or start with --fresh"
    )


def _disk_full(found: re.Match[str], _at: Circumstances) -> str:
    where = f" for {found[1]}" if found[1] else ""
    return f"no space left on the device{where}: free some or use a bigger volume, then {AGAIN}"


def _package_missing(found: re.Match[str], _at: Circumstances) -> str:
    return f"the Python package {found[1]} is missing: build the image again, or install requirements/train.lock"


# The first that is found in the last words wins: causes before their consequences.
CAUSES: tuple[tuple[re.Pattern[str], Say], ...] = tuple(
    (re.compile(pattern), say)
    for pattern, say in (
        (r"(?:No space left on device|Disk quota exceeded|File too large)(?:: '([^'\n]+)')?", _disk_full),
        (r"Out of memory error on (?!cpu)\S+ ?\d*\.[^\n]+", _gpu_memory),
        (r"C[Uu][Dd][Aa] error\(2\)[^\n]*|CU\w+_STATUS_ALLOC_FAILED", _gpu_memory),
        (r"C[Uu][Dd][Aa] error\(35\)[^\n]*|CUDA driver version is insufficient[^\n]*", _driver_too_old),
        (r"C[Uu][Dd][Aa] error\(80[34]\)[^\n]*", _driver_too_old),
        (r"C[Uu][Dd][Aa] error\(209\)|no kernel image is available for execution on the device", _no_code_for_card),
        (r"libcuda\.so[.\d]*: cannot open shared object file[^\n]*", _no_driver),
        (r"C[Uu][Dd][Aa] error\(\d+\)[^\n]*|uncorrectable ECC error[^\n]*", _gpu_broken),
        (r"WorkerDied: ([^\n]+)", _worker_died),
        (r"Fail to alloc memory of \d+ size|\bMemoryError\b[^\n]*|Cannot allocate memory", _host_memory),
        (r"NCCL error\(\d+\)[^\n]*|Find timeout \w+ but not \w+ task[^\n]*", _processes_parted),
        (r"gloo::\w*Exception[^\n]*|\[[^\n]*gloo/[^\n]*\][^\n]*", _processes_parted),
        (r"\S+ receives a shape \[[^\n]*?\], but the expected shape is \[[^\n]*?\]", _other_weights),
        (r"Variable Shape not match, Variable \[[^\n]+", _other_weights),
        (r"ModuleNotFoundError: No module named '([\w.]+)'", _package_missing),
    )
)
