"""Event lines: how a job tells the outside what happens, and the regexes by which CloudWatch plots them.

`[ocr] event=train step=120 epoch=3 loss=0.41 lr=0.0005 samples_per_s=812 reader_share=0.02`
"""

from __future__ import annotations

import json
import re
import sys

PREFIX = "[ocr] "
EVENTS = ("pretrained", "job", "resume", "train", "eval", "checkpoint", "phase", "gpu", "done", "interrupted", "failed")

_NUMBER = r"([-+0-9.eE]+|nan|-?inf)"
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')

# CreateTrainingJob → AlgorithmSpecification.MetricDefinitions (at most 40; regex at most 500 characters).
METRIC_DEFINITIONS = tuple(
    {"Name": name, "Regex": rf"\[ocr\] event={event} .*?\b{field}={_NUMBER}"}
    for name, event, field in (
        ("train:loss", "train", "loss"),
        ("train:learning_rate", "train", "lr"),
        ("train:samples_per_s", "train", "samples_per_s"),
        ("train:reader_share", "train", "reader_share"),
        ("train:epoch", "train", "epoch"),
        ("gpu:utilization", "gpu", "utilization"),  # %, the mean of some seconds, each GPU by itself
        ("gpu:memory_used_mb", "gpu", "memory_used_mb"),
        ("eval:acc", "eval", "acc"),
        ("eval:cer", "eval", "cer"),
        ("eval:norm_edit_dis", "eval", "norm_edit_dis"),
        # SageMaker keeps the last value of each metric with the job: these are the final scores.
        ("best:acc", "done", "acc"),
        ("best:cer", "done", "cer"),
        ("best:norm_edit_dis", "done", "norm_edit_dis"),
    )
)


def format_event(event: str, **fields: object) -> str:
    """One event line without a newline. Floats keep 6 significant digits; text with blanks is quoted."""
    if event not in EVENTS:
        raise ValueError(f"unknown event {event!r}")
    parts = [f"event={event}"] + [f"{key}={_format_value(value)}" for key, value in fields.items()]
    return PREFIX + " ".join(parts)


def print_event(event: str, **fields: object) -> None:
    """One event line on stdout, at once, and in one write: supervisor and trainer share the stream."""
    sys.stdout.write(format_event(event, **fields) + "\n")
    sys.stdout.flush()


def parse_event(line: str) -> dict[str, object] | None:
    """The fields of an event line (numbers as int or float), or None for any other line, a torn one included."""
    start = line.find(PREFIX + "event=")
    if start < 0:
        return None
    try:
        return {key: _parse_value(raw) for key, raw in _FIELD.findall(line[start + len(PREFIX) :])}
    except ValueError:  # the writer was killed inside a quoted text
        return None


def _format_value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"]', text) or not text else text


def _parse_value(raw: str) -> object:
    if raw.startswith('"'):
        return json.loads(raw)
    for number in (int, float):
        try:
            return number(raw)
        except ValueError:
            continue
    return raw
