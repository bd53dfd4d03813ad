"""Files of weights give arrays and nothing else."""

from __future__ import annotations

import collections
import copyreg
import os
import pickle
import random
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from container.trainer.weights import read_weights
from contract.errors import UserError
from tests.container.pickle_payloads import FLOAT, RUNNING, Built, Call, Name, array, dump, raw, text


@pytest.fixture
def ext1() -> Iterator[None]:
    """Some package has registered a short number for os.system, as an extension of pickle."""
    copyreg.add_extension("posix", "system", 0xF0)
    yield
    copyreg.remove_extension("posix", "system", 0xF0)
    copyreg.clear_extension_cache()


def in_a_child(work: Callable[[], object]) -> int:
    """Exit code of a process of its own that does the work: 0, or 1 when it raised."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def sentence(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert message.endswith(": replace it")
    return message


def test_there_are_forty_payloads():
    assert len(RUNNING) >= 40


@pytest.mark.usefixtures("ext1")
@pytest.mark.parametrize("name", RUNNING)
def test_a_payload_is_refused_and_does_not_run(tmp_path: Path, name: str):
    mark, path = tmp_path / "ran", tmp_path / "evil.pdparams"
    path.write_bytes(RUNNING[name](str(mark)))
    with pytest.raises(UserError, match="is not a file of weights") as error:
        read_weights(path)
    sentence(error)
    assert not mark.exists()
    in_a_child(lambda: pickle.loads(path.read_bytes()))
    assert mark.exists(), "the control: pickle itself runs it"


PUT = [b"q" + bytes([index]) for index in range(40)]
GET = [b"h" + bytes([index]) for index in range(40)]

# What would run nothing by itself, but is no file of weights either.
SPOILT: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "paddle.save does not write the like"),
    "a text": (b"weights", "opcode b'w'"),
    "a web page": (b"<!DOCTYPE html>", "opcode b'<'"),
    "a list": (pickle.dumps([1]), "it holds a list"),
    "cut short": (pickle.dumps({"w": np.ones(9)})[:-20], "(it is cut short): replace it"),
    "cut short, protocol 2": (pickle.dumps({"w": np.ones(9)}, 2)[:-20], "cut short"),
    "cut in a number": (raw(b"J\x01")[:-1], "cut short"),
    "more after its end": (pickle.dumps({"w": np.ones(9)}) + b"x", "goes on after its end"),
    "a persistent id": (raw(b"K\x01Q"), "opcode b'Q'"),
    "a persistent id, as text": (raw(b"P1\n"), "opcode b'P'"),
    "an array of objects": (pickle.dumps({"w": np.array([None, {}], object)}), "array of 'O8'"),
    "an array of texts": (pickle.dumps({"w": np.array(["a", "b"])}), "array of 'U1'"),
    "an array of records": (pickle.dumps({"w": np.zeros(2, "i4,f4")}), "array of 'V8'"),
    "an array of dates": (pickle.dumps({"w": np.zeros(2, "M8[s]")}), "array of 'M8'"),
    "a big-endian array": (pickle.dumps({"w": np.zeros(2, ">f4")}), "little-endian"),
    "an array without its state": (dump({"w": array(FLOAT, b"").value}), "something else"),
    "an array larger than its bytes": (dump({"w": array(FLOAT, b"1234", (1 << 40,))}), "in 4 bytes"),
    "a negative size": (dump({"w": array(FLOAT, b"1234", (-1, -1))}), "shape is not one"),
    "a size that is no number": (dump({"w": array(FLOAT, b"1234", (1.0,))}), "shape is not one"),
    "numpy.ndarray called": (dump({"w": Call("numpy:ndarray", (1 << 40,))}), "calls numpy.ndarray"),
    "another codec": (dump({"w": Call("_codecs:encode", "x", "rot13")}), "encodes as 'rot13'"),
    "a function changed": (dump({"w": Built(Name("_codecs:encode"), (None, {"__defaults__": (1,)}))}), "changes an"),
    "a class changed": (dump({"w": Built(Name("numpy:dtype"), (None, {"take": 1}))}), "changes an object"),
    "a function as a value": (dump({"w": Name("_codecs:encode")}), "something else"),
    "bytes of a length": (dump({"w": Call("builtins:bytes", 1 << 40)}), "does not write the like"),
    "a tuple of something": (dump({"w": Call("builtins:tuple", "ab")}), "tuple of something else"),
    "a list set by key": (raw(b"]K\x00K\x01s"), "mapping"),
    "keys that are containers": (raw(b"}" + b")" + b"\x85" * 100_000 + b"K\x01s"), "with the key"),
    "a name over many lines": (raw(b"\x8c\x04o\ns\x1b\x8c\x06system\x93"), "it names 'o\\ns\\x1b.system'"),
    "a name of a megabyte": (raw(text("o" * 1_000_000) + b"\x8c\x06system\x93"), "…"),
    "a list within itself": (raw(b"}" + text("w") + b"]q\x00h\x00as"), "without end"),
    "a list in lists, deep": (raw(b"}" + text("w") + b"\x85".join([b")"] + [b""] * 100_000) + b"s"), "without end"),
    "lists of lists of one list": (
        raw(b"}" + text("w") + b"(]q\x00" + b"".join(b"](" + b"h\x00" * 40 + b"eq\x00" for _ in range(7)) + b"ts"),
        "without end",
    ),
    "one array a thousand times": (
        raw(b"}(" + text("w") + dump(array(FLOAT, b"1" * 4000, (1000,)), 2)[2:-1] + b"q\x27"
            + b"".join(text(str(index)) + b"h\x27" for index in range(1000)) + b"u"),
        "much bigger than the file",
    ),
    "a text that says it has 2 GB": (raw(b"}X\xff\xff\xff\x7fabc"), "cut short"),
    "bytes that say they have 8 EB": (raw(b"}\x8e" + b"\xff" * 7 + b"\x7fabc"), "cut short"),
    "a bytearray that says it has 1 TB": (raw(b"}\x96" + (1 << 40).to_bytes(8, "little") + b"abc"), "cut short"),
    "a memo of four thousand million places": (raw(b"}r\xff\xff\xff\xff" + text("w") + b"Q"), "opcode b'Q'"),
    "a million empty dicts": (raw(b"]" + b"}" * 1_000_000), "more than 500,000 opcodes"),
    "a long frame": (b"\x80\x04\x95" + b"\xff" * 8 + b"}.", "paddle.save does not write the like"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_no_file_of_weights(tmp_path: Path, name: str):
    data, reason = SPOILT[name]
    path = tmp_path / "x.pdparams"
    path.write_bytes(data)
    with pytest.raises(UserError, match="is not a file of weights") as error:
        read_weights(path)
    assert reason in sentence(error)


def test_spoilt_files_are_read_or_refused_and_nothing_else(tmp_path: Path):
    """500 files with bits flipped, bytes moved or the end cut: numbers may differ, but nothing else comes out."""
    path = tmp_path / "x.pdparams"
    draw = random.Random(3)
    content = {"w": np.arange(6, dtype="f4").reshape(2, 3), "LR_Scheduler": {"last_lr": 0.1, "milestones": [1, 2]}}
    sound = [pickle.dumps(content, protocol) for protocol in (2, 3, 4, 5)]
    refused = 0
    for _ in range(500):
        data = bytearray(draw.choice(sound))
        for _ in range(draw.choice((1, 1, 2, 5))):
            place = draw.randrange(len(data))
            kind = draw.random()
            if kind < 0.7:
                data[place] ^= 1 << draw.randrange(8)
            elif kind < 0.9:
                data[place:place] = data[draw.randrange(len(data)) :][: draw.randrange(30)]
            else:
                data = data[: place + 1]
        path.write_bytes(data)
        try:
            assert_plain(read_weights(path))
        except UserError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1  # noqa: PT017 (either way is right)
    assert 100 < refused < 500


def assert_plain(value: object) -> None:
    if isinstance(value, dict):
        for each in value.values():
            assert_plain(each)
    elif isinstance(value, list | tuple):
        for each in value:
            assert_plain(each)
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind in "biufc"
    else:
        assert isinstance(value, str | int | float | bool | None | np.generic)


def test_a_file_never_costs_more_than_a_few_times_its_size(tmp_path: Path):
    """Each of them again under a limit of memory: 512 MB above what the process has."""
    path = tmp_path / "x.pdparams"

    def read_all() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (512 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for data in (data for name, (data, _) in SPOILT.items() if name != "lists of lists of one list"):
            path.write_bytes(data)
            try:
                read_weights(path)
            except UserError:
                continue
            sys.exit(1)

    assert in_a_child(read_all) == 0


# ---------------------------------------------------------------- what paddle.save writes


def assert_same(read: object, saved: object) -> None:
    if isinstance(saved, dict):
        assert isinstance(read, dict)
        assert set(read) == set(saved)
        for key, value in saved.items():
            assert_same(read[key], value)
    elif hasattr(saved, "shape"):
        expected = np.asarray(saved)
        assert isinstance(read, np.ndarray | np.generic)
        assert read.dtype == expected.dtype
        np.testing.assert_array_equal(read, expected)
    else:
        assert read == saved


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool"])
def test_tensors_of_every_type(tmp_path: Path, kind: str, protocol: int):
    import paddle

    tensors = {
        "w": paddle.arange(6).reshape([2, 3]).astype(kind),
        "b": paddle.ones([], kind),
        "e": paddle.zeros([0], kind),
    }
    paddle.save(tensors, str(tmp_path / "m.pdparams"), protocol=protocol)
    read = read_weights(tmp_path / "m.pdparams")
    assert_same(read, tensors)
    assert paddle.to_tensor(read["w"]).dtype == tensors["w"].dtype


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_weights_and_optimizer(tmp_path: Path, protocol: int):
    import paddle

    layer = paddle.nn.Linear(3, 2)
    rate = paddle.optimizer.lr.LinearWarmup(paddle.optimizer.lr.CosineAnnealingDecay(0.1, 10), 5, 0.0, 0.1)
    optimizer = paddle.optimizer.Adam(rate, parameters=layer.parameters())
    layer(paddle.ones([1, 3])).sum().backward()
    optimizer.step()
    rate.step()
    paddle.save(layer.state_dict(), str(tmp_path / "m.pdparams"), protocol=protocol)
    paddle.save(optimizer.state_dict(), str(tmp_path / "m.pdopt"), protocol=protocol)
    weights = read_weights(tmp_path / "m.pdparams")
    assert_same(weights, layer.state_dict())
    moments = read_weights(tmp_path / "m.pdopt")
    assert_same(moments, optimizer.state_dict())
    assert isinstance(moments["LR_Scheduler"]["LinearWarmup_LR"], dict)
    optimizer.set_state_dict({key: paddle.to_tensor(v) if hasattr(v, "shape") else v for key, v in moments.items()})
    layer.set_state_dict(weights)


def test_master_weights_of_mixed_precision(tmp_path: Path):
    """Tensors within a dict are written in another way: as tuple((name, array))."""
    import paddle

    state = {
        "w_moment1_0": paddle.ones([3]),
        "master_weights": {"w": paddle.ones([3])},
        "LR_Scheduler": {"last_lr": 0.1},
    }
    paddle.save(state, str(tmp_path / "m.pdopt"))
    assert b"tuple" in (tmp_path / "m.pdopt").read_bytes()
    assert_same(read_weights(tmp_path / "m.pdopt"), state)


def test_a_tensor_with_two_names(tmp_path: Path):
    """As an LSTM's weights have: among other things they are written once."""
    import paddle

    tensor = paddle.rand([1000])
    paddle.save({"a": tensor, "b": tensor, "n": 1}, str(tmp_path / "m.pdparams"))
    assert_same(read_weights(tmp_path / "m.pdparams"), {"a": tensor, "b": tensor, "n": 1})


