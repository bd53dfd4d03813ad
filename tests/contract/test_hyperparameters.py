"""Hyperparameters come as strings and leave typed, or with a sentence that helps."""

from __future__ import annotations

import pytest

from contract.errors import UserError
from contract.hyperparameters import TABLE, Hyperparameters, parse_hyperparameters, to_strings


def test_strings_get_their_types_back():
    parsed = parse_hyperparameters(
        {"config": "rec/x.yml", "epochs": "12", "learning_rate": "1e-4", "save_minutes": "0.5", "amp": "False"}
    )
    assert (parsed.epochs, parsed.learning_rate, parsed.save_minutes, parsed.amp) == (12, 1e-4, 0.5, "off")


def test_dotted_keys_are_kept_raw_with_their_equal_signs():
    parsed = parse_hyperparameters({"config": "x", "Global.infer_img": "s3://b/k?x=1&y=2"})
    assert parsed.overrides == (("Global.infer_img", "s3://b/k?x=1&y=2"),)


def test_what_the_sdk_quotes_and_what_people_write_by_hand_mean_the_same():
    parsed = parse_hyperparameters({"config": '"rec/x.yml"', "epochs": 3})
    assert (parsed.config, parsed.epochs) == ("rec/x.yml", 3)


def test_to_strings_is_the_inverse():
    parsed = Hyperparameters("rec/x.yml", run_id="r", epochs=3, overrides=(("Global.seed", "7"),))
    assert parse_hyperparameters(to_strings(parsed)) == parsed


def test_every_row_is_a_field():
    assert {row.name for row in TABLE} == set(Hyperparameters.__dataclass_fields__) - {"overrides"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": "3"}, "unknown hyperparameter 'epoch': did you mean 'epochs'?"),
        ({"epochs": "ten"}, "epochs must be a whole number, not 'ten'"),
        ({"epochs": "0"}, "epochs must be at least 1, not 0"),
        ({"epochs": "1.5"}, "epochs must be a whole number, not '1.5'"),
        ({"learning_rate": "nan"}, "learning_rate must be a number, not 'nan'"),
        ({"amp": "maybe"}, "amp=maybe is not available: mixed precision; .* use auto, off, bf16, fp16 or leave it out"),
        ({"processes": "0"}, "processes must be at least 1, not 0"),
        ({"processes": "1000"}, "processes must be at most 64, not 1000"),
        ({"workers": "1e9"}, "workers must be at most 1,024, not 1e9"),
        ({"max_text_length": "100000"}, "max_text_length must be at most 1,000, not 100000"),
        ({"seed": "4294967296"}, "seed must be at most 4,294,967,295, not 4294967296"),
        ({"run_id": ""}, "run_id is empty"),
    ],
)
def test_wrong_ones_are_refused_in_one_sentence(given: dict[str, str], sentence: str):
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        parse_hyperparameters({"config": "x", **given})


def test_a_recipe_is_needed():
    with pytest.raises(UserError, match="'config' is missing"):
        parse_hyperparameters({})
