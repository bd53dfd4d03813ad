"""What the user asked for: flag, else environment, else launcher.yml, else built-in."""

from __future__ import annotations

import json
import os
import re
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from contract.hyperparameters import BY_NAME, did_you_mean, parse_value
from contract.paths import LIFELINE_VARIABLE
from launcher.flags import BY_KEY, CONFIG_FILE, FLAGS, TUNING, Flag, parse_flags
from launcher.interruption import Interruption, parse_duration, parse_interruption

if TYPE_CHECKING:
    import yaml

Raw = str | tuple[str, ...]

# Variables that begin like settings and are none: where container/tree.py keeps its tree, and the container's pipe.
VARIABLE_PREFIX = "OCR_"
OTHER_VARIABLES = ("OCR_CACHE", LIFELINE_VARIABLE)

# A run's name is a folder name everywhere, and no longer than a SageMaker job name.
_RUN = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9_.]){0,62}")


@dataclass(frozen=True)
class Given:
    """One setting before it has a type: what was written, by whom, and where its relative paths start."""

    raw: Raw
    origin: str
    folder: Path


@dataclass(frozen=True)
class Settings:
    """One call of `submit`, typed. Paths are absolute; None and empty mean: not given."""

    instance: str
    dataset: Path | None
    validation: Path | None
    pretrained: Path | None
    config: str
    config_folder: Path  # where a relative path to the user's own recipe starts
    hyperparameters: tuple[tuple[str, str], ...]  # those of contract's table except config and run_id
    overrides: tuple[tuple[str, str], ...]  # dotted recipe key, value
    env: tuple[tuple[str, str], ...]
    run: str
    must_exist: bool  # --resume
    fresh: bool
    output: Path
    checkpoint_folder: Path | None
    interruptions: tuple[Interruption, ...]
    grace_s: float
    dry_run: bool
    show_config: bool
    json: bool
    debug: bool
    origins: tuple[tuple[str, Raw, str], ...]  # key, value as written, where it comes from
    argv: tuple[str, ...]


