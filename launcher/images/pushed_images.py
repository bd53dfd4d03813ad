"""`.images.json` beside the code: which pushed image holds which sources, so that `submit` finds it by digest.

    {SOURCE: {DEVICE: {"123456789012/ap-southeast-1": {"uri": …, "tag": …, "pushed": …}}}}

SOURCE is the hash in the image's label `source`. SageMaker pulls from its own region, so each account and region
has its own.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract.errors import UserError
from launcher.images.ecr import parse_image

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


def find_pushed(root: Path, source: str, device: str, region: str, account: str = "") -> PushedImage | None:
    """The image pushed last with these sources for this device, in this region. Raises UserError.

    `account`: 12 digits; empty when it is not known, as in a dry run without credentials: then any.
    """
    there = _read(root / FILE_NAME).get(source, {}).get(device, {})
    found = [image for place, image in there.items() if _is_at(place, region, account)]
    return max(found, key=lambda image: image.pushed, default=None)


def regions_with(root: Path, source: str, device: str, account: str = "") -> tuple[str, ...]:
    """Where such an image has been pushed to. Raises UserError."""
    there = _read(root / FILE_NAME).get(source, {}).get(device, {})
    return tuple(sorted({place.partition("/")[2] for place in there if _is_at(place, "", account)}))


def record_pushed(root: Path, source: str, device: str, account: str, region: str, image: PushedImage) -> None:
    """Note an image: whole or not at all. Raises UserError."""
    path = root / FILE_NAME
    known = _read(path)
    known.setdefault(source, {}).setdefault(device, {})[f"{account}/{region}"] = image
    content = {
        source: {device: {place: asdict(each) for place, each in places.items()} for device, places in devices.items()}
        for source, devices in known.items()
    }
    try:
        descriptor, name = tempfile.mkstemp(prefix=FILE_NAME, dir=root)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
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


def _read(path: Path) -> dict[str, dict[str, dict[str, PushedImage]]]:
    """The file's content: {source: {device: {account/region: image}}}. Raises UserError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            source: {device: _by_place(places) for device, places in devices.items()}
            for source, devices in content.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path} is damaged: delete it, and `make push` writes it anew") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): make it readable") from None


def _by_place(places: dict[str, Any]) -> dict[str, PushedImage]:
    """The images of a device. Until November 2026 it had one alone, whose address tells where it is."""
    if "uri" in places:
        try:
            address = parse_image(places["uri"])
        except UserError:
            raise ValueError from None
        return {f"{address.account}/{address.region}": PushedImage(**places)}
    return {place: PushedImage(**image) for place, image in places.items()}


def _is_at(place: str, region: str, account: str) -> bool:
    """Empty: any."""
    whose, _, where = place.partition("/")
    return region in ("", where) and account in ("", whose)
