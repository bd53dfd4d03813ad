"""Files of weights give arrays and nothing else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from container.trainer.weights import read_weights
from contract.errors import UserError


class Payload:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_payload_is_refused_and_does_not_run(tmp_path: Path, protocol: int):
    mark = tmp_path / "ran"
    path = tmp_path / "evil.pdparams"
    path.write_bytes(pickle.dumps({"w": Payload(f"touch {mark}")}, protocol))
    with pytest.raises(UserError, match="is not a file of weights"):
        read_weights(path)
    assert not mark.exists()


@pytest.mark.parametrize("data", [b"", b"hello", pickle.dumps({"w": np.ones(9)})[:-20], pickle.dumps([1])])
def test_what_is_no_file_of_weights(tmp_path: Path, data: bytes):
    path = tmp_path / "x.pdparams"
    path.write_bytes(data)
    with pytest.raises(UserError, match="replace it"):
        read_weights(path)


def test_what_paddle_saves_is_read(tmp_path: Path):
    import paddle

    layer = paddle.nn.Linear(3, 2)
    optimizer = paddle.optimizer.Adam(paddle.optimizer.lr.CosineAnnealingDecay(0.1, 10), parameters=layer.parameters())
    layer(paddle.ones([1, 3])).sum().backward()
    optimizer.step()
    paddle.save(layer.state_dict(), str(tmp_path / "m.pdparams"))
    paddle.save(optimizer.state_dict(), str(tmp_path / "m.pdopt"))
    weights = read_weights(tmp_path / "m.pdparams")
    assert {name: array.shape for name, array in weights.items()} == {"weight": (3, 2), "bias": (2,)}
    np.testing.assert_array_equal(weights["weight"], layer.weight.numpy())
    assert "LR_Scheduler" in read_weights(tmp_path / "m.pdopt")
