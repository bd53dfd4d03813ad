"""What git knows: the commit of a release somewhere else, and our own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from contract.errors import UserError

ANSWER_S = 60.0


def commit_of_tag(url: str, tag: str, authorities: Path | None = None) -> str:
    """The commit that a tag of a repository means now; `authorities`: certificates to trust. Raises UserError."""
    trust = {"GIT_SSL_CAINFO": str(authorities)} if authorities else {}
    try:
        done = _git("ls-remote", "--exit-code", "--", url, f"refs/tags/{tag}^{{}}", f"refs/tags/{tag}", **trust)
    except FileNotFoundError:
        raise UserError(
            "git is not installed here, and says which commit a release is: install it, or use --tree pypi"
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{url} does not answer: use --tree pypi, or name a mirror with --tree-url") from None
    found = {name: commit for commit, _, name in (line.partition("\t") for line in done.stdout.splitlines())}
    if done.returncode == 2:  # --exit-code: it answered, and has no such tag
        raise UserError(f"{url} has no tag {tag}: use --tree pypi, or name another with --tree-url")
    if done.returncode != 0 or not found:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{url} cannot be reached ({said}): use --tree pypi, or name a mirror with --tree-url")
    return found.get(f"refs/tags/{tag}^{{}}") or found[f"refs/tags/{tag}"]  # an annotated tag, else a plain one


def own_commit(root: Path, paths: list[str]) -> str:
    """The commit whose `paths` are exactly what is in the folder; empty where there is none, or no git."""
    if not (root / ".git").exists():
        return ""
    try:
        head = _git("-C", str(root), "rev-parse", "HEAD")
        changes = _git("-C", str(root), "status", "--porcelain", "--", *paths)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return head.stdout.strip() if head.returncode == 0 == changes.returncode and not changes.stdout else ""


def _git(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | variables  # never ask for a password
    return subprocess.run(
        ["git", *words],
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
