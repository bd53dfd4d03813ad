"""A run that reads nothing is ended early, with its likely causes: hours of it would cost money and teach nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from container.order import WorkOrder
from container.trainer.errors import TrainingFailed
from container.trainer.sampling import Schedule
from contract.dataset import Sample
from contract.limits import ctc_steps
from contract.recipe import Recipe, limits_of, warmup_epochs

Scores = Mapping[str, Any] | None
History = Sequence[Mapping[str, Any]]

# CTC networks read nothing at first: they find their letters within some hundred to two thousand steps (CRNN on 1,200
# drawn crops near step 220). Less than that says nothing, and warm-up only postpones it.
LEAST_STEPS = 2000
SHARE_OF_RUN = 0.2
FEW_STEPS = 500  # a whole run of fewer most often reads nothing at its end
# A network without letters leaves all of every label out, or repeats one text: CER 0.9 and more. One that has some
# letters is learning, though it may not have read a whole line yet.
NOTHING_READ = 0.9

TIGHT = 0.8  # share of the time steps beyond which CTC learns a label slowly
ROOMY_DICTIONARY = 20  # times the characters that the labels use
FEW_SAMPLES = 1000
CAUSES = 3  # that are named


class ZeroAccuracy:
    """The watchdog of one run."""

    def __init__(self, order: WorkOrder, config: Recipe, schedule: Schedule, training: Sequence[Sample]):
        self.asked = order.zero_accuracy_steps
        self.warmup_steps = round(warmup_epochs(config) * schedule.steps_per_epoch)
        self.labels = [sample.label for sample in training]
        self.time_steps = limits_of(config).time_steps
        self.dictionary = order.characters
        self.pretrained = order.pretrained is not None

    def foresee(self, total_steps: int, say: Callable[[str], None]) -> None:
        """Say before the training that it is likely too short."""
        if total_steps < FEW_STEPS and not self.pretrained:
            say(f"note: {_few(total_steps)}")

    def check(self, best: Scores, step: int, total_steps: int, history: History) -> None:
        """Raises TrainingFailed when nothing was ever read right, nor nearly so. `best`: the best scores so far."""
        limit = steps_until_hopeless(self.asked, total_steps, self.warmup_steps)
        if limit is None or step < limit or best is None or best["acc"] > 0 or best["cer"] < NOTHING_READ:
            return
        raise TrainingFailed(
            f"nothing is read right after {step:,} steps (CER {best['cer']:.2f} at best): {self._causes(history)}; "
            "start again with --fresh, there is nothing to keep (zero_accuracy_steps=0 trains on regardless)"
        )

    def note(self, best: Scores, history: History, say: Callable[[str], None]) -> None:
        """Say so when a run that was too short to be hopeless has ended without a crop that is read right."""
        if best is not None and best["acc"] == 0:
            say(f"note: no validation crop is read right: {self._causes(history)}")

    def _causes(self, history: History) -> str:
        trained = [event for event in history if event["event"] == "train"]
        circumstances = Circumstances(
            steps=max((event["step"] for event in trained), default=0),
            losses=[event["loss"] for event in trained],
            learning_rate=max((event["lr"] for event in trained), default=0.0),
            dictionary=self.dictionary,
            characters=len(set().union(*self.labels)),
            needed_steps=[ctc_steps(label) for label in self.labels],
            time_steps=self.time_steps,
            pretrained=self.pretrained,
        )
        return "likely " + "; or ".join(likely_causes(circumstances)[:CAUSES])


def steps_until_hopeless(asked: int | None, total_steps: int, warmup_steps: int) -> int | None:
    """After how many steps reading nothing is hopeless; None: never. `asked`: the hyperparameter, 0 for never."""
    if asked is not None:
        return asked or None
    return max(LEAST_STEPS + warmup_steps, int(SHARE_OF_RUN * total_steps))


@dataclass(frozen=True)
class Circumstances:
    """What may tell why nothing is read. losses: of the log lines so far, from the first; characters: those of
    `dictionary` that training labels use; needed_steps: CTC time steps of each training label."""

    steps: int
    losses: Sequence[float]
    learning_rate: float  # the highest so far
    dictionary: int
    characters: int
    needed_steps: Sequence[int]
    time_steps: int
    pretrained: bool


def likely_causes(at: Circumstances) -> list[str]:
    """Cause and remedy of each that the numbers speak for, the likeliest first; never empty."""
    causes = []
    tight = sum(steps > TIGHT * at.time_steps for steps in at.needed_steps) / max(1, len(at.needed_steps))
    if tight > 0.5:
        causes.append(
            f"{tight:.0%} of the labels need more than {TIGHT:.0%} of the {at.time_steps} time steps "
            "(widen image_shape or split the lines)"
        )
    if len(at.losses) > 1 and at.losses[-1] >= 0.9 * at.losses[0]:
        causes.append(
            f"the loss does not fall ({at.losses[0]:.3g} at first, {at.losses[-1]:.3g} now) at learning_rate "
            f"{at.learning_rate:g} (try a tenth, or ten times as much if it is below 1e-5)"
        )
    elif at.steps < LEAST_STEPS and not at.pretrained:
        causes.append(_few(at.steps))
    if at.dictionary > ROOMY_DICTIONARY * at.characters:
        causes.append(
            f"dict.txt has {at.dictionary:,} characters and the training labels use {at.characters:,} "
            "(leave the others out)"
        )
    if len(at.needed_steps) < FEW_SAMPLES and not at.pretrained:
        causes.append(
            f"{len(at.needed_steps):,} samples are few to learn letters from (more samples, or pretrained weights)"
        )
    return causes or ["labels that are not what the images show (look at some of them)"]


def _few(steps: int) -> str:
    return (
        f"{steps:,} steps are few: letters are found within some hundred to {LEAST_STEPS:,} of them "
        "(more epochs, or a smaller batch_size)"
    )
