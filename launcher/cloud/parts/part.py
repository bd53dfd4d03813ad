"""What the parts of an account have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from data_preparation.wording import counted
from launcher.images.push_progress import size_text
from launcher.status_line import PlainStatus

# The tag by which teardown knows what is ours; `push` puts it on repositories too.
TAG = {"Key": "created-by", "Value": "paddleocr-sagemaker"}

MISSING, INCOMPLETE, OURS, OTHERS = "missing", "incomplete", "ours", "not ours"


@dataclass(frozen=True)
class Found:
    """A part as it is now."""

    state: str
    note: str = ""  # for INCOMPLETE: what is missing


@dataclass(frozen=True)
class Contents:
    """What would be lost with a part."""

    count: int
    size: int  # bytes
    what: str  # object version, image

    def __str__(self) -> str:
        return f"{counted(self.count, self.what)}, {size_text(self.size)}"


class Part(Protocol):
    """One thing in the account."""

    kind: str
    name: str

    def look(self) -> Found:
        """Is it there, and is it ours? Changes nothing. Raises UserError."""

    def plan(self) -> str:
        """What create() makes, in words."""

    def create(self) -> tuple[str, ...]:
        """Make it, or what is missing of it; called for what is MISSING or INCOMPLETE. Returns notes."""

    def contents(self, view: PlainStatus) -> Contents | None:
        """What is in it; None: it holds nothing of its own."""

    def serves(self, job: dict[str, Any]) -> bool:
        """A job, as DescribeTrainingJob tells it, cannot go on without this part."""

    def remove(self, view: PlainStatus, *, deletes_data: bool) -> None:
        """Delete it, with what is in it only when asked: else what came meanwhile keeps it. Raises UserError."""


def is_ours(tags: list[dict[str, str]]) -> bool:
    return TAG in [{"Key": tag.get("Key", ""), "Value": tag.get("Value", "")} for tag in tags]
