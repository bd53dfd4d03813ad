"""What the user asked `submit` for."""

from __future__ import annotations

import json
import os
import re
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from contract.errors import UserError
from contract.hyperparameters import BY_NAME, parse_value
from launcher.cloud.settings import CloudSettings, cloud_settings, instance_count, is_cloud, is_in_s3
from launcher.flags import ACCOUNT, CLOUD, REHEARSAL, SUBMIT, TUNING
from launcher.interruption import Interruption, parse_duration, parse_interruption
from launcher.sources import EarlierJob, Given, Raw, gather, pair_of, path_of, texts_of

# A run's name is a folder name everywhere, and no longer than a SageMaker job name.
_RUN = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9_.])*")
LONGEST_RUN = 63


@dataclass(frozen=True)
class Settings:
    """One call of `submit`, typed. Paths are absolute; None and empty mean: not given."""

    instance: str
    instance_count: int
    dataset: Path | None
    validation: Path | None
    pretrained: Path | None
    config: str
    config_folder: Path  # where a relative path to the user's own recipe starts
    hyperparameters: tuple[tuple[str, str], ...]  # those of contract's table except config and run_id
    overrides: tuple[tuple[str, str], ...]  # dotted recipe key, value
    image_uri: str
    env: tuple[tuple[str, str], ...]
    run: str
    must_exist: bool  # --resume
    fresh: bool
    output: Path
    checkpoint_folder: Path | None
    interruptions: tuple[Interruption, ...]
    grace_s: float
    cloud: CloudSettings | None  # None: the job runs on this machine
    dry_run: bool
    show_config: bool
    json: bool
    debug: bool
    origins: tuple[tuple[str, Raw, str], ...]  # key, value as written, where it comes from
    argv: tuple[str, ...]


def load_settings(
    argv: list[str],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    job: EarlierJob | None = None,
) -> Settings:
    """Read and type the settings of one call; reads at most launcher.yml. Raises UserError.

    `job`: the one that is repeated or continued (launcher/cloud/repeat.py).
    """
    return _typed(gather(SUBMIT, argv, environment, folder, job), tuple(argv))


def idle_flags(settings: Settings) -> str:
    """The flags of this call that mean nothing where the job runs, for a note; empty when there are none."""
    idle = (REHEARSAL,) if settings.cloud else (CLOUD, ACCOUNT)
    groups = {flag.key: flag.group for flag in SUBMIT.flags}
    names = [
        origin.partition(" ")[2] for key, _, origin in settings.origins if groups[key] in idle and "flag" in origin
    ]
    return ", ".join(names)


def show_config(settings: Settings) -> str:
    """Every setting with its value and origin: a table, or one JSON object with --json."""
    if settings.json:
        return json.dumps({key: {"value": raw or None, "origin": origin} for key, raw, origin in settings.origins})
    texts = [(key, " ".join((raw,) if isinstance(raw, str) else raw), origin) for key, raw, origin in settings.origins]
    width = max(len(text) for _, text, _ in texts)
    return "\n".join(f"{key:16} {text or '-':{width}}  {origin}" for key, text, origin in texts)


def check_run(run: str) -> str:
    """The name of a run, safe as the name of a folder. Raises UserError."""
    if len(run) > LONGEST_RUN:
        raise UserError(
            f"a run's name has at most {LONGEST_RUN} characters, and {run[:40]!r}… has {len(run)}: shorten it"
        )
    if not _RUN.fullmatch(run) or run.endswith("."):
        raise UserError(
            f"{run!r} cannot name a run: write it with a–z, A–Z, 0–9, - _ and . and begin it with a letter or digit, "
            "and let it not end with - or ."
        )
    return run


def new_run_id(config: str) -> str:
    """A name for a new run: recipe, date (UTC) and four letters; SageMaker takes it as a job name too."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(config).stem).strip("-")[:40].strip("-") or "run"
    letters = "".join(string.ascii_lowercase[byte % 26] for byte in os.urandom(4))
    return f"{stem}-{time.strftime('%Y%m%d', time.gmtime())}-{letters}"


def _typed(given: dict[str, Given], argv: tuple[str, ...]) -> Settings:
    def text(key: str) -> str:
        return str(given[key].raw) if key in given else ""

    config = text("config")
    run, must_exist = _run(text("run"), text("resume"), "run" in given and given["run"].is_flag)
    if text("fresh") and not run:
        raise UserError("--fresh starts a run over: name the run with --run")
    if text("fresh") and must_exist:
        raise UserError("--resume continues a run and --fresh starts it over: give one of them")
    origins = [
        (flag.key, given[flag.key].raw, given[flag.key].origin) if flag.key in given else (flag.key, "", "not set")
        for flag in SUBMIT.flags
    ]
    if not run:
        run = new_run_id(config)
        origins = [(key, run, "built-in") if key == "run" else (key, raw, origin) for key, raw, origin in origins]
    cloud = cloud_settings(given) if is_cloud(given) else None

    def folder(key: str) -> Path | None:
        """A folder of this machine; None too where SageMaker has its own place in S3."""
        raw = given.get(key)
        if cloud and (is_in_s3(raw) or key == "checkpoint_uri"):
            return None
        return _folder(raw, SUBMIT.by_key[key].flags[0])

    return Settings(
        instance=text("instance"),
        instance_count=instance_count(text("instance_count")),
        dataset=folder("dataset"),
        validation=folder("validation"),
        pretrained=folder("pretrained"),
        config=config,
        config_folder=given["config"].folder,
        hyperparameters=tuple(
            _hyperparameter(flag.key, text(flag.key))
            for flag in SUBMIT.flags
            if flag.group == TUNING and flag.key in given
        ),
        overrides=tuple(_override(raw) for raw in texts_of(given, "override")),
        image_uri=text("image_uri"),
        env=tuple(pair_of(raw, "--env") for raw in texts_of(given, "env")),
        run=run,
        must_exist=must_exist,
        fresh=bool(text("fresh")),
        output=folder("output") or path_of(Given(SUBMIT.by_key["output"].default or "", "", given["config"].folder)),
        checkpoint_folder=folder("checkpoint_uri"),
        interruptions=tuple(parse_interruption(raw) for raw in texts_of(given, "interrupt_after")),
        grace_s=_grace(text("grace")),
        cloud=cloud,
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


def _folder(given: Given | None, flag: str) -> Path | None:
    """An absolute folder; `file://` is accepted, other addresses are not yet."""
    if given is None:
        return None
    text = str(given.raw).removeprefix("file://")
    if "://" in text:
        raise UserError(f"{flag} {text}: a job on this machine takes a folder: download it, or name another")
    return path_of(replace(given, raw=text))


def _grace(text: str) -> float:
    try:
        return parse_duration(text)
    except UserError as error:
        raise UserError(f"--grace: {error}") from None


def _hyperparameter(name: str, raw: str) -> tuple[str, str]:
    parse_value(BY_NAME[name], raw)
    return name, raw


def _override(raw: str) -> tuple[str, str]:
    key, value = pair_of(raw, "-o")
    if key in BY_NAME:
        raise UserError(f"-o sets keys of the recipe, and {key} is a flag: use {BY_NAME[key].flag} {value}")
    if "." not in key:
        raise UserError(f"-o needs a dotted key of the recipe, such as Global.seed=1, not {key!r}")
    return key, value
