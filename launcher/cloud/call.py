"""One call of a verb about jobs that are there already."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from launcher.aws import Account, open_account
from launcher.flags import VERBS, Verb
from launcher.sources import Given, gather, texts_of


@dataclass(frozen=True)
class Call:
    """What was asked for."""

    verb: Verb
    given: dict[str, Given]

    @property
    def named(self) -> tuple[str, ...]:
        """Runs or jobs."""
        return texts_of(self.given, "named")

    @property
    def json(self) -> bool:
        return self.is_on("json")

    def text(self, key: str) -> str:
        return str(self.given[key].raw) if key in self.given else ""

    def is_on(self, key: str) -> bool:
        return self.text(key) == "true"

    def account(self) -> Account:
        """Whose jobs. Raises UserError."""
        return open_account(self.text("profile"), self.text("region"))

    @property
    def commands(self) -> Commands:
        return commands_like(self.given)


@dataclass(frozen=True)
class Commands:
    """Makes commands that can be pasted; all of them have the flags `same`."""

    same: tuple[str, ...] = ()

    def __call__(self, verb: str, *words: str) -> str:
        if "--resume" in words:  # with the settings that its newest job has
            words = (*words, "--from-job", words[words.index("--resume") + 1])
        return shlex.join(["python", "-m", f"launcher.{verb}", *words, *self.same])


def as_its_job(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of `submit --resume RUN`, with the settings of RUN's newest job."""
    return (*words, "--from-job", words[words.index("--resume") + 1])


def commands_like(given: Mapping[str, Given]) -> Commands:
    """Commands for the same account as this call."""
    named = [key for key in ("region", "profile", "config_file") if key in given and given[key].is_flag]
    return Commands(tuple(word for key in named for word in (f"--{key.replace('_', '-')}", str(given[key].raw))))


def read_call(verb: str, argv: list[str]) -> Call:
    """Read the settings of a call. Raises UserError."""
    return Call(VERBS[verb], gather(VERBS[verb], argv))
