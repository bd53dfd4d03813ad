"""What a job will decide on an instance, as far as the table of instances and the dataset tell beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from contract.fitting import BATCH, PRECISION, WORKERS, Figures, Processes, fit_recipe
from contract.hyperparameters import Hyperparameters
from contract.machine import GIB, Gpu, Machine
from contract.parameters import OpenRecipe, value_at
from launcher.cloud.instances import InstanceFacts

SHOWN = 0.93  # of a GPU's memory: what its driver has to give (15 GiB of a T4's 16)
MANY = 100_000  # samples for each process, where a dataset is in S3 and nobody counted it


@dataclass(frozen=True)
class Expected:
    """The job decides with the machine before its eyes; a resumed run keeps its batch."""

    batch_size: int  # of each process
    at_most: bool  # a small dataset makes it smaller, and this one was not counted
    precision: str
    workers: int  # of each process
    processes: int  # on each instance
    doubts: tuple[str, ...]  # about what was asked for

    def __str__(self) -> str:
        batch = f"batch {'up to ' if self.at_most else ''}{self.batch_size}"
        workers = f"{self.workers} worker{'' if self.workers == 1 else 's'}"
        each = f", in each of {self.processes} processes" if self.processes > 1 else ""
        return f"{batch}, {self.precision}, {workers}{each} (decided in the job)"


def expect(
    instance: InstanceFacts, count: int, recipe: OpenRecipe, parameters: Hyperparameters, data: Figures | None
) -> Expected | None:
    """None for an instance that is not in the table. Raises UserError for a precision that its GPUs cannot do."""
    if instance.vcpus is None or instance.memory_gib is None:
        return None
    gpus: tuple[Gpu, ...] = ()
    if instance.gpu and instance.gpus:
        major, minor = instance.gpu.compute_capability.split(".")
        memory = int(SHOWN * instance.gpu.memory_gib * GIB)
        gpus = (Gpu(instance.gpu.name, memory, (int(major), int(minor))),) * instance.gpus
    host = int(instance.memory_gib * GIB)
    machine = Machine(instance.vcpus, host, gpus)
    here = parameters.processes or max(1, len(gpus))
    processes = Processes(here * count, here)
    figures = data or Figures(train=MANY * processes.world, val=MANY, classes=100)
    fitted = fit_recipe(recipe.config, parameters, recipe.asked, machine, figures, processes)
    config = fitted.config
    return Expected(
        batch_size=int(value_at(config, BATCH)),
        at_most=data is None and BATCH not in recipe.asked,
        precision=str(value_at(config, "Global.amp_dtype")) if value_at(config, PRECISION) else "float32",
        workers=int(value_at(config, WORKERS["Train"])),
        processes=here,
        doubts=fitted.notes,
    )
