"""Where a run stands, saved into checkpoints and read back so that it continues as if never interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import paddle

from container.checkpoints import FORMAT, OPTIMIZER, STATE, WEIGHTS
from container.order import WorkOrder
from container.trainer.network import Network
from container.trainer.sampling import Schedule
from container.trainer.weights import read_weights


@dataclass
class TrainingState:
    """Position and score of a run. `samples` of the current epoch (counted from 0) are trained already."""

    step: int = 0
    epoch: int = 0
    samples: int = 0
    seconds: float = 0.0  # spent training, all attempts together
    best: dict[str, Any] | None = None  # acc, cer, norm_edit_dis, epoch, step
    evaluated_step: int | None = None
    evaluations_without_better: int = 0
    resumes: list[int] = field(default_factory=list)  # the steps at which the run was taken up again
    pretrained: dict[str, Any] | None = None  # the receipt of the weights that the run started from
    history: list[dict[str, Any]] = field(default_factory=list)  # every train and eval event: metrics.jsonl

    def advance(self, batch: int, schedule: Schedule) -> None:
        """One step with `batch` samples is done."""
        self.step += 1
        self.samples += batch
        if self.samples >= schedule.samples:
            self.epoch, self.samples = self.epoch + 1, 0

    @property
    def shown_epoch(self) -> int:
        """The epoch as people count it, from 1: the one the last step belonged to."""
        return self.epoch + (self.samples > 0) if self.step else 1


def write_checkpoint(
    folder: Path, order: WorkOrder, schedule: Schedule, state: TrainingState, network: Network
) -> None:
    """The three files of a checkpoint; stock PaddleOCR opens the first two."""
    paddle.save(network.model.state_dict(), str(folder / WEIGHTS))
    paddle.save(network.optimizer.state_dict(), str(folder / OPTIMIZER))
    content = {
        "format": FORMAT,
        "run": order.run_id,
        **asdict(state),
        "seed": schedule.seed,
        "schedule": asdict(schedule) | {"steps_per_epoch": schedule.steps_per_epoch, "lr": network.learning_rate},
        "precision": network.precision.dtype,
        "loss_scale": network.precision.loss_scale and network.precision.loss_scale.state,
        "fitted_batch": order.fitted_batch,
        "dataset_sha256": order.dataset_sha256,
        "train_sha256": order.train_sha256,
        "val_sha256": order.val_sha256,
        "dictionary_sha256": order.dictionary_sha256,
        "characters": order.characters,
        "recipe_sha256": order.recipe_sha256,
    }
    (folder / STATE).write_text(json.dumps(content) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: state.json, and the arrays of its two other files."""

    content: dict[str, Any]
    weights: dict[str, Any]
    optimizer: dict[str, Any]


def read_checkpoint(folder: Path) -> Saved:
    """The files of a verified checkpoint, as they are."""
    content = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return Saved(content, read_weights(folder / WEIGHTS), read_weights(folder / OPTIMIZER))


def restore(saved: Saved, order: WorkOrder, schedule: Schedule, network: Network) -> tuple[TrainingState, list[str]]:
    """Put weights and optimizer into the network. Returns the state, and what of it no longer holds.

    A position within an epoch means nothing once data or seed is another: the epoch starts anew. Scores on another
    validation set are forgotten. The learning rate follows from the position in today's schedule, never from the
    rate that was saved: Paddle's cosine computes each rate from the last, and would carry an old one on.
    """
    content = saved.content
    state = TrainingState(**{name: content[name] for name in TrainingState.__dataclass_fields__ if name in content})
    changed = []
    if (content["train_sha256"], content["seed"]) != (order.train_sha256, schedule.seed):
        changed.append("the training set or the seed changed: the epoch starts anew")
        state.samples = 0
    if content["val_sha256"] != order.val_sha256:
        changed.append("the validation set or its input changed: earlier scores do not count")
        state.best, state.evaluated_step, state.evaluations_without_better = None, None, 0
    if content["schedule"]["batch_size"] != schedule.batch_size or content["schedule"]["epochs"] != schedule.epochs:
        changed.append(f"now {schedule.epochs} epochs at batch {schedule.batch_size}: the learning rate follows")
    changed += _take_precision(content, network)
    network.model.set_state_dict(saved.weights)
    optimizer = _tensors(saved.optimizer)
    if not isinstance(network.scheduler, float):
        for _ in range(schedule.steps_done(state.epoch, state.samples)):
            network.scheduler.step()
        optimizer["LR_Scheduler"] = network.scheduler.state_dict()
    network.optimizer.set_state_dict(optimizer)
    return state, changed


def _take_precision(content: dict[str, Any], network: Network) -> list[str]:
    had, has = content.get("precision"), network.precision.dtype  # checkpoints of older versions are all in float32
    if had != has:
        return [f"steps in {has or 'float32'} from here, in {had or 'float32'} before"]
    if network.precision.loss_scale:
        network.precision.loss_scale.restore(content["loss_scale"])
    return []


def load_weights(folder: Path, network: Network) -> None:
    """Only the weights of a checkpoint."""
    network.model.set_state_dict(read_weights(folder / WEIGHTS))


def _tensors(content: dict[str, Any]) -> dict[str, Any]:
    """Optimizers want tensors where paddle.save left arrays; the scheduler's own numbers stay as they are."""
    return {name: paddle.to_tensor(value) if hasattr(value, "shape") else value for name, value in content.items()}
