"""`python -m launcher.docs`: prints docs/cli.md, made from the same tables as the parsers, and from the data tools'."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from data_preparation import cli
from data_preparation.__main__ import VERBS as DATA_VERBS
from data_preparation.__main__ import script_of
from launcher.flags import VERBS, Flag, Verb
from launcher.people import answer

INTRODUCTION = """\
# Command line

<!-- Made by `python -m launcher.docs`; change launcher/flags.py or data_preparation/scripts/ instead. -->

`python -m launcher VERB …`; every verb is a module too: `python -m launcher.submit …` is the same.

{verbs}

Datasets are made by `python -m data_preparation VERB …`; the [data tools](#data-tools) come last:
{data_verbs}.

Each setting comes from its flag, else from its environment variable, else from `launcher.yml` in the current folder
(`--config-file` names another), else from the built-in default. All verbs read the same `launcher.yml`; in it a key is
the flag's name with `_` for `-`. Relative folders start at the current folder, those in `launcher.yml` at its own.
People's text goes to stderr, data to stdout.
"""

DATA_TOOLS = """\
## Data tools

`python -m data_preparation VERB …`, or the script `python data_preparation/scripts/….py …`. Flags alone count here, no
`launcher.yml` and no variables. Exit codes: 0 done or fit to train, 1 refused or not fit, 130 Ctrl-C.
"""

# What a page has to say of a verb beside its table.
NOTES = {
    "watch": """\
`--json` prints one object on stdout when the job is over: `run`, `job`, `status`, `secondary`, `reason`, `instance`,
`instance_count`, `spot`, `interruptions`, `training_seconds`, `billable_seconds`, `kept_seconds` and
`warm_until` (of a machine that stays after the job), `spot_saving` (0 to 1), `cost`,
`price`, `best`, `steps`, `artifacts` (`model_tar`, `checkpoints`) and `exit_code`. `status --json` prints the same, and
while the job is under way `phase`, `step`, `of_steps` and `eta_seconds`.

Throttling and outages do not end it: after two minutes it says once what is wrong, and goes on when AWS answers again.
Expired credentials are said at once; signing in anew in another terminal is enough, unless they are environment
variables, which a process cannot see change: then end the watch with Ctrl-C, set new ones and watch again.
""",
    "metrics": """\
The columns: `step`, `epoch`, `loss`, `lr`, `samples_per_s`, `reader_share`, `acc`, `cer`, `norm_edit_dis`, `job` and
`time` (UTC). Empty: not measured at this step.
""",
    "report": """\
Prints the path of the page; with `--json` one object: `run`, `status` (`finished`, `stopped`, `failed`, `unfinished`)
and `page`. What the page tells, and from what: [the run report](run-report.md). `--output` names the page here; the
folder of all runs is that of `launcher.yml` and `OCR_OUTPUT`, else `output`, and RUN may be a path.
""",
    "submit": """\
`--show-config` tells where each setting comes from. In `launcher.yml`, `override:` and `env:` take a mapping,
`interrupt_after:` a list.

`--json` prints one object on stdout: the content of `run.json`, `artifacts` (`model`, `model_tar`, `checkpoints`,
`log`, `inference`; null for what this start did not make) and `exit_code`; when the job did not finish, `run`, `status`
(`failed`, `stopped`, `refused`) and `reason` take the place of `run.json`.
""",
    "build": """\
Prints the name of the image; with `--json` one object: `image`, `id`, `tag`, `built` (false: it was there), `size`
(bytes, unpacked), `layers`, `seconds`, `labels`; when there is no image, `image` is null and `reason` says why.

The tag is a hash of the Dockerfile, `.dockerignore`, `image/`, `contract/`, `container/`, `configs/`, the lock that is
installed, the choices under "what is built" and the ID of the base image. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`
reach the build and stay out of the image, as do index addresses and certificates. The output of a build is in
`build/TAG.log`.
""",
    "doctor": """\
Prints nothing on stdout; with `--json` one object: `ok`, `next` (the command to run now, else what to do) and
`checks`, each with `name`, `status` (`ok`, `problem`, `unknown`), `detail`, `remedy`. What cannot be asked, such as
quotas without the permission to list them, is `unknown` and no problem. `--instance` is that of the job; one of this
machine in `launcher.yml` is passed over.
""",
    "setup": """\
With `--json` one object: `region`, `bucket`, `role`, `repository` and `created` (with `--dry-run`: `would_create`).
What it makes has the tag `created-by: paddleocr-sagemaker`. What it may do itself is in `docs/iam/setup.json`, what the
role may do in `docs/iam/execution-role.json`, and what a user needs who only launches in
`docs/iam/launching-user.json`.
""",
    "teardown": """\
With `--json` one object: `removed` and `left`. The names that `--delete-data` asks for are read from stdin, one a line.
""",
    "push": """\
Prints the image's address with its digest; with `--json` one object: `uri`, `tag`, `digest`, `repository`, `pushed`
(false: it was there), `size` (bytes, compressed), `seconds`; when nothing came of it, `image` is null and `reason` says
why.
""",
}


def main() -> int:
    """Print the page. A reader that has enough, such as `| head`, is no error; a full disk is one."""
    return answer(render(), 0)


def render() -> str:
    """docs/cli.md as text."""
    verbs = "\n".join(f"- [`{verb.name}`](#{verb.name}): {verb.summary}" for verb in VERBS.values())
    data_verbs = ", ".join(f"[`{verb}`](#data-{verb})" for verb in DATA_VERBS)
    parts = [INTRODUCTION.format(verbs=verbs, data_verbs=data_verbs), *map(_section, VERBS.values()), DATA_TOOLS]
    return "\n".join([*parts, *map(_data_section, DATA_VERBS)]).rstrip("\n")


def _section(verb: Verb) -> str:
    parts = [f"## {verb.name}", f"`{verb.program} {verb.usage}`", verb.description]
    if verb.name in NOTES:
        parts.append(NOTES[verb.name].rstrip("\n"))
    for group in verb.groups:
        rows = [_row(flag) for flag in verb.flags if flag.group == group]
        table = "\n".join(["| flag | meaning | built-in | variable |", "| --- | --- | --- | --- |", *rows])
        parts += [f"**{group[0].upper()}{group[1:]}**", table]
    codes = [f"| {code} | {meaning} |" for code, meaning in verb.exit_codes]
    parts += ["**Exit codes**", "\n".join(["| code | meaning |", "| --- | --- |", *codes])]
    return "\n\n".join(parts) + "\n"


def _data_section(verb: str) -> str:
    parser = cli.Parser(prog=f"python -m data_preparation {verb}")
    script = script_of(verb)
    script.add_arguments(parser)
    parts = [f"### data {verb}", script.SUMMARY]
    for name, each in _parsers(parser):
        rows = [_data_row(action) for action in each._actions if action.help and action.dest != "help"]
        parts += [f"`{name} …`", "\n".join(["| flag | meaning |", "| --- | --- |", *rows])]
    return "\n\n".join(parts) + "\n"


def _parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The parser, or those of its actions, such as `dictionary build`."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser.prog, parser
    for action in below:
        yield from ((f"{parser.prog} {name}", each) for name, each in action.choices.items())


def _data_row(action: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
    value = action.metavar or choices if action.nargs != 0 else ""
    word = f"{names} {value}".strip() if names else f"`{value or action.dest}`"
    meaning = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
    word, meaning = (text.replace("|", "\\|") for text in (word, meaning))
    return f"| {word} | {meaning} |"


def _row(flag: Flag) -> str:
    names = ", ".join(f"`{name}`" for name in flag.flags)
    value = f" {flag.metavar}" if flag.metavar and not flag.positional else ""
    meaning = flag.help.replace("|", "\\|") + (" (repeatable)" if flag.many else "")
    default = f"`{flag.default}`" if flag.default else ""
    variable = f"`{flag.variable}`" if flag.variable else ""
    return f"| {names}{value} | {meaning} | {default} | {variable} |"


if __name__ == "__main__":
    raise SystemExit(main())
