"""Our PP-OCRv4 and v5 mobile: the backbone that folds into one branch, and CTC guided by NRTR."""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np

from container.trainer.network import check_time_steps
from contract.errors import UserError
from tests.container.networks import (
    CLASSES,
    END,
    MULTI_LOSS,
    NRTR_SIGNS,
    OURS,
    START,
    check_refusal,
    crnn,
    fresh,
    images_of,
    losses_while_learning,
    multi_batch_of,
    small_mobile,
)

LINE = {"height": 48, "width": 96}


def lived_in(model: Any, *batch: Any) -> Any:
    """The model as training leaves it: nothing is at its start, and running means are those of the batch."""
    paddle.seed(5)
    for name, parameter in model.named_parameters():
        if parameter.trainable and name.endswith(("bias", "scale", "bn.weight", "identity.weight")):
            parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.BatchNorm2D):
            layer._momentum = 0.0  # the next batch alone counts
    model.train()
    model(*batch)
    model.eval()
    return model


# ---------------------------------------------------------------------------------------------------- the network
def test_a_time_step_for_every_eight_pixels_in_evaluation() -> None:
    model = fresh(small_mobile())
    model.eval()
    for width in (96, 320):
        probabilities = model(images_of(height=48, width=width))
        assert probabilities.shape == [2, width // 8, CLASSES]
        np.testing.assert_allclose(probabilities.sum(axis=2), np.ones([2, width // 8]), atol=1e-5)


@pytest.mark.parametrize("height", [32, 48, 64])
def test_forty_time_steps_while_training_whatever_the_size(height: int) -> None:
    batch = multi_batch_of(images_of(height=height, width=160))
    logits = fresh(small_mobile())(batch[0], data=batch[1:])
    longest = int(batch[3].max())
    assert logits["ctc"].shape == [2, 40, CLASSES]
    assert logits["gtc"].shape == [2, longest + 1, CLASSES + NRTR_SIGNS + 1]


def test_more_time_steps_for_longer_labels_change_no_name_and_no_shape() -> None:
    longer = fresh(small_mobile(training_time_steps=60))
    batch = multi_batch_of(images_of(height=48, width=480))
    assert longer(batch[0], data=batch[1:])["ctc"].shape == [2, 60, CLASSES]
    shapes = {name: value.shape for name, value in fresh(small_mobile()).state_dict().items()}
    assert {name: value.shape for name, value in longer.state_dict().items()} == shapes


def test_time_steps_that_a_network_does_not_have_are_refused() -> None:
    wanted = {"training_time_steps": 60}
    check_time_steps(wanted, fresh(small_mobile(**wanted)))
    with pytest.raises(UserError, match="with an image built with --tree pypi, or split the lines"):
        check_time_steps(wanted, fresh(crnn(model_name="small")))


def test_as_many_steps_as_evaluation_has_at_the_recipe_s_width() -> None:
    """At width 320 the average over 40 columns is the one of evaluation."""
    images = images_of(height=48, width=320)
    backbone = lived_in(fresh(small_mobile()).backbone, images)
    expected = backbone(images)
    backbone.training = True  # this layer alone: batch normalisation goes on as in evaluation
    np.testing.assert_allclose(backbone(images), expected, atol=1e-6)


def test_folding_the_branches_changes_no_number() -> None:
    backbone = lived_in(fresh(small_mobile()).backbone, images_of(**LINE))
    before = backbone(images_of(**LINE)).numpy()
    layers = [layer for layer in backbone.sublayers() if hasattr(layer, "rep")]
    for layer in layers:
        layer.rep()
    assert len(layers) == 28  # two in each of 14 blocks
    assert all(layer.is_repped for layer in layers)
    np.testing.assert_allclose(backbone(images_of(**LINE)), before, atol=1e-3)  # rounding of 28 layers


def test_learning_on_one_batch_lowers_the_loss() -> None:
    batch = multi_batch_of(images_of(**LINE))
    values = losses_while_learning(small_mobile(), MULTI_LOSS, batch, steps=6, rate=0.01)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.85 * values[0]


@pytest.mark.parametrize("use_guide", [True, False])
def test_guided_the_backbone_learns_from_nrtr_alone(use_guide: bool) -> None:
    model, batch = fresh(small_mobile(use_guide)), multi_batch_of(images_of(**LINE))
    logits = model(batch[0], data=batch[1:])
    logits["ctc"].sum().backward(retain_graph=True)
    assert (model.backbone.conv1.conv.weight.grad is None) == use_guide
    assert model.head.ctc_encoder.encoder.conv1.conv.weight.grad is not None
    logits["gtc"].sum().backward()
    assert model.backbone.conv1.conv.weight.grad is not None


def test_nrtr_sees_no_later_character() -> None:
    decoder = fresh(small_mobile()).head.gtc_head
    for dropout in (layer for layer in decoder.sublayers() if isinstance(layer, paddle.nn.Dropout)):
        dropout.eval()
    memory, lengths = paddle.randn([1, 5, 64]), paddle.to_tensor([4])
    first, second = (paddle.to_tensor([[START, 5, 6, last, 8, END, 0]]) for last in (7, 9))
    change = (decoder(memory, first, lengths) - decoder(memory, second, lengths)).abs().max(axis=2)[0]
    assert change.shape == [5]
    assert (change > 0).tolist() == [False, False, False, True, True]


# ------------------------------------------------------------------------------------------------------------ losses
def test_nrtr_loss_is_the_smoothed_cross_entropy_of_characters_and_end_signs() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 4, 7)).astype("float32")
    labels, lengths = np.array([[START, 4, 5, 6, END], [START, 5, END, 0, 0]]), np.array([3, 1])
    scores = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    signs = [(0, 0, 4), (0, 1, 5), (0, 2, 6), (0, 3, END), (1, 0, 5), (1, 1, END)]  # sample, position, class
    for smoothing, other in ((True, 0.1 / 6), (False, 0.0)):
        expected = 0.0
        for sample, position, sign in signs:
            wanted = np.full(7, other)
            wanted[sign] = 1 - 6 * other
            expected -= (wanted * scores[sample, position]).sum() / len(signs)
        config = {"name": "MultiLoss", "loss_config_list": [{"NRTRLoss": {"smoothing": smoothing}}]}
        batch = [None, None, paddle.to_tensor(labels), paddle.to_tensor(lengths)]
        loss = OURS.build_loss(config)({"ctc": None, "gtc": paddle.to_tensor(logits)}, batch)
        assert float(loss["loss"]) == pytest.approx(expected, abs=1e-5)


def test_the_parts_are_weighed_and_added() -> None:
    model, batch = fresh(small_mobile()), multi_batch_of(images_of(**LINE))
    logits = model(batch[0], data=batch[1:])
    plain = OURS.build_loss(MULTI_LOSS)(logits, batch)
    weighed = OURS.build_loss(MULTI_LOSS | {"weight_1": 0.5, "weight_2": 2.0})(logits, batch)
    assert plain.keys() == {"CTCLoss", "NRTRLoss", "loss"}
    assert float(weighed["CTCLoss"]) == pytest.approx(0.5 * float(plain["CTCLoss"]))
    assert float(weighed["loss"]) == pytest.approx(0.5 * float(plain["CTCLoss"]) + 2 * float(plain["NRTRLoss"]))


# ---------------------------------------------------------------------------------------------------------- refusals
def test_settings_we_do_not_have() -> None:
    ctc, nrtr = small_mobile()["Head"]["head_list"]
    for heads, told in (
        ([ctc], "has to hold CTCHead and NRTRHead, each once"),
        ([ctc, {"SARHead": None}], r"Head 'SARHead' is not among .* \(CTCHead, NRTRHead\)"),
        ([ctc, {"NRTRHead": {"beam": 5}}], "Head NRTRHead has no setting beam"),
        ([{"CTCHead": {"Neck": {"name": "fc"}, "Head": None}}, nrtr], r"encoder_type 'fc' is not among"),
    ):
        config = small_mobile()
        config["Head"]["head_list"] = heads
        check_refusal(told, lambda config=config: fresh(config))
    check_refusal("training_time_steps is 0", lambda: fresh(small_mobile(training_time_steps=0)))
    check_refusal("has no setting det", lambda: fresh(small_mobile(det=True)))
    neck = {"name": "SequenceEncoder", "encoder_type": "reshape"}
    check_refusal("has to be missing for a MultiHead", lambda: fresh(small_mobile() | {"Neck": neck}))
    model = fresh(small_mobile())
    check_refusal("algorithm has to be SVTR_LCNet", lambda: model(images_of(**LINE)))
    odd = MULTI_LOSS | {"loss_config_list": [{"SARLoss": None}]}
    check_refusal(r"Loss 'SARLoss' .* \(CTCLoss, NRTRLoss\)", lambda: OURS.build_loss(odd))
