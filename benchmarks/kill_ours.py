"""The real container, killed with all of its processes and started again."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import random
import shutil
import signal
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from container.checkpoints import OPTIMIZER, STATE, WEIGHTS, damage, step_of
from container.trainer.weights import read_weights
from contract.events import parse_event
from contract.recipe import CONFIGS
from tests.container.jobs import Base, draw_dataset

SAVE_SECONDS = 1.2
STEPS = 120  # of one run
RECIPE = {
    "config": "recipe.yml",  # a copy in the dataset folder: nobody can edit it while this runs
    "epochs": 4,
    "batch_size": 2,
    "workers": 1,
    "save_minutes": SAVE_SECONDS / 60,
    "eval_steps": 25,  # the best model is saved too, and may be hit
    "Global__print_batch_step": 1,  # so that every step is seen
}
SAMPLES = STEPS * 2 // 4
POLL_SECONDS = 0.0003
START_SHARE = 0.2  # of the other kills, while the container starts: nothing can be lost there


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class Attempt:
    """One start of the container: what it said and when."""

    base: Base
    began: float = field(default_factory=time.time)
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left_before = set(staging_folders(self.base))  # by the kill before this start
        (self.base.folder / "tmp").mkdir(exist_ok=True)
        self.family: list[int] = []  # trainer and workers, once known
        self.child = self.base.start("train", env={"TMPDIR": str(self.base.folder / "tmp")})
        self.readers = [threading.Thread(target=self._hear), threading.Thread(target=self._hear_errors)]
        for reader in self.readers:
            reader.start()

    def _hear(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            event = parse_event(line)
            if event:
                self.events.append((time.time(), event))

    def _hear_errors(self) -> None:
        assert self.child.stderr
        self.errors.extend(self.child.stderr)

    def of(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        return [(when, event) for when, event in self.events if event["event"] == kind]

    @property
    def running(self) -> bool:
        return self.child.poll() is None

    def wait(self) -> int:
        code = self.child.wait()
        for reader in self.readers:
            reader.join()
        return code

    def losses(self) -> dict[int, float]:
        return {event["step"]: event["loss"] for _, event in self.of("train")}


@dataclass
class Kill:
    """One kill and the restart after it. Steps are None where there is no checkpoint yet."""

    moment: str  # start, training or save: where the kill was aimed
    in_save: bool  # a staging folder was left behind: it did hit a save
    published: int | None  # newest sound checkpoint at the kill
    reached: int  # the last step that was trained
    lost_seconds: float  # of training since that checkpoint
    allowed_seconds: float  # the interval, and the step and the evaluation that may end after it
    shared_memory_left: int  # bytes in /dev/shm
    torn: list[str]  # checkpoints in sight whose files are not as published
    mixed: list[str]  # ... whose content is of more than one step, or of another than its name says
    resumed: int | None = None
    started: bool = False  # the restart came to its first step

    @property
    def lost_steps(self) -> int:
        return max(0, self.reached - (self.published or 0))

    @property
    def went_back(self) -> bool:
        return self.started and (self.resumed or 0) < (self.published or 0)


@dataclass
class Ours:
    """What became of our runs."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    different_losses: int = 0  # steps whose loss is not that of the uninterrupted run
    different_ends: list[str] = field(default_factory=list)  # runs that did not end like the uninterrupted one
    failures: list[str] = field(default_factory=list)  # starts that ended by themselves with an error

    @property
    def resumed(self) -> int:
        return sum(kill.started and not kill.went_back for kill in self.kills)

    @property
    def unloadable(self) -> int:
        return sum(not kill.started or kill.went_back or bool(kill.torn) for kill in self.kills)

    @property
    def mixed(self) -> int:
        return sum(bool(kill.mixed) for kill in self.kills) + self.different_losses + len(self.different_ends)

    @property
    def over_interval(self) -> int:
        return sum(kill.lost_seconds > kill.allowed_seconds for kill in self.kills)

    @property
    def shared_memory_left(self) -> int:
        return sum(kill.shared_memory_left for kill in self.kills)


