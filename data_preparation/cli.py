"""What the scripts have in common: flags, one-sentence errors, exit codes."""

from __future__ import annotations

import argparse
import codecs
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from contract.errors import UserError, in_one_sentence
from contract.starting import EXIT_CTRL_C, ctrl_c_is_heard
from contract.streams import people, pour, ready_streams

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

EXIT_REFUSED = 1

# Control characters but the line feed, and what changes the direction of text, as their escapes.
_STEERING = {
    code: repr(chr(code))[1:-1]
    for code in (*range(10), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

_OF_NO_FILES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape")  # of addresses and source code

SHOWN = 100  # characters of a number

PREFIX = "ocr"  # in a bucket; the launcher has the same


class Parser(argparse.ArgumentParser):
    """Flags are written in full, and a wrong one is a UserError like any other bad input."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        pour(self.format_help().rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")


def run(parser: Parser, argv: list[str] | None, action: Callable[[argparse.Namespace], int]) -> int:
    """Parse the flags, do the action and turn what a person can cause into an exit code."""
    ready_streams()
    try:
        ctrl_c_is_heard()
        return action(parser.parse_args(argv))
    except (UserError, OSError) as error:
        say(f"error: {in_one_sentence(error)}")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        say("interrupted")
        return EXIT_CTRL_C


def end(code: int) -> NoReturn:
    """Leave the process, without Python's last search for garbage: 70 ms with botocore's modules."""
    gc.freeze()
    raise SystemExit(code)


def say(text: str = "") -> None:
    """One line for people; no name in it steers the terminal. What programs read goes to stdout instead."""
    print(text.translate(_STEERING), file=people(), flush=True)


def positive_int(text: str) -> int:
    """argparse type: a whole number of at least 1."""
    number = _whole(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a whole number of at least 1")
    return number


def seed(text: str) -> int:
    """argparse type: a whole number of at least 0."""
    number = _whole(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a whole number of at least 0")
    return number


def _whole(text: str) -> int | None:
    """The number of plain digits, and of no more than anybody means: Python refuses to read thousands."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= SHOWN else None


def fraction(text: str) -> float:
    """argparse type: a number between 0 and 1, both left out."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1, such as 0.1")
    return number


def add_encoding_argument(parser: argparse._ActionsContainer, of: str) -> None:
    """What texts are in that are not UTF-8 (text_files.py)."""
    parser.add_argument(
        "--encoding", type=_encoding, metavar="NAME", help=f"{of} not UTF-8, such as cp874 (Thai Windows)"
    )


def _encoding(name: str) -> str:
    """argparse type: the name of an encoding of text files, as Python has it."""
    try:
        codec = codecs.lookup(name.lower().replace("windows-", "cp")).name
        b"a.png".decode(codec)  # LookupError for what makes no text, such as rot13
    except UnicodeDecodeError:  # one of more than a byte for each character
        return codec
    except (LookupError, UnicodeError, ValueError):
        codec = ""
    if not codec or codec in _OF_NO_FILES:
        raise argparse.ArgumentTypeError(f"{name!r} is no encoding of text files that Python knows, such as cp874")
    return codec


def add_lookers_argument(parser: argparse.ArgumentParser) -> None:
    """How many processes decode images (looking.py)."""
    parser.add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help="processes that look at the images (default: one for each core, at most 8; one for few images)",
    )


def add_aws_arguments(parser: argparse.ArgumentParser) -> None:
    """Who asks AWS, and where."""
    parser.add_argument("--region", default="", help="AWS region (default: that of AWS_REGION or of the profile)")
    parser.add_argument("--profile", default="", help="AWS profile (default: AWS's own rules)")


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """A place in S3, in one piece or in two."""
    parser.add_argument("address", nargs="?", metavar="S3_ADDRESS", help="s3://BUCKET, or a folder in it")
    parser.add_argument("--bucket", help="in place of S3_ADDRESS: the bucket")
    parser.add_argument("--prefix", help=f"the folder in the --bucket (default: {PREFIX}, as of the launcher)")


def place_of(args: argparse.Namespace) -> str:
    """The address that the arguments of a place make. Raises UserError."""
    if bool(args.address) == bool(args.bucket) or (args.address and args.prefix is not None):
        raise UserError("say once which place in S3: --bucket BUCKET with or without --prefix, or s3://BUCKET/PREFIX")
    if args.address:
        return str(args.address)
    if "/" in args.bucket:
        raise UserError(f"--bucket {args.bucket}: give its name alone, and a folder in it with --prefix")
    prefix = PREFIX if args.prefix is None else args.prefix.strip("/")
    return f"s3://{args.bucket}/{prefix}".rstrip("/")
