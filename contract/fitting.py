"""A recipe fitted to machine and data: batch, learning rate, precision, workers, evaluation.

Pure: the same job on the same machine chooses the same. Every choice is a row with its reason, whether it changes the
recipe or confirms it. What was asked for, by hyperparameter or by override, is left alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from contract.batches import epoch_batches, samples_of_epoch, scales_of
from contract.errors import UserError
from contract.hyperparameters import Hyperparameters
from contract.machine import GIB, Gpu, Machine
from contract.memory import largest_batch, pixels_of_a_sample, sample_bytes
from contract.parameters import Change, value_at, with_value
from contract.recipe import Recipe, wants_gpu
from contract.report import Report

BATCH = "Train.loader.batch_size_per_card"
RATE = "Optimizer.lr"
PRECISION = "Global.use_amp"
EVALUATION = "Global.eval_batch_step"
WORKERS = {"Train": "Train.loader.num_workers", "Eval": "Eval.loader.num_workers"}

STEPS_PER_EPOCH = 20  # the fewest, where a smaller batch gives them
SMALLEST_BATCH = 16  # that is chosen for more steps: below, batch norm gets noisy
CPU_BATCH = 32  # on a CPU a larger one gains nothing, and a stop would wait for its end
WORKERS_AT_MOST = 16
WORKER_BYTES = GIB // 2  # of host memory, with the libraries that a worker imports
BATCHES_AHEAD = 2  # that each worker keeps ready
SMALL_SET = 1000  # validation samples
EVALUATION_STEPS = 2000  # PaddleOCR's usual interval
EVALUATION_COST = 1 / 3  # of a training step's, per sample: forward only
EVALUATION_SHARE = 0.2  # of the time of a run, at most

BF16_FROM = (8, 0)
FP16_FROM = (7, 0)  # tensor cores


@dataclass(frozen=True)
class Figures:
    """What a dataset brings: samples of an epoch and of a validation, and the classes that the network tells apart."""

    train: int
    val: int
    classes: int


def figures_of(report: Report, recipe: Recipe) -> Figures:
    """Those of a dataset that passed its check."""
    assert report.dictionary is not None
    classes = len(report.dictionary.characters) + 1 + bool(recipe["Global"].get("use_space_char"))  # with CTC's blank
    return Figures(samples_of_epoch(recipe, len(report.samples("train"))), len(report.samples("val")), classes)


@dataclass(frozen=True)
class Processes:
    """How many train: in the whole job, and on this host."""

    world: int = 1
    here: int = 1


@dataclass(frozen=True)
class Case:
    """What the rules look at. `recipe` has the choices made so far, `stated` has none."""

    stated: Recipe
    recipe: Recipe
    parameters: Hyperparameters
    asked: Collection[str]  # keys of the recipe that the job has set
    machine: Machine
    data: Figures
    processes: Processes
    began: int | None  # the batch that was chosen when a resumed run began

    def value(self, key: str) -> Any:
        return value_at(self.recipe, key)

    @property
    def batch(self) -> int:
        return int(self.value(BATCH))

    @property
    def half(self) -> bool:
        return bool(self.value(PRECISION))

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """Those that train; none: training is on the CPU."""
        return self.machine.gpus if wants_gpu(self.recipe) else ()

    @property
    def gpu(self) -> Gpu | None:
        """The smallest one, which decides where all do the same."""
        return min(self.gpus, key=lambda gpu: gpu.memory, default=None)


@dataclass(frozen=True)
class Choice:
    """What a rule decides about one key of the recipe, and why."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Fitted:
    """The recipe with every choice in it, a row for each, and what people should know."""

    config: Recipe
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def fit_recipe(
    recipe: Recipe,
    parameters: Hyperparameters,
    asked: Collection[str],
    machine: Machine,
    data: Figures,
    processes: Processes = Processes(),
    began: int | None = None,
) -> Fitted:
    """Choose what was not asked for. Raises UserError for a precision that the machine cannot do."""
    case = Case(recipe, recipe, parameters, asked, machine, data, processes, began)
    changes = []
    for rule in (_precision, _batch, _rate, _workers, _evaluation):
        for choice in rule(case):
            changes.append(Change(choice.key, case.value(choice.key), choice.value, choice.reason))
            case = replace(case, recipe=with_value(case.recipe, choice.key, choice.value))
    lost = "the most training that is lost with a machine; a stop saves the step under way"
    changes.append(Change("save_minutes", parameters.save_minutes, parameters.save_minutes, lost))
    return Fitted(case.recipe, tuple(changes), tuple(_doubts(case)))


