"""The pipeline beside PaddleOCR 3.7.0's own operators: the same bits where nothing is random, the same pixels from the
same draws, the same distributions where the draws differ."""

from __future__ import annotations

import copy
import itertools
import logging
import math
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.trainer.sampling import Key
from contract.batches import scales_of
from contract.dataset import Sample, read_labels
from contract.images import open_images
from contract.recipe import CONFIGS, limits_of, load_recipe
from data_preparation.packing import pack_dataset
from tests.container.jobs import draw_dataset
from tests.container.recipes import recipe_over
from tests.real.uw3 import uw3_lines

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

    def several_below(self, count: int, numbers: int) -> list[int]:
        return [self.below(count) for _ in range(numbers)]

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

    assert pipeline_of(folder, recipe_over(folder, recipe), mode)  # as it is, it is known as well
    config = recipe_over(folder, recipe, "RecConAug", "RecAug")
    ours = pipeline_of(folder, config, mode)
    theirs = PaddleOCRSamples(ours.samples, ours.images, config, mode, None)
    scales = scales_of(config) if mode == "Train" else None
    for size in scales.sizes if scales else [None]:
        keys = [Key(0, sample, size) for sample in range(len(ours))]
        batch = ours.batch(keys)
        arrays = [normalised(batch), *batch.labels]
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
            moves.append((sources.ravel().tolist(), targets.ravel().tolist()))
        compiled = warp.warp(image, moves), planes.normalise(image[None], np.array([width // 2]))
        with monkeypatch.context() as patch:
            patch.setattr(warp, "library", lambda: None)
            patch.setattr(planes, "library", lambda: None)
            in_numpy = warp.warp(image, moves), planes.normalise(image[None], np.array([width // 2]))
        for own, other in zip(in_numpy, compiled, strict=True):
            np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_same_draws_bend_lines_as_paddleocr_does(real: bool):
    """40 drawn crops; or 430 of them and 70 real scans of lines."""
    import cv2
    from ppocr.data.imaug.text_image_aug import tia_distort, tia_perspective, tia_stretch

    from container.trainer.pipeline.tia import tia

    differences = []
    scans = sorted(uw3_lines().rglob("*.bin.png")) if real else []
    images = itertools.chain(crops(430 if real else 40), (cv2.imread(str(scan)) for scan in scans))
    for index, image in enumerate(images):
        same_draws(index)
        theirs = tia_perspective(tia_stretch(tia_distort(image, random.randint(3, 6)), random.randint(3, 6)))
        same_draws(index)
        ours = tia(image, StockDraws())
        differences.append(np.abs(ours.astype(int) - theirs).ravel())
    assert len(differences) == (500 if real else 40)
    differences = np.concatenate(differences)
    assert np.percentile(differences, 99.9) <= 1
    assert differences.mean() < 0.02
    print(
        f"mean {differences.mean():.4f}, highest {differences.max()}, {(differences > 0).mean():.2%} of values differ"
    )


def test_the_same_draws_augment_as_paddleocr_does():
    """Everything but the noise, which is drawn in another way. Where no line is bent: to the bit."""
    from ppocr.data.imaug import RecAug

    from container.trainer.pipeline.augment import Augmentation

    theirs = RecAug(noise_prob=0)
    ours = Augmentation(tia=0.4, crop=0.4, blur=0.4, hsv=0.4, jitter=0.4, noise=0, reverse=0.4)
    differences, equal = [], 0
    for index, image in enumerate(crops(60, seed=6)):
        same_draws(index)
        augmented = theirs({"image": image.copy()})["image"]
        same_draws(index)
        own = ours.apply(image, StockDraws())
        assert own.shape == augmented.shape
        differences.append(np.abs(own.astype(int) - augmented).ravel())
        equal += not differences[-1].any()
    assert np.percentile(np.concatenate(differences), 99.9) <= 1
    assert equal > 30  # 0.4 are bent


def test_base_data_augmentation_alone_bends_nothing(folder: Path):
    from ppocr.data.imaug import BaseDataAugmentation

    config = recipe_over(folder, MOBILE)
    options = {"noise_prob": 0, "crop_prob": 0.7}
    config["Train"]["dataset"]["transforms"][2] = {"BaseDataAugmentation": options}
    ours, theirs = pipeline_of(folder, config).transforms.augmentation, BaseDataAugmentation(**options)
    for index, image in enumerate(crops(20, seed=7)):
        same_draws(index)
        augmented = theirs({"image": image.copy()})["image"]
        same_draws(index)
        np.testing.assert_array_equal(ours.apply(image, StockDraws()), augmented)


def test_a_jitter_of_several_steps_is_paddleocrs():
    from ppocr.data.imaug.rec_img_aug import jitter as theirs

    from container.trainer.pipeline.augment import jitter as ours

    image = np.random.RandomState(1).randint(0, 256, (430, 520, 3), np.uint8)
    results = []
    for seed in range(8):
        same_draws(seed)
        results.append(ours(image, StockDraws()))
        same_draws(seed)
        np.testing.assert_array_equal(results[-1], theirs(image.copy()))
    assert len({result.tobytes() for result in results}) == 4  # none, 1, 2 and 3 steps


def test_noise_is_distributed_as_paddleocrs():
    """Chi-square of how much lower values become, ours beside theirs, for each value that is cut in its own way."""
    from ppocr.data.imaug.rec_img_aug import add_gaussian_noise

    from container.trainer.pipeline.augment import add_noise
    from container.trainer.pipeline.draws import Draws

    same_draws(3)
    for value in (0, 1, 128, 255):
        image = np.full((50, 200, 3), value, np.uint8)
        lowered = [
            value - noisy.astype(int) for noisy in (add_gaussian_noise(image), add_noise(image, Draws(3, 0, "")))
        ]
        assert {0} <= set(np.unique(lowered[1])) <= {0, 1}
        counts = np.array([[(each == step).sum() for step in (0, 1)] for each in lowered])
        assert counts.sum() == 2 * image.size  # nothing changes by more
        assert chi_square_p(counts[:, counts.sum(axis=0) > 0]) > 0.01


def chi_square_p(counts: np.ndarray) -> float:
    """That two rows of counts come from one distribution of one or two outcomes."""
    if counts.shape[1] == 1:
        return 1.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return math.erfc(math.sqrt(float(((counts - expected) ** 2 / expected).sum()) / 2))


def test_draws_are_even():
    from container.trainer.pipeline.draws import Draws

    units = np.sort(
        [value for sample in range(400) for draws in [Draws(1, 0, str(sample))] for value in unit_draws(draws)]
    )
    distance = np.abs(units - (np.arange(len(units)) + 0.5) / len(units)).max()
    assert distance < 1.63 / math.sqrt(len(units))  # Kolmogorov-Smirnov: p > 0.01
    draws = Draws(1, 0, "faces")
    counts = np.bincount([draws.between(1, 6) for _ in range(6000)], minlength=7)
    assert counts[0] == 0
    assert ((counts[1:] - 1000) ** 2 / 1000).sum() < 15.09  # chi-square, 5 degrees of freedom: p > 0.01


def unit_draws(draws: Any) -> list[float]:
    return [draws.unit() for _ in range(50)]


def test_the_same_draws_join_lines_as_paddleocr_does(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from ppocr.data.simple_dataset import MultiScaleDataSet

    from container.trainer.pipeline import pipeline

    config = recipe_over(folder, MOBILE, "RecAug")
    config["Train"]["loader"]["shuffle"] = False
    theirs = MultiScaleDataSet(copy.deepcopy(config), "Train", logging.getLogger(), seed=1)
    theirs.data_lines.sort(key=lambda line: int(line.split(b".")[0].removeprefix(b"images/train")))  # it samples them
    monkeypatch.setattr(pipeline, "Draws", lambda *_: StockDraws())
    ours = pipeline_of(folder, config)
    joined = same = 0
    for seed in range(6):
        for sample in range(len(ours)):
            same_draws(seed)
            batch = ours.batch([Key(0, sample, (320, 48))])
            same_draws(seed)
            image, ctc, nrtr, length, ratio = theirs[(320, 48, sample, None)]
            joined += length > len(ours.samples[sample].label)
            same += np.array_equal(batch.labels[0][0], ctc) and np.array_equal(batch.labels[1][0], nrtr)
            np.testing.assert_array_equal(normalised(batch)[0], image)
            assert batch.labels[3][0] == ratio
    assert same == 6 * len(ours)
    assert joined > 30


def normalised(batch: Any) -> np.ndarray:
    from container.trainer.pipeline.planes import normalise

    return normalise(batch.images, batch.widths)


def test_without_a_compiler_the_batches_are_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from container.trainer.pipeline import noise, planes, warp

    pipeline = pipeline_of(folder, recipe_over(folder, MOBILE))
    keys = [Key(1, sample, (320, 48)) for sample in range(len(pipeline))]
    compiled = pipeline.batch(keys)
    in_floats = normalised(compiled)
    for module in (noise, planes, warp):
        monkeypatch.setattr(module, "library", lambda: None)
    in_numpy = pipeline.batch(keys)
    np.testing.assert_array_equal(in_numpy.images, compiled.images)
    np.testing.assert_array_equal(normalised(in_numpy), in_floats)


def test_without_a_compiler_it_is_said_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from container.trainer import reading

    said: list[str] = []
    config = recipe_over(folder, MOBILE)
    for compiled in (object(), None):
        monkeypatch.setattr(reading, "library", lambda compiled=compiled: compiled)
        for mode, labels in (("Train", "train.txt"), ("Eval", "val.txt")):
            reading.open_samples(config, mode, folder / labels, open_images(folder), 1, "auto", said.append)
    assert said == [f"note: {reading.SLOWER}"]


def test_a_packed_dataset_gives_the_same_batches(folder: Path, tmp_path: Path):
    pack_dataset(folder, tmp_path)
    batches = []
    for place in (folder, tmp_path):
        pipeline = pipeline_of(place, recipe_over(place, MOBILE))
        batches.append(pipeline.batch([Key(0, sample, (320, 32)) for sample in range(len(pipeline))]))
    np.testing.assert_array_equal(batches[0].images, batches[1].images)


@pytest.mark.parametrize("recipe", [MOBILE, SVTR])
def test_what_cannot_be_used_is_what_paddleocr_refuses(folder: Path, tmp_path: Path, recipe: str):
    from container.trainer.paddleocr_samples import PaddleOCRSamples
    from container.trainer.unusable import Unusable

    (tmp_path / "images").mkdir()
    whole = (folder / "images/train0.png").read_bytes()
    longest = load_recipe(CONFIGS / recipe)["Global"]["max_text_length"]
    lines = [
        ("1", whole),
        ("", whole),
        ("1" * longest, whole),
        ("1" * (longest - 2), whole),
        ("1x2", whole),
        ("x", whole),
    ]
    lines += [
        ("12", whole[:-20]),
        ("12", b""),
        ("12", whole.replace(b"IDAT", b"IDxT", 1)),
        ("1" * (longest + 1), whole),
    ]
    (tmp_path / "dict.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    samples = tuple(Sample(f"images/{at}.png", label, at + 1) for at, (label, _) in enumerate(lines))
    for sample, (_, data) in zip(samples, lines, strict=True):
        (tmp_path / sample.image).write_bytes(data)
    config = recipe_over(tmp_path, recipe, "RecConAug", "RecAug")
    from container.trainer.pipeline.pipeline import Pipeline

    ours = Pipeline(samples, open_images(tmp_path), config, "Train", 1)
    theirs = PaddleOCRSamples(samples, open_images(tmp_path), config, "Train", 1)
    size = (320, 48) if scales_of(config) else None
    batch = ours.batch([Key(0, at, size) for at in range(len(lines))])
    refused = [each for at in range(len(lines)) for each in [theirs[Key(0, at, size)]] if isinstance(each, Unusable)]
    assert [each.line for each in batch.unusable] == [each.line for each in refused]
    assert batch.usable.sum() == len(lines) - len(refused) == (2 if recipe == MOBILE else 3)
    for own, other in zip(batch.unusable, refused, strict=True):
        assert own.reason.split("'")[1] == other.reason.split("'")[1]  # the image
        assert ("lost characters" in own.reason) == ("lost characters" in other.reason)
    assert ours.encoded_labels() == theirs.encoded_labels()
    nothing = ours.batch([Key(0, 1, size)])
    assert (len(nothing.images), len(nothing.labels[0])) == (0, 0)


def test_lines_are_joined_only_while_both_heads_can_learn_the_whole(folder: Path, tmp_path: Path):
    """PaddleOCR gives RecConAug the length of Global.max_text_length, of which NRTR needs two places for its marks; and
    its encoders leave out what the dictionary lacks."""
    from container.trainer.paddleocr_samples import PaddleOCRSamples
    from container.trainer.pipeline.pipeline import Pipeline

    recipe = recipe_over(folder, "rec/PP-OCRv4/en_PP-OCRv4_rec.yml", "RecAug")
    samples = tuple(Sample(f"images/train{at}.png", "123456789012", at + 1) for at in range(12))
    assert limits_of(recipe).longest_label == 23
    keys = [Key(epoch, at, (320, 48)) for epoch in range(4) for at in range(12)]
    assert Pipeline(samples, open_images(folder), recipe, "Train", 1).batch(keys).usable.all()
    stock = PaddleOCRSamples(samples, open_images(folder), recipe, "Train", 1)
    assert all(isinstance(stock[key], list) for key in keys)
    samples = (*samples[:6], *(Sample(f"images/train{at}.png", "x1", at + 1) for at in range(6, 12)))
    joined = Pipeline(samples, open_images(folder), recipe, "Train", 1).batch(keys)
    assert [key.sample for key, usable in zip(keys, joined.usable, strict=True) if usable] == [*range(6)] * 4


def test_images_a_pixel_wide_or_high_are_prepared_and_never_joined(tmp_path: Path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    sizes = [(1, 200), (200, 1), (1, 1), (60, 20)]
    for at, size in enumerate(sizes):
        Image.new("RGB", size, "white").save(tmp_path / f"images/{at}.png")
    (tmp_path / "train.txt").write_text("".join(f"images/{at}.png\t{at}\n" for at in range(len(sizes))))
    (tmp_path / "dict.txt").write_text("0\n1\n2\n3\n")
    pipeline = pipeline_of(tmp_path, recipe_over(tmp_path, MOBILE))
    batch = pipeline.batch([Key(epoch, at, (320, 48)) for epoch in range(40) for at in range(len(sizes))])
    assert batch.usable.all()
    ctc, _, lengths, _ = batch.labels
    assert set(lengths[0::4]) == {1}  # of 1 x 200 nothing would be left
    assert set(lengths[2::4]) > {1}
    assert not (ctc[lengths > 1] == 1).any()


def test_a_picture_that_its_file_says_to_turn_is_joined_by_its_turned_size(folder: Path, tmp_path: Path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter
    Image.new("RGB", (200, 40)).save(tmp_path / "images/train0.jpg", exif=turned)
    Image.new("RGB", (200, 40)).save(tmp_path / "images/train1.jpg")
    (tmp_path / "train.txt").write_text("images/train0.jpg\t1\nimages/train1.jpg\t2\n")
    (tmp_path / "dict.txt").write_text("1\n2\n")
    pipeline = pipeline_of(tmp_path, recipe_over(tmp_path, MOBILE))
    assert [pipeline._aspect(sample) for sample in range(2)] == [0.2, 5.0]


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

    for file, (classes, _) in supported.REPEATED.items():
        with monkeypatch.context() as patch:
            patch.setitem(supported.REPEATED, file, (classes, "0" * 64))
            refused = unsupported(recipe_over(folder, MOBILE), folder)
        assert refused == f"ppocr/data/imaug/{file}, which is not that of PaddleOCR 3.7.0"


def test_a_sample_is_a_function_of_seed_epoch_and_path_alone(folder: Path):
    config = recipe_over(folder, MOBILE)
    pipeline = pipeline_of(folder, config)
    keys = [Key(2, sample, (320, 48)) for sample in range(len(pipeline))]
    whole = pipeline.batch(keys)
    elsewhere = pickle.loads(pickle.dumps(pipeline))
    for at in reversed(range(len(keys))):
        alone = elsewhere.batch([keys[at]])
        for own, other in zip([alone.images, *alone.labels], [whole.images, *whole.labels], strict=True):
            np.testing.assert_array_equal(own[0], other[at])
    for other in (
        pipeline_of(folder, copy.deepcopy(config), seed=8).batch(keys),
        pipeline.batch([Key(3, *key[1:]) for key in keys]),
    ):
        assert np.mean([np.array_equal(a, b) for a, b in zip(other.images, whole.images, strict=True)]) < 0.2
