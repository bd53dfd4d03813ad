"""What PP-OCRv4's recipe makes of crops: PaddleOCR's sizes to the bit, lines joined only while they can be learned,
and the same batches for any number of workers and from any position."""

from __future__ import annotations

import copy
import logging
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.trainer.sampling import Key, Schedule
from contract.batches import Scales
from contract.dataset import Sample, read_labels
from contract.images import open_images
from contract.limits import ctc_steps
from contract.recipe import CONFIGS, limits_of, load_recipe
from data_preparation.demo.words import THAI
from tests.container.jobs import draw_dataset
from tests.container.recipes import recipe_over

RECIPE = "rec/PP-OCRv4/en_PP-OCRv4_rec.yml"
SIZES = ((320, 32), (320, 48), (320, 64), (160, 48))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("digits") / "data", train=24, val=2)


def dataset_of(
    folder: Path, config: dict[str, Any], seed: int | None = 7, samples: tuple[Sample, ...] | None = None
) -> Any:
    pytest.importorskip("paddle")
    from container.trainer.paddleocr_samples import PaddleOCRSamples
    from container.trainer.paddleocr_tree import enter_tree
    from container.tree import locate_tree

    enter_tree(locate_tree(print))
    samples = samples or read_labels(folder / "train.txt").samples
    return PaddleOCRSamples(samples, open_images(folder), config, "Train", seed)


def test_every_size_is_resized_to_the_bit_as_by_paddleocrs_own_dataset(folder: Path):
    config = recipe_over(folder, RECIPE, "RecConAug", "RecAug")
    ours = dataset_of(folder, config, seed=None)
    from ppocr.data.simple_dataset import MultiScaleDataSet

    config["Train"]["loader"]["shuffle"] = False
    theirs = MultiScaleDataSet(copy.deepcopy(config), "Train", logging.getLogger(), seed=1)
    theirs.data_lines.sort(key=lambda line: int(line.split(b".")[0].removeprefix(b"images/train")))  # it samples them
    for sample in range(len(ours)):
        for width, height in SIZES:
            mine = ours[Key(0, sample, (width, height))]
            image, *rest = theirs[(width, height, sample, None)]
            assert mine[0].dtype == image.dtype
            assert mine[0].shape == (3, height, width)
            np.testing.assert_array_equal(mine[0], image)
            for own, other in zip(mine[1:], rest, strict=True):
                np.testing.assert_array_equal(own, other)


def test_lines_are_joined_as_long_as_both_heads_can_learn_them(folder: Path):
    config = recipe_over(folder, RECIPE, "RecAug")
    dataset = dataset_of(folder, config)
    limits = limits_of(config)
    lengths = [int(dataset[Key(epoch, sample, (320, 48))][3]) for epoch in range(8) for sample in range(len(dataset))]
    alone = [len(sample.label) for sample in dataset.samples] * 8
    assert all(joined >= single for joined, single in zip(lengths, alone, strict=True))
    assert max(lengths) <= limits.longest_label
    share = np.mean([joined > single for joined, single in zip(lengths, alone, strict=True)])
    assert 0.3 < share < 0.7  # RecConAug's prob is 0.5


def test_a_line_of_repeats_is_never_joined_beyond_the_time_steps(folder: Path, tmp_path: Path):
    """21 equal digits need 41 steps of 40: CTC's loss would be 0, and nobody would know."""
    repeats = shutil.copytree(folder, tmp_path / "repeats")
    lines = [f"images/train{index}.png\t{'7' * 11}\n" for index in range(12)]
    (repeats / "train.txt").write_text("".join(lines))
    config = recipe_over(repeats, RECIPE, "RecAug")
    assert ctc_steps("7" * 22) > limits_of(config).time_steps
    dataset = dataset_of(repeats, config)
    assert {int(dataset[Key(epoch, sample, (320, 48))][3]) for epoch in range(4) for sample in range(12)} == {11}