def _precision(case: Case) -> list[Choice]:
    """float32, or half precision where the network's matrix products run faster in it (PaddleOCR's own keys)."""
    wanted, gpus = case.parameters.amp, case.gpus
    if not gpus:
        if wanted in ("bf16", "fp16"):
            raise UserError(f"amp={wanted} needs a GPU, and this job has none: leave amp out")
        return [Choice(PRECISION, False, "half precision needs a GPU")]
    weakest = min(gpus, key=lambda gpu: gpu.capability)
    card = f"{weakest.name}, compute capability {weakest.capability[0]}.{weakest.capability[1]}"
    if wanted == "off":
        return [Choice(PRECISION, False, "hyperparameter amp")]
    if wanted == "auto" and case.value(PRECISION) is False:
        return [Choice(PRECISION, False, "the recipe says so")]
    able = {"bf16": weakest.capability >= BF16_FROM, "fp16": weakest.capability >= FP16_FROM}
    kind = wanted if wanted in able else next((kind for kind, can in able.items() if can), "off")
    if kind == "off":
        return [Choice(PRECISION, False, f"{card}: no tensor cores")]
    if not able[kind]:
        raise UserError(f"amp={kind} is not for this GPU ({card}): leave amp out, or take off")
    reason = card if wanted == "auto" else "hyperparameter amp"
    return [
        Choice(PRECISION, True, reason),
        Choice("Global.amp_dtype", {"bf16": "bfloat16", "fp16": "float16"}[kind], reason),
        Choice("Global.amp_level", "O1", "weights, normalisation, softmax and losses stay in float32"),
        Choice("Global.use_dynamic_loss_scaling", kind == "fp16", "gradients in float16 vanish without it"),
    ]


