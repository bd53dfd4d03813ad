"""Our CRNN is PaddleOCR's CRNN: same names, same numbers; and what holds for all our networks.

The figures committed here were taken once from a complete PaddleOCR tree (December 2025).
"""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np

from container.trainer.ppocr_rec import optimizer
from tests.container.networks import (
    OURS,
    RECIPES,
    batch_of,
    check_refusal,
    crnn,
    fresh,
    images_of,
    losses_while_learning,
    names_and_shapes,
    recipe,
    with_classes,
)

# ------------------------------------------------------------------------------------------------ names and shapes
# Entries of the state dict, parameters, sha256 of the names and shapes of the state, sha256 of the automatic names.
# Taken from the complete tree, at 97 classes.
CRNN_LARGE = (
    301,
    285,
    "fdf37fcf75b160065d6433ea955247672a56d2467c4045079a8dcfe20eff9d37",
    "d3a911cd1256678d172374bd7d759c63e67ade276784f4a4087a8e7beaa28247",
)
CRNN_SMALL = (
    245,
    229,
    "d5fde66bee15f64673759ba324e7ec3421ce72214761542acf8c0c7653cf8b0c",
    "14ad2e6518cc0fe3512664bfba1b6df96607124f91301260e585c2bd5a323622",
)
SVTR_TINY = (
    214,
    214,
    "2fea7095b49b60129f3629952a33a8db8d8862d40a55ccc0199eee8982aacb20",
    "a41bf2aece2f875083f941ab4d15b62086b76999fff8c990f630b7af6f3c78c1",
)
SVTR_BASE = (
    242,
    242,
    "249e3e54900442ca063941bf00dd4ab1d619b787b922b61f63f533558158485b",
    "4e114a088d9f7e6280ada9bcd17fc092188d2435c40facc0ceb0be95b9a9e03d",
)
MOBILE = (
    968,
    967,
    "27e4207a4458315199bfaba356f744c64341434be47012a4cac57808149fe120",
    "b960178f52231ac578bfb08ff16edd45e34438bd8c6fa265441c1ef7bb036537",
)
SHIPPED = {
    "rec_mv3_none_bilstm_ctc.yml": CRNN_LARGE,
    "rec_svtrnet.yml": SVTR_TINY,
    "rec_svtr_base.yml": SVTR_BASE,
    "PP-OCRv4/en_PP-OCRv4_rec.yml": MOBILE,
    "PP-OCRv5/en_PP-OCRv5_mobile_rec.yml": MOBILE,
    "PP-OCRv5/latin_PP-OCRv5_mobile_rec.yml": MOBILE,
    "PP-OCRv5/th_PP-OCRv5_mobile_rec.yml": MOBILE,
}


@pytest.mark.parametrize("name", SHIPPED)
def test_names_and_shapes_of_every_recipe_are_those_of_published_weights(name: str) -> None:
    assert names_and_shapes(fresh(with_classes(recipe(name)["Architecture"]))) == SHIPPED[name]


def test_names_and_shapes_of_the_small_crnn() -> None:
    assert names_and_shapes(fresh(crnn(model_name="small"))) == CRNN_SMALL


def test_the_list_above_has_every_recipe() -> None:
    demo = "demo_digits.yml"  # of the small CRNN
    assert {path.relative_to(RECIPES).as_posix() for path in RECIPES.rglob("*.yml")} == {*SHIPPED, demo}


def test_a_few_shapes_one_can_read() -> None:
    state = fresh(crnn()).state_dict()
    assert {name: list(state[name].shape) for name in SHAPES} == SHAPES


SHAPES = {
    "backbone.conv1.conv.weight": [8, 3, 3, 3],
    "backbone.blocks.1.bottleneck_conv.conv.weight": [32, 1, 3, 3],
    "backbone.blocks.14.mid_se.conv1.weight": [120, 480, 1, 1],
    "backbone.conv2.bn._variance": [480],
    "neck.encoder.lstm.weight_ih_l0_reverse": [384, 480],
    "neck.encoder.lstm.1.cell_bw.weight_hh": [384, 96],
    "head.fc.weight": [192, 97],
    "head.fc.bias": [97],
}


