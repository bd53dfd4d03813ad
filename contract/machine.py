"""What a job trains on, as plain figures: the rules that fit a recipe to a machine look at nothing else."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30

Capability = tuple[int, int]  # NVIDIA's compute capability: (7, 5) is a T4, (8, 6) an A10G


@dataclass(frozen=True)
class Gpu:
    """One GPU. Memory in bytes."""

    name: str
    memory: int
    capability: Capability


@dataclass(frozen=True)
class Machine:
    """One host of a job. Memory in bytes."""

    cpus: int
    memory: int
    gpus: tuple[Gpu, ...] = ()
