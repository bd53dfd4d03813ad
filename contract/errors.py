"""Errors that a person can fix."""

from __future__ import annotations


class UserError(Exception):
    """One sentence: what is wrong, where, and what to do. Shown without a traceback; exit code 1."""


def in_one_sentence(error: UserError | OSError) -> UserError:
    """Also a refusal of the operating system that no other sentence foresaw."""
    if isinstance(error, UserError):
        return error
    why = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return UserError(f"the system refused to read or write ({why}): check the path, permissions and space")
    return UserError(f"{error.filename} cannot be used ({why}): check the path, permissions and space")


class BadImage(ValueError):
    """Why a file is no image to train with, in words that continue "the image …". `kind`: see docs/data-format.md."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    def __reduce__(self) -> tuple[type[BadImage], tuple[str, str]]:
        return type(self), (self.kind, str(self))  # from one process to another
