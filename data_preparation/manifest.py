"""dataset.json, which says how a dataset was made. No training reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contract.dataset import MANIFEST, read_text
from contract.errors import UserError
from data_preparation.sources.annotation import parse_json


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The content of dataset.json; None where there is none. Raises UserError when it is not one JSON object."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = parse_json(read_text(path)[0])
        if not isinstance(manifest, dict):
            raise ValueError(f"it is a {type(manifest).__name__}")
    except ValueError as error:
        raise UserError(f"{MANIFEST} of the dataset is not one JSON object ({error}): correct or remove it") from None
    return manifest


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
