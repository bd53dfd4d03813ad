"""`python -m launcher VERB …`: every verb is also a module, so `python -m launcher.submit …` is the same."""

from __future__ import annotations

import importlib
import sys

from contract.errors import UserError
from contract.hyperparameters import did_you_mean
from launcher.flags import VERBS
from launcher.people import answer, say

GROUPS = (
    ("train", ("submit", "build", "push")),
    ("a job on SageMaker", ("watch", "status", "logs", "stop")),
    ("what came of it", ("list", "download", "report", "metrics", "compare")),
    ("the AWS account", ("doctor", "setup", "teardown")),
)


def main(argv: list[str] | None = None) -> int:
    """Hand over to the verb. Without one, list the verbs."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        return answer(overview(), 0)
    verb, *rest = arguments
    if verb not in VERBS:
        error = UserError(f"this version has no verb {verb!r}{did_you_mean(verb, VERBS)}")
        say(f"error: {error}")
        return 1
    return importlib.import_module(f"launcher.{verb}").main(rest)


def overview() -> str:
    """All verbs, by what they are for."""
    lines = ["usage: python -m launcher VERB [options]; `python -m launcher VERB --help` lists the options"]
    for title, names in GROUPS:
        lines += ["", title, *(f"  {name:10} {VERBS[name].summary}" for name in names)]
    return "\n".join(
        [*lines, "", "New to SageMaker? `python -m launcher doctor` says what is missing and what to do first."]
    )


if __name__ == "__main__":
    raise SystemExit(main())
