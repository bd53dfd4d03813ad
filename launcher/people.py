"""What the launcher says to people and answers to programs."""

from __future__ import annotations

from contract.errors import UserError
from contract.streams import people, pour


def say(text: str) -> None:
    """A line for people, at once."""
    print(text, file=people(), flush=True)


def answer(text: str, code: int) -> int:
    """Print data on stdout and return the exit code: `code`, also when the reader has gone (`| head`).

    Where the data cannot be written, as on a full disk, success becomes 2.
    """
    try:
        pour(text)
    except UserError as error:
        say(f"error: {error}")
        return code or 2
    return code
