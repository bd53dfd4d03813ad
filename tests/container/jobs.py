"""A hand-made /opt/ml look-alike, and the real container started under it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contract.events import parse_event

ROOT = Path(__file__).resolve().parents[2]


def draw_dataset(folder: Path, train: int, val: int, seed: int = 1) -> Path:
    """A dataset folder of plainly drawn digits."""
    draw = random.Random(seed)
    (folder / "images").mkdir(parents=True)
    for name, count in (("train", train), ("val", val)):
        lines = []
        for index in range(count):
            text = "".join(draw.choice("0123456789") for _ in range(draw.randint(3, 6)))
            font = ImageFont.load_default(28)
            image = Image.new("RGB", (int(font.getlength(text)) + 16, 40), "white")
            ImageDraw.Draw(image).text((8, 2), text, fill="black", font=font)
            image.save(folder / f"images/{name}{index}.png")
            lines.append(f"images/{name}{index}.png\t{text}\n")
        (folder / f"{name}.txt").write_text("".join(lines))
    (folder / "dict.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    return folder


@dataclass
class Finished:
    """How a container ended and what it said."""

    code: int
    lines: list[str] = field(default_factory=list)
    errors: str = ""

    @property
    def events(self) -> list[dict]:
        return [event for event in map(parse_event, self.lines) if event]

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["event"] == kind]


class Base:
    """One /opt/ml look-alike; the container can be started under it again and again."""

    def __init__(self, folder: Path, dataset: Path, **parameters: object):
        self.folder = folder
        (folder / "input/config").mkdir(parents=True)
        (folder / "input/data").mkdir()
        (folder / "input/data/training").symlink_to(dataset)
        self.place("algo-1", "algo-1")
        self.set(**parameters)

    def place(self, host: str, *hosts: str) -> None:
        """Which of the job's hosts this is."""
        resources = {"current_host": host, "hosts": hosts, "network_interface_name": "lo"}
        (self.folder / "input/config/resourceconfig.json").write_text(json.dumps(resources))

    def set(self, **parameters: object) -> None:
        """Hyperparameters as SageMaker sends them: all strings. `__` in a name stands for a dot."""
        strings = {name.replace("__", "."): str(value) for name, value in parameters.items()}
        (self.folder / "input/config/hyperparameters.json").write_text(json.dumps(strings))

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "container", *arguments],
            cwd=ROOT,
            env=os.environ | {"SAGEMAKER_BASE_DIR": str(self.folder)} | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        *arguments: str,
        stop_when: Callable[[dict], bool] | None = None,
        stop_signal: int = signal.SIGTERM,
        env: dict[str, str] | None = None,
    ) -> Finished:
        """Run to the end; send `stop_signal` to the supervisor at the first event for which `stop_when` is true."""
        child = self.start(*(arguments or ("train",)), env=env)
        assert child.stdout
        assert child.stderr
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(child.stderr))
        reader.start()
        result = Finished(0)
        for line in child.stdout:
            result.lines.append(line.rstrip("\n"))
            event = parse_event(line)
            if event and stop_when and stop_when(event):
                child.send_signal(stop_signal)
                stop_when = None
        result.code = child.wait()
        reader.join()
        result.errors = "".join(errors)
        return result

    @property
    def failure(self) -> str:
        return (self.folder / "output/failure").read_text()

    def report(self) -> dict:
        return json.loads((self.folder / "model/run.json").read_text())

    def model_files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "model").iterdir())

    def checkpoints(self) -> list[Path]:
        return sorted((self.folder / "checkpoints").glob("step-*"))


def at_step(step: int) -> Callable[[dict], bool]:
    """True for the train event of this step (with Global.print_batch_step=1)."""
    return lambda event: event["event"] == "train" and event["step"] >= step
