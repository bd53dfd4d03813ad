"""Make the PaddleOCR tree importable, completed by our own parts where the source distribution leaves them out."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

OUR_PARTS = Path(__file__).parent / "ppocr_rec"


def enter_tree(tree: Path) -> str:
    """Put `tree` on the import path. Returns who provides the networks: "tree" or "ppocr_rec".

    A complete tree keeps all of its own: our parts are behind it on `ppocr.__path__`, or not there at all.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its newest version at every import
    sys.path.insert(0, str(tree))
    ppocr = importlib.import_module("ppocr")
    if (tree / "ppocr" / "modeling").is_dir():
        return "tree"
    ppocr.__path__.append(str(OUR_PARTS))
    return "ppocr_rec"