def kill_ours(folder: Path, kills: int, seed: int) -> Ours:
    """Run, kill and restart until `kills` are used up; then let the last run end."""
    rng = random.Random(seed)
    dataset = draw_small_dataset(folder / "digits")
    straight = run_straight(folder / "straight", dataset)
    ours = Ours()
    while len(ours.kills) < kills or not ours.runs:
        ours.runs += 1
        _kill_one_run(folder / f"run{ours.runs}", dataset, straight, ours, kills, rng)
    return ours


def draw_small_dataset(folder: Path) -> Path:
    """Digits, with the recipe beside them."""
    dataset = draw_dataset(folder, train=SAMPLES, val=4)
    shutil.copy(CONFIGS / "rec/demo_digits.yml", dataset / "recipe.yml")
    return dataset


@dataclass
class Straight:
    """The uninterrupted run, which all others must equal."""

    base: Base
    losses: dict[int, float]
    save_seconds: float  # how long a staging folder is there


def run_straight(folder: Path, dataset: Path) -> Straight:
    base = Base(folder, dataset, **RECIPE)
    attempt = Attempt(base)
    durations = []
    while attempt.running:
        if wait_for_save(attempt, after=0):
            seen = time.time()
            while staging_folders(base):
                time.sleep(POLL_SECONDS)
            durations.append(time.time() - seen)
    if attempt.wait() != 0:
        raise RuntimeError("the uninterrupted run failed:\n" + "".join(attempt.errors))
    losses = attempt.losses()
    say(f"uninterrupted: {len(losses)} steps in {time.time() - attempt.began:.0f} s, a save takes {durations[0]:.3f} s")
    return Straight(base, losses, statistics.median(durations))


def _kill_one_run(folder: Path, dataset: Path, straight: Straight, ours: Ours, kills: int, rng: random.Random) -> None:
    base = Base(folder, dataset, **RECIPE)
    last: Kill | None = None
    while True:
        attempt = Attempt(base)
        moment = choose_moment(ours.kills, rng) if len(ours.kills) < kills else "never"
        hit = moment != "never" and reach_moment(attempt, moment, straight.save_seconds, rng)
        if hit:
            kill = kill_tree(attempt, moment)
        else:
            code = attempt.wait()
            if code != 0:
                ours.failures.append(f"{folder.name}: exit {code}: {attempt.errors[-1:]}")
        note_restart(last, attempt)
        ours.different_losses += sum(
            loss != straight.losses[step] for step, loss in attempt.losses().items() if not math.isnan(loss)
        )
        if not hit:
            break
        if last and (kill.published or 0) < (last.published or 0):
            kill.torn.append(f"the checkpoint of step {last.published} is gone")
        ours.kills.append(kill)
        last = kill
        say(
            f"ours {len(ours.kills)}/{kills}: {folder.name}, {moment}{' (hit a save)' if kill.in_save else ''}, "
            f"step {kill.reached}, checkpoint {kill.published}, lost {kill.lost_seconds:.2f} s"
        )
    different = differences(base, straight.base)
    say(f"{folder.name} ended {'unlike the uninterrupted one: ' + ', '.join(different) if different else 'the same'}")
    ours.different_ends += [folder.name] if different else []


def choose_moment(kills: list[Kill], rng: random.Random) -> str:
    """Half of all kills must hit a save, so those that missed are made up for."""
    if sum(kill.in_save for kill in kills) * 2 <= len(kills):
        return "save"
    return "start" if rng.random() < START_SHARE else "training"