def _batch(case: Case) -> list[Choice]:
    """The recipe's batch, unless the card, the CPU or a small training set wants a smaller one."""
    if BATCH in case.asked:
        return []
    stated, reason = (case.began, "as the run began") if case.began else (case.batch, "the recipe's")
    limits = [(stated, reason)]
    if case.gpu is None:
        limits.append((CPU_BATCH, "on a CPU a larger batch gains nothing"))
    elif fits := _largest(case):
        limits = [(stated, f"{reason}; {case.gpu.name} takes up to {fits}, by estimate")]
        limits.append((fits, f"{case.gpu.name} with {_gib(case.gpu.memory)} takes no more, by estimate"))
    if not case.began:
        enough = max(SMALLEST_BATCH, case.data.train // STEPS_PER_EPOCH // case.processes.world)
        few = f"{case.data.train:,} samples: for {STEPS_PER_EPOCH} steps an epoch, but no fewer than {SMALLEST_BATCH}"
        limits.append((enough, few))
    batch, reason = min(limits, key=lambda limit: limit[0])
    return [Choice(BATCH, batch if batch == stated else _even(batch), reason)]


def _rate(case: Case) -> list[Choice]:
    """Adam's rate follows the square root of the batch (Malladi et al. 2022, arXiv 2205.10287)."""
    recipes = int(value_at(case.stated, BATCH))
    if case.batch == recipes or any(key == BATCH or is_rate(key) for key in case.asked):
        return []
    factor = math.sqrt(case.batch / recipes)
    reason = f"square root of batch {case.batch} / {recipes}"
    rate = case.recipe["Optimizer"]["lr"]
    if rate.get("name") == "Piecewise":
        return [Choice(f"{RATE}.values", [_short(float(step) * factor) for step in rate["values"]], reason)]
    return [Choice(f"{RATE}.learning_rate", _short(float(rate["learning_rate"]) * factor), reason)]


def is_rate(key: str) -> bool:
    """Whether a key of the recipe says how high the learning rate is, and not only how it moves."""
    return re.match(r"Optimizer\.lr($|\.(learning_rate|values)\b)", key) is not None


def _workers(case: Case) -> list[Choice]:
    """Processes that prepare batches: the cores that training leaves, as far as memory goes."""
    choices = []
    trainers = case.processes.here
    spare = max(0, case.machine.cpus // trainers - 1)
    beside = f"{spare} core{'' if spare == 1 else 's'} beside {'the' if trainers == 1 else 'each'} trainer's"
    for mode, samples in (("Train", case.data.train), ("Eval", case.data.val)):
        key = WORKERS[mode]
        if case.parameters.workers is not None:
            choices.append(Choice(key, case.parameters.workers, "hyperparameter workers"))
        elif key not in case.asked:
            stated = int(case.value(key) or 0)
            each = WORKER_BYTES + (1 + BATCHES_AHEAD) * _batch_bytes(case, mode)
            limits = [
                (stated, "the recipe's") if case.gpu is None else (WORKERS_AT_MOST, "more hardly helps"),
                (spare, beside),
                (case.machine.memory // 2 // trainers // each, f"half of {_gib(case.machine.memory)} of memory"),
            ]
            if mode == "Eval" and samples <= SMALL_SET:
                limits.append((0, f"{samples} samples are read faster than workers start"))
            choices.append(Choice(key, *min(limits, key=lambda limit: limit[0])))
    return choices


def _evaluation(case: Case) -> list[Choice]:
    """Once per epoch, or at the recipe's interval in long epochs, as long as it stays a small part of the time."""
    if case.parameters.eval_steps:
        return [Choice(EVALUATION, [0, case.parameters.eval_steps], "hyperparameter eval_steps")]
    if EVALUATION in case.asked:
        return []
    stated = case.value(EVALUATION) or EVALUATION_STEPS
    stated_steps, world = int(stated[1] if isinstance(stated, list) else stated), case.processes.world
    interval, reason = stated_steps, "the recipe's interval"
    if world > 1:
        interval = max(1, stated_steps // world)
        reason = f"the recipe's {stated_steps} steps are of one process, and {world} train"
    batch = case.batch * world
    epoch = len(epoch_batches(case.data.train, batch, scales_of(case.recipe), minimum=world))
    if interval > epoch:
        interval, reason = epoch, f"once per epoch of {epoch} steps"
    steps = case.data.val * EVALUATION_COST / batch  # what one evaluation costs
    least = math.ceil(steps * (1 - EVALUATION_SHARE) / EVALUATION_SHARE)
    if interval < least:
        interval = -(-least // epoch) * epoch if least > epoch else least
        reason = f"{case.data.val:,} samples take long: at most {EVALUATION_SHARE:.0%} of the time, estimated"
    return [Choice(EVALUATION, [0, interval], reason)]


def _doubts(case: Case) -> Iterator[str]:
    fits = _largest(case)
    if case.gpu and fits and case.batch > fits:
        yield (
            f"a batch of {case.batch} may not fit into {_gib(case.gpu.memory)} of the {case.gpu.name}: "
            f"by estimate it takes {fits}"
        )
    if not case.gpus and case.processes.here > case.machine.cpus:
        cores = "1 core" if case.machine.cpus == 1 else f"{case.machine.cpus} cores"
        yield f"{case.processes.here} processes share {cores}: more processes than cores train no faster"


def _largest(case: Case) -> int | None:
    """The largest batch that the card takes, by estimate; None where there is no card or no estimate."""
    each = sample_bytes(case.recipe, case.data.classes, case.half)
    return largest_batch(case.gpu.memory, each) if case.gpu and each else None


def _batch_bytes(case: Case, mode: str) -> int:
    """A batch of images as the network takes it: float32, three channels."""
    return int(case.value(f"{mode}.loader.batch_size_per_card")) * pixels_of_a_sample(case.recipe) * 3 * 4


def _even(batch: int) -> int:
    """A multiple of 8, which tensor cores like."""
    return batch // 8 * 8 or batch


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
