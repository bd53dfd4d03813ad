"""kill -9 a training run again and again; count what is lost. Stock PaddleOCR's save_model is the control.

    python -m benchmarks.kill9 [--kills 60] [--seed 1] [--json]

Ours: the real container. Its whole process tree (supervisor, trainer, data-loading worker) is killed at random moments,
half of them while a checkpoint is being saved, and started again. A run of STEPS steps that reaches its end is compared
with one that was never killed, and the next begins, until the kills are used up and the last run has ended too.

Control: the same network and save interval, with a fixed batch, saved in place by `ppocr.utils.save_load.save_model` of
the same tree. A process is killed just as often, half the time while it saves; the next one loads what is there with
stock `load_model`. It is forked from a process that has imported paddle already: that only saves seconds, for what a
kill leaves in the files does not depend on how the process came to be. The first save of a fresh start is never hit.

What a checkpoint holds is proven from its content: the step from the optimizer's beta accumulators, the weights from
the loss of every following step and the final bits (ours) or from their sha256 noted before each save (control).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.kill_ours import SAVE_SECONDS, STEPS, Ours, kill_ours, say
from benchmarks.kill_stock import Stock, kill_stock


def table(ours: Ours, stock: Stock) -> str:
    """Both side by side."""
    lost, interval = [kill.lost_steps for kill in ours.kills], SAVE_SECONDS
    rows = [
        ("", "kills", "in a save", "resumed", "unloadable", "mixed", "steps lost (median, most)"),
        row(
            "ours",
            len(ours.kills),
            sum(kill.in_save for kill in ours.kills),
            ours.resumed,
            ours.unloadable,
            ours.mixed,
            lost,
        ),
        row(
            "stock save_model",
            len(stock.verdicts),
            stock.in_save,
            stock.count("resumable"),
            stock.count("unloadable"),
            stock.count("mixed"),
            stock.lost_steps,
        ),
    ]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    most = max((kill.lost_seconds for kill in ours.kills), default=0.0)
    return "\n".join(
        [
            *lines,
            "",
            f"ours: {ours.runs} runs of {STEPS} steps, {len(ours.different_ends)} ended unlike the uninterrupted one; "
            f"{ours.different_losses} steps had another loss; {len(ours.failures)} starts failed; "
            f"{sum(kill.published is None for kill in ours.kills)} kills came before the first save",
            f"ours: at most {most:.2f} s of training lost with a save every {interval:g} s; "
            f"{ours.over_interval} kills lost more than the interval and the step under way",
            f"ours: {ours.shared_memory_left / 1e6:.1f} MB of batches left in /dev/shm by killed workers",
            f"resumed: ours {share(ours.resumed, len(ours.kills))}, "
            f"stock save_model {share(stock.count('resumable'), len(stock.verdicts))}",
        ]
    )


def row(name: str, *cells: Any) -> tuple[str, ...]:
    *counts, lost = cells
    return (name, *map(str, counts), f"{statistics.median(lost):g}, {max(lost)}" if lost else "-")


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / max(1, whole):.0f} %)"


def as_json(ours: Ours, stock: Stock) -> dict[str, Any]:
    counted = ("resumed", "unloadable", "mixed", "over_interval", "shared_memory_left")
    return {
        "save_seconds": SAVE_SECONDS,
        "ours": {name: getattr(ours, name) for name in counted} | asdict(ours),
        "stock": {name: stock.count(name) for name in ("resumable", "unloadable", "mixed")} | asdict(stock),
    }


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=60, help="of ours, and as many of the control (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--json", action="store_true", help="every kill as JSON instead of the table")
    settings = parser.parse_args(None if arguments is None else list(arguments))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ocr-kill9-") as name:
        folder = Path(name)
        ours = kill_ours(folder, settings.kills, settings.seed)
        stock = kill_stock(folder / "stock", folder / "straight/model", settings.kills, settings.seed)
    print(json.dumps(as_json(ours, stock), indent=1) if settings.json else table(ours, stock))
    say(f"{time.monotonic() - began:.0f} s")
    sound = ours.resumed == len(ours.kills) and not (ours.unloadable or ours.mixed or ours.failures)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
