"""Folders of runs as the trainer leaves them, without training: its own writers make what can be made so cheaply."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from container.trainer.scores_in_depth import scores_in_depth
from container.trainer.scoring import Prediction, score, write_predictions
from contract.dataset import Sample
from contract.events import format_event

CHANGES = [
    {"key": "Global.epoch_num", "before": 8, "after": 5, "reason": "hyperparameter epochs"},
    {"key": "Train.loader.batch_size_per_card", "before": 16, "after": 16, "reason": "the recipe's"},
    {"key": "Global.seed", "before": None, "after": 1024, "reason": "PaddleOCR's default"},
]
GPU = {
    "device": 0,
    "name": "Tesla T4",
    "samples": 300,
    "utilization": {"mean": 71.5, "max": 98},
    "memory_mb": {"peak": 5120, "total": 15360},
    "temperature_c": {"max": 66},
    "power_w": {"max": None},
}


def history(steps: int, every: int = 10, evaluated: int = 50) -> list[dict[str, Any]]:
    """What state.json and metrics.jsonl have: a loss that falls, scores that rise."""
    events: list[dict[str, Any]] = []
    for step in range(every, steps + 1, every):
        at = {"step": step, "epoch": 1 + step // 100}
        loss = 40.0 * 0.985**step + 0.05
        events.append({"event": "train", **at, "loss": loss, "lr": 0.001, "samples_per_s": 800.0, "reader_share": 0.02})
        if step % evaluated == 0:
            acc = 0.95 * step / steps
            events.append({"event": "eval", **at, "acc": acc, "cer": 1 - acc, "norm_edit_dis": acc})
    return events


def write_model(
    model: Path, samples: Sequence[Sample], read: Callable[[str], str], steps: int = 500, **more: Any
) -> None:
    """The files of model/ that a page is made of. read: what the model makes of a label."""
    model.mkdir(parents=True)
    labels = [sample.label for sample in samples]
    texts = [read(label) for label in labels]
    scored = score(labels, texts)
    run = {
        "run": model.parent.name,
        "status": "finished",
        "best": {"acc": scored.acc, "cer": scored.cer, "norm_edit_dis": scored.norm_edit_dis, "epoch": 5, "step": 450},
        "scores": scores_in_depth(labels, texts, labels[:1], "".join(sorted(set("".join(labels)))) + "§"),
        "resumed_from": 230,
        "resumes": [120, 230],
        "steps": steps,
        "processes": 1,
        "epochs": 5,
        "seconds": 4321.5,
        "versions": {"python": "3.11.7", "paddle": "3.3.1", "networks": "ppocr_rec", "device": "gpu:0"},
        "gpu": [GPU],
        "dataset": {"sha256": "ab" * 32, "train": 300, "val": len(labels), "characters": 111},
        "labels": {
            split: {"samples": 9, "code_points": 90, "encoded_samples": 9, "encoded_code_points": 90}
            for split in ("train", "val")
        },
        "pretrained": None,
        "unusable": {"train": {"samples": 2, "lines": [7, 31]}, "val": {"samples": 0, "lines": []}},
        "config": {"name": "rec/demo_digits.yml", "changes": CHANGES},
        "export": {"crops": len(labels), "read_differently": 0, "paddleocr_model_name": "PP-OCRv3_mobile_rec"},
    }
    (model / "run.json").write_text(json.dumps(run | more, ensure_ascii=False, indent=1), encoding="utf-8")
    lines = [json.dumps(event) + "\n" for event in history(steps)]
    (model / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
    sure = [Prediction(text, 0.99 - number % 50 / 100) for number, text in enumerate(texts)]
    write_predictions(model / "predictions.csv", samples, sure)
    (model / "config.yml").write_text("# rec/demo_digits.yml, as trained\nGlobal:\n  epoch_num: 5\n", encoding="utf-8")


def write_log(path: Path, attempts: Sequence[Sequence[tuple[str, dict[str, Any]]]]) -> None:
    """job.log: for each attempt the launcher's line and its events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for events in attempts:
        lines.append("launcher: 2026-11-28T07:49:52Z container of run r started (process 1)")
        lines.append("recipe rec/demo_digits.yml, what was decided and why:")
        lines += [format_event(kind, **fields) for kind, fields in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def trained(first: int, last: int, every: int = 10) -> list[tuple[str, dict[str, Any]]]:
    """Events of steps."""
    return [
        ("train", {"step": step, "epoch": 1, "loss": 10.0 / step, "lr": 0.001, "samples_per_s": 100.0})
        for step in range(first, last + 1, every)
    ]