def test_packages_answer_to_ppocr_when_put_on_its_path(tmp_path: Path) -> None:
    tree = tmp_path / "ppocr"
    tree.mkdir()
    (tree / "__init__.py").touch()
    ask = (
        "import ppocr, sys; ppocr.__path__.append(sys.argv[1])\n"
        "from ppocr.modeling.architectures import apply_to_static, build_model\n"
        "from ppocr.losses import build_loss\n"
        "from ppocr.metrics import build_metric\n"
        "from ppocr.optimizer import build_optimizer\n"
        "print(build_model.__module__, build_optimizer.__module__)"
    )
    folder = Path(optimizer.__file__).parents[1]
    answer = subprocess.run(
        [sys.executable, "-c", ask, folder],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split()[-2:] == ["ppocr.modeling.architectures", "ppocr.optimizer"]


# ---------------------------------------------------------------------------------------------------- the network
@pytest.mark.parametrize("model_name", ["large", "small"])
@pytest.mark.parametrize(("neck", "head"), [("rnn", {}), ("reshape", {"mid_channels": 20})])
def test_one_row_of_scores_for_every_four_pixels(model_name: str, neck: str, head: dict) -> None:
    config = crnn(model_name=model_name, scale=0.35, neck=neck, head=head, classes=11, hidden=16)
    model = fresh(config)
    model.eval()
    for width in (100, 320):
        assert model(images_of(width=width)).shape == [2, width // 4, 11]


def test_any_scale_and_number_of_image_channels() -> None:
    model = fresh(crnn(scale=0.6) | {"in_channels": 1})
    assert model(images_of(channels=1)).shape == [2, 25, 97]


def test_probabilities_only_in_evaluation() -> None:
    model = fresh(crnn(model_name="small"))
    images = images_of()
    model.train()
    assert abs(model(images).sum(axis=2) - 1).max() > 0.01
    model.eval()
    probabilities = model(images)
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, atol=1e-5)
    assert probabilities.min() >= 0


def test_return_feats_gives_features_and_logits_while_training() -> None:
    model = fresh(crnn(model_name="small", head={"mid_channels": 20, "return_feats": True}))
    features, logits = model(images_of())
    assert (features.shape, logits.shape) == ([2, 25, 20], [2, 25, 97])
    model.eval()
    assert model(images_of()).shape == [2, 25, 97]


def test_without_squeeze_and_excitation() -> None:
    assert not any("mid_se" in name for name in fresh(crnn(disable_se=True)).state_dict())


def test_images_too_high_are_named() -> None:
    model = fresh(crnn())
    with pytest.raises(ValueError, match="2 rows of features"):
        model(paddle.zeros([1, 3, 64, 100]))


def test_the_config_is_left_alone() -> None:
    config = crnn()
    fresh(config)
    assert config == crnn()


def test_head_starts_uniform_within_one_over_root_of_its_inputs() -> None:
    weight = fresh(crnn(classes=5000)).head.fc.weight.numpy()
    bound = 192**-0.5
    assert 0.999 * bound < abs(weight).max() <= bound
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)


# ----------------------------------------------------------------------------------------- loss, gradient, metric
@pytest.mark.parametrize("focal", [False, True])
def test_loss_is_finite_and_reaches_every_parameter(focal: bool) -> None:
    model = fresh(crnn())
    images = images_of(4)
    loss = OURS.build_loss({"name": "CTCLoss", "use_focal_loss": focal})(model(images), batch_of(images, 97))["loss"]
    assert loss.shape == []
    assert math.isfinite(loss)
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.trainable:
            assert np.isfinite(parameter.grad.numpy()).all(), name
            assert parameter.grad.abs().max() > 0, name


def test_loss_of_one_step_is_the_closed_form() -> None:
    """One time step and one letter: p(label) is that letter's probability, so the loss is its -log."""
    logits = paddle.to_tensor([[[0.0, 1.0, 2.0]], [[0.5, 0.0, -1.0]]])
    batch = [None, paddle.to_tensor([[2], [1]]), paddle.to_tensor([1, 1])]
    p = np.array([math.exp(2) / (1 + math.e + math.exp(2)), 1 / (math.exp(0.5) + 1 + math.exp(-1))])
    plain = OURS.build_loss({"name": "CTCLoss"})
    assert float(plain(logits, batch)["loss"]) == pytest.approx(-np.log(p).mean(), abs=1e-6)
    assert float(plain((None, logits), batch)["loss"]) == float(plain(logits, batch)["loss"])
    focal = OURS.build_loss({"name": "CTCLoss", "use_focal_loss": True})
    assert float(focal(logits, batch)["loss"]) == pytest.approx((-np.log(p) * (1 - p) ** 2).mean(), abs=1e-6)


