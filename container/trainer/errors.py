"""How the trainer ends when it cannot go on."""

from __future__ import annotations


class TrainingFailed(Exception):
    """Training cannot go on. The text is cause and remedy."""


class Interrupted(Exception):
    """A stop was heard in the middle of something that can be done again."""
