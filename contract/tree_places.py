"""Where a PaddleOCR tree lies on this machine, as far as anybody has said so or fetched one."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "PADDLEOCR_HOME"
CACHE_VARIABLE = "OCR_CACHE"


def cache_folder() -> Path:
    """Where what was fetched once is kept: $OCR_CACHE, or a folder in the user's cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paddleocr-sagemaker"


def tree_at_hand() -> Path | None:
    """The tree that a job on this machine would use, if it need not be fetched first; of several the newest release."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home)
    kept = sorted(path for path in cache_folder().glob("paddleocr-*") if path.is_dir())
    return kept[-1] if kept else None
