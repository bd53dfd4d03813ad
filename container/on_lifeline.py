"""`python -m container.on_lifeline MODULE ARGUMENT…`: run a module that is not ours, so that it ends with its starter.

The lifeline is standard input here, which its own children inherit however they are started.
"""

from __future__ import annotations

import os
import runpy
import sys

from container.lifeline import hold_lifeline, kill_group
from contract.paths import LIFELINE_VARIABLE

STDIN = "0"


def main() -> None:
    hold_lifeline(lambda: kill_group(os.getpgrp()))
    os.environ[LIFELINE_VARIABLE] = STDIN  # for the children
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