def test_learning_on_one_batch_lowers_the_loss() -> None:
    config = crnn(model_name="small", scale=0.35, neck="reshape", classes=11)
    values = losses_while_learning(config, {"name": "CTCLoss"}, batch_of(images_of(), 11), steps=12, rate=0.003)
    assert values[-1] < values[0] / 4


READ = [("a b", 0.5), ("A-b1ก", 0.2), ("", 0.1), ("xyz", 0.1)]
LABELS = [("ab", 1.0), ("ab1", 1.0), ("", 1.0), ("xkzq", 1.0)]


# acc and norm_edit_dis as the complete tree gives them.
@pytest.mark.parametrize(
    ("settings", "acc", "norm_edit_dis"),
    [
        ({}, 0.49999875000312505, 0.7250006874982813),
        ({"is_filter": True}, 0.7499981250046875, 0.8750003124992187),
        ({"ignore_space": False}, 0.24999937500156252, 0.6416675624977604),
    ],
)
def test_metric(settings: dict, acc: float, norm_edit_dis: float) -> None:
    metric = OURS.build_metric({"name": "RecMetric", "main_indicator": "acc", **settings})
    expected = pytest.approx({"acc": acc, "norm_edit_dis": norm_edit_dis}, abs=1e-12)
    assert metric((READ, LABELS)) == expected
    assert metric.get_metric() == expected
    assert metric.get_metric() == {"acc": 0.0, "norm_edit_dis": 1.0}


# ---------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"Backbone": {"name": "ResNet"}},
            re.escape(
                "Backbone 'ResNet' is not among the networks that the PyPI source distribution can be completed "
                "with (MobileNetV3, PPLCNetV3, SVTRNet): use a complete PaddleOCR tree through PADDLEOCR_HOME."
            ),
        ),
        ({"Neck": {"name": "FPN"}}, r"Neck 'FPN' is not among .* \(SequenceEncoder\)"),
        ({"Neck": {"name": "SequenceEncoder", "encoder_type": "fc"}}, r"encoder_type 'fc' .* \(rnn, reshape, svtr\)"),
        ({"Head": {"name": "SARHead"}}, r"Head 'SARHead' is not among .* \(CTCHead, MultiHead\)"),
        ({"Head": {"name": "CTCHead"}}, "Head CTCHead needs the setting out_channels"),
        ({"Transform": {"name": "TPS"}}, r"Transform 'TPS' is not among .* \(STN_ON\)"),
        ({"return_all_feats": True}, "return_all_feats is not among"),
        ({"Neck": None}, "Neck has to be there for a CTCHead"),
        ({"Neck": {"name": "SequenceEncoder", "encoder_type": "reshape", "hidden_size": 9}}, "it takes none"),
        ({"model_type": "det"}, "model_type is 'det'"),
        ({"Backbone": {"name": "MobileNetV3", "scales": 1}}, "has no setting scales: it takes model_name, scale"),
        ({"Backbone": {"name": "MobileNetV3", "model_name": "medium"}}, "'medium': .* large and small"),
        ({"Backbone": {"name": "MobileNetV3", "small_stride": [1, 2]}}, "list of four strides"),
    ],
)
def test_an_architecture_we_do_not_have(change: dict, told: str) -> None:
    check_refusal(told, lambda: fresh(crnn() | change))


def test_a_loss_and_a_metric_we_do_not_have() -> None:
    check_refusal(
        r"Loss 'AceLoss' is not among the losses .* \(CTCLoss, MultiLoss\)",
        lambda: OURS.build_loss({"name": "AceLoss"}),
    )
    check_refusal(r"Metric 'DetMetric' .* \(RecMetric\)", lambda: OURS.build_metric({"name": "DetMetric"}))
