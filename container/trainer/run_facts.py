"""What run.json says of a run, beside its id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container.trainer import exporting
from container.trainer.inference_yml import package_name
from container.trainer.scores_in_depth import scores_in_depth
from container.trainer.scoring import Prediction
from contract.dataset import read_dictionary

if TYPE_CHECKING:
    from container.trainer.train_rec import Training


def run_facts(training: Training, status: str, exported: Sequence[Prediction], differing: int) -> dict[str, Any]:
    """The content of run.json; `exported` is what the exported model read on the validation set, in its order."""
    order, state = training.order, training.state
    labels, trained = ([sample.label for sample in each.samples] for each in (training.val_set, training.train_set))
    dictionary = read_dictionary(Path(order.dictionary)).characters
    return {
        "status": status,
        "best": state.best,
        "scores": scores_in_depth(labels, [each.text for each in exported], trained, dictionary),
        "resumed_from": state.resumes[-1] if state.resumes else None,
        "resumes": state.resumes,
        "steps": state.step,
        "processes": training.ranks.world,
        "epochs": state.shown_epoch,
        "seconds": round(state.seconds, 1),
        "versions": exporting.versions(training.networks),
        "gpu": exporting.gpu_summary(order),
        "dataset": {
            "sha256": order.dataset_sha256,
            "train": len(training.train_set),
            "val": len(training.val_set),
            "characters": order.characters,
        },
        "labels": {"train": training.train_set.encoded_labels(), "val": training.val_set.encoded_labels()},
        "pretrained": state.pretrained,
        "unusable": {"train": training.unusable.facts(), "val": training.unusable_val.facts()},
        "config": order.recipe,
        "export": {
            "crops": len(exported),
            "read_differently": differing,
            "paddleocr_model_name": package_name(training.config),
        },
    }
