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
from typing import Any

from contract.tree_places import cache_folder

SOURCE = Path(__file__).with_name("pixels.c")
COMPILER = Path(__file__).parents[4] / "requirements" / "compiler.txt"  # a wheel with one, for machines without
WINDOWS = sys.platform == "win32"
# Contracted or reordered floats would give other pixels than NumPy does, and other ones on another machine.
FLAGS = ["-std=c11", "-O2", "-ftree-vectorize", "-ffp-contract=off", "-fvisibility=hidden", "-shared"]
FLAGS += [] if WINDOWS else ["-fPIC"]
SLOWER = "the input pipeline has no compiled part here and does the same in NumPy, several times slower"


def main() -> int:
    """Build it, with a fetched compiler if need be. 0: it is there; 1: it is not, said on stderr."""
    if library():
        return 0
    print("no C compiler found: fetching one for once (ziglang, 100 MB)", file=sys.stderr, flush=True)
    if build_with_zig():
        return 0
    print(f"note: {SLOWER}: install a C compiler and run this again", file=sys.stderr)
    return 1


@cache
def library() -> ctypes.CDLL | None:
    """The library, built on the spot if need be (half a second); None where there is none and no compiler either."""
    for file in _places():
        if file.is_file():
            return _open(file)
    built = build([[found] for name in ("cc", "gcc", "clang") if (found := shutil.which(name))])
    return _open(built) if built else None


def address(array: Any) -> int:
    """Where a NumPy array begins: contiguous, writable, not empty. `array.ctypes.data` takes three times as long."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array))


def build(compilers: list[list[str]]) -> Path | None:
    """Compile with the first of `compilers` that can, into the first place that can be written."""
    for file in _places():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".tmp-") as folder:
                made = Path(folder) / file.name
                if not any(_compiles([*compiler, *FLAGS, "-o", str(made), str(SOURCE)]) for compiler in compilers):
                    return None
                made.replace(file)  # several may build at a time: each renames a whole file
                return file
        except OSError:  # read-only, or not ours
            continue
    return None


def build_with_zig() -> Path | None:
    """Build with the compiler of the `ziglang` wheel, which pip checks against its hash; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        install += ["--require-hashes", "--only-binary", ":all:", "--target", folder, "--requirement", str(COMPILER)]
        if subprocess.run(install, check=False).returncode != 0:
            return None
        for cached in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
            os.environ[cached] = str(Path(folder) / "cache")
        zig = Path(folder) / "ziglang" / ("zig.exe" if WINDOWS else "zig")
        return build([[str(zig), "cc", "-target", _zig_target()]])


def _zig_target() -> str:
    """Naming a target is what keeps zig from building for the very processor it finds."""
    machine = sysconfig.get_platform().split("-")[-1].lower()
    system = {"win32": "windows-gnu", "darwin": "macos"}.get(sys.platform, "linux-gnu")
    return f"{ {'amd64': 'x86_64', 'arm64': 'aarch64'}.get(machine, machine) }-{system}"


def _places() -> list[Path]:
    made_from = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    name = f"pixels-{made_from}-{sysconfig.get_platform()}{'.dll' if WINDOWS else '.so'}"
    return [SOURCE.parent / "built" / name, cache_folder() / name]


def _compiles(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


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
