"""The parser of a verb, made from its table of flags."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from launcher.flags import Verb

# What argparse says, and what we say.
_SAID = (
    (r"argument (\S+): expected one argument", r"\1 needs a value"),
    (r"argument (\S+): ignored explicit argument (.+)", r"\1 is a switch and takes no value, such as \2"),
    (r"the following arguments are required: (\S+)", r"\1 is missing: say which run or job is meant"),
)


class Parser(argparse.ArgumentParser):
    """argparse that reports a wrong command line as one sentence, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        for theirs, ours in _SAID:
            message = re.sub(theirs, ours, message)
        raise UserError(f"{message}: see {self.prog} --help")


def build_parser(verb: Verb) -> Parser:
    """The parser of one verb. Every value stays text; an absent flag is None."""
    codes = ", ".join(f"{code} {meaning.partition(':')[0].partition(';')[0]}" for code, meaning in verb.exit_codes)
    variable = next(flag.variable for flag in verb.flags if flag.saved and flag.variable)
    parser = Parser(
        prog=verb.program,
        usage=f"{verb.program} {verb.usage}",
        description=verb.description,
        epilog=f"Each setting comes from its flag, else its environment variable (OCR_ and the name, such as "
        f"{variable}), else launcher.yml, else the built-in default. Exit codes: {codes}.",
        allow_abbrev=False,
    )
    groups = {title: parser.add_argument_group(title) for title in verb.groups}
    for flag in verb.flags:
        text = flag.help + (f" (default: {flag.default})" if flag.default else "")
        group = groups[flag.group]
        if flag.positional:
            group.add_argument(flag.key, help=text, metavar=flag.metavar, nargs="+" if flag.many else None)
        elif not flag.metavar:
            names = [name for name in flag.flags if name != flag.off]
            group.add_argument(*names, dest=flag.key, help=text, action="store_const", const="true")
            if flag.off:
                text = f"the opposite of {names[0]}"
                group.add_argument(flag.off, dest=flag.key, help=text, action="store_const", const="false")
        elif flag.many:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar, action="append")
        elif flag.optional_value:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar, nargs="?", const="true")
        else:
            group.add_argument(*flag.flags, dest=flag.key, help=text, metavar=flag.metavar)
    return parser


def parse_flags(verb: Verb, argv: list[str]) -> dict[str, str | tuple[str, ...]]:
    """The flags that were given, by key. Raises UserError; prints the help and exits for --help."""
    given, rest = build_parser(verb).parse_known_args(argv)
    if rest:
        word = next((word for word in rest if word.startswith("-")), None)
        if word is None:
            raise UserError(f"{rest[0]!r} belongs to no flag: see {verb.program} --help")
        known = [name for flag in verb.flags for name in flag.flags if name.startswith("--")]
        raise UserError(f"unknown flag {word.split('=')[0]}{did_you_mean(word.split('=')[0], known)}")
    return {key: _filled(verb, key, value) for key, value in vars(given).items() if value is not None}


def _filled(verb: Verb, key: str, value: str | list[str]) -> str | tuple[str, ...]:
    """A value that is no empty text, as an unset variable of a shell script gives it. Raises UserError."""
    if not all([value] if isinstance(value, str) else value):
        raise UserError(f"{verb.by_key[key].flags[0]} is empty: give it a value or leave it out")
    return value if isinstance(value, str) else tuple(value)


def without_flags(verb: Verb, argv: tuple[str, ...], keys: tuple[str, ...]) -> list[str]:
    """A command line that lacks these flags and their values."""
    has_value = {name: bool(verb.by_key[key].metavar) for key in keys for name in verb.by_key[key].flags}
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, _ = word.partition("=")
        if name not in has_value:
            kept.append(word)
        elif has_value[name] and not equals:
            next(words, None)
    return kept
