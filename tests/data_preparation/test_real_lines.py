"""Fifty and twenty real lines, converted and validated as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_preparation.__main__ import main
from tests.real.uw3 import SPLITS, uw3_lines

RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"


@pytest.mark.slow
def test_real_lines_train_with_the_overrides_that_validate_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = uw3_lines()
    data = tmp_path / "data"
    assert main(["convert", "--input-images", str(lines), "--output-dir", str(data)]) == 0
    assert "the folders train/ and test/ are the split" in capsys.readouterr().err
    manifest = json.loads((data / "dataset.json").read_text())
    assert (manifest["train"], manifest["val"]) == (SPLITS["train"], SPLITS["test"])
    assert (data / "images/test/010001.bin.png").read_bytes() == (lines / "test/010001.bin.png").read_bytes()

    assert main(["validate", str(data), "--config", RECIPE]) == 1
    flags = capsys.readouterr().out.split()
    assert "Global.max_text_length=99" in flags

    assert main(["validate", str(data), "--config", RECIPE, *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["content_sha256"] == manifest["content_sha256"]
