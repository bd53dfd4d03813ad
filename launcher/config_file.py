"""Writes settings into launcher.yml, and leaves everything else in it as it is: order, comments, blank lines."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from contract.errors import UserError

FIRST_LINE = "# Settings of all verbs: python -m launcher submit --help. Flags and the environment win over them.\n"


def write_settings(path: Path, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Set keys of launcher.yml, making it if there is none: whole or not at all. Returns the keys that changed.

    Raises UserError.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        before = yaml.load(text, Loader=yaml.BaseLoader) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read ({said}): correct it, then start again") from None
    if not isinstance(before, dict):
        raise UserError(f"{path}: write one `key: value` per line")
    changed = tuple(key for key, value in settings.items() if before.get(key) != value)
    after = text or FIRST_LINE
    for key in changed:
        after = _with_key(after, key, settings[key])
    try:
        holds = yaml.load(after, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        holds = None
    if holds != {**before, **settings}:
        lines = ", ".join(f"`{key}: {settings[key]}`" for key in changed)
        raise UserError(f"{path} is not written as one `key: value` per line: add {lines} by hand")
    if changed:
        _replace(path, after)
    return changed


def _with_key(text: str, key: str, value: str) -> str:
    """The text with one key of its top level set: in place where it stands, else at the end."""
    name = re.escape(key).replace("_", "[_-]")
    line = re.compile(rf"^{name}[ \t]*:[^\n#]*?(?P<comment>[ \t]+#[^\n]*)?$", re.MULTILINE)
    if line.search(text):
        return line.sub(lambda found: f"{key}: {value}{found['comment'] or ''}", text, count=1)
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{key}: {value}\n"


def _replace(path: Path, text: str) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): make its folder writable") from None