def reach_moment(attempt: Attempt, moment: str, save_seconds: float, rng: random.Random) -> bool:
    """Wait for the moment of the kill; False when the run ended before it."""
    if moment == "start":
        end = attempt.began + rng.uniform(0, 4)
        while attempt.running and time.time() < end:
            time.sleep(POLL_SECONDS)
        return attempt.running
    while attempt.running and not attempt.of("train"):
        time.sleep(0.01)
    attempt.family = processes_of(attempt.base)
    if moment == "training":
        time.sleep(rng.uniform(0, 2 * SAVE_SECONDS))
        return attempt.running
    after = rng.choice((0, 0, 1))
    while wait_for_save(attempt, after):
        time.sleep(rng.uniform(0, save_seconds))
        if staging_folders(attempt.base):
            return attempt.running
        after = 0  # that save was over already: the next one
    return False


def wait_for_save(attempt: Attempt, after: int) -> bool:
    """Wait until a staging folder appears, letting `after` of them go by. False when the run ends first."""
    while attempt.running:
        if staging_folders(attempt.base):
            if after == 0:
                return True
            after -= 1
            while staging_folders(attempt.base):
                time.sleep(POLL_SECONDS)
        time.sleep(POLL_SECONDS)
    return False


def staging_folders(base: Base) -> list[str]:
    """Saves under way (and, as `.tmp-old-*`, removals of what they replaced)."""
    names = []
    for folder in (base.folder / "checkpoints", base.folder / "checkpoints/best"):
        try:
            names += [entry.name for entry in os.scandir(folder) if entry.name.startswith(".tmp-")]
        except FileNotFoundError:
            pass
    return names


def kill_tree(attempt: Attempt, moment: str) -> Kill:
    """SIGKILL to supervisor, trainer and worker at once; then look at what they left."""
    killed_at = time.time()
    killed = [attempt.child.pid, *attempt.family]
    for process in killed:
        kill_process(process)
    while born_late := processes_of(attempt.base):
        killed += born_late
        for process in born_late:
            kill_process(process)
    attempt.wait()
    trained = attempt.of("train")
    checkpoints = sound_checkpoints(attempt.base)
    published = max(map(step_of, checkpoints), default=None)
    in_save = bool(set(staging_folders(attempt.base)) - attempt.left_before)
    return Kill(
        moment=moment,
        in_save=in_save,
        published=published,
        reached=max([event["step"] for _, event in trained], default=published or 0),
        lost_seconds=lost_seconds(attempt, checkpoints, trained[-1][0] if in_save and trained else killed_at),
        allowed_seconds=SAVE_SECONDS + longest_step(attempt),
        shared_memory_left=sweep_shared_memory(killed),
        torn=[path.name for path in all_checkpoints(attempt.base) if path not in checkpoints],
        mixed=[path.name for path in checkpoints if not of_one_step(path)],
    )


def kill_process(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def sweep_shared_memory(processes: list[int]) -> int:
    """Remove, and count in bytes, the batches that killed workers left in /dev/shm."""
    size = 0
    for process in set(processes):
        for left in Path("/dev/shm").glob(f"paddle_{process}_*"):
            size += left.stat().st_size
            left.unlink()
    return size


def lost_seconds(attempt: Attempt, checkpoints: list[Path], end: float) -> float:
    """Training time since the newest checkpoint, or since this attempt began to train."""
    jobs = attempt.of("job")
    if not jobs:
        return 0.0
    published = [(path / "MANIFEST.json").stat().st_mtime for path in checkpoints]
    return max(0.0, end - max([jobs[0][0], *published]))


def longest_step(attempt: Attempt) -> float:
    """The longest wait between two looks at the clock: one step, an evaluation included."""
    times = [when for when, event in attempt.events if event["event"] in ("job", "train", "checkpoint")]
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=1.0)


