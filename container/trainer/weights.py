"""Read `.pdparams` and `.pdopt` without executing what is in them.

paddle.load unpickles whatever a file says, so a file from outside could run code. Here only NumPy arrays and plain
containers come out; anything else is refused. (Paddle merged the like after 3.3.1: PR #78085.)
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from contract.errors import UserError

_ALLOWED = {
    ("collections", "OrderedDict"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_weights(path: Path) -> dict[str, Any]:
    """The dict that paddle.save wrote: names → NumPy arrays (and the scheduler's numbers in a .pdopt).

    Raises UserError when the file is not one, or holds more than arrays.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError, IndexError, UnicodeError) as error:
        raise UserError(f"{path} is not a file of weights ({error}): replace it") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not weights: replace it")
    content.pop("StructuredToParameterName@@", None)
    return content
