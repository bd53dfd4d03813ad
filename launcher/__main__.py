"""`python -m launcher VERB …`: every verb is also a module, so `python -m launcher.submit …` is the same."""

from __future__ import annotations

import importlib
import sys

from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from launcher.flags import VERBS
from launcher.people import answer, say


def main(argv: list[str] | None = None) -> int:
    """Hand over to the verb. Without one, list the verbs."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        usage = "usage: python -m launcher VERB [options]; `python -m launcher VERB --help` lists the options\n"
        return answer("\n".join([usage, *(f"  {verb.name:10} {verb.summary}" for verb in VERBS.values())]), 0)
    verb, *rest = arguments
    if verb not in VERBS:
        error = UserError(f"this version has no verb {verb!r}{did_you_mean(verb, VERBS)}")
        say(f"error: {error}")
        return 1
    return importlib.import_module(f"launcher.{verb}").main(rest)


if __name__ == "__main__":
    raise SystemExit(main())
