"""Read `.pdparams` and `.pdopt` without executing what is in them.

paddle.load unpickles whatever a file says, so a file from outside could run code. Here nothing named in a file is
ever imported: a table says what each name that paddle.save writes stands for, opcodes that it never writes are
refused, and only numeric NumPy arrays, numbers, texts and plain containers come out, never much bigger than the file.
(Paddle merged the like after 3.3.1: PR #78085.)
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contract.errors import UserError

DEEPEST = 8  # containers in containers; paddle.save needs 3
MOST = 500_000  # opcodes, and values; the optimizer of PP-OCRv4, of 3,900 tensors, has some 100,000
NAMES_OF_ONE = 4  # arrays together may have so many times the bytes of the file: one tensor can have several names

# Keys that paddle.save puts beside the weights: names of parameters, and tensors over 1 GiB in slices.
NAMES_KEY = "StructuredToParameterName@@"
SLICES_KEY = "UnpackBigParamInfor@@"

_NUMERIC = re.compile(r"[biufc]\d{1,2}$")
_SCALARS = (str, int, float, bool, type(None), np.generic)


def read_weights(path: Path) -> dict[str, Any]:
    """The dict that paddle.save wrote: names → NumPy arrays (and the scheduler's numbers in a .pdopt).

    The arrays are read-only; bfloat16 comes as uint16, which is how paddle takes it back. Raises UserError when the
    file is not one, or holds more than arrays.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content = _Plain(len(data)).dict_of(_Unpickler(data).load())
            if data.tell() != len(data):
                raise pickle.UnpicklingError("it goes on after its end")
    except pickle.UnpicklingError as error:
        reason = "it is cut short" if "exhausted" in str(error) else error  # pickle's word for a frame without its end
        raise UserError(f"{path} is not a file of weights ({reason}): replace it") from None
    except (EOFError, struct.error, IndexError):
        raise UserError(f"{path} is not a file of weights (it is cut short or damaged): replace it") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise UserError(f"{path} is not a file of weights (paddle.save does not write the like): replace it") from None
    content.pop(NAMES_KEY, None)
    return content


class _Dtype:
    """What `numpy.dtype('f4', False, True)` stands for; its byte order comes afterwards."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not _NUMERIC.match(code):
            raise pickle.UnpicklingError(f"it holds an array of {_shown(code)}, not of numbers")
        self.numpy = np.dtype(code)

    def take(self, state: Sequence[Any]) -> None:
        if state[1] not in ("<", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("it holds an array that is not of plain little-endian numbers")


class _Array:
    """What `numpy._reconstruct(…)` stands for; shape, type and bytes come afterwards."""

    value: np.ndarray | None = None

    def take(self, state: Sequence[Any]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(data, str):  # Python 2 had no bytes
        data = data.encode("latin1")
    if type(dtype) is not _Dtype or not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("it holds an array that is not of numbers")
    if type(shape) is not tuple or not all(type(size) is int and size >= 0 for size in shape):
        raise pickle.UnpicklingError("it holds an array whose shape is not one")
    if math.prod(shape) * dtype.numpy.itemsize != len(data):
        raise pickle.UnpicklingError(f"it holds an array of {math.prod(shape):,} numbers in {len(data):,} bytes")
    return np.frombuffer(data, dtype.numpy).reshape(shape, order="F" if order == "F" else "C")


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.value = _array(data, dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any) -> Any:
    return _array(data, dtype, (), "C")[()]


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _ndarray(*_: Any) -> Any:
    raise pickle.UnpicklingError("it calls numpy.ndarray")


def _latin1(text: Any, encoding: Any) -> bytes:
    """Protocol 2 has no bytes: they are texts that are encoded again."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it encodes as {_shown(encoding)}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _mapping(items: Any = ()) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, value in items:
        _put(made, key, value)
    return made


def _named_tensor(pair: Any) -> Any:
    """A tensor among other things, as in the master weights of mixed precision: (name, array)."""
    if type(pair) is not tuple or len(pair) != 2:
        raise pickle.UnpicklingError("it makes a tuple of something else than a tensor")
    return pair


def _dense_tensor(code: Any, names: Any) -> Any:
    """paddle.save writes a DenseTensor as eval('data', {'data': array})."""
    if code != "data" or type(names) is not dict or set(names) != {"data"}:
        raise pickle.UnpicklingError(f"it evaluates {_shown(code)}")
    return names["data"]


def _numpy(module: str, name: str, meaning: Any) -> dict[tuple[str, str], Any]:
    """A function that NumPy 2 moved: files of both are around."""
    return {(f"numpy.{core}.{module}", name): meaning for core in ("core", "_core")}


_MEANINGS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _ndarray,
    **_numpy("multiarray", "_reconstruct", _reconstruct),
    **_numpy("multiarray", "scalar", _scalar),
    **_numpy("numeric", "_frombuffer", _frombuffer),
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): _mapping,
    **{(builtins, "bytes"): _no_bytes for builtins in ("builtins", "__builtin__")},
    **{(builtins, "tuple"): _named_tensor for builtins in ("builtins", "__builtin__")},
    **{(builtins, "eval"): _dense_tensor for builtins in ("builtins", "__builtin__")},
}


