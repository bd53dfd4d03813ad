"""The pipeline beside PaddleOCR 3.7.0's own operators: the same bits where nothing is random, the same pixels from the
same draws, the same distributions where the draws differ."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.trainer.sampling import Key
from contract.batches import scales_of
from contract.dataset import read_labels
from contract.images import open_images
from contract.recipe import CONFIGS
from tests.container.jobs import draw_dataset
from tests.container.recipes import recipe_over

pytest.importorskip("paddle")

MOBILE = "rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml"
SVTR = "rec/rec_svtr_base.yml"
RECIPES = sorted(path.relative_to(CONFIGS).as_posix() for path in (CONFIGS / "rec").rglob("*.yml"))


class StockDraws:
    """PaddleOCR's own sources of random numbers, asked in the pipeline's order."""

    def unit(self) -> float:
        return random.random()

    def below(self, count: int) -> int:
        return int(np.random.randint(count))

    def between(self, least: int, most: int) -> int:
        return random.randint(least, most)


@pytest.fixture(scope="module", autouse=True)
def tree() -> None:
    from container.trainer.paddleocr_tree import enter_tree
    from container.tree import locate_tree

    enter_tree(locate_tree(print))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("digits") / "data", train=24, val=4)


def pipeline_of(folder: Path, config: dict[str, Any], mode: str = "Train", seed: int | None = 7) -> Any:
    from container.trainer.pipeline.pipeline import Pipeline

    labels = read_labels(folder / ("train.txt" if mode == "Train" else "val.txt"))
    return Pipeline(labels.samples, open_images(folder), config, mode, seed)


def crops(count: int, seed: int = 5) -> Iterator[np.ndarray]:
    """Drawn words on noisy paper, of many sizes."""
    import cv2

    draw = np.random.RandomState(seed)
    for _ in range(count):
        height, width = draw.randint(24, 80), draw.randint(24, 420)
        image = draw.randint(120, 256, (1, 1, 3)) + draw.normal(0, 12, (height, width, 3))
        image = np.clip(image, 0, 255).astype(np.uint8)
        cv2.putText(image, "Word 42 abc", (4, height * 2 // 3), 0, height / 45, draw.randint(0, 120, 3).tolist(), 2)
        yield image


def same_draws(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("mode", ["Train", "Eval"])
def test_without_augmentation_every_recipe_gives_paddleocrs_arrays_to_the_bit(folder: Path, recipe: str, mode: str):
    from container.trainer.paddleocr_samples import PaddleOCRSamples
    from container.trainer.pipeline.planes import normalise

    config = recipe_over(folder, recipe, "RecConAug", "RecAug")
    ours = pipeline_of(folder, config, mode)
    theirs = PaddleOCRSamples(ours.samples, ours.images, config, mode, None)
    scales = scales_of(config) if mode == "Train" else None
    for size in scales.sizes if scales else [None]:
        keys = [Key(0, sample, size) for sample in range(len(ours))]
        batch = ours.batch(keys)
        arrays = [normalise(batch.images, batch.widths), *batch.labels]
        columns = [np.stack(column) for column in zip(*(theirs[key] for key in keys), strict=True)]
        assert batch.usable.all()
        assert batch.images.dtype == np.uint8
        for own, other in zip(arrays, columns, strict=True):
            assert own.dtype == other.dtype
            np.testing.assert_array_equal(own, other)


def test_numbers_are_the_same_wherever_they_are_made():
    import paddle

    from container.trainer.pipeline.planes import normalise
    from container.trainer.pipeline_samples import normalise_on_device

    draw = np.random.RandomState(4)
    images = draw.randint(0, 256, (5, 32, 40, 3), np.uint8)
    images[0, :, :, 0] = np.resize(np.arange(256), (32, 40))  # every byte
    widths = np.array([40, 1, 39, 20, 0], np.int32)
    made = normalise_on_device(paddle.to_tensor(images), paddle.to_tensor(widths))
    np.testing.assert_array_equal(made.numpy(), normalise(images, widths))


def test_what_is_compiled_and_numpy_are_one(monkeypatch: pytest.MonkeyPatch):
    from container.trainer.pipeline import planes, warp

    assert warp.library(), "no C compiler here: the compiled path must be tested"
    draw = np.random.RandomState(3)
    for width, height in [(2, 2), (99, 100), (100, 101), (101, 99), (200, 201), (201, 2), (317, 52)]:
        image = draw.randint(0, 256, (height, width, 3), np.uint8)
        moves = []
        for count in (4, 9, 14):
            sources = draw.randint(-9, width + 9, (count, 2)) / 2
            targets = sources + draw.randint(-20, 20, (count, 2)) / 2
            targets[-1] = 0, 0  # nodes of the grid are on the last and on the first control point
            if count == 14:
                targets[0] = width - 1, height - 1
            moves.append((sources.tolist(), targets.tolist()))
        compiled = warp.warp(image, moves), planes.normalise(image[None], np.array([width // 2]))
        with monkeypatch.context() as patch:
            patch.setattr(warp, "library", lambda: None)
            patch.setattr(planes, "library", lambda: None)
            in_numpy = warp.warp(image, moves), planes.normalise(image[None], np.array([width // 2]))
        for own, other in zip(in_numpy, compiled, strict=True):
            np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_the_same_draws_bend_lines_as_paddleocr_does(count: int):
    from ppocr.data.imaug.text_image_aug import tia_distort, tia_perspective, tia_stretch

    from container.trainer.pipeline.tia import tia

    differences = []
    for index, image in enumerate(crops(count)):
        same_draws(index)
        theirs = tia_perspective(tia_stretch(tia_distort(image, random.randint(3, 6)), random.randint(3, 6)))
        same_draws(index)
        ours = tia(image, StockDraws())
        differences.append(np.abs(ours.astype(int) - theirs).ravel())
    differences = np.concatenate(differences)
    assert np.percentile(differences, 99.9) <= 1
    assert differences.mean() < 0.02


def unsupported(config: dict[str, Any], folder: Path) -> str:
    from container.trainer.pipeline.supported import Unsupported

    with pytest.raises(Unsupported) as refused:
        pipeline_of(folder, config)
    return str(refused.value)


def test_transforms_that_it_does_not_know_are_named(folder: Path):
    def changed(at: int, *transforms: dict[str, Any], recipe: str = MOBILE) -> dict[str, Any]:
        config = recipe_over(folder, recipe)
        config["Train"]["dataset"]["transforms"][at : at + 1] = transforms
        return config

    assert unsupported(changed(2, {"SVTRRecAug": None}), folder) == "the transform SVTRRecAug"
    augmented_first = changed(1, {"RecAug": None}, {"RecConAug": {"image_shape": [48, 320, 3]}})
    assert unsupported(augmented_first, folder) == "the transform RecConAug behind RecAug"
    other_head = changed(3, {"MultiLabelEncode": {"gtc_encode": None}})
    assert unsupported(other_head, folder) == "MultiLabelEncode with SARLabelEncode"
    assert "DecodeImage" in unsupported(changed(0, {"DecodeImage": {"img_mode": "RGB"}}), folder)
    grey = changed(3, {"SVTRRecResizeImg": {"image_shape": [1, 48, 160]}}, recipe=SVTR)
    assert unsupported(grey, folder) == "SVTRRecResizeImg with 1 channels"
    config = recipe_over(folder, MOBILE)
    config["Train"]["dataset"]["ext_op_transform_idx"] = 2
    assert "ext_op_transform_idx" in unsupported(config, folder)


def test_a_tree_with_other_augmentations_is_not_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from container.trainer.pipeline import supported

    monkeypatch.setitem(supported.REPEATED, "rec_img_aug.py", "0" * 64)
    refused = unsupported(recipe_over(folder, MOBILE), folder)
    assert refused == "ppocr/data/imaug/rec_img_aug.py, which is not that of PaddleOCR 3.7.0"


def test_a_sample_is_a_function_of_seed_epoch_and_path_alone(folder: Path):
    config = recipe_over(folder, MOBILE)
    pipeline = pipeline_of(folder, config)
    keys = [Key(2, sample, (320, 48)) for sample in range(len(pipeline))]
    whole = pipeline.batch(keys)
    elsewhere = pickle.loads(pickle.dumps(pipeline))
    for at in reversed(range(len(keys))):
        alone = elsewhere.sample(keys[at])
        np.testing.assert_array_equal(alone.image, whole.images[at])
        np.testing.assert_array_equal(alone.codes, whole.labels[0][at, : len(alone.codes)])
    for other in (
        pipeline_of(folder, copy.deepcopy(config), seed=8).batch(keys),
        pipeline.batch([Key(3, *key[1:]) for key in keys]),
    ):
        assert np.mean([np.array_equal(a, b) for a, b in zip(other.images, whole.images, strict=True)]) < 0.2
