"""Where a setting comes from: flag, else environment, else launcher.yml, else built-in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from contract.paths import CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE
from launcher.command_line import parse_flags
from launcher.flags import ACCOUNT, CALL, CONFIG_FILE, KEYS, Flag, Verb

if TYPE_CHECKING:
    import yaml

Raw = str | tuple[str, ...]

# Variables that begin like settings and are none: where container/tree.py keeps its tree, where a container finds its
# checkpoints, and its pipe.
VARIABLE_PREFIX = "OCR_"
OTHER_VARIABLES = ("OCR_CACHE", CHECKPOINTS_VARIABLE, LIFELINE_VARIABLE)


@dataclass(frozen=True)
class Given:
    """One setting before it has a type: what was written, by whom, and where its relative paths start."""

    raw: Raw
    origin: str
    folder: Path

    @property
    def is_flag(self) -> bool:
        return self.origin.startswith("flag")


@dataclass(frozen=True)
class EarlierJob:
    """What an earlier job was asked for, as settings, and the flag that takes them over."""

    settings: Mapping[str, Raw]
    flag: str
    is_repeated: bool  # only flags win over it; otherwise it fills what nothing else says


def gather(
    verb: Verb,
    argv: list[str],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    job: EarlierJob | None = None,
) -> dict[str, Given]:
    """The settings of one call of a verb, by key; reads at most launcher.yml. Raises UserError.

    launcher.yml and the environment are the same for all verbs: what belongs to another one is checked and left out.
    Beside a job that is repeated, of launcher.yml and the environment only the account and the folder of the runs
    remain.
    """
    here = folder or Path.cwd()
    flags = {key: Given(raw, f"flag {verb.by_key[key].flags[0]}", here) for key, raw in parse_flags(verb, argv).items()}
    variables = _from_environment(os.environ if environment is None else environment, here)
    file = _from_file(flags.get("config_file"), here)
    if job and job.is_repeated:
        variables, file = _of_any_job(variables, verb), _of_any_job(file, verb)
    earlier = {key: Given(raw, f"job of {job.flag}", here) for key, raw in job.settings.items()} if job else {}
    given = _merge(
        flags,
        *((earlier, variables, file) if job and job.is_repeated else (variables, file, earlier)),
        {flag.key: Given(flag.default, "built-in", here) for flag in verb.flags if flag.default is not None},
    )
    return {key: value for key, value in given.items() if key in verb.by_key}


def texts_of(given: Mapping[str, Given], key: str) -> tuple[str, ...]:
    """The values of a setting that may be given more than once."""
    raw = given[key].raw if key in given else ()
    return (raw,) if isinstance(raw, str) else raw


def pair_of(raw: str, flag: str) -> tuple[str, str]:
    """`KEY=VALUE`. Raises UserError, naming the flag."""
    key, equals, value = raw.partition("=")
    if not equals or not key.strip():
        raise UserError(f"{flag} {raw!r}: write it as KEY=VALUE")
    return key.strip(), value


def path_of(given: Given) -> Path:
    """The absolute path that a setting means."""
    return Path(os.path.normpath(given.folder / Path(str(given.raw)).expanduser()))


def _of_any_job(given: dict[str, Given], verb: Verb) -> dict[str, Given]:
    """What does not say how one job trains."""
    kept = {flag.key for flag in verb.flags if flag.group in (ACCOUNT, CALL)} | {"output"}
    return {key: each for key, each in given.items() if key in kept}


def _from_environment(environment: Mapping[str, str], here: Path) -> dict[str, Given]:
    """An empty variable counts as not set. Raises UserError for an OCR_ name that means nothing."""
    known = [flag.variable for flag in KEYS.values() if flag.variable]
    for name, value in environment.items():
        if value and name.startswith(VARIABLE_PREFIX) and name not in (*known, *OTHER_VARIABLES):
            raise UserError(f"unknown environment variable {name}{did_you_mean(name, known)}")
    return {
        flag.key: Given(environment[flag.variable], f"environment {flag.variable}", here)
        for flag in KEYS.values()
        if flag.variable and environment.get(flag.variable)
    }


def _from_file(named: Given | None, here: Path) -> dict[str, Given]:
    """launcher.yml of the current folder if it is there; a file that was named must be."""
    path = here / (str(named.raw) if named else CONFIG_FILE)
    if not named and not path.is_file():
        return {}
    import yaml  # most calls, and --help, get by without it

    try:
        text = path.read_text(encoding="utf-8-sig")
        # BaseLoader leaves every scalar as it is written: a run named 2024 stays text, 1e-4 stays 1e-4.
        content = yaml.load(text, Loader=yaml.BaseLoader)
        _check_written_once(yaml.compose(text, Loader=yaml.BaseLoader), path)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML ({error.problem}): correct this line") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: the settings cannot be read ({error}): name a UTF-8 YAML file") from None
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: write one `key: value` per line")
    found = {}
    known = [flag.key for flag in KEYS.values() if flag.saved]
    for name, value in content.items():
        key = str(name).replace("-", "_")
        if key not in known:
            raise UserError(f"{path}: unknown key {name!r}{did_you_mean(key, known)}")
        if value != "":
            found[key] = Given(_plain(KEYS[key], value, path), path.name, path.absolute().parent)
    return found


def _check_written_once(document: yaml.Node | None, path: Path) -> None:
    """No key of launcher.yml, or of a mapping in it, is there twice: YAML would drop the first. Raises UserError."""
    top = _keys(document)
    _check_keys([(node.value.replace("-", "_"), node) for node, _ in top], path)
    for _, value in top:
        _check_keys([(node.value, node) for node, _ in _keys(value)], path)


def _keys(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping; of anything else none."""
    import yaml

    return [pair for pair in node.value if isinstance(pair[0].value, str)] if isinstance(node, yaml.MappingNode) else []


def _check_keys(keys: list[tuple[str, yaml.Node]], path: Path) -> None:
    lines: dict[str, int] = {}
    for key, node in keys:
        line = node.start_mark.line + 1
        if key in lines:
            raise UserError(f"{path}:{line}: {key} is already set in line {lines[key]}: keep one of them")
        lines[key] = line


def _plain(flag: Flag, value: object, path: Path) -> Raw:
    """A value of launcher.yml as a flag would have given it: text, or a tuple of texts."""
    if flag.many and isinstance(value, dict):
        return tuple(f"{key}={_scalar(flag, inner, path)}" for key, inner in value.items())
    if flag.many and isinstance(value, list):
        return tuple(_scalar(flag, inner, path) for inner in value)
    return (_scalar(flag, value, path),) if flag.many else _scalar(flag, value, path)


def _scalar(flag: Flag, value: object, path: Path) -> str:
    if isinstance(value, str):
        return value
    if flag.many and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return f"[{','.join(value)}]"  # an override such as image_shape: [3, 32, 320]
    raise UserError(f"{path}: {flag.key} must be {'a mapping or a list' if flag.many else 'a single value'}")


def _merge(*sources: dict[str, Given]) -> dict[str, Given]:
    """First source wins. Overrides, variables and tags of the job are merged key by key."""
    merged: dict[str, Given] = {}
    for source in reversed(sources):
        for key, given in source.items():
            below = merged.get(key)
            if key in ("override", "env", "tags") and below:
                both = {raw.partition("=")[0]: raw for raw in (*below.raw, *given.raw)}
                given = Given(tuple(both.values()), f"{below.origin} and {given.origin}", given.folder)
            merged[key] = given
    return merged
