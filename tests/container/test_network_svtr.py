"""Our SVTR, and the spline that straightens a line for it."""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np

from container.trainer.ppocr_rec.modeling.svtr_block import AttentionMixer, DropPath, neighbourhood_mask
from container.trainer.ppocr_rec.modeling.transforms.stn import shrink
from container.trainer.ppocr_rec.modeling.transforms.thin_plate_spline import ThinPlateSpline, edge_points
from tests.container.networks import (
    CLASSES,
    OURS,
    batch_of,
    check_refusal,
    fresh,
    images_of,
    losses_while_learning,
    recipe,
    small_svtr,
    with_classes,
)

WIDE = {"width": 64}
CTC = {"name": "CTCLoss"}


# ---------------------------------------------------------------------------------------------------- the network
@pytest.mark.parametrize(
    "backbone",
    [
        {},
        {"prenorm": True, "mixer": ["Conv", "Local", "Global"]},
        {"patch_merging": "Pool", "drop_rate": 0.1, "qkv_bias": False},
        {"patch_merging": None, "embed_dim": [16, 16, 16], "sub_num": 3, "out_char_num": 8},
    ],
)
def test_one_row_of_scores_for_every_time_step(backbone: dict) -> None:
    model, images = fresh(small_svtr(**backbone)), images_of(**WIDE)
    steps = backbone.get("out_char_num", 16)
    logits = model(images)
    assert logits.shape == [2, steps, CLASSES]
    assert abs(logits.sum(axis=2) - 1).max() > 0.01
    model.eval()
    np.testing.assert_allclose(model(images).sum(axis=2), np.ones([2, steps]), atol=1e-5)


@pytest.mark.parametrize(
    ("millions", "widths", "depth", "heads", "local"),
    [(6.03, [64, 128, 256], [3, 6, 3], [2, 4, 8], 6), (10.3, [96, 192, 256], [3, 6, 6], [3, 6, 8], 8)],
)
def test_weights_are_as_many_as_the_paper_counts(
    millions: float, widths: list, depth: list, heads: list, local: int
) -> None:
    """SVTR-T and SVTR-S, which straighten lines and read 36 letters and digits."""
    architecture = recipe("rec_svtrnet.yml")["Architecture"]
    mixers = ["Local"] * local + ["Global"] * (sum(depth) - local)
    architecture["Backbone"] |= {"embed_dim": widths, "depth": depth, "num_heads": heads, "mixer": mixers}
    model = fresh(with_classes(architecture, 37))
    count = sum(parameter.size for parameter in model.parameters() if parameter.trainable)
    assert count / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize("straightened", [False, True])
def test_learning_on_one_batch_lowers_the_loss(straightened: bool) -> None:
    batch = batch_of(images_of(4, **WIDE))
    values = losses_while_learning(small_svtr(straightened), CTC, batch, steps=8, rate=0.003)
    assert values[-1] < values[0] / 2
    assert batch[0].stop_gradient, "the batch is left as it was"


def test_the_loss_reaches_every_parameter_that_can_matter() -> None:
    model, batch = fresh(small_svtr(straightened=True)), batch_of(images_of(4, **WIDE))
    OURS.build_loss(CTC)(model(batch[0]), batch)["loss"].backward()
    learning = {name: p for name, p in model.named_parameters() if p.trainable}
    unmoved = {name for name, p in learning.items() if p.grad is None or float(p.grad.abs().max()) == 0}
    # the last layer of the point finder starts at zero, so nothing before it has a gradient in the first step
    assert unmoved == {name for name in learning if name.startswith("transform.stn_head") and "stn_fc2" not in name}


def test_a_local_mixer_sees_its_window_alone() -> None:
    paddle.seed(0)
    mixer = AttentionMixer(8, 2, grid=(4, 6), window=(3, 5))
    x = paddle.randn([1, 24, 8])
    changed = x.clone()
    changed[0, 0] += 1  # row 0, column 0
    moved = (mixer(x) - mixer(changed)).abs().max(axis=2).numpy().reshape(4, 6) > 0
    expected = np.zeros((4, 6), bool)
    expected[:2, :3] = True
    np.testing.assert_array_equal(moved, expected)