def test_a_dense_tensor(tmp_path: Path):
    """Paddle writes it as eval('data', {'data': array}): just that is understood."""
    import paddle

    tensor = paddle.ones([3])
    paddle.save({"w": tensor.get_tensor(), "n": 3}, str(tmp_path / "m.pdparams"))
    assert b"eval" in (tmp_path / "m.pdparams").read_bytes()
    assert_same(read_weights(tmp_path / "m.pdparams"), {"w": np.ones(3, "f4"), "n": 3})


def test_tensors_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Under protocols 2 and 3 Paddle cuts what has over 1 GiB; here its own code cuts what has over 64 numbers."""
    import paddle
    from paddle.framework import io_utils

    monkeypatch.setattr(io_utils, "int", lambda value: 64 if value > 1 << 20 else int(value), raising=False)
    tensors = {"w": paddle.rand([15, 10]), "b": paddle.rand([10])}
    paddle.save(tensors, str(tmp_path / "m.pdparams"), protocol=2)
    assert set(pickle.loads((tmp_path / "m.pdparams").read_bytes())) >= {"w@@.0", "w@@.1", "w@@.2", "b"}
    assert_same(read_weights(tmp_path / "m.pdparams"), tensors)


def test_files_of_older_paddle_and_python(tmp_path: Path):
    """Python 2 wrote bytes as strings; NumPy 1 named its modules otherwise; an OrderedDict came as a call."""
    path = tmp_path / "m.pdparams"
    data = np.arange(3, dtype="f4")
    string = b"U\x0c" + data.tobytes()
    older = part_of_python_2(string)
    path.write_bytes(older)
    assert_same(read_weights(path), {"w": data})
    ordered = collections.OrderedDict(w=data, b=np.float64(2))
    for protocol in (2, 3, 4, 5):
        pickled = pickle.dumps(ordered, protocol)
        path.write_bytes(pickled)
        assert_same(read_weights(path), dict(ordered))
        if protocol < 4:
            path.write_bytes(pickled.replace(b"cnumpy._core", b"cnumpy.core"))
            assert_same(read_weights(path), dict(ordered))


def part_of_python_2(string: bytes) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return raw(b"}U\x01w" + made + b"(K\x01K\x03\x85" + kind + b"\x89" + string + b"tbs")
