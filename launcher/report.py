"""`python -m launcher report`: one page about a run, to look at: curves, scores, the worst crops, what it cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from data_preparation.page.place import PageNotWritten, check_place, write_page
from launcher.cloud.call import Call, folder_of_runs, read_call
from launcher.entry import enter
from launcher.people import answer, say
from launcher.sources import path_of

if TYPE_CHECKING:
    from launcher.run_report.pictures import Pictures
    from launcher.run_report.places import Places
    from launcher.run_report.record import Record
    from launcher.run_report.sagemaker import Jobs


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, report, (PageNotWritten,), result="page", stopped="stopped; no page was written")


def report(argv: list[str]) -> int:
    """Find what the run has left, make the page, put it in its place."""
    call = read_call("report", argv)
    # Imported here: --help and a wrong flag need none of this (OpenCV, YAML).
    from launcher.run_report.page import run_report
    from launcher.run_report.record import take_record

    places, jobs = find_run(call)
    page = path_of(call.given["page"]) if "page" in call.given else places.page
    check_place(page)
    record = take_record(places, jobs, say)
    text = run_report(record, _pictures(call, record))
    write_page(page, text, makes_folder="page" not in call.given)  # of a run that is on SageMaker only
    say(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB): open it in a browser")
    if call.is_on("open"):
        import webbrowser

        webbrowser.open(page.as_uri())
    shown = {"run": places.name, "status": record.status, "page": str(page), "exit_code": 0}
    return answer(json.dumps(shown) if call.json else str(page), 0)


def find_run(call: Call) -> tuple[Places, Jobs]:
    """Where the run lies, and its jobs. SageMaker is asked for what comes from there. Raises UserError."""
    from launcher.run_report.places import Places, find_places
    from launcher.run_report.sagemaker import Jobs, ask_if_possible, ask_sagemaker

    (named,) = call.named
    runs = folder_of_runs(call)
    places = find_places(named, runs)
    if places is None:
        try:
            jobs = ask_sagemaker(call, named)
        except UserError as error:
            raise UserError(f"{runs / named} holds no run, and SageMaker was asked in vain: {error}") from None
        run = jobs.jobs[-1].run or jobs.jobs[-1].name
        return Places(run, runs / run, None), jobs
    if not places.was_downloaded:
        return places, Jobs()
    jobs = ask_if_possible(call, places.name)
    if jobs.unknown:
        say(f"note: the page lacks what the run cost: {jobs.unknown}")
    return places, jobs


def _pictures(call: Call, record: Record) -> Pictures | str:
    """The crops, where the dataset is at hand; else why not. Raises UserError for a --dataset that is none."""
    from launcher.run_report.pictures import VALIDATION_FOLDER, open_pictures

    given = call.given.get("dataset")
    if given and given.is_flag:
        return open_pictures(path_of(given))
    changes = record.facts.inside("config").objects("changes")
    trained_on = next((each.content.get("after") for each in changes if each.text("key") == VALIDATION_FOLDER), None)
    # Only where this machine has trained it: what a downloaded file names is none of our folders.
    folders = [Path(trained_on)] if record.places.log and isinstance(trained_on, str) else []
    folders += [path_of(given)] if given and "://" not in str(given.raw) else []
    for folder in folders:
        try:
            return open_pictures(folder)
        except UserError:  # it is a guess: the page says how to name the right one
            continue
    return "The dataset is not at hand"


if __name__ == "__main__":
    raise SystemExit(main())
