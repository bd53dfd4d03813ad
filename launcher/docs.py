"""`python -m launcher.docs`: prints docs/cli.md, made from the same table as the parser."""

from __future__ import annotations

import os
import sys

from launcher.__main__ import VERBS
from launcher.flags import CALL, FLAGS, JOB, PROGRAM, REHEARSAL, RUN, TUNING, Flag

INTRODUCTION = f"""\
# Command line

<!-- Made by `python -m launcher.docs`; change launcher/flags.py instead. -->

## Verbs

{{verbs}}

## submit

`{PROGRAM} --instance process --dataset FOLDER [options]`, also `python -m launcher submit …`.

Each setting comes from its flag, else from its environment variable, else from `launcher.yml` in the current folder
(`--config-file` names another), else from the built-in default. `--show-config` tells which. In `launcher.yml` a key is
the flag's name with `_` for `-`; `override:` and `env:` take a mapping, `interrupt_after:` a list. Relative folders
start at the current folder, those in `launcher.yml` at its own.
"""

EXIT_CODES = """\
### Exit codes

| code | meaning |
| --- | --- |
| 0 | done: a verified model is in `OUTPUT/RUN/model/` and `model.tar.gz` |
| 1 | bad configuration, or refused before training; nothing new is left behind |
| 2 | the job failed or was stopped; the same run continues when it is started again |
| 130 | Ctrl-C: the job has saved a checkpoint if the grace allowed |

`--json` prints one object on stdout: the content of `run.json`, `artifacts` (`model`, `model_tar`, `checkpoints`,
`log`, `inference`; null for what this start did not make) and `exit_code`; when the job did not finish, `run`, `status`
(`failed`, `stopped`, `refused`) and `reason` take the place of `run.json`. People's text goes to stderr.
"""


def main() -> int:
    """Print the page. A reader that has enough, such as `| head`, is no error; a full disk is one."""
    try:
        print(render(), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python's exit flushes what is left
    return 0


def render() -> str:
    """docs/cli.md as text."""
    verbs = "\n".join(f"- `{verb}`: {meaning}" for verb, meaning in VERBS.items())
    parts = [INTRODUCTION.format(verbs=verbs)]
    for group in (JOB, RUN, REHEARSAL, CALL, TUNING):
        rows = [_row(flag) for flag in FLAGS if flag.group == group]
        table = "\n".join(["| flag | meaning | built-in | variable |", "| --- | --- | --- | --- |", *rows])
        parts.append(f"### {group[0].upper()}{group[1:]}\n\n{table}\n")
    return "\n".join([*parts, EXIT_CODES]).rstrip("\n")


def _row(flag: Flag) -> str:
    names = ", ".join(f"`{name}`" for name in flag.flags)
    value = f" {flag.metavar}" if flag.metavar else ""
    meaning = flag.help.replace("|", "\\|") + (" (repeatable)" if flag.many else "")
    default = f"`{flag.default}`" if flag.default else ""
    variable = f"`{flag.variable}`" if flag.variable else ""
    return f"| {names}{value} | {meaning} | {default} | {variable} |"


if __name__ == "__main__":
    raise SystemExit(main())
