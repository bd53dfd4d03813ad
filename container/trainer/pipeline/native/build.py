"""The compiled loops: one plain C file, made with whatever C compiler there is, and loaded with ctypes.

    python -m container.trainer.pipeline.native.build

No Python headers, no options for this machine alone: a library made on one machine runs on any of its kind, under any
Python. Kept beside the source where that can be written (the image has it there), else in the user's cache, under a
name with the hash of what it was made from. Nothing that is compiled is ever committed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from contract.tree_places import cache_folder

SOURCE = Path(__file__).with_name("pixels.c")
COMPILER_LOCK = Path(__file__).parents[4] / "requirements" / "compiler.lock"
WINDOWS = sys.platform == "win32"
# Contracted or reordered floats would give other pixels than NumPy does, and other ones on another machine.
FLAGS = ["-std=c11", "-O2", "-ftree-vectorize", "-ffp-contract=off", "-fvisibility=hidden", "-shared"]
FLAGS += [] if WINDOWS else ["-fPIC"]


@cache
def library() -> ctypes.CDLL | None:
    """The library, built on the spot if need be (half a second); None where there is none and no compiler either."""
    for file in _places():
        if file.is_file():
            return _open(file)
    built = build([[found] for name in ("cc", "gcc", "clang") if (found := shutil.which(name))])
    return _open(built) if built else None


def build(compilers: list[list[str]]) -> Path | None:
    """Compile with the first of `compilers` that can, into the first place that can be written."""
    for file in _places():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".tmp-") as folder:
                made = Path(folder) / file.name
                if any(_compiles([*compiler, *FLAGS, "-o", str(made), str(SOURCE)]) for compiler in compilers):
                    made.replace(file)  # several may build at a time: each renames a whole file
                    return file
                return None
        except OSError:  # read-only, or not ours
            continue
    return None


def main() -> int:
    if library() is None and not build_with_zig():
        print("note: no C compiler here, and none from the package index: batches will be prepared in NumPy, slower")
    return 0


def build_with_zig() -> Path | None:
    """Build on a machine without a compiler: the one in the `ziglang` wheel, hash-pinned, gone again afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        install += ["--require-hashes", "--only-binary", ":all:", "--target", folder, "--requirement"]
        if subprocess.run([*install, str(COMPILER_LOCK)], check=False).returncode != 0:
            return None
        zig = Path(folder) / "ziglang" / ("zig.exe" if WINDOWS else "zig")
        return build([[str(zig), "cc", "-target", _zig_target()]])


def _zig_target() -> str:
    """Naming the target is what keeps zig from building for the processor it finds."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(sysconfig.get_platform().split("-")[-1].lower())
    system = {"win32": "windows-gnu", "darwin": "macos"}.get(sys.platform, "linux-gnu")
    return f"{machine or sysconfig.get_platform().split('-')[-1]}-{system}"


def _places() -> list[Path]:
    made_from = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    name = f"pixels-{made_from}-{sysconfig.get_platform()}{'.dll' if WINDOWS else '.so'}"
    return [SOURCE.parent / "built" / name, cache_folder() / name]


def _compiles(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    return done.returncode == 0


def _open(file: Path) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(file))
    pointer, number = ctypes.c_void_p, ctypes.c_int
    opened.warp.argtypes = [pointer, pointer, pointer, number, number, pointer, pointer, number]
    opened.planes.argtypes = [pointer, pointer, number, number, number, pointer, pointer]
    opened.subtract_bits.argtypes = [pointer, pointer, ctypes.c_int64, ctypes.c_uint64]
    opened.warp.restype = opened.planes.restype = opened.subtract_bits.restype = None
    return opened


if __name__ == "__main__":
    sys.exit(main())
