"""`python -m container [train]`: what SageMaker runs. The other commands are for people."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from contract.streams import people

# Commands that need paddle run in the trainer's room, in place of this process.
IN_THE_TRAINER = {"predict": "container.trainer.predict", "check-gpu": "container.trainer.check_gpu"}


def main() -> int:
    arguments = sys.argv[1:] or ["train"]  # SageMaker passes `train`; docker run without arguments passes nothing
    if arguments == ["train"]:
        from container.supervisor import train

        return train()
    if arguments == ["fetch-tree"]:
        from container.tree import fetch_tree

        return fetch_tree()
    if arguments[0] in IN_THE_TRAINER:
        return in_its_place([sys.executable, "-m", IN_THE_TRAINER[arguments[0]], *arguments[1:]])
    known = ", ".join(["train", "fetch-tree", *IN_THE_TRAINER])
    print(f"error: unknown command {' '.join(arguments)!r}: use one of {known}", file=people())
    return 1


def in_its_place(command: list[str], platform: str = sys.platform) -> int:
    """Run a program instead of this one. Returns its exit code, where it can only be a child."""
    if platform != "win32":
        os.execv(command[0], command)
    # There execv starts a child too, and its starter ends at once with 0: a shell would not wait for the answer.
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches both: the child says what comes of it
    return subprocess.call(command)


if __name__ == "__main__":
    raise SystemExit(main())