def test_an_even_window_reaches_further_back_than_ahead() -> None:
    seen = neighbourhood_mask((1, 5), (1, 4))[0, 0] == 0
    assert seen[2].tolist() == [True, True, True, True, False]


def test_drop_path_leaves_whole_samples_out_and_keeps_the_mean() -> None:
    layer, x = DropPath(0.25), paddle.ones([4000, 2, 3])
    paddle.seed(0)
    dropped = layer(x).numpy()
    assert {tuple(np.unique(sample)) for sample in dropped} == {(0.0,), (np.float32(1 / 0.75),)}
    assert dropped.mean() == pytest.approx(1, abs=0.03)
    layer.eval()
    assert layer(x) is x


# ---------------------------------------------------------------------------------------------- straightening lines
def test_points_at_their_places_leave_the_image_as_it_is() -> None:
    spline = ThinPlateSpline((32, 64), 8, (0.05, 0.1))
    points = paddle.to_tensor(edge_points(8, (0.05, 0.1)).astype("float32")).unsqueeze(0)
    image = images_of(1, **WIDE)
    np.testing.assert_allclose(spline(image, points), image, atol=2e-4)


def test_points_half_as_high_show_the_upper_half() -> None:
    spline = ThinPlateSpline((17, 64), 8, (0.05, 0.1))
    points = edge_points(8, (0.05, 0.1)) * [1, 0.5]
    ramp = np.tile(np.linspace(0, 1, 33, dtype="float32")[:, None], (1, 64))
    upper = spline(paddle.to_tensor(ramp[None, None]), paddle.to_tensor(points[None].astype("float32")))
    np.testing.assert_allclose(upper[0, 0], ramp[:17], atol=1e-4)


def test_before_training_almost_nothing_is_bent() -> None:
    model = fresh(small_svtr(straightened=True))
    found = model.transform.stn_head(images_of(2, **WIDE)).numpy()
    np.testing.assert_allclose(found, np.stack([edge_points(8, (0.01, 0.01))] * 2), atol=1e-6)


@pytest.mark.parametrize("size", [(64, 256), (32, 64), (20, 33)])
def test_shrinking_is_bilinear_interpolation(size: tuple[int, int]) -> None:
    image = images_of(2, height=size[0], width=size[1])
    ours = shrink(image, [32, 64])
    theirs = paddle.nn.functional.interpolate(image, [32, 64], mode="bilinear", align_corners=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_bounded_points_start_at_the_same_places() -> None:
    config = small_svtr(straightened=True)
    config["Transform"]["stn_activation"] = "sigmoid"
    found = fresh(config).transform.stn_head(images_of(1, **WIDE)).numpy()
    np.testing.assert_allclose(found[0], edge_points(8, (0.01, 0.01)), atol=1e-6)


# ---------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mixer": ["Local", "Global"]}, r"mixer is .*one of Global, Local, Conv for each of its 3 blocks"),
        ({"mixer": ["Local", "Global", "Mean"]}, r"mixer is .*Mean"),
        ({"patch_merging": "Max"}, "patch_merging is 'Max': it has to be Conv, Pool or null"),
        ({"last_stage": False}, "last_stage is false"),
        ({"use_lenhead": True}, "has no setting use_lenhead"),
    ],
)
def test_a_backbone_we_do_not_have(change: dict, told: str) -> None:
    check_refusal(told, lambda: fresh(small_svtr(**change)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tps_inputsize": [32, 100]}, r"tps_inputsize is \[32, 100\]: STN_ON has to look at \[32, 64\]"),
        ({"stn_activation": "tanh"}, "stn_activation is 'tanh'"),
        ({"name": "TPS"}, "Transform 'TPS' is not among"),
    ],
)
def test_a_transform_we_do_not_have(change: dict, told: str) -> None:
    config = small_svtr(straightened=True)
    config["Transform"] |= change
    check_refusal(told, lambda: fresh(config))


def test_images_of_another_size_are_named() -> None:
    model = fresh(small_svtr())
    check_refusal(r"built for images of \[32, 64\] .* got \[32, 100\]", lambda: model(images_of()))
