"""`make smoke` around its training, which the end-to-end tests run for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.recipe import find_recipe, load_recipe
from launcher import smoke
from launcher.settings import Settings
from tests.launcher.running import make_dataset


def test_the_interruption_is_in_the_middle_and_inside_an_epoch(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("".join(f"images/{number}.png\t1\n" for number in range(1080)))
    recipe = load_recipe(find_recipe(smoke.RECIPE))
    steps_per_epoch = -(-1080 // recipe["Train"]["loader"]["batch_size_per_card"])
    step = smoke.middle_step(tmp_path)
    assert 0.4 < step / (steps_per_epoch * recipe["Global"]["epoch_num"]) < 0.7
    assert 0 < step % steps_per_epoch < steps_per_epoch - 10  # events of training steps come every ten


@pytest.mark.parametrize(("accuracy", "code"), [(0.9, 0), (0.8999, smoke.EXIT_TOO_WEAK)])
def test_the_table_and_the_verdict(
    tmp_path: Path,
    accuracy: float,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "predictions.csv").write_text(
        "image,label,prediction,confidence,correct\n"
        + "".join(f"images/{n}.png,{n},{n if n else 8},0.9,1\n" for n in range(25))
    )
    (tmp_path / "job.log").write_text("[ocr] event=interrupted step=46\n[ocr] event=resume step=46 epoch=3\n")
    result = {
        "run": "r",
        "best": {"acc": accuracy},
        "artifacts": {"model": str(tmp_path), "log": str(tmp_path / "job.log")},
    }
    monkeypatch.setattr(smoke, "make_dataset", lambda _: 0)
    monkeypatch.setattr(smoke, "middle_step", lambda _: 44)
    monkeypatch.setattr(smoke.submit, "main", lambda _, **__: print(json.dumps(result)) or 0)
    assert smoke.main(["--output", str(tmp_path)]) == code
    out = capsys.readouterr().out
    assert out.count("images/") == 10
    assert out.count("<- wrong") == 1
    assert "stopped with a checkpoint at step 46" in out
    assert "from step 46" in out
    way = [line.strip() for line in out.partition("The same on SageMaker")[2].splitlines()]
    assert any(line.startswith("python -m launcher doctor ") for line in way)
    assert way[-1].startswith("python -m launcher.submit --instance ml.g4dn.xlarge --dataset")


def test_the_users_settings_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launcher.yml").write_text("epochs: 1\nrun: mine\ninterrupt_after: 1s\noverride: {Global.seed: 1}\n")
    monkeypatch.setenv("OCR_BATCH_SIZE", "3")
    monkeypatch.setenv("OCR_EPOCH", "3")
    monkeypatch.setenv("OCR_CHECKPOINT_URI", "saved")
    monkeypatch.setattr(smoke.submit, "submit", lambda settings, *_: seen.append(settings) or 2)
    assert smoke.train(make_dataset(tmp_path / "data"), Path("runs"), 7) == (2, {})
    (settings,) = seen
    assert (settings.hyperparameters, settings.overrides, settings.checkpoint_folder) == ((), (), None)
    assert settings.run.startswith("demo-digits-")
    assert [str(each) for each in settings.interruptions] == ["at step 7"]
    assert settings.output == tmp_path / "runs"
