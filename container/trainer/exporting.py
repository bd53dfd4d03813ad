"""The artifact: the best model exported, and the export proven to read what the trained model reads."""

from __future__ import annotations

import copy
import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paddle

from container.checkpoints import OPTIMIZER, WEIGHTS, Checkpoint
from container.order import WorkOrder
from container.trainer.errors import TrainingFailed
from container.trainer.inference_yml import write_inference_yml
from container.trainer.network import Network, decode
from container.trainer.scoring import Prediction, write_predictions
from container.trainer.training_state import TrainingState
from contract.dataset import DICTIONARY, Sample, read_dictionary
from contract.errors import UserError

# Share of crops that the exported model may read otherwise, and one crop in any case: fused operators round
# differently, and two letters can be equally likely.
ALLOWED_DIFFERENCE = 0.001


def export_network(config: dict[str, Any], network: Network, folder: Path) -> None:
    """Write inference.json and inference.pdiparams by PaddleOCR's own exporter, and an inference.yml that opens."""
    from ppocr.utils.export_model import export

    given = copy.deepcopy(config)
    given["Global"]["save_inference_dir"] = str(folder)
    export(given, base_model=network.model, save_path=str(folder))
    write_inference_yml(folder, config, read_dictionary(Path(config["Global"]["character_dict_path"])).characters)


class ExportedModel:
    """The exported model as people will run it: Paddle Inference on the CPU."""

    def __init__(self, folder: Path, decoder: Any):
        settings = paddle.inference.Config(str(folder / "inference.json"), str(folder / "inference.pdiparams"))
        settings.disable_glog_info()
        settings.disable_onednn()  # in Paddle 3.3 it stops at an interpolation, which SVTR's STN has
        self.predictor = paddle.inference.create_predictor(settings)
        self.decoder = decoder

    def read(self, images: paddle.Tensor) -> list[Prediction]:
        """What the exported model reads on images (B, 3, H, W). Raises UserError for a dictionary of another model."""
        given = self.predictor.get_input_handle(self.predictor.get_input_names()[0])
        given.copy_from_cpu(images.numpy())
        self.predictor.run()
        output = self.predictor.get_output_handle(self.predictor.get_output_names()[0])
        scores = output.copy_to_cpu()
        classes, expected = scores.shape[-1], len(self.decoder.character)
        if classes != expected:
            raise UserError(
                f"the exported model has {classes} classes and the dictionary makes {expected}: "
                f"take both from one model.tar.gz, {DICTIONARY} unchanged"
            )
        return decode(self.decoder, scores)


def compare(trained: Sequence[Prediction], exported: Sequence[Prediction]) -> int:
    """How many crops the two read differently. Raises TrainingFailed above the allowed share."""
    differing = sum(left.text != right.text for left, right in zip(trained, exported, strict=True))
    if differing > max(1, ALLOWED_DIFFERENCE * len(trained)):
        raise TrainingFailed(
            f"the exported model reads {differing} of {len(trained)} validation crops differently from the trained "
            "one: this is a defect, please report it with job.log; the weights are in the checkpoint under best/"
        )
    return differing


def write_artifact(
    folder: Path,
    order: WorkOrder,
    best: Checkpoint,
    state: TrainingState,
    samples: Sequence[Sample],
    predictions: Sequence[Prediction],
    facts: dict[str, Any],
) -> None:
    """Everything of model/ but the exported network, which lies in `folder` already. run.json comes last."""
    shutil.copyfile(best.path / WEIGHTS, folder / "best_accuracy.pdparams")
    shutil.copyfile(best.path / OPTIMIZER, folder / "best_accuracy.pdopt")
    shutil.copyfile(order.dictionary, folder / DICTIONARY)
    shutil.copyfile(order.config, folder / "config.yml")
    lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in state.history]
    (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
    write_predictions(folder / "predictions.csv", samples, predictions)
    content = json.dumps({"run": order.run_id, **facts}, indent=1, ensure_ascii=False)
    (folder / "run.json").write_text(content + "\n", encoding="utf-8")


def gpu_summary(order: WorkOrder) -> Any:
    """What each GPU did during this attempt, as the supervisor saw it; None without a GPU."""
    file = Path(order.gpu_summary)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def versions(networks: str) -> dict[str, str]:
    """What made this model."""
    return {
        "python": platform.python_version(),
        "paddle": paddle.__version__,
        "networks": networks,
        "device": paddle.device.get_device(),
    }
