"""The recipe takes what labels need where that costs nothing; the rest is refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.resolve import architecture_hash
from contract.check import check_dataset, check_limits
from contract.hyperparameters import Hyperparameters
from contract.label_fit import fit_to_labels
from contract.parameters import OpenRecipe, apply_parameters, value_at, with_value
from contract.recipe import CONFIGS, limits_of, load_recipe
from contract.report import Report

CRNN = "rec/rec_mv3_none_bilstm_ctc.yml"
SVTR = "rec/rec_svtr_base.yml"
THAI = "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"
NRTR = "Architecture.Head.head_list.1.NRTRHead.max_text_length"
WORDS = "abcdefghijklmnopqrstuvwxyz"


def opened(recipe: str, **overrides: str) -> OpenRecipe:
    given = tuple((key.replace("__", "."), raw) for key, raw in overrides.items())
    return apply_parameters(load_recipe(CONFIGS / recipe), Hyperparameters(recipe, overrides=given), recipe)


def labelled(folder: Path, *labels: str) -> Report:
    """A checked dataset with these labels; images are not looked at."""
    folder.mkdir()
    lines = "".join(f"{index}.png\t{label}\n" for index, label in enumerate(labels))
    (folder / "train.txt").write_text(lines)
    (folder / "val.txt").write_text(lines)
    (folder / "dict.txt").write_text("".join(f"{letter}\n" for letter in WORDS))
    report = check_dataset(folder, None, None)
    assert report.problems == []
    return report


def test_the_longest_label_and_the_space(tmp_path: Path):
    config = load_recipe(CONFIGS / CRNN)
    config["Global"] |= {"max_text_length": 8, "use_space_char": False}
    fitted = fit_to_labels(OpenRecipe(CRNN, config, ()), labelled(tmp_path / "data", "abcdefgh ij", "ab"))
    assert [(change.key, change.before, change.after, change.reason) for change in fitted.changes] == [
        ("Global.max_text_length", 8, 11, "the longest label has 11 code points"),
        ("Global.use_space_char", False, True, "labels hold spaces"),
    ]


def test_nrtr_takes_two_places_and_every_copy_follows(tmp_path: Path):
    config = load_recipe(CONFIGS / THAI)
    config["Global"]["max_text_length"] = 25
    report = labelled(tmp_path / "data", WORDS)
    fitted = fit_to_labels(OpenRecipe(THAI, config, ()), report)
    assert (fitted.config["Global"]["max_text_length"], value_at(fitted.config, NRTR)) == (28, 28)
    assert fitted.changes[0].reason == "the longest label has 26 code points, and NRTR's marks take 2 places"
    assert limits_of(fitted.config).longest_label == 26
    assert architecture_hash(fitted.config) == architecture_hash(config), "a run goes on when a longer label comes"


def test_svtr_gets_the_time_steps_that_its_input_has_room_for(tmp_path: Path):
    few = with_value(load_recipe(CONFIGS / SVTR), "Architecture.Backbone.out_char_num", 20)
    fitted = fit_to_labels(OpenRecipe(SVTR, few, ()), labelled(tmp_path / "data", WORDS))
    assert [(change.key, change.after) for change in fitted.changes] == [("Architecture.Backbone.out_char_num", 26)]


@pytest.mark.parametrize(
    ("recipe", "label", "kinds"),
    [
        (CRNN, WORDS, {"too long", "too wide"}),  # it would need a wider input
        (CRNN, "a" * 20, {"too wide"}),
        (THAI, WORDS * 2, {"too long", "too wide"}),  # 40 steps, whatever the input
    ],
)
def test_what_only_the_user_can_decide_is_refused_as_a_whole(tmp_path: Path, recipe: str, label: str, kinds: set[str]):
    report, asked = labelled(tmp_path / "data", label), opened(recipe)
    fitted = fit_to_labels(asked, report)
    assert fitted == asked
    assert {problem.kind for problem in check_limits(report, limits_of(fitted.config))} == kinds


def test_more_steps_of_pp_ocr_depend_on_the_tree_so_they_are_asked_for(tmp_path: Path):
    wide = opened(
        THAI,
        Train__sampler__scales="[[640, 48]]",
        **{"Eval__dataset__transforms__2__RecResizeImg__image_shape": "[3, 48, 640]"},
    )
    assert fit_to_labels(wide, labelled(tmp_path / "data", WORDS * 2)) == wide


def test_what_was_asked_for_stays(tmp_path: Path):
    report, asked = labelled(tmp_path / "data", "abcdef"), opened(CRNN, Global__max_text_length="5")
    assert fit_to_labels(asked, report) == asked


def test_a_recipe_that_fits_is_left_alone(tmp_path: Path):
    report = labelled(tmp_path / "data", "ab c")
    for path in (CONFIGS / "rec").rglob("*.yml"):
        asked = opened(str(path.relative_to(CONFIGS)))
        assert fit_to_labels(asked, report) == asked