@pytest.mark.parametrize("by", ["auto", "paddleocr"])
def test_batches_are_the_same_for_any_workers_and_from_any_position(folder: Path, by: str):
    config = recipe_over(folder, RECIPE)
    dataset_of(folder, config)  # enters the tree
    from container.trainer.reading import open_samples, read_batches, room_for

    dataset = open_samples(config, "Train", folder / "train.txt", open_images(folder), 7, by, pytest.fail)
    room = room_for(config, 6)
    schedule = Schedule(len(dataset), 6, 1, 7, Scales(SIZES[:3], 320 * 32, fix_batch=False))
    keys = list(schedule.batches(0, 0))
    random.seed(1)
    np.random.seed(1)
    here = list(read_batches(dataset, keys, len(keys), 0, room))
    there = list(read_batches(dataset, keys, len(keys), 2, room))
    consumed = sum(map(len, keys[:2]))
    later = list(read_batches(dataset, schedule.batches(0, consumed), len(keys) - 2, 0, room))
    assert {tuple(batch.tensors[0].shape[2:]) for batch in here} == {(32, 320), (48, 320), (64, 320)}
    for batches, expected in ((there, here), (later, here[2:])):
        assert len(batches) == len(expected)
        for batch, same in zip(batches, expected, strict=True):
            assert len(batch.tensors) == 5
            for tensor, other in zip(batch.tensors, same.tensors, strict=True):
                np.testing.assert_array_equal(tensor.numpy(), other.numpy())


@pytest.mark.parametrize("recipe", ["rec/rec_mv3_none_bilstm_ctc.yml", "rec/PP-OCRv4/en_PP-OCRv4_rec.yml"])
def test_a_label_that_the_encoder_would_shorten_is_left_out_and_counted(folder: Path, tmp_path: Path, recipe: str):
    """PaddleOCR's encoders skip what is not in the dictionary, and train the rest of the label as if it were all."""
    config = copy.deepcopy(load_recipe(CONFIGS / recipe))
    (tmp_path / "dict.txt").write_text("".join(f"{digit}\n" for digit in range(10) if digit != 7))
    config["Global"]["character_dict_path"] = str(tmp_path / "dict.txt")
    dataset = dataset_of(folder, config)
    labels = [sample.label for sample in dataset.samples]
    size = (320, 48) if config["Train"].get("sampler") else None
    left_out = [sample for sample in range(len(labels)) if not isinstance(dataset[Key(0, sample, size)], list)]
    # RecConAug may join a line with one that cannot be encoded
    assert {at for at, label in enumerate(labels) if "7" in label} <= set(left_out) < set(range(len(labels)))
    assert dataset.encoded_labels() == {
        "samples": len(labels),
        "code_points": sum(map(len, labels)),
        "encoded_samples": sum(bool(label.replace("7", "")) for label in labels),
        "encoded_code_points": sum(len(label.replace("7", "")) for label in labels),
    }


def test_thai_marks_in_any_order_reach_both_heads_as_they_are(tmp_path: Path):
    """Stacked marks, SARA AM, and the other order in which people type marks that look the same."""
    stacked = re.compile("([\u0e31\u0e34-\u0e39\u0e47])([\u0e48-\u0e4b])")
    labels = [*THAI, *(stacked.sub(r"\2\1", word) for word in THAI if stacked.search(word))]
    assert len(labels) > len(THAI) + 20
    assert sum("\u0e33" in label for label in labels) > 10
    config = copy.deepcopy(load_recipe(CONFIGS / "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"))
    (tmp_path / "dict.txt").write_text("\n".join(sorted(set("".join(labels)))) + "\n", encoding="utf-8")
    config["Global"]["character_dict_path"] = str(tmp_path / "dict.txt")
    dataset = dataset_of(tmp_path, config, samples=tuple(Sample("", label, 1) for label in labels))
    characters = sum(map(len, labels))
    assert dataset.encoded_labels() == {
        "samples": len(labels),
        "code_points": characters,
        "encoded_samples": len(labels),
        "encoded_code_points": characters,
    }
    encoder = dataset.operators[-2]
    for label in labels:
        encoded = encoder({"label": label, "image": None})
        for head, indices, marks in (
            (encoder.ctc_encode, encoded["label_ctc"], 0),
            (encoder.gtc_encode, encoded["label_gtc"][1:], 1),  # its start mark comes first, its end mark last
        ):
            assert "".join(head.character[index] for index in indices[: len(label)]) == label
            assert not any(indices[len(label) + marks :])
