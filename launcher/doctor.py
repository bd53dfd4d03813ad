"""`python -m launcher doctor`: everything a job on SageMaker needs, checked before it costs money."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.entry import enter
from launcher.flags import DOCTOR, PUSH
from launcher.people import answer, say
from launcher.sources import Given, gather, path_of, texts_of

if TYPE_CHECKING:
    from contract.parameters import OpenRecipe
    from launcher.aws import Account
    from launcher.cloud.checks import Check, CheckRequest

NARROWEST, WIDEST = 60, 160  # columns


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """One call. Returns the exit code. `root`: the folder of the Dockerfile (default: this project's)."""
    return enter(argv, partial(doctor, root=root), result="checks")


def doctor(argv: list[str], root: Path | None = None) -> int:
    """Ask, show, and say at the end what to do first."""
    given = gather(DOCTOR, argv)
    # Imported here: --help and a wrong flag need none of this (boto3, OpenCV).
    from launcher.cloud.checks import problems_of

    request = request_of(given, root)
    checks = _ask(request)
    ok = not problems_of(checks)
    for check in checks:
        say(describe(check))
    step = next_step(checks, request, given)
    say(step)
    shown = {
        "ok": ok,
        "next": step.partition("\n")[0].removeprefix("next: "),
        "checks": [asdict(check) for check in checks],
    }
    return answer(json.dumps(shown), 0 if ok else 1) if "json" in given else 0 if ok else 1


def request_of(given: Mapping[str, Given], root: Path | None = None) -> CheckRequest:
    """What to check. Raises UserError."""
    from launcher.cloud.call import setup_command, words_like
    from launcher.cloud.checks import CheckRequest
    from launcher.cloud.pushed import push_command
    from launcher.cloud.settings import ML, cloud_settings
    from launcher.images.image import ROOT

    instance = str(given["instance"].raw)
    if not instance.startswith(ML):
        if given["instance"].is_flag:
            raise UserError(f"--instance {instance}: doctor checks jobs on SageMaker: name one such as ml.g4dn.xlarge")
        given = {**given, "instance": Given(DOCTOR.by_key["instance"].default or "", "built-in", Path.cwd())}
    cloud = cloud_settings(given)
    folder = path_of(given["dataset"]) if "dataset" in given and not cloud.dataset else None
    named = (str(given["image_uri"].raw),) if "image_uri" in given else ()
    return CheckRequest(
        instances=cloud.instances,
        instance_count=cloud.instance_count,
        spot=cloud.spot,
        max_run_s=cloud.max_run_s,
        volume_gb=cloud.volume_gb,
        region=cloud.region,
        profile=cloud.profile,
        bucket=cloud.bucket,
        prefix=cloud.prefix,
        role=cloud.role,
        image_uris=named,
        find_images=partial(_find_images, cloud.instances, root or ROOT),
        setup_command=partial(setup_command, given),
        push_command=push_command(cloud.instances[0], *words_like(PUSH, given), root=root or ROOT),
        dataset=cloud.dataset or folder,
        recipe=_recipe(given, folder),
    )


def next_step(checks: tuple[Check, ...], request: CheckRequest, given: Mapping[str, Given]) -> str:
    """The one thing to do now: the checks are in the order in which their problems are best mended."""
    from launcher.cloud.call import words_like
    from launcher.cloud.checks import problems_of
    from launcher.cloud.probes.instance import REGION
    from launcher.next_steps import Step, to_submit

    problems = problems_of(checks)
    if not problems:
        return str(to_submit(given, ",".join(request.instances)))
    first = problems[0]
    if first.name == REGION and (named := re.search(r"--region ([a-z]\S+\d)", first.remedy)):
        others = {key: each for key, each in given.items() if key != REGION}
        again = [*DOCTOR.program.split(), "--region", named[1], *words_like(DOCTOR, others)]
        return str(Step(shlex.join(again), f"{first.detail}; setup notes the one that you take in launcher.yml"))
    if first.command:
        return str(Step(first.command, f"{first.name}: {first.detail}; then doctor again"))
    return f"next: {first.name}: {first.remedy or first.detail}"


def describe(check: Check) -> str:
    """One check for people: a line, and the remedy below it."""
    indent = " " * 26
    lines = [_wrapped(f"{check.status:8} {check.name:16} {check.detail}", indent)]
    if check.remedy:
        lines.append(_wrapped(f"{indent}→ {check.remedy}", f"{indent}  "))
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> str:
    """Broken between words for a terminal; one line for anything else."""
    if not sys.stderr.isatty():
        return text
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _find_images(instances: tuple[str, ...], root: Path, account: Account) -> tuple[tuple[str, ...], str]:
    """The images that submit would take, and why an instance has none."""
    from launcher.cloud.pushed import pushed_for, why_none

    found = {name: pushed_for(name, root, account.region, account.id) for name in instances}
    missing = next((why_none(name, root, account.region) for name, uri in found.items() if not uri), "")
    return tuple(uri for uri in found.values() if uri), missing


def _ask(request: CheckRequest) -> tuple[Check, ...]:
    """The checks, with a bar while the images of a local dataset are read, else with a clock."""
    from launcher.cloud.checks import run_checks

    if isinstance(request.dataset, Path):
        from data_preparation.progress import progress

        with progress("checking images") as advance:
            return run_checks(request, advance=advance)
    from launcher.status_line import status_line

    with status_line() as view:
        view.set("asking AWS")
        return run_checks(request)


def _recipe(given: Mapping[str, Given], folder: Path | None) -> OpenRecipe:
    """The recipe with its overrides, found as submit finds it. Raises UserError."""
    from data_preparation.validation import open_recipe

    own = path_of(given["config"])
    name = str(own) if own.is_file() else str(given["config"].raw)
    overrides = list(texts_of(given, "override"))
    if "max_text_length" in given:
        overrides.append(f"Global.max_text_length={given['max_text_length'].raw}")
    return open_recipe(name, folder or Path(), overrides)


if __name__ == "__main__":
    raise SystemExit(main())
