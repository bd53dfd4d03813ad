"""`python -m launcher doctor`: everything a job on SageMaker needs, checked before it costs money."""

from __future__ import annotations

import json
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
from launcher.flags import DOCTOR
from launcher.people import answer, say
from launcher.sources import Given, gather, path_of, texts_of

if TYPE_CHECKING:
    from contract.recipe import Recipe
    from launcher.cloud.checks import Check, CheckRequest

NARROWEST, WIDEST = 60, 160  # columns


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    """One call. Returns the exit code. `root`: the folder of the Dockerfile (default: this project's)."""
    return enter(argv, partial(doctor, root=root), result="checks")


def doctor(argv: list[str], root: Path | None = None) -> int:
    """Ask, say what to do first, show the rest."""
    given = gather(DOCTOR, argv)
    # Imported here: --help and a wrong flag need none of this (boto3, OpenCV).
    from launcher.cloud.checks import problems_of

    request = request_of(given, root)
    checks = _ask(request)
    ok = not problems_of(checks)
    first = next_step(checks, request)
    say(_wrapped(f"next: {first}", "      "))
    for check in checks:
        say(describe(check))
    shown = {"ok": ok, "next": first, "checks": [asdict(check) for check in checks]}
    return answer(json.dumps(shown), 0 if ok else 1) if "json" in given else 0 if ok else 1


def request_of(given: Mapping[str, Given], root: Path | None = None) -> CheckRequest:
    """What to check. Raises UserError."""
    from launcher.cloud.checks import CheckRequest
    from launcher.cloud.facts import pushed_for
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
        image_uris=named or tuple(filter(None, (pushed_for(name, root or ROOT) for name in cloud.instances))),
        dataset=cloud.dataset or folder,
        recipe=_recipe(given, folder),
    )


def next_step(checks: tuple[Check, ...], request: CheckRequest) -> str:
    """The one thing to do now: the checks are in the order in which their problems are best mended."""
    from launcher.cloud.checks import problems_of
    from launcher.cloud.probes import bucket, dataset, role

    problems = problems_of(checks)
    if not problems:
        data = "" if request.dataset else " --dataset FOLDER"
        spot = " --spot" if request.spot else ""
        return f"python -m launcher.submit --instance {','.join(request.instances)}{spot}{data}"
    first = problems[0]
    if first.name in (bucket.NAME, role.NAME) and not (request.bucket and request.role):
        return (
            f"{bucket.SETUP} makes the bucket and the role that jobs need and notes them in launcher.yml "
            "(--dry-run shows them first); then run doctor again"
        )
    name = "" if first.name == dataset.NAME else f"{first.name}: "
    return f"{name}{first.remedy or first.detail}"


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


def _recipe(given: Mapping[str, Given], folder: Path | None) -> Recipe:
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
