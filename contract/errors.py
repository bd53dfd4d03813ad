"""The one kind of error that a person can fix."""

from __future__ import annotations


class UserError(Exception):
    """One sentence: what is wrong, where, and what to do. Shown without a traceback; exit code 1."""
