"""Errors that a person can fix."""

from __future__ import annotations


class UserError(Exception):
    """One sentence: what is wrong, where, and what to do. Shown without a traceback; exit code 1."""


class BadImage(ValueError):
    """Why a file is no image to train with, in words that continue "the image …". `kind`: see docs/data-format.md."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    def __reduce__(self) -> tuple[type[BadImage], tuple[str, str]]:
        return type(self), (self.kind, str(self))  # from one process to another
