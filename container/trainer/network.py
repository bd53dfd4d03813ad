"""The network, its loss and its optimizer, built by the tree's own builders from the resolved recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from container.trainer.precision import Precision, in_float32
from container.trainer.ranks import Ranks
from container.trainer.sampling import Schedule
from container.trainer.scoring import Prediction
from contract.errors import UserError

# Networks that are called with the labels beside the image while training.
CALLED_WITH_LABELS = ("SVTR", "SVTR_LCNet", "SVTR_HGNet", "NRTR", "SAR")


@dataclass(frozen=True)
class Network:
    """A model with what it needs to learn and to speak."""

    model: paddle.nn.Layer
    loss: Callable[..., dict[str, paddle.Tensor]]
    optimizer: paddle.optimizer.Optimizer
    scheduler: Any  # an LRScheduler, or a float when the rate is constant
    decoder: Any  # PaddleOCR's post-processing
    with_labels: bool
    learner: paddle.nn.Layer  # the model as it is called in training: with several processes, with their gradients
    precision: Precision

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.get_lr())

    def train_step(self, batch: list[paddle.Tensor], weight: float = 1.0) -> paddle.Tensor:
        """One step of gradient descent. Returns the detached loss.

        `weight`: of this batch among those of all ranks, whose gradients are averaged.
        """
        self.model.train()
        scale = self.precision.loss_scale
        if scale:
            loss = scale.step(lambda: self._loss_of(batch), weight, self.model.parameters(), self.optimizer)
        else:
            loss = self._loss_of(batch)
            (loss if weight == 1 else loss * weight).backward()
            self.optimizer.step()
        self.optimizer.clear_grad()
        if not isinstance(self.scheduler, float):
            self.scheduler.step()
        return loss.detach()

    def _loss_of(self, batch: list[paddle.Tensor]) -> paddle.Tensor:
        with self.precision.context():
            read = self.learner(batch[0], data=batch[1:]) if self.with_labels else self.learner(batch[0])
        return self.loss(in_float32(read), batch)["loss"]

    def is_finite(self) -> bool:
        """Every weight and every running mean is a number."""
        return all(bool(paddle.isfinite(array).all()) for array in self.model.state_dict().values())

    def read(self, images: paddle.Tensor) -> list[Prediction]:
        """What the network reads on images (B, 3, H, W)."""
        self.model.eval()
        with paddle.no_grad():
            return decode(self.decoder, self.model(images))


def build_network(config: dict[str, Any], schedule: Schedule, ranks: Ranks | None = None) -> Network:
    """Build from a resolved config. The same seed gives the same initial weights.

    Parameter names start from zero whatever was built before in this process: optimizer states are keyed by them.
    """
    from ppocr.losses import build_loss
    from ppocr.modeling.architectures import build_model
    from ppocr.optimizer import build_optimizer

    decoder = build_decoder(config)
    config = copy.deepcopy(config)  # the builders take their sections apart
    _set_classes(config["Architecture"]["Head"], len(decoder.character))
    paddle.seed(schedule.seed)
    np.random.seed(schedule.seed % 2**32)  # what the NRTR decoder's first weights are drawn from
    with paddle.utils.unique_name.guard():
        try:
            model = build_model(config["Architecture"])
            loss = build_loss(config["Loss"])
            # two values before 2026, three in 3.7.0 (a weight decay schedule)
            optimizer, scheduler, *_ = build_optimizer(
                config["Optimizer"], epochs=schedule.epochs, step_each_epoch=schedule.steps_per_epoch, model=model
            )
        except ValueError as error:  # ours say in one sentence what they do not know
            raise UserError(str(error)) from None
        except (TypeError, KeyError, AttributeError, AssertionError) as error:
            raise UserError(
                f"PaddleOCR cannot build the recipe's network or optimizer ({type(error).__name__}: {error}): "
                "compare Architecture, Loss and Optimizer with a recipe under configs/rec"
            ) from None
    check_time_steps(config["Architecture"]["Backbone"], model)
    with_labels = config["Architecture"]["algorithm"] in CALLED_WITH_LABELS
    precision = Precision.of(config["Global"])
    learner = ranks.learner(model, bool(config["Global"].get("find_unused_parameters"))) if ranks else model
    return Network(model, loss, optimizer, scheduler, decoder, with_labels, learner, precision)


def _set_classes(head: dict[str, Any], classes: int) -> None:
    """Classes of the CTC head: blank, dictionary, space. NRTR has start, end and unknown beside them."""
    if head["name"] == "MultiHead":
        head["out_channels_list"] = {"CTCLabelDecode": classes, "NRTRLabelDecode": classes + 3}
    else:
        head["out_channels"] = classes


def check_time_steps(backbone: dict[str, Any], model: paddle.nn.Layer) -> None:
    """PaddleOCR's own PPLCNetV3 takes any setting and goes on with its 40 steps. Raises UserError."""
    wanted = backbone.get("training_time_steps")
    if wanted is not None and getattr(model.backbone, "training_time_steps", None) != wanted:
        raise UserError(
            f"Architecture.Backbone.training_time_steps is {wanted}, which the networks of a complete PaddleOCR tree "
            "do not have: train with an image built with --tree pypi, or split the lines"
        )


def build_decoder(config: dict[str, Any]) -> Any:
    """PaddleOCR's post-processing for the dictionary of the config."""
    from ppocr.postprocess import build_post_process

    return build_post_process(copy.deepcopy(config["PostProcess"]), config["Global"])


def decode(decoder: Any, output: Any) -> list[Prediction]:
    """Texts from the network's output (B, T, classes)."""
    return [Prediction(text, float(confidence)) for text, confidence in decoder(output)]
