"""What the SDK's process printed, read for the reason why a job did not run or was not packed."""

from __future__ import annotations

import re
from pathlib import Path

# Lines of the SDK around those of Compose.
SAYS_BEFORE_COMPOSE = "sagemaker.local.image:docker command: "
SAYS_AFTER_COMPOSE = "\nERROR:sagemaker:"

OURS = "error: "  # how our own process in which the SDK runs begins the line that says why (sdk.py)
TRACEBACK = "Traceback (most recent call last):"

NO_GPU = "could not select device driver"
WITHOUT = "--instance process runs the same job without Docker"


def read_log(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def why_not_started(said: str) -> str:
    """The sentence for people; `said`: what the engine, Compose or the SDK complains of."""
    if NO_GPU in said:
        return "this Docker engine has no GPU for containers: install nvidia-container-toolkit, or use --instance local"
    return f"SageMaker's local mode has not started the container ({said or 'without saying why'}): {WITHOUT}"


def complaint_in(text: str) -> str:
    """Why there is no container: Compose's own words, if it came to that, else the exception that ended the SDK.

    The SDK also logs errors, but those that come with an exception only say where to read about local mode.
    """
    said = _lines_of_compose(text)
    errors = [found[1] for line in said if (found := re.match(r"\W*error\b[: ]*(.+)", line, re.IGNORECASE))]
    why = (errors or said[-1:] or [our_error_in(text) or text.rstrip().rpartition("\n")[2]])[0]
    return " ".join(why.split())


def our_error_in(text: str) -> str:
    """The exception that ended the SDK."""
    ours = [line.removeprefix(OURS) for line in text.split("\n") if line.startswith(OURS)]
    return ours[-1] if ours else ""


def lines_to_keep(text: str, container_ran: bool) -> list[str]:
    """What job.log gets of it: what Compose said, else all. Only the exception where Compose spoke for the container.

    After a failure of Compose the SDK's exception says no more than that.
    """
    if not container_ran:
        return _lines_of_compose(text) or text.splitlines()
    _, found, exception = text.rpartition(f"\n{TRACEBACK}\n")
    return [TRACEBACK, *exception.splitlines()] if found else []


def _lines_of_compose(text: str) -> list[str]:
    _, _, rest = text.partition(SAYS_BEFORE_COMPOSE)
    return [line for line in rest.partition(SAYS_AFTER_COMPOSE)[0].splitlines()[1:] if line.strip()]
