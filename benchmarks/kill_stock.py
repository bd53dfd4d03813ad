"""The control: PaddleOCR's own save_model under the same kills."""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.kill_ours import POLL_SECONDS, SAVE_SECONDS, array_hash, say, steps_in_optimizer
from container.tree import locate_tree


@dataclass
class Stock:
    """What became of the same kills with PaddleOCR's own save_model."""

    verdicts: list[str] = field(default_factory=list)  # resumable, unloadable, mixed
    in_save: int = 0
    lost_steps: list[int] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        return self.verdicts.count(verdict)


def kill_stock(folder: Path, model: Path, kills: int, seed: int) -> Stock:
    """Train, save in place, kill, load; `model` is a model folder of ours, for its config and dictionary."""
    rng = random.Random(seed)
    folder.mkdir()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["paddle", "cv2", "skimage", "shapely", "pyclipper", "rapidfuzz", "albumentations"])
    tree = str(locate_tree(say))
    stock = Stock()
    durations: list[float] = []
    reached = 0
    while True:
        ours, theirs = context.Pipe()
        child = context.Process(target=stock_trainer, args=(str(folder), str(model), tree, theirs), daemon=True)
        child.start()
        theirs.close()
        verdict, step = ours.recv()
        if reached:
            stock.verdicts.append(verdict)
            stock.lost_steps.append(reached - step)
            say(f"stock {len(stock.verdicts)}/{kills}: reached step {reached}, {verdict}")
        if len(stock.verdicts) == kills:
            child.kill()
            child.join()
            return stock
        ours.recv()  # it has something saved and trains
        _reach_stock_moment(folder, stock, durations, rng)
        child.kill()
        child.join()
        stock.in_save += (folder / "saving").exists()
        (folder / "saving").unlink(missing_ok=True)
        reached = int((folder / "reached").read_text())


def _reach_stock_moment(folder: Path, stock: Stock, durations: list[float], rng: random.Random) -> None:
    saving = folder / "saving"
    if stock.in_save * 2 > len(stock.verdicts) and durations:
        time.sleep(rng.uniform(0, 2 * SAVE_SECONDS))
        return
    for _ in range(1 if durations else 3):  # the first time, see how long a save takes
        while not saving.exists():
            time.sleep(POLL_SECONDS)
        seen = time.time()
        if durations:
            time.sleep(rng.uniform(0, statistics.median(durations)))
            return
        while saving.exists():
            time.sleep(POLL_SECONDS)
        durations.append(time.time() - seen)


def stock_trainer(folder_name: str, model_name: str, tree: str, parent: Connection) -> None:
    """The victim: says what it can load, then trains and saves until it is killed."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    import logging

    import paddle
    import yaml

    from container.trainer.network import build_network
    from container.trainer.paddleocr_tree import enter_tree
    from container.trainer.sampling import Schedule

    folder, model = Path(folder_name), Path(model_name)
    enter_tree(Path(tree))
    from ppocr.utils.save_load import save_model

    config = yaml.safe_load((model / "config.yml").read_text())
    config["Global"]["character_dict_path"] = str(model / "dict.txt")
    # long enough that the learning rate never ends
    network = build_network(config, Schedule(samples=10_000, batch_size=2, epochs=10, seed=1))
    verdict, step = load_stock(folder, config, network)
    parent.send((verdict, step))
    if verdict != "resumable":
        for left in folder.glob("latest.*"):
            left.unlink()
        step = 0
        network = build_network(config, Schedule(samples=10_000, batch_size=2, epochs=10, seed=1))
    paddle.seed(1)
    batch = [paddle.randn([2, 3, 32, 100]), paddle.to_tensor([[1, 2, 3], [4, 5, 6]]), paddle.to_tensor([3, 3])]
    logger = logging.getLogger("quiet")
    saved_at = time.monotonic() if step else 0.0  # a fresh start saves after its first step
    ready = False
    while True:
        network.train_step(batch)
        step += 1
        _replace(folder / "reached", str(step))
        if time.monotonic() - saved_at >= SAVE_SECONDS:
            digest = array_hash({name: value.numpy() for name, value in network.model.state_dict().items()})
            with (folder / "journal").open("a") as journal:
                journal.write(f"{step} {digest}\n")
            if ready:
                (folder / "saving").touch()
            save_model(
                network.model,
                network.optimizer,
                str(folder),
                logger,
                config,
                prefix="latest",
                epoch=1,
                global_step=step,
            )
            (folder / "saving").unlink(missing_ok=True)
            saved_at = time.monotonic()
        if not ready:
            parent.send("ready")
            ready = True


def load_stock(folder: Path, config: dict[str, Any], network: Any) -> tuple[str, int]:
    """What stock load_model makes of the files, and the step in them: resumable only if all three are of one."""
    import pickle

    import paddle
    from ppocr.utils.save_load import load_model

    config = config | {"Global": config["Global"] | {"checkpoints": str(folder / "latest")}}
    try:
        load_model(config, network.model, network.optimizer, "rec")
        weights = paddle.load(str(folder / "latest.pdparams"), return_numpy=True)
        moments = paddle.load(str(folder / "latest.pdopt"), return_numpy=True)
        states = pickle.loads((folder / "latest.states").read_bytes())
    except Exception:
        return "unloadable", 0
    weights.pop("StructuredToParameterName@@", None)
    noted = dict(reversed(line.split()) for line in (folder / "journal").read_text().splitlines())
    steps = {int(noted.get(array_hash(weights), -1)), states["global_step"], *steps_in_optimizer(moments)}
    return ("resumable", steps.pop()) if len(steps) == 1 else ("mixed", 0)


def _replace(path: Path, text: str) -> None:
    staging = path.with_suffix(".new")
    staging.write_text(text)
    staging.replace(path)
