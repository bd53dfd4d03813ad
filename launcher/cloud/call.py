"""One call of a verb about jobs that are there already."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.errors import UserError
from launcher.aws import Account, open_account
from launcher.flags import CONFIG_FILE_FLAG, SUBMIT, VERBS, Verb
from launcher.settings import Settings
from launcher.sources import Given, gather, path_of, texts_of


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
        return shlex.join(["python", "-m", f"launcher.{verb}", *words, *self.same])


def commands_like(given: Mapping[str, Given]) -> Commands:
    """Commands for the same account as this call."""
    return Commands(words_like(VERBS["watch"], given))


def words_like(verb: Verb, given: Mapping[str, Given]) -> tuple[str, ...]:
    """The flags of this call that say the same to another verb: an account and a job, not what one call does."""
    words: list[str] = []
    for flag in verb.flags:
        if (flag.saved or flag is CONFIG_FILE_FLAG) and flag.key in given and given[flag.key].is_flag:
            for raw in texts_of(given, flag.key):
                if flag.metavar:
                    words += [flag.flags[0], raw]
                else:
                    words.append(flag.flags[0] if raw == "true" else flag.off)
    return tuple(words)


def setup_command(given: Mapping[str, Given] | None = None, **changed: str) -> str:
    """What makes bucket, role and repository where a call looked for them; `changed`: flags with another value."""
    known = dict(given or {}) | {key: Given(raw, "flag", Path()) for key, raw in changed.items()}
    return shlex.join(["python", "-m", "launcher.setup", "--write", *words_like(VERBS["setup"], known)])


def saved_for(verb: Verb, given: Mapping[str, Given]) -> dict[str, Given]:
    """What launcher.yml and the environment say to another verb than that of this call."""
    file = CONFIG_FILE_FLAG
    named = [file.flags[0], str(given[file.key].raw)] if file.key in given and given[file.key].is_flag else []
    return gather(verb, named)


def folder_of_runs(call: Call) -> Path:
    """OUTPUT on this machine, from a flag where the verb has it, else as `submit` takes it. Raises UserError."""
    given = call.given.get("output") or saved_for(SUBMIT, call.given)["output"]
    if not str(given.raw).startswith("s3://"):
        return path_of(given)
    if given.is_flag:
        raise UserError(f"--output {given.raw}: a model comes home into a folder of this machine")
    return Path(str(SUBMIT.by_key["output"].default)).absolute()  # launcher.yml says where runs are in S3


def given_to(settings: Settings) -> dict[str, Given]:
    """The settings of a call of `submit` as they were given."""
    return {key: Given(raw, origin, settings.config_folder) for key, raw, origin in settings.origins}


def read_call(verb: str, argv: list[str]) -> Call:
    """Read the settings of a call. Raises UserError."""
    return Call(VERBS[verb], gather(VERBS[verb], argv))
