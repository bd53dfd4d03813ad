"""`.images.json` beside the code: which pushed image holds which sources, so that `submit` finds it by digest."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract.errors import UserError

FILE_NAME = ".images.json"


@dataclass(frozen=True)
class PushedImage:
    """An image in ECR, by digest."""

    uri: str  # REPOSITORY@sha256:…
    tag: str
    pushed: str  # UTC, 2026-11-22T12:00:00Z; or when it was found there already


def pushed_now(uri: str, tag: str) -> PushedImage:
    """An image with the time of this moment."""
    return PushedImage(uri, tag, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def find_pushed(root: Path, source: str, device: str) -> PushedImage | None:
    """The image pushed last with these sources (the hash in its label `source`) for this device. Raises UserError."""
    found = _read(root / FILE_NAME).get(source, {}).get(device)
    return PushedImage(**found) if found else None


def record_pushed(root: Path, source: str, device: str, image: PushedImage) -> None:
    """Note an image: whole or not at all. Raises UserError."""
    path = root / FILE_NAME
    content = _read(path)
    content.setdefault(source, {})[device] = asdict(image)
    try:
        descriptor, name = tempfile.mkstemp(prefix=FILE_NAME, dir=root)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}), so submit will not find the image by itself: make it "
            f"writable and push again, or give --image-uri {image.uri}"
        ) from None


def check_readable(root: Path) -> None:
    """Before long work whose result is to be noted. Raises UserError."""
    _read(root / FILE_NAME)


def _read(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The file's content: {source: {device: image}}."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for images in content.values():
            for image in images.values():
                PushedImage(**image)
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path} is damaged: delete it, and `make push` writes it anew") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): make it readable") from None
    return dict(content)
