"""`python -m launcher teardown`: lists and removes what setup made in an account, and only that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.errors import UserError
from contract.streams import people
from launcher.entry import enter
from launcher.flags import TEARDOWN
from launcher.people import answer, say
from launcher.sources import gather

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.parts.part import Contents, Part

STOPPED = "stopped; starting again removes what is left"


class RemovalFailed(UserError):
    """AWS refused after something had been removed."""


@dataclass(frozen=True)
class Removable:
    """A part that is ours, and what would be lost with it."""

    part: Part
    contents: Contents | None

    @property
    def holds_data(self) -> bool:
        return self.contents is not None and self.contents.count > 0

    def __str__(self) -> str:
        return f"{self.part.kind:10} {self.part.name}" + (f": {self.contents}" if self.contents else "")


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, teardown, (RemovalFailed,), result="removed", stopped=STOPPED)


def teardown(argv: list[str]) -> int:
    """Look, list, ask, remove."""
    given = gather(TEARDOWN, argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.aws import open_account
    from launcher.cloud.parts import parts_of
    from launcher.setup import names_of
    from launcher.status_line import status_line

    account = open_account(*(str(given[key].raw) if key in given else "" for key in ("profile", "region")))
    names = names_of(account, given)
    with status_line() as view:
        view.set("looking for what setup made")
        # Backwards: the bucket, which may hold work of months, goes last.
        found, left = _look(parts_of(account, names)[::-1], view)
    for each in found:
        say(str(each))
    for line in left:
        say(line)
    removed: list[str] = []
    if found and "dry_run" not in given:
        _check(found, account, deletes_data="delete_data" in given)
        _confirm(found, asks="yes" not in given)
        _check_jobs(found, account)  # answering takes its time
        for each in found:
            _remove(each, removed)
    elif not found:
        say("there is nothing here that setup made")
    shown: dict[str, Any] = {"removed": removed, "left": [] if removed else [each.part.name for each in found]}
    return answer(json.dumps(shown), 0) if "json" in given else 0


def _look(parts: tuple[Part, ...], view: Any) -> tuple[list[Removable], list[str]]:
    """What is ours, and a line for each part that is not."""
    from launcher.cloud.parts.part import MISSING, OTHERS

    ours, left = [], []
    for part in parts:
        state = part.look().state
        if state == OTHERS:
            left.append(f"{part.kind:10} {part.name} was not made by setup: left as it is")
        elif state != MISSING:
            ours.append(Removable(part, part.contents(view)))
    return ours, left


def _check(found: list[Removable], account: Account, *, deletes_data: bool) -> None:
    """Refuse before anything is removed. Raises UserError."""
    for each in found:
        if each.holds_data and not deletes_data:
            raise UserError(
                f"the {each.part.kind} {each.part.name} holds {each.contents}: give --delete-data to delete that for "
                "good; nothing was removed"
            )
    _check_jobs(found, account)


def _check_jobs(found: list[Removable], account: Account) -> None:
    """Refuse while a job needs one of these. Raises UserError."""
    for job in _jobs_under_way(account):
        for each in found:
            if each.part.serves(job):
                name = job["TrainingJobName"]
                raise UserError(
                    f"the job {name} ({job['TrainingJobStatus']}) uses the {each.part.kind} {each.part.name}: stop it "
                    f"and wait for its end (python -m launcher stop {name}); nothing was removed"
                )


def _jobs_under_way(account: Account) -> Iterator[dict[str, Any]]:
    """One that stops still saves its checkpoint and its model."""
    from launcher.aws import explained
    from launcher.cloud.job import IN_PROGRESS, ROWS, STOPPING

    client = account.client("sagemaker")
    with explained("looking for jobs that are under way"):
        for status in (IN_PROGRESS, STOPPING):
            for page in client.get_paginator("list_training_jobs").paginate(StatusEquals=status, MaxResults=ROWS):
                for job in page["TrainingJobSummaries"]:
                    yield client.describe_training_job(TrainingJobName=job["TrainingJobName"])


def _confirm(found: list[Removable], *, asks: bool) -> None:
    """A yes for all of it, unless --yes said it; the name of each part that holds data, whatever --yes says."""
    names = [each.part.name for each in found]
    if asks:
        if not sys.stdin.isatty():
            raise UserError("nobody can be asked here: give --yes to remove what is listed")
        if _typed(f"Remove {', '.join(names)}? [y/N] ").lower() not in ("y", "yes"):
            raise UserError("not removed: nothing was changed")
    for each in found:
        if each.holds_data and _typed(f"type {each.part.name} to delete {each.contents} for good: ") != each.part.name:
            raise UserError(f"{each.part.name} was not typed: nothing was removed")


def _typed(question: str) -> str:
    """A line from stdin; empty at its end. The question is for people, so it goes to stderr."""
    print(question, end="", file=people(), flush=True)
    return sys.stdin.readline().strip()


def _remove(each: Removable, removed: list[str]) -> None:
    from launcher.status_line import status_line

    try:
        with status_line() as view:
            view.set(f"removing the {each.part.kind} {each.part.name}")
            each.part.remove(view, deletes_data=each.holds_data)  # what is listed was agreed to, and nothing else
    except UserError as error:
        raise RemovalFailed(f"{error} (removed so far: {', '.join(removed) or 'nothing'})") from error
    removed.append(each.part.name)
    say(f"{each.part.kind:10} {each.part.name} is removed")


if __name__ == "__main__":
    raise SystemExit(main())
