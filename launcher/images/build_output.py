"""What BuildKit prints (`--progress=plain`), folded into steps: which one runs, and how long each took."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

HOLD_S = 0.5  # a step that is in the cache says so at once: until then its beginning is not told
TAIL = 20  # lines kept for when the build fails
NAME_WIDTH = 90

_LINE = re.compile(r"#(\d+) (.*)")
_INTERNAL = re.compile(r"\[(internal|auth)\]|resolve image config|importing cache manifest")


@dataclass
class Step:
    """One step of the build."""

    name: str
    began: float
    told: bool = False  # people know that it began
    over: bool = False

    @property
    def is_internal(self) -> bool:
        """BuildKit's own, such as reading the Dockerfile: over in a moment, and nobody's concern."""
        return bool(_INTERNAL.match(self.name))


class BuildOutput:
    """The steps so far. `feed` and `due` return lines for people, where there is no live view."""

    def __init__(self) -> None:
        self._steps: dict[int, Step] = {}
        self.tail: deque[str] = deque(maxlen=TAIL)

    def feed(self, line: str, now: float) -> list[str]:
        """Take in one line."""
        if line.strip():
            self.tail.append(line)
        found = _LINE.fullmatch(line)
        if not found:
            return []
        number, text = int(found.group(1)), found.group(2)
        step = self._steps.get(number)
        if step is None:
            self._steps[number] = Step(_short(text), now)
            return []
        word, _, rest = text.partition(" ")
        if step.over or word not in ("DONE", "CACHED", "ERROR:", "ERROR", "CANCELED"):
            return []
        step.over = True
        if step.is_internal:
            return []
        if word == "CACHED":
            return [f"{step.name}: there already"]
        if word == "DONE":
            return [f"{step.name}: done in {rest}"]
        return [f"{step.name}: {'failed' if word.startswith('ERROR') else 'given up'}"]

    def due(self, now: float) -> list[str]:
        """Beginnings that are worth telling by now."""
        lines = []
        for step in self._steps.values():
            if not (step.told or step.over or step.is_internal) and now - step.began >= HOLD_S:
                step.told = True
                lines.append(f"{step.name}: runs")
        return lines

    @property
    def current(self) -> str:
        """The step that began last of those that run."""
        running = [step.name for step in self._steps.values() if not step.over]
        return running[-1] if running else ""


def _short(name: str) -> str:
    """A step's name without the options of its mounts, in one line."""
    plain = " ".join(re.sub(r"--mount=\S+", "", name).replace("\\", " ").split())
    return plain if len(plain) <= NAME_WIDTH else plain[: NAME_WIDTH - 1] + "…"