def note_restart(kill: Kill | None, attempt: Attempt) -> None:
    """How the start after a kill went. A start that was itself killed before its first step says nothing."""
    if kill is None:
        return
    resume = attempt.of("resume")
    if resume:
        kill.resumed = resume[0][1]["step"]
    kill.started = bool(attempt.of("train") or attempt.of("done")) or not attempt.of("failed")
    if kill.published is not None and attempt.of("job") and not resume:
        kill.started = False
    if any("is damaged" in line for line in attempt.errors):
        kill.torn.append("said by the container")
    if kill.resumed is None and not attempt.of("job"):
        kill.resumed = kill.published  # killed again while it started: the next restart will show


def all_checkpoints(base: Base) -> list[Path]:
    folder = base.folder / "checkpoints"
    return sorted([*folder.glob("step-*"), *folder.glob("best/step-*")])


def sound_checkpoints(base: Base) -> list[Path]:
    return [path for path in all_checkpoints(base) if damage(path) is None]


def of_one_step(checkpoint: Path) -> bool:
    """True when folder name, state and optimizer are of one step."""
    state = json.loads((checkpoint / STATE).read_text())
    return steps_in_optimizer(read_weights(checkpoint / OPTIMIZER)) == {state["step"]} == {step_of(checkpoint)}


def steps_in_optimizer(content: dict[str, Any]) -> set[int]:
    """The steps that Adam's accumulators speak of: paddle keeps beta ** (step + 1), one for each parameter."""
    betas = {"_beta1_pow_acc_": 0.9, "_beta2_pow_acc_": 0.999}
    steps = {
        round(math.log(float(value.reshape(-1)[0])) / math.log(beta)) - 1
        for name, value in content.items()
        for mark, beta in betas.items()
        if mark in name and float(value.reshape(-1)[0]) > 1e-30  # float32 ends soon after
    }
    schedule = content.get("LR_Scheduler")
    return steps | ({int(schedule["last_epoch"])} if schedule else set())


def differences(base: Base, straight: Base) -> list[str]:
    """What a run that ended has otherwise than the uninterrupted one, bit by bit."""
    if not (base.folder / "model/run.json").exists():
        return ["no model"]
    files = {
        "final weights": ("checkpoints", WEIGHTS),
        "final optimizer": ("checkpoints", OPTIMIZER),
        "best weights": ("model", "best_accuracy.pdparams"),
        "best optimizer": ("model", "best_accuracy.pdopt"),
    }
    found = []
    for what, (folder, name) in files.items():
        paths = [
            (each.checkpoints()[-1] if folder == "checkpoints" else each.folder / folder) / name
            for each in (base, straight)
        ]
        if array_hash(read_weights(paths[0])) != array_hash(read_weights(paths[1])):
            found.append(what)
    if base.report()["best"] != straight.report()["best"]:
        found.append("best score")
    return found


def array_hash(content: dict[str, Any]) -> str:
    """sha256 of all arrays by name (pickles may order alike contents unlike)."""
    digest = hashlib.sha256()
    for name, value in sorted(content.items()):
        digest.update(name.encode() + (value.tobytes() if hasattr(value, "tobytes") else repr(value).encode()))
    return digest.hexdigest()


# ---------------------------------------------------------------- processes of a run


def processes_of(base: Base) -> list[int]:
    """Processes started for this base, by their environment (Linux); zombies have none."""
    mark = f"SAGEMAKER_BASE_DIR={base.folder}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_only_the_supervisor(base: Base) -> float:
    """Start, let it train, kill the supervisor alone: seconds until no process of the run is left (at most 10)."""
    attempt = Attempt(base)
    while attempt.running and not attempt.of("train"):
        time.sleep(0.01)
    if len(processes_of(base)) < 2:
        raise RuntimeError("there is no trainer to outlive the supervisor:\n" + "".join(attempt.errors))
    family = processes_of(base)
    killed_at = time.monotonic()
    attempt.child.kill()
    while processes_of(base) and time.monotonic() < killed_at + 10:
        time.sleep(0.01)
    seconds = time.monotonic() - killed_at
    attempt.wait()
    sweep_shared_memory(family)
    return seconds
