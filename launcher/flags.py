"""The flags of `submit` in one table; the parser, launcher.yml, the environment and docs/cli.md all come from it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import NoReturn

from contract.errors import UserError
from contract.hyperparameters import TABLE as HYPERPARAMETERS
from contract.hyperparameters import did_you_mean

PROGRAM = "python -m launcher.submit"
CONFIG_FILE = "launcher.yml"
DEFAULT_RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"


@dataclass(frozen=True)
class Flag:
    """One row: a flag, its key in launcher.yml, and its variable in the environment."""

    key: str  # as in Settings and in launcher.yml
    group: str
    help: str
    metavar: str = ""  # empty: a switch, which takes no value
    names: tuple[str, ...] = ()  # when it is not simply --key in kebab case
    many: bool = False  # may be given more than once
    default: str | None = None  # the built-in value
    saved: bool = True  # may also come from launcher.yml and the environment
    optional_value: bool = False  # the name alone means true

    @property
    def flags(self) -> tuple[str, ...]:
        return self.names or ("--" + self.key.replace("_", "-"),)

    @property
    def variable(self) -> str | None:
        """The environment variable that sets it; lists have none."""
        return f"OCR_{self.key.upper()}" if self.saved and not self.many else None


JOB, RUN, REHEARSAL, CALL, TUNING = (
    "what to train, and where",
    "the run",
    "rehearsing a Spot interruption",
    "this call",
    "hyperparameters (default: the recipe or the data decides)",
)

FLAGS = (
    Flag(
        "instance",
        JOB,
        "where the job runs: `process` is this machine (Linux or macOS), without Docker or AWS",
        "TYPE",
        names=("--instance", "--instance-type"),
    ),
    Flag("dataset", JOB, "the dataset: train.txt, val.txt, dict.txt and the images", "FOLDER"),
    Flag("validation", JOB, "the channel `validation`: a dataset whose val.txt, or else train.txt, is used", "FOLDER"),
    Flag("pretrained", JOB, "the channel `pretrained`: a folder with the one .pdparams to start from", "FOLDER"),
    Flag(
        "config",
        JOB,
        "recipe: a name under configs/, a file in the dataset, or a path to a YAML file",
        "RECIPE",
        default=DEFAULT_RECIPE,
    ),
    Flag(
        "override",
        JOB,
        "set one dotted key of the recipe, such as Optimizer.lr.name=Cosine",
        "KEY=VALUE",
        names=("-o", "--override"),
        many=True,
    ),
    Flag("env", JOB, "an environment variable of the job", "KEY=VALUE", many=True),
    Flag(
        "run",
        RUN,
        "name of the run; a run that exists is resumed (default: recipe, date, four letters)",
        "RUN",
        names=("--run", "--run-id"),
    ),
    Flag("resume", RUN, "like --run, but the run must exist", "RUN", saved=False),
    Flag(
        "fresh",
        RUN,
        "start the run over; what it has so far is moved aside to RUN.old-1, nothing is deleted",
        saved=False,
    ),
    Flag("output", RUN, "folder of all runs", "FOLDER", default="output"),
    Flag("checkpoint_uri", RUN, "keep the checkpoints in this folder (default: OUTPUT/RUN/checkpoints)", "FOLDER"),
    Flag(
        "interrupt_after",
        REHEARSAL,
        "interrupt as Spot does, 20s after the start or at step 120 (120steps), then "
        "start again; give it once per interruption",
        "WHEN",
        many=True,
    ),
    Flag("grace", REHEARSAL, "time between SIGTERM and SIGKILL", "DURATION", default="120s"),
    Flag("dry_run", CALL, "print plan and request; write nothing, start nothing", saved=False),
    Flag("yes", CALL, "do not ask (jobs on this machine never do)", names=("--yes", "-y"), saved=False),
    Flag(
        "config_file",
        CALL,
        "settings file; its keys are these flags with _ for -",
        "FILE",
        default=CONFIG_FILE,
        saved=False,
    ),
    Flag("show_config", CALL, "print every setting and where it comes from", saved=False),
    Flag("json", CALL, "print one JSON object on stdout: run.json and where the artifacts are", saved=False),
    Flag("debug", CALL, "show tracebacks", saved=False),
    *(
        Flag(
            row.name,
            TUNING,
            row.help,
            row.type.__name__.upper().replace("STR", "NAME"),
            names=(row.flag,),
            optional_value=row.type is bool,
        )
        for row in HYPERPARAMETERS
        if row.name not in ("config", "run_id")
    ),
)
BY_KEY = {flag.key: flag for flag in FLAGS}


class Parser(argparse.ArgumentParser):
    """argparse that reports a wrong command line as one sentence, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}: see {PROGRAM} --help")


def build_parser() -> Parser:
    """The parser of `submit`. Every value stays text; an absent flag is None."""
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --instance process --dataset FOLDER [options]",
        description="Train a PaddleOCR text recognition model. Starting the same run again resumes it.",
        epilog="Each setting comes from its flag, else its environment variable (OCR_ and the name, such as "
        "OCR_DATASET), else launcher.yml, else the built-in default; --show-config tells which. "
        "Exit codes: 0 done, 1 bad configuration or refused, 2 failed or stopped, 130 Ctrl-C.",
        allow_abbrev=False,
    )
    groups = {title: parser.add_argument_group(title) for title in (JOB, RUN, REHEARSAL, CALL, TUNING)}
    for flag in FLAGS:
        text = flag.help + (f" (default: {flag.default})" if flag.default else "")
        group = groups[flag.group]
        if not flag.metavar:
            group.add_argument(*flag.flags, dest=flag.key, help=text, action="store_const", const="true")
        elif flag.many:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar, action="append")
        elif flag.optional_value:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar, nargs="?", const="true")
        else:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar)
    return parser


def parse_flags(argv: list[str]) -> dict[str, str | tuple[str, ...]]:
    """The flags that were given, by key. Raises UserError; prints the help and exits for --help."""
    given, rest = build_parser().parse_known_args(argv)
    if rest:
        word = next((word for word in rest if word.startswith("-")), None)
        if word is None:
            raise UserError(f"{rest[0]!r} belongs to no flag: see {PROGRAM} --help")
        known = [name for flag in FLAGS for name in flag.flags if name.startswith("--")]
        raise UserError(f"unknown flag {word.split('=')[0]}{did_you_mean(word.split('=')[0], known)}")
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in vars(given).items()
        if value is not None
    }
