"""`python -m launcher.submit`: from the settings to a finished run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from launcher.entry import enter
from launcher.people import answer, say
from launcher.settings import Settings, idle_flags, load_settings, show_config

if TYPE_CHECKING:
    from launcher.cloud.patience import Clock


def main(
    argv: list[str] | None = None,
    command: tuple[str, ...] | None = None,
    environment: Mapping[str, str] | None = None,
    platform: str = sys.platform,
    clock: Clock | None = None,
) -> int:
    """One call. Returns the exit code.

    `command` takes the container's place, `platform` the operating system's name, `clock` that of a job on SageMaker;
    `environment` holds the settings that are variables (default: those of this process).
    """

    def work(words: list[str]) -> int:
        return submit(load_settings(words, environment), command, platform, environment, clock)

    return enter(argv, work, as_json=_no_run)


def submit(
    settings: Settings,
    command: tuple[str, ...] | None = None,
    platform: str = sys.platform,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> int:
    """Plan, show, run, finish."""
    if settings.show_config:
        return answer(show_config(settings), 0)
    if idle := idle_flags(settings):
        say(f"note: {idle} does nothing {'on SageMaker' if settings.cloud else 'on this machine'}")
    if settings.cloud:
        from launcher.cloud.submission import submit_to_cloud

        return submit_to_cloud(settings, environment, clock)
    # Imported here: --help, --show-config and a wrong flag need none of this (YAML, subprocess, rich on a terminal).
    from launcher.ctrl_c import listen_for_stop
    from launcher.follow import follow
    from launcher.job_image import with_image
    from launcher.plan import CONTAINER_COMMAND, describe_plan, plan_as_json, plan_run
    from launcher.platforms.platform import request_of
    from launcher.run_folder import open_run_folder
    from launcher.run_job import REFUSED, run_job
    from launcher.summary import describe_result, exit_code, result_as_json

    plan = with_image(plan_run(settings, command or CONTAINER_COMMAND, platform), settings.image_uri)
    say(describe_plan(plan))
    if settings.dry_run:
        request = request_of(plan)
        shown = {"request": request, "plan": plan_as_json(plan)} if settings.json else request
        return answer(json.dumps(shown, indent=2), 0)
    with listen_for_stop() as stop, open_run_folder(plan, say) as folder:
        with follow() as view:
            view.recall(plan.log)
            outcome = run_job(plan, folder, view, stop)
            view.close(well=exit_code(outcome) == 0)
        if outcome.status == REFUSED and folder.take_back():
            say("nothing is left of this start")
        say(describe_result(plan, outcome, settings.argv))
        if settings.json:
            return answer(json.dumps(result_as_json(plan, outcome)), exit_code(outcome))
    return exit_code(outcome)


def _no_run(reason: str, code: int) -> dict[str, Any]:
    """A call that came to no run."""
    return {"run": None, "status": "refused", "reason": reason, "artifacts": {}, "exit_code": code}


if __name__ == "__main__":
    raise SystemExit(main())
