"""Section: how to read with the model, as code to copy (docs/using-the-model.md says more)."""

from __future__ import annotations

from pathlib import Path

from data_preparation.page.blocks import to_copy, whole
from data_preparation.page.document import Section
from data_preparation.page.markup import Markup, element, join
from launcher.run_report.commands import package_code, predict_command
from launcher.run_report.fields import Fields
from launcher.run_report.record import Record


def use(record: Record, model: Path) -> Section:
    """From this repository, and in the `paddleocr` package."""
    predict = (
        "From this repository, for every recipe. It prepares crops exactly as the validation did, and prints path, text"
        " and confidence of each:"
    )
    return Section(
        "use",
        "Using the model",
        join(
            element("p", "It reads crops of one word or line; to find them on a page takes a detection model."),
            element("p", predict),
            to_copy(predict_command(model)),
            _package(record.facts.inside("export"), model),
            element("p", "More, and what is read otherwise where: ", whole("docs/using-the-model.md"), "."),
        ),
    )


def _package(export: Fields, model: Path) -> Markup:
    name = export.text("paddleocr_model_name")
    code = package_code(model, name)
    if code:
        words = join(
            "In Python with the ", whole("paddleocr"), " package (", whole("pip install paddleocr paddlepaddle")
        )
        return join(element("p", words, "):"), to_copy(code))
    why = (
        " package would misread it without a word, so it is made to refuse this model: it prepares crops otherwise than"
        " this recipe."
        if export and not name
        else " package needs the name of a model, and run.json has none that is one."
    )
    return element("p", "The ", whole("paddleocr"), why)
