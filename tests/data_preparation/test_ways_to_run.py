"""The scripts run by path from two places, as modules and as verbs, and their help is quick."""

from __future__ import annotations

import pytest

from data_preparation.__main__ import main
from tests.data_preparation.folders import REPOSITORY, run_python

SCRIPTS = {
    "demo": "create_demo_data",
    "convert": "convert_data",
    "validate": "validate_data",
    "split": "split_dataset",
    "dictionary": "dictionary",
    "report": "report_data",
    "pack": "pack_dataset",
    "unpack": "unpack_dataset",
    "upload": "upload_to_s3",
    "download": "download_from_s3",
}
HEAVY = ("numpy", "cv2", "PIL", "rich", "yaml", "boto3", "botocore")


@pytest.mark.parametrize("verb", SCRIPTS)
def test_every_way_shows_the_help(verb: str) -> None:
    script = SCRIPTS[verb]
    room = REPOSITORY / "data_preparation"
    for done in (
        run_python(f"scripts/{script}.py", "--help", cwd=room),
        run_python(f"data_preparation/scripts/{script}.py", "--help"),
        run_python("-m", f"data_preparation.scripts.{script}", "--help"),
        run_python("-m", "data_preparation", verb, "--help"),
    ):
        assert done.returncode == 0, done.stderr
        assert "example" in done.stdout


@pytest.mark.parametrize("verb", SCRIPTS)
def test_help_imports_nothing_heavy(verb: str) -> None:
    program = (
        "import sys\nfrom data_preparation.__main__ import main\n"
        f"try:\n    main(['{verb}', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print('imported', [name for name in {HEAVY} if name in sys.modules])"
    )
    assert "imported []" in run_python("-c", program).stdout


def test_an_unknown_verb_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convrt"]) == 1
    assert "invalid choice: 'convrt'" in capsys.readouterr().err
    assert main([]) == 1