def _put(holder: Any, key: Any, value: Any) -> None:
    if type(holder) is not dict or type(key) not in (str, int):
        raise pickle.UnpicklingError(f"it holds a mapping with the key {_shown(key)}")
    holder[key] = value


class _Opcodes(dict[int, Any]):
    """The opcodes that paddle.save writes, so many times at most: one byte of a file can make an object of 64."""

    left = MOST

    def __getitem__(self, code: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"it has more than {MOST:,} opcodes")
        return super().__getitem__(code)

    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"it has the opcode {bytes([code])!r}")


class _Unpickler(pickle._Unpickler):
    """The unpickler that is written in Python: its opcodes can be chosen, and it allocates nothing in advance."""

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]

    def __init__(self, data: mmap.mmap):
        super().__init__(data, encoding="latin1")
        self.dispatch = _Opcodes(_OPCODES)  # type: ignore[misc]  # each has its own count

    def find_class(self, module: str, name: str) -> Any:
        meaning = _MEANINGS.get((module, name))
        if meaning is None:
            raise pickle.UnpicklingError(f"it names {_shown(f'{module}.{name}')}")
        return meaning

    def load_build(self) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) not in (_Array, _Dtype) or type(state) is not tuple:
            raise pickle.UnpicklingError("it changes an object")
        self.stack[-1].take(state)

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.stack.append(self.read(size))  # Python's own way makes room for whatever size the file claims

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], key, value)

    def load_setitems(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            _put(self.stack[-1], key, value)


_ALLOWED = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE),
    *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1),
    *(pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT),
)
_OURS = {
    pickle.BUILD: _Unpickler.load_build,
    pickle.BYTEARRAY8: _Unpickler.load_bytearray8,
    pickle.SETITEM: _Unpickler.load_setitem,
    pickle.SETITEMS: _Unpickler.load_setitems,
}
_OPCODES = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _ALLOWED} | {
    code[0]: load for code, load in _OURS.items()
}


class _Plain:
    """From what the unpickler left to arrays and plain containers. It counts: one thing can be held a million times."""

    def __init__(self, file_size: int):
        self.bytes_left = NAMES_OF_ONE * file_size
        self.values_left = MOST

    def dict_of(self, content: Any) -> dict[str, Any]:
        if type(content) is not dict:
            raise pickle.UnpicklingError(f"it holds a {type(content).__name__}, not weights by name")
        return _joined(self.value(content, 0))

    def value(self, value: Any, depth: int) -> Any:
        self.values_left -= 1
        if self.values_left < 0 or depth > DEEPEST:
            raise pickle.UnpicklingError("it holds containers in containers without end")
        if type(value) is _Array and value.value is not None:
            self.bytes_left -= value.value.nbytes
            if self.bytes_left < 0:
                raise pickle.UnpicklingError("its arrays are much bigger than the file")
            return value.value
        if type(value) is dict:
            return {key: self.value(item, depth + 1) for key, item in value.items()}
        if type(value) in (list, tuple):
            items = [self.value(item, depth + 1) for item in value]
            if type(value) is tuple and len(items) == 2 and type(items[0]) is str and type(items[1]) is np.ndarray:
                return items[1]
            return type(value)(items)
        if not isinstance(value, _SCALARS):
            raise pickle.UnpicklingError("it holds something else than numbers, texts and arrays")
        return value


def _joined(content: dict[str, Any]) -> dict[str, Any]:
    """Put tensors together that paddle.save cut into slices, which protocols 2 and 3 need above 1 GiB."""
    slices = content.pop(SLICES_KEY, None)
    for name, cut in (slices or {}).items():
        parts = [content.pop(part) for part in cut["slices"]]
        content[name] = np.concatenate(parts).reshape(cut["OriginShape"])
    return content


def _shown(value: Any) -> str:
    """In a message: on one line, and short. Containers can be too deep to be shown."""
    text = ascii(value) if type(value) in (str, int, float) else f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "…"
