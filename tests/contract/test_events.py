"""Event lines: what is written is what is read, by us and by CloudWatch's regexes."""

from __future__ import annotations

import io
import re
import sys

import pytest

from contract.events import METRIC_DEFINITIONS, format_event, parse_event, print_event

TRAIN = {"step": 120, "epoch": 3, "loss": 0.41, "lr": 0.0005, "samples_per_s": 812.0, "reader_share": 0.02}


def test_an_event_survives_the_round_trip():
    line = format_event("train", **TRAIN)
    assert line == "[ocr] event=train step=120 epoch=3 loss=0.41 lr=0.0005 samples_per_s=812 reader_share=0.02"
    assert parse_event(line) == {"event": "train"} | TRAIN


def test_text_with_blanks_quotes_and_newlines_stays_one_field():
    reason = 'train.txt:3: "x" = y\nno'
    line = format_event("failed", reason=reason)
    assert "\n" not in line
    assert parse_event(line) == {"event": "failed", "reason": reason}


def test_other_lines_are_no_events():
    assert parse_event("loss=3") is None
    assert parse_event("[ocr] hello") is None
    assert parse_event('[ocr] event=failed reason="the dis') is None, "killed in the middle of a line"


def test_an_unknown_event_is_a_defect():
    with pytest.raises(ValueError, match="unknown event"):
        format_event("tarin")


@pytest.mark.parametrize("loss", [0.41, 1e-9, 12345.678, float("nan"), float("inf")])
def test_the_loss_regex_finds_every_number(loss: float):
    regex = next(each["Regex"] for each in METRIC_DEFINITIONS if each["Name"] == "train:loss")
    found = re.search(regex, format_event("train", **TRAIN | {"loss": loss}))
    assert found
    assert float(found[1]) == pytest.approx(loss, rel=1e-5, nan_ok=True)


def test_metric_definitions_keep_to_the_limits_of_the_api():
    assert len(METRIC_DEFINITIONS) <= 40
    assert all(len(each["Regex"]) <= 500 and re.compile(each["Regex"]).groups == 1 for each in METRIC_DEFINITIONS)


def test_an_event_is_one_write_so_that_no_other_process_gets_into_its_line(monkeypatch: pytest.MonkeyPatch):
    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written: list[str] = []
    monkeypatch.setattr(sys, "stdout", Stream())
    print_event("train", **TRAIN)
    assert written == [format_event("train", **TRAIN) + "\n"]
