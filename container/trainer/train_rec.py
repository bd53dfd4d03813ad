"""The training loop: text recognition only, short, and straight down.

Upstream's loop cannot stop and continue at a step, saves in place, forgets the best score on resume and evaluates
small sets never. This one builds on upstream's transforms, networks, losses and export, and owns the rest.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import paddle
import yaml

from container.checkpoints import BEST, best_checkpoint, publish
from container.order import WorkOrder
from container.trainer import exporting
from container.trainer.errors import Interrupted, TrainingFailed
from container.trainer.network import build_network
from container.trainer.paddleocr_tree import enter_tree
from container.trainer.pretrained import load_pretrained
from container.trainer.ranks import Ranks
from container.trainer.reading import Batch, Samples, in_order, open_samples, read_batches, room_for
from container.trainer.run_facts import run_facts
from container.trainer.sampling import Key, Schedule, step_seed
from container.trainer.scores_in_depth import in_words
from container.trainer.scoring import Prediction, score
from container.trainer.stop_flag import StopFlag
from container.trainer.training_state import TrainingState, load_weights, read_checkpoint, restore, write_checkpoint
from container.trainer.unusable import Unusable, UnusableSamples
from container.trainer.window import Window
from container.trainer.zero_accuracy import ZeroAccuracy
from contract.batches import samples_of_epoch, scales_of
from contract.events import print_event
from contract.images import Images, open_images
from contract.paths import EXIT_FINISHED, EXIT_INTERRUPTED
from contract.recipe import wants_gpu

EPOCH_SAVE_SECONDS = 60  # ends of epochs are saved, but not more often than this
NON_FINITE_WINDOWS = 3  # log windows in a row whose loss is not a number before the run is given up
EXPORT_SECONDS = 40  # after a stop the best model is exported only if that can end well inside SageMaker's 120 s


def train(order: WorkOrder, stop: StopFlag) -> int:
    """Run a work order to its end. Returns 0 (finished) or 75 (interrupted, checkpoint published)."""
    return Training(order, stop).run()


class Training:
    """One attempt at a run: everything built once, then `run`."""

    def __init__(self, order: WorkOrder, stop: StopFlag):
        self.order = order
        self.stop = stop
        self.config = self._load_config()
        self.networks = enter_tree(Path(order.tree))
        gpu = wants_gpu(self.config) and paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()
        paddle.set_device("gpu" if gpu else "cpu")
        self.ranks = Ranks(stop)
        seed = int(self.config["Global"]["seed"])
        images = open_images(Path(order.train_folder))
        self.train_set = self._samples("Train", order.train_labels, images, seed)
        if order.val_folder != order.train_folder:
            images = open_images(Path(order.val_folder))
        self.val_set = self._samples("Eval", order.val_labels, images, None)
        self.unusable = UnusableSamples(Path(order.train_labels).name, len(self.train_set), say)
        self.unusable_val = UnusableSamples(Path(order.val_labels).name, len(self.val_set), say)
        loader = self.config["Train"]["loader"]
        self.schedule = Schedule(
            samples=samples_of_epoch(self.config, len(self.train_set)),
            batch_size=int(loader["batch_size_per_card"]) * self.ranks.world,
            epochs=int(self.config["Global"]["epoch_num"]),
            seed=seed,
            scales=scales_of(self.config),
            minimum=self.ranks.world,
            of=len(self.train_set),
        )
        self.eval_every = int(self.config["Global"]["eval_batch_step"][1])
        self.ranks.agree(self._identity())
        self.network = build_network(self.config, self.schedule, self.ranks)
        self.zero_accuracy = ZeroAccuracy(order, self.config, self.schedule, self.train_set.samples)
        self.state = TrainingState()
        self.print_every = int(self.config["Global"].get("print_batch_step") or 10)
        self.saved_at = time.monotonic()
        self.bad_windows = 0  # in a row, of this attempt
        self.window = Window()
        self.given_up = 0  # steps that float16 could not do, as far as they were told
        self.unsaved = False  # the state differs from what was published or read last

    def run(self) -> int:
        self._start()
        try:
            if self._evaluation_due():
                self._evaluate()  # it was interrupted before
            if not self._finished():
                self._train_steps()
            if self.ranks.any_stops():
                raise Interrupted
            if self.state.evaluated_step != self.state.step:
                self._evaluate()
            self._save()
            if self.ranks.first:
                self._export("finished")
            self.zero_accuracy.note(self.state.best, self.state.history, say)
        except Interrupted:
            self._save()
            if self.ranks.first:
                self._export_what_there_is()
            self._emit("interrupted", step=self.state.step, epoch=self.state.shown_epoch)
            return EXIT_INTERRUPTED
        except TrainingFailed:
            self._save()  # what was learnt up to here is kept
            raise
        self._emit("done", step=self.state.step, **self._best())
        return EXIT_FINISHED

    def _start(self) -> None:
        order, schedule = self.order, self.schedule
        resumes = self.ranks.first and order.resume  # only the first host has the checkpoint
        saved = self.ranks.share(read_checkpoint(Path(resumes)) if resumes else None)
        if saved:
            self.state, changed = restore(saved, order, schedule, self.network)
            self.state.resumes.append(self.state.step)
            for what in changed:
                say(f"note: {what}")
        elif order.pretrained:
            _, *characters = self.network.decoder.character
            receipt = load_pretrained(self.network.model, characters, Path(order.pretrained), Path(order.tree))
            self.state.pretrained = receipt.facts()
            say(receipt.line())
            self._emit(
                "pretrained", file=receipt.file, loaded=receipt.loaded, tensors=receipt.tensors, head=receipt.head
            )
        if not saved:
            self.ranks.agree({"the file of weights": (self.state.pretrained or {"sha256": "none"})["sha256"][:12]})
        self.total_steps = self.state.step + schedule.steps_left(self.state.epoch, self.state.samples)
        self._emit(
            "job",
            run=order.run_id,
            epochs=schedule.epochs,
            steps=self.total_steps,
            steps_per_epoch=schedule.steps_per_epoch,
            batch_size=schedule.batch_size,
            processes=self.ranks.world,
            train=len(self.train_set),
            val=len(self.val_set),
            eval_steps=self.eval_every,
            device=paddle.device.get_device(),
        )
        if saved:
            epoch = min(self.state.epoch + 1, schedule.epochs)
            self._emit("resume", step=self.state.step, epoch=epoch, samples=self.state.samples)
        else:
            self.zero_accuracy.foresee(self.total_steps, say)

    def _train_steps(self) -> None:
        state, window = self.state, self.window
        window.clear()
        for whole, batch in self._batches():
            window.read()
            if self.ranks.are_stopping():
                break
            self.unusable.note(batch.unusable)
            self.unusable.refuse_empty(batch.tensors, batch.unusable)
            if self.ranks.world == 1:  # several give up together, when they evaluate
                self.unusable.refuse_many()
            paddle.seed(step_seed(self.schedule.seed, state.step, self.ranks.rank))
            window.rate = self.network.learning_rate
            weight = batch.size * self.ranks.world / whole
            loss = self.network.train_step(batch.tensors, weight)
            window.add(self.ranks.mean_loss(loss, weight), whole)
            state.advance(whole, self.schedule)
            self.unsaved = True
            if state.step % self.print_every == 0 or state.step in (1, self.total_steps):
                self._log()
            if self._evaluation_due():
                self._evaluate()
                if self._finished():
                    break
            self._save_if_due()
            if self.ranks.are_stopping():
                break
            window.resume()

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        """The size of each batch of all ranks together, and this rank's share of it."""
        position = self.state.epoch, self.state.samples
        sizes = (len(keys) for keys in self.schedule.batches(*position))
        shares = (list(self.ranks.share_of(keys)) for keys in self.schedule.batches(*position))
        left = self.total_steps - self.state.step
        return zip(sizes, self._read(self.train_set, "Train", shares, left), strict=False)

    def _log(self) -> None:
        window = self.window
        event = {
            "step": self.state.step,
            "epoch": self.state.shown_epoch,
            "loss": window.loss(),
            "lr": window.rate,
            "samples_per_s": window.samples_per_second(),
            "reader_share": window.reader_share(),
        }
        self.state.seconds += window.seconds()
        self._record("train", event)
        window.clear()
        self._tell_given_up()
        self.bad_windows = 0 if math.isfinite(event["loss"]) else self.bad_windows + 1
        if self.bad_windows >= NON_FINITE_WINDOWS:
            raise TrainingFailed(
                f"the loss is not a number at step {self.state.step}: lower learning_rate or set "
                "Optimizer.clip_norm_global and start the run again, with --fresh if its checkpoint is spoilt"
            )

    def _tell_given_up(self) -> None:
        scale = self.network.precision.loss_scale
        if scale and scale.given_up > self.given_up:
            self.given_up = scale.given_up
            say(f"note: steps without an effect so far, their gradients too large for float16: {self.given_up}")

    def _complete_curve(self) -> None:
        """Before anything is saved: what the history does not have yet would be lost with this process."""
        if self.window.losses:
            self._log()

    def _evaluation_due(self) -> bool:
        step = self.state.step
        return step > 0 and step % self.eval_every == 0 and self.state.evaluated_step != step

    def _finished(self) -> bool:
        patience = self.order.patience
        return self.state.step >= self.total_steps or (
            patience is not None and self.state.evaluations_without_better >= patience
        )

    def _evaluate(self) -> None:
        """Score the network on every validation sample; publish it when it is the best so far."""
        state = self.state
        self._complete_curve()
        self._emit("phase", name="evaluating", step=state.step)
        self.ranks.take_running_statistics(self.network.model)
        result = score([sample.label for sample in self.val_set.samples], [p.text for p in self._read_all()])
        scores = {"acc": result.acc, "cer": result.cer, "norm_edit_dis": result.norm_edit_dis}
        best = state.best
        better = (best is None or result.rank > (best["acc"], -best["cer"])) and self.network.is_finite()
        state.evaluated_step = state.step
        state.evaluations_without_better = 0 if better else state.evaluations_without_better + 1
        self.unsaved = True
        if better:
            state.best = scores | {"epoch": state.shown_epoch, "step": state.step}
        self._record("eval", {"step": state.step, "epoch": state.shown_epoch, **scores})
        if better and self.ranks.first:
            publish(Path(self.order.checkpoints) / BEST, state.step, self._write)
        self.zero_accuracy.check(state.best, state.step, self.total_steps, state.history)

    def _read_all(self) -> list[Prediction]:
        """Read the validation set, each rank its share. Raises Interrupted as soon as a stop is heard."""
        predictions: list[Prediction] = []
        for batch in self._val_batches(self.ranks.share_of(range(len(self.val_set)))):
            if self.stop:
                break
            self.unusable_val.note(batch.unusable)
            predictions += batch.read_by(self.network.read)
        if self.ranks.any_stops():
            raise Interrupted
        for counted in (self.unusable, self.unusable_val):
            for found in self.ranks.gather(counted.found):
                counted.note(Unusable(line, reason) for line, reason in found.items())
            counted.refuse_many()
        return self.ranks.whole_of(predictions)

    def _val_batches(self, samples: Sequence[int]) -> Iterator[Batch]:
        keys = in_order(samples, int(self.config["Eval"]["loader"]["batch_size_per_card"]))
        return self._read(self.val_set, "Eval", keys, len(keys))

    def _read(self, samples: Samples, mode: str, batches: Iterable[list[Key]], count: int) -> Iterator[Batch]:
        loader = self.config[mode]["loader"]
        room = room_for(self.config, int(loader["batch_size_per_card"]))
        return read_batches(samples, batches, count, int(loader["num_workers"]), room)

    def _save_if_due(self) -> None:
        waited = time.monotonic() - self.saved_at
        epoch_ended = self.state.samples == 0
        if waited >= self.order.save_seconds or (epoch_ended and waited >= EPOCH_SAVE_SECONDS):
            self._save()

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        if not (self.unsaved and self.ranks.first):
            return
        self._complete_curve()
        if not self.network.is_finite():
            say(f"note: step {self.state.step} is not saved: its weights are not numbers")
            self.unsaved = False
            return
        publish(Path(self.order.checkpoints), self.state.step, self._write)
        self.unsaved = False
        self._emit("checkpoint", step=self.state.step)

    def _write(self, folder: Path) -> None:
        write_checkpoint(folder, self.order, self.schedule, self.state, self.network)

    def _export_what_there_is(self) -> None:
        """After a stop: the best model so far, when there is one and the grace allows."""
        if self.state.best is None:
            return
        try:
            self._export("stopped")
        except Interrupted:
            say("note: no time to export the best model before the grace ends; the checkpoint has it")
        except (TrainingFailed, OSError) as error:  # the run goes on from its checkpoint all the same
            say(f"note: the best model so far was not exported: {error}")

    def _export(self, status: str) -> None:
        """Put the artifact together in order.model, by renaming a finished folder."""
        best = best_checkpoint(Path(self.order.checkpoints), say)
        if best is None or self.state.best is None:
            raise TrainingFailed("there is no sound best checkpoint: start the run again with --fresh")
        self.state.best = best.state["best"]  # of the weights that are exported, whatever came of better ones
        self._emit("phase", name="exporting", step=self.state.step)
        load_weights(best.path, self.network)
        staging = Path(self.order.model + ".tmp")
        exporting.export_network(self.config, self.network, staging / "inference")
        exported = exporting.ExportedModel(staging / "inference", self.network.decoder)
        trained_texts: list[Prediction] = []
        exported_texts: list[Prediction] = []
        for batch in self._val_batches(range(len(self.val_set))):
            if self.stop.seconds_since > EXPORT_SECONDS or (self.stop and status == "finished"):
                raise Interrupted
            trained_texts += batch.read_by(self.network.read)
            exported_texts += batch.read_by(exported.read)
        differing = exporting.compare(trained_texts, exported_texts)
        say(f"export verified: {len(exported_texts)} validation crops, {differing} read differently")
        facts = run_facts(self, status, exported_texts, differing)
        if worst := in_words(facts["scores"]):
            say(worst)
        exporting.write_artifact(staging, self.order, best, self.state, self.val_set.samples, exported_texts, facts)
        staging.rename(self.order.model)

    def _best(self) -> dict[str, float]:
        best = self.state.best or {}
        return {name: best[name] for name in ("acc", "cer", "norm_edit_dis") if name in best}

    def _record(self, event: str, fields: dict[str, Any]) -> None:
        self.state.history.append({"event": event, **fields})
        self._emit(event, **fields)

    def _emit(self, event: str, **fields: Any) -> None:
        """One event line on stdout, at once. The first rank speaks for all."""
        if self.ranks.first:
            print_event(event, **fields)

    def _identity(self) -> dict[str, Any]:
        """What has to be the same in all ranks, in the words of a refusal."""
        order = self.order
        hashes = {
            "the training set": order.train_sha256,
            "the validation set": order.val_sha256,
            "the dictionary": order.dictionary_sha256,
            "the architecture": order.recipe_sha256,
        }
        settings = {key: self.config["Global"].get(key) for key in ("use_amp", "amp_dtype")}
        settings |= {"the schedule": asdict(self.schedule), "eval_steps": self.eval_every}
        return {name: value[:12] for name, value in hashes.items()} | settings

    def _load_config(self) -> dict[str, Any]:
        config = yaml.safe_load(Path(self.order.config).read_text(encoding="utf-8"))
        config["Global"]["character_dict_path"] = self.order.dictionary
        return config

    def _samples(self, mode: str, labels: str, images: Images, seed: int | None) -> Samples:
        note = say if self.ranks.first else _unsaid
        return open_samples(self.config, mode, Path(labels), images, seed, self.order.input_pipeline, note)


def say(line: str) -> None:
    """One line for people on stderr, at once."""
    print(line, file=sys.stderr, flush=True)


def _unsaid(_line: str) -> None:
    """The first rank says it."""
