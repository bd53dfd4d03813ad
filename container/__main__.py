"""`python -m container [train]`: what SageMaker runs. `python -m container fetch-tree` fills the tree cache."""

from __future__ import annotations

import sys


def main() -> int:
    arguments = sys.argv[1:] or ["train"]  # SageMaker passes `train`; docker run without arguments passes nothing
    if arguments == ["train"]:
        from container.supervisor import train

        return train()
    if arguments == ["fetch-tree"]:
        from container.tree import fetch_tree

        return fetch_tree()
    print(f"error: unknown command {' '.join(arguments)!r}: use train or fetch-tree", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
