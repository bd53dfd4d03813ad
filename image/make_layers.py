"""Arranges what was installed as /layers/NAME/…, one folder per layer of the image.

Few layers of less than 2 GB each (a retry sends a whole one), the rarely changing ones first. All files have one time
stamp and byte code that does not depend on times, so the same packages make the same layer on every machine.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import sys
from pathlib import Path

LAYERS = Path("/layers")
TIME = 1_700_000_000  # any fixed time will do

# What only people who build need.
NOT_NEEDED = ("paddle/include", "pip", "pip-*.dist-info")

# Layer → what of site-packages it holds; the rest stays with the virtual environment.
PARTS = {"cudnn": ("nvidia/cudnn",), "cublas": ("nvidia/cublas",), "cuda": ("nvidia",), "paddle": ("paddle",)}


def packages(venv: Path) -> None:
    """Split a virtual environment into the layers of PARTS and `packages`."""
    site = next(venv.glob("lib/python3*/site-packages"))
    for pattern in NOT_NEEDED:
        for path in site.glob(pattern):
            shutil.rmtree(path)
    for path in (venv / "bin").glob("pip*"):
        path.unlink()
    compile_all(site)
    for layer, names in PARTS.items():
        target = LAYERS / layer / site.relative_to("/")
        target.mkdir(parents=True)
        for name in names:
            if (site / name).exists():
                (target / name).parent.mkdir(exist_ok=True)
                shutil.move(site / name, target / name)
        settle(LAYERS / layer)
    move(venv, LAYERS / "packages")


def move(folder: Path, layer: Path) -> None:
    """Move a folder to the same place below a layer."""
    target = layer / folder.relative_to("/")
    target.parent.mkdir(parents=True)
    shutil.move(folder, target)
    settle(layer)


def compile_all(folder: Path) -> None:
    """Byte code for all modules; a package may carry files of another Python's syntax, which nothing imports."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # nobody changes the sources of an image
    compileall.compile_dir(folder, quiet=2, workers=0, invalidation_mode=mode)


def settle(folder: Path) -> None:
    """Of one time, owned by root, readable by any user."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (TIME, TIME), follow_symlinks=False)


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind == "packages":
        packages(folder)
    elif kind == "settle":
        settle(folder)
    else:
        compile_all(folder)
        move(folder, LAYERS / kind)
