"""Every hyperparameter of a job in one typed table; the launcher makes a flag of each row."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from contract.errors import UserError


@dataclass(frozen=True)
class Hyperparameter:
    """One row: SageMaker sends its value as a string, `parse_value` gives it its type back."""

    name: str
    type: type
    help: str
    minimum: float | None = None
    maximum: int | None = None
    choices: tuple[object, ...] = ()
    spellings: tuple[tuple[str, str], ...] = ()  # other words for choices, in small letters

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


PADDLEOCR = "paddleocr"  # an input_pipeline
PIPELINES = ("auto", PADDLEOCR)

TABLE = (
    Hyperparameter("config", str, "recipe: a path under configs/, or a file in the training channel"),
    Hyperparameter("run_id", str, "name of the run; starting the same run again resumes it"),
    Hyperparameter("epochs", int, "passes over the training set (Global.epoch_num)", minimum=1, maximum=1_000_000),
    Hyperparameter("batch_size", int, "samples per step and process (batch_size_per_card)", minimum=1, maximum=65_536),
    Hyperparameter("learning_rate", float, "peak learning rate (Optimizer.lr.learning_rate)", minimum=0),
    Hyperparameter("seed", int, "seed of everything random in the run", minimum=0, maximum=2**32 - 1),
    Hyperparameter("save_minutes", float, "minutes between checkpoints while training", minimum=0),
    Hyperparameter("eval_steps", int, "steps between evaluations; default: from the data", minimum=1),
    Hyperparameter("patience", int, "stop after this many evaluations without a better score", minimum=1),
    Hyperparameter(
        "zero_accuracy_steps",
        int,
        "give up when nothing was ever read right after this many steps; 0: never; default: a fifth of the run, "
        "at least 2000 and the warm-up",
        minimum=0,
    ),
    Hyperparameter(
        "amp",
        str,
        "mixed precision; auto takes what the GPU is good at, and float32 on a CPU",
        choices=("auto", "off", "bf16", "fp16"),
        spellings=(("true", "auto"), ("false", "off")),
    ),
    Hyperparameter(
        "workers", int, "processes that prepare batches; 0 prepares them in the trainer", minimum=0, maximum=1_024
    ),
    Hyperparameter(
        "processes", int, "training processes per host; default: one per GPU, one on a CPU", minimum=1, maximum=64
    ),
    Hyperparameter(
        "max_text_length", int, "longest label in code points (Global.max_text_length)", minimum=1, maximum=1_000
    ),
    Hyperparameter(
        "input_pipeline", str, "auto: ours where it knows the recipe's transforms; or PaddleOCR's", choices=PIPELINES
    ),
)
BY_NAME = {row.name: row for row in TABLE}

DEFAULT_SEED = 1024  # PaddleOCR's
DEFAULT_SAVE_MINUTES = 5.0


@dataclass(frozen=True)
class Hyperparameters:
    """The typed hyperparameters of a job. None means: the recipe or the data decides."""

    config: str
    run_id: str = "run"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    save_minutes: float = DEFAULT_SAVE_MINUTES
    eval_steps: int | None = None
    patience: int | None = None
    zero_accuracy_steps: int | None = None
    amp: str = "auto"
    workers: int | None = None
    processes: int | None = None
    max_text_length: int | None = None
    input_pipeline: str = "auto"
    overrides: tuple[tuple[str, str], ...] = ()  # dotted recipe key, raw value


def parse_bool(raw: str) -> bool:
    """`true`/`True`/`false`/`False`; anything else raises ValueError."""
    words = {"true": True, "false": False}
    if raw.strip().lower() not in words:
        raise ValueError(raw)
    return words[raw.strip().lower()]


def parse_int(raw: str) -> int:
    """A whole number: `12`, `-3`, `1e3`. Raises ValueError for anything with a fraction."""
    try:
        return int(raw, 10)
    except ValueError:
        number = parse_float(raw)
        if not number.is_integer():
            raise
        return int(number)


def parse_float(raw: str) -> float:
    """A finite number: `0.1`, `1e-4`, `3`."""
    number = float(raw)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(raw)
    return number


PARSERS: dict[type, Callable[[str], object]] = {bool: parse_bool, int: parse_int, float: parse_float, str: str}
TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def parse_value(row: Hyperparameter, raw: str) -> object:
    """The typed value of one hyperparameter; UserError when it has another type or is out of range."""
    value: Any
    try:
        value = PARSERS[row.type](dict(row.spellings).get(raw.strip().lower(), raw))
    except ValueError:
        raise UserError(f"{row.name} must be {TYPE_NAMES[row.type]}, not {raw!r}") from None
    if row.choices and value not in row.choices:
        allowed = ", ".join(str(choice).lower() for choice in row.choices)
        raise UserError(f"{row.name}={raw} is not available: {row.help}; use {allowed} or leave it out")
    if row.minimum is not None and value < row.minimum:
        raise UserError(f"{row.name} must be at least {row.minimum:g}, not {raw}")
    if row.maximum is not None and value > row.maximum:  # what no machine does, and a slip of the hand does
        raise UserError(f"{row.name} must be at most {row.maximum:,}, not {raw}")
    if row.type is str and not value:
        raise UserError(f"{row.name} is empty: give it a value or leave it out")
    return value


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Hyperparameters as SageMaker sends them (all values strings) → typed ones.

    Keys with a dot are recipe overrides and are typed later, against the recipe.
    Raises UserError for an unknown key (naming the nearest) or a wrong value.
    """
    values: dict[str, object] = {}
    overrides: list[tuple[str, str]] = []
    for key, given in raw.items():
        text = unquote(given)
        if key in BY_NAME:
            values[key] = parse_value(BY_NAME[key], text)
        elif "." in key:
            overrides.append((key, text))
        else:
            raise UserError(f"unknown hyperparameter {key!r}{did_you_mean(key, BY_NAME)}")
    if "config" not in values:
        raise UserError(
            "the hyperparameter 'config' is missing: name a recipe, such as rec/rec_mv3_none_bilstm_ctc.yml"
        )
    return Hyperparameters(**values, overrides=tuple(overrides))  # type: ignore[arg-type]


def to_strings(parameters: Hyperparameters) -> dict[str, str]:
    """The inverse of `parse_hyperparameters`: what goes into hyperparameters.json or a request."""
    strings: dict[str, str] = {}
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        if field.name != "overrides" and value is not None and value != field.default:
            strings[field.name] = str(value).lower() if isinstance(value, bool) else str(value)
    return strings | dict(parameters.overrides)


def unquote(given: object) -> str:
    """The plain text of a value: SDK framework estimators send JSON strings, hand-made files send numbers."""
    if not isinstance(given, str):
        return json.dumps(given)
    if len(given) >= 2 and given[0] == given[-1] == '"':
        try:
            inner = json.loads(given)
        except ValueError:
            return given
        return inner if isinstance(inner, str) else given
    return given


def did_you_mean(word: str, known: Mapping[str, object] | list[str]) -> str:
    """`: did you mean 'x'?` for the nearest known word, or a list of what there is."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if nearest:
        return f": did you mean {nearest[0]!r}?"
    shown = ", ".join(sorted(known)[:20]) + (", …" if len(known) > 20 else "")
    return f"; known: {shown}"
