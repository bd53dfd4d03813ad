"""A sample that can no longer be used is left out and counted; nothing takes its place, and no step is lost."""

from __future__ import annotations

import csv
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml

from container.trainer.errors import TrainingFailed
from container.trainer.sampling import Key
from container.trainer.scoring import Prediction
from container.trainer.unusable import Unusable, UnusableSamples
from contract.images import open_images
from data_preparation.packing import pack_dataset
from tests.container.jobs import ROOT, Base, draw_dataset

RECIPE = "configs/rec/demo_digits.yml"


def test_a_run_goes_on_without_an_image_that_vanished(tmp_path: Path):
    dataset = draw_dataset(tmp_path / "digits", train=24, val=6)
    base = Base(tmp_path / "ml", dataset, config=RECIPE, epochs=3, batch_size=8, workers=0, Global__print_batch_step=1)

    def vanish(event: dict) -> bool:
        if event["event"] == "train" and event["step"] == 1:
            (dataset / "images/train5.png").unlink()
            (dataset / "images/val2.png").unlink()
        return False

    finished = base.run(stop_when=vanish)
    assert finished.code == 0, finished.errors
    assert base.report()["steps"] == 9, "the position counts it"
    assert base.report()["unusable"] == {
        "train": {"samples": 1, "lines": [6]},
        "val": {"samples": 1, "lines": [3]},
    }
    assert finished.errors.count("note: train.txt:6: the image 'images/train5.png' does not exist") == 1
    rows = list(csv.DictReader((base.folder / "model/predictions.csv").open(encoding="utf-8")))
    assert len(rows) == 6, "every sample is scored"
    assert (rows[2]["prediction"], rows[2]["confidence"], rows[2]["correct"]) == ("", "0.0000", "0")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_shard_that_is_cut_under_the_trainer_is_named(tmp_path: Path, workers: int):
    loose, packed = draw_dataset(tmp_path / "digits", train=24, val=6), tmp_path / "packed"
    packed.mkdir()
    pack_dataset(loose, packed)
    base = Base(
        tmp_path / "ml", packed, config=RECIPE, epochs=30, batch_size=8, workers=workers, Global__print_batch_step=1
    )

    def cut(event: dict) -> bool:
        if event["event"] == "train" and event["step"] == 1:
            os.truncate(packed / "shards/00000.bin", 1000)
        return False

    assert base.run(stop_when=cut).code == 2
    assert "shards/00000.bin is cut short (1,000 of " in base.failure
    assert "copy shards/ once more from where it is whole" in base.failure


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("by", ["auto", "paddleocr"])
def test_a_batch_is_what_is_left_of_it(tmp_path: Path, workers: int, by: str):
    from container.trainer.paddleocr_tree import enter_tree
    from container.trainer.reading import open_samples, read_batches, room_for
    from container.tree import locate_tree

    enter_tree(locate_tree(print))
    folder = draw_dataset(tmp_path / "digits", train=6, val=1)
    bomb = bytearray((folder / "images/train1.png").read_bytes())
    bomb[16:24] = struct.pack(">II", 30_000, 30_000)  # the size that a PNG claims
    (folder / "images/train1.png").write_bytes(bomb)
    config = yaml.safe_load((ROOT / RECIPE).read_text())
    config["Global"]["character_dict_path"] = str(folder / "dict.txt")
    samples = open_samples(config, "Train", folder / "train.txt", open_images(folder), 1, by, pytest.fail)
    keys = [[Key(0, sample) for sample in samples] for samples in ((0, 1, 2), (1,), (3, 4, 5))]
    whole, empty, last = read_batches(samples, keys, len(keys), workers, room_for(config, 3))

    assert whole.usable == (True, False, True)
    assert [each.line for each in whole.unusable] == [2]
    reason = "the image 'images/train1.png' claims 30000 x 30000 pixels, over the limit of 50,000,000"
    assert whole.unusable[0].reason == reason, "the check before training has seen another file"
    (alone,) = read_batches(samples, [[Key(0, 0), Key(0, 2)]], 1, 0, 0)
    for tensor, same in zip(whole.tensors, alone.tensors, strict=True):
        assert np.array_equal(tensor.numpy(), same.numpy())
    assert (empty.tensors, empty.size) == ([], 1)
    assert (last.size, last.unusable) == (3, ())

    read = whole.read_by(lambda images: [Prediction(str(index), 1.0) for index in range(len(images))])
    assert [each.text for each in read] == ["0", "", "1"]
    assert empty.read_by(lambda images: []) == [Prediction("", 0.0)]


def test_one_in_a_hundred_is_left_out_and_more_end_the_run():
    said: list[str] = []
    ledger = UnusableSamples("train.txt", 300, said.append)
    for line in (7, 9, 7, 11):
        ledger.note([Unusable(line, f"'{line}.png': broken")])
        ledger.refuse_many()
    assert ledger.facts() == {"samples": 3, "lines": [7, 9, 11]}
    assert len(said) == 3
    ledger.note([Unusable(13, "'13.png': broken")])
    with pytest.raises(TrainingFailed, match=r"train.txt:13: '13.png': .* 4 of 300 samples cannot be used, and 3 may"):
        ledger.refuse_many()


def test_a_batch_of_which_nothing_is_left_ends_the_run():
    ledger = UnusableSamples("train.txt", 5, print)
    batch = [Unusable(4, "'4.png': broken")]
    ledger.note([*batch, Unusable(2, "'2.png': broken")])
    with pytest.raises(TrainingFailed, match=r"train.txt:4: '4.png': broken: nothing is left of its batch"):
        ledger.refuse_empty([], batch)