def load_settings(
    argv: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Read and type the settings of one call; reads at most launcher.yml. Raises UserError."""
    here = folder or Path.cwd()
    flags = {key: Given(raw, f"flag {BY_KEY[key].flags[0]}", here) for key, raw in parse_flags(argv).items()}
    given = _merge(
        flags,
        _from_environment(os.environ if environment is None else environment, here),
        _from_file(flags.get("config_file"), here),
        {flag.key: Given(flag.default, "built-in", here) for flag in FLAGS if flag.default is not None},
    )
    return _typed(given, tuple(argv))


def show_config(settings: Settings) -> str:
    """Every setting with its value and origin: a table, or one JSON object with --json."""
    if settings.json:
        return json.dumps({key: {"value": raw or None, "origin": origin} for key, raw, origin in settings.origins})
    texts = [(key, " ".join((raw,) if isinstance(raw, str) else raw), origin) for key, raw, origin in settings.origins]
    width = max(len(text) for _, text, _ in texts)
    return "\n".join(f"{key:16} {text or '-':{width}}  {origin}" for key, text, origin in texts)


def check_run(run: str) -> str:
    """The name of a run, safe as the name of a folder. Raises UserError."""
    if not _RUN.fullmatch(run) or run.endswith("."):
        raise UserError(
            f"{run!r} cannot name a run: begin with a letter or digit, then at most 63 letters, digits, - _ ."
        )
    return run


def new_run_id(config: str) -> str:
    """A name for a new run: recipe, date (UTC) and four letters; SageMaker takes it as a job name too."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(config).stem).strip("-")[:40].strip("-") or "run"
    letters = "".join(string.ascii_lowercase[byte % 26] for byte in os.urandom(4))
    return f"{stem}-{time.strftime('%Y%m%d', time.gmtime())}-{letters}"


def _from_environment(environment: Mapping[str, str], here: Path) -> dict[str, Given]:
    """An empty variable counts as not set. Raises UserError for an OCR_ name that means nothing."""
    known = [flag.variable for flag in FLAGS if flag.variable]
    for name, value in environment.items():
        if value and name.startswith(VARIABLE_PREFIX) and name not in (*known, *OTHER_VARIABLES):
            raise UserError(f"unknown environment variable {name}{did_you_mean(name, known)}")
    return {
        flag.key: Given(environment[flag.variable], f"environment {flag.variable}", here)
        for flag in FLAGS
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
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: the settings cannot be read ({error}): name a UTF-8 YAML file") from None
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: write one `key: value` per line")
    found = {}
    known = [flag.key for flag in FLAGS if flag.saved]
    for name, value in content.items():
        key = str(name).replace("-", "_")
        if key not in known:
            raise UserError(f"{path}: unknown key {name!r}{did_you_mean(key, known)}")
        if value != "":
            found[key] = Given(_plain(BY_KEY[key], value, path), path.name, path.absolute().parent)
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
    """First source wins. Overrides and variables of the job are merged key by key."""
    merged: dict[str, Given] = {}
    for source in reversed(sources):
        for key, given in source.items():
            below = merged.get(key)
            if key in ("override", "env") and below:
                both = {raw.partition("=")[0]: raw for raw in (*below.raw, *given.raw)}
                given = Given(tuple(both.values()), f"{below.origin} and {given.origin}", given.folder)
            merged[key] = given
    return merged


def _typed(given: dict[str, Given], argv: tuple[str, ...]) -> Settings:
    def text(key: str) -> str:
        return str(given[key].raw) if key in given else ""

    config = text("config")
    run, must_exist = _run(text("run"), text("resume"), "run" in given and given["run"].origin.startswith("flag"))
    if text("fresh") and not run:
        raise UserError("--fresh starts a run over: name the run with --run")
    if text("fresh") and must_exist:
        raise UserError("--resume continues a run and --fresh starts it over: give one of them")
    origins = [
        (flag.key, given[flag.key].raw, given[flag.key].origin) if flag.key in given else (flag.key, "", "not set")
        for flag in FLAGS
    ]
    if not run:
        run = new_run_id(config)
        origins = [(key, run, "built-in") if key == "run" else (key, raw, origin) for key, raw, origin in origins]
    return Settings(
        instance=text("instance"),
        dataset=_folder(given.get("dataset"), "--dataset"),
        validation=_folder(given.get("validation"), "--validation"),
        pretrained=_folder(given.get("pretrained"), "--pretrained"),
        config=config,
        config_folder=given["config"].folder,
        hyperparameters=tuple(
            _hyperparameter(flag.key, text(flag.key)) for flag in FLAGS if flag.group == TUNING and flag.key in given
        ),
        overrides=tuple(_override(raw) for raw in _many(given, "override")),
        env=tuple(_pair(raw, "--env") for raw in _many(given, "env")),
        run=run,
        must_exist=must_exist,
        fresh=bool(text("fresh")),
        output=_folder(given["output"], "--output") or Path("output"),
        checkpoint_folder=_folder(given.get("checkpoint_uri"), "--checkpoint-uri"),
        interruptions=tuple(parse_interruption(raw) for raw in _many(given, "interrupt_after")),
        grace_s=_grace(text("grace")),
        dry_run=bool(text("dry_run")),
        show_config=bool(text("show_config")),
        json=bool(text("json")),
        debug=bool(text("debug")),
        origins=tuple(origins),
        argv=argv,
    )


def _run(run: str, resume: str, run_is_flag: bool) -> tuple[str, bool]:
    """The run's name (empty: make one) and whether it must exist."""
    if resume and run_is_flag and run != resume:
        raise UserError(f"--run {run} and --resume {resume} name two runs: give one of them")
    name = resume or run
    return (check_run(name) if name else ""), bool(resume)


def _many(given: dict[str, Given], key: str) -> tuple[str, ...]:
    raw = given[key].raw if key in given else ()
    return (raw,) if isinstance(raw, str) else raw


def _folder(given: Given | None, flag: str) -> Path | None:
    """An absolute folder; `file://` is accepted, other addresses are not yet."""
    if given is None:
        return None
    text = str(given.raw).removeprefix("file://")
    if "://" in text:
        raise UserError(f"{flag} {text}: a job on this machine takes a folder: download it, or name another")
    return Path(os.path.normpath(given.folder / Path(text).expanduser()))


def _grace(text: str) -> float:
    try:
        return parse_duration(text)
    except UserError as error:
        raise UserError(f"--grace: {error}") from None


def _hyperparameter(name: str, raw: str) -> tuple[str, str]:
    parse_value(BY_NAME[name], raw)
    return name, raw


def _override(raw: str) -> tuple[str, str]:
    key, value = _pair(raw, "-o")
    if key in BY_NAME:
        raise UserError(f"-o sets keys of the recipe, and {key} is a flag: use {BY_NAME[key].flag} {value}")
    if "." not in key:
        raise UserError(f"-o needs a dotted key of the recipe, such as Global.seed=1, not {key!r}")
    return key, value


def _pair(raw: str, flag: str) -> tuple[str, str]:
    key, equals, value = raw.partition("=")
    if not equals or not key.strip():
        raise UserError(f"{flag} {raw!r}: write it as KEY=VALUE")
    return key.strip(), value
