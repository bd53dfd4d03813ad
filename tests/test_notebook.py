"""The notebook: clean as it is committed, and run from top to bottom on this machine and on a SageMaker that trains."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import install
from nbclient import NotebookClient

from tests.launcher.an_account import an_account
from tests.service import TrainingInstance

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "paddle_ocr_recognition_training.ipynb"
KERNEL, KERNEL_SHOWN = "paddleocr-recognition", "PaddleOCR Recognition"
TRAIN = 'said = verb("launcher submit", *JOB, "--yes")'
RESULTS = "show_page(page.strip())"
TRY = 'show_readings(verb("container predict", Path(RUNS, RUN, "model"), *PICTURES, "--json"))'
BUCKET, ROLE = "my-bucket", "ocr-train-exec"


def read() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def cells_of(notebook: nbformat.NotebookNode, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_the_notebook_is_committed_without_anything_of_a_machine() -> None:
    notebook = read()
    for cell in cells_of(notebook, "code"):
        assert (cell.outputs, cell.execution_count) == ([], None)
        assert set(cell.metadata) <= {"tags"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}  # the version is the kernel's
    assert not re.search(r"""["'\s(](/|~/|[A-Za-z]:\\\\)\w""", NOTEBOOK.read_text(encoding="utf-8"))


def test_set_up_registers_the_kernel_that_the_notebook_names() -> None:
    named = read().metadata.kernelspec
    assert (named.name, named.display_name) == (KERNEL, KERNEL_SHOWN)
    for script in ("setup.sh", "setup.bat"):
        text = (ROOT / script).read_text(encoding="utf-8")
        assert f"--name {KERNEL}" in text
        assert f'--display-name "{KERNEL_SHOWN}"' in text


def test_each_section_begins_with_a_line_in_thai_and_links_lead_somewhere() -> None:
    sections = [cell.source for cell in cells_of(read(), "markdown")]
    assert all(re.match(r"#{1,2} .+\n\n(?:.+\n)*\n?> \*\*สรุป:\*\* .*[ก-๛]", section) for section in sections)
    for target in re.findall(r"\]\(([^)#]+)", "\n".join(sections)):
        assert (ROOT / target).is_file(), target


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel as set-up registers it, in a place of this test's own."""
    install(kernel_name=KERNEL, display_name=KERNEL_SHOWN, prefix=str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter/share/jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def run_all(folder: Path, settings: str) -> dict[str, str]:
    """What the cells show, by their last line, when all are run in this folder with the settings changed."""
    notebook = read()
    (changed,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    changed.source += f"\n{settings}"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.source.splitlines()[-1]: shown(cell) for cell in cells_of(notebook, "code")}


@pytest.mark.slow
@pytest.mark.usefixtures("jupyter")
def test_it_runs_from_top_to_bottom_without_aws(tmp_path: Path) -> None:
    cells = run_all(tmp_path, "COUNT, EPOCHS, INTERRUPT_AFTER = 160, 3, '5steps'")
    run = tmp_path / "output/notebook/runs/first"
    result = json.loads((run / "model/run.json").read_text(encoding="utf-8"))
    assert (result["status"], result["steps"]) == ("finished", 27)
    assert result["resumed_from"]
    assert (run / "model/inference/inference.json").is_file()
    training = cells[TRAIN]
    assert "run first is done" in training
    assert "resuming from step" in training
    assert "image/png" in training  # the curve
    assert 'value="27"' in training
    assert "<iframe" in cells['show_page(f"{DATASET}-report.html")']
    assert "<iframe" in cells[RESULTS]
    assert cells[TRY].count("<img") == 12


@pytest.mark.slow
@pytest.mark.usefixtures("jupyter")
def test_with_the_instance_changed_it_trains_on_sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    with an_account(monkeypatch, folder) as account:
        image = account.make_ready(BUCKET, ROLE)
        (folder / "launcher.yml").write_text(f"bucket: {BUCKET}\nrole: {ROLE}\nimage_uri: {image}\n")
        account.service.plan(TrainingInstance())
        cpu = 'OVERRIDES = ["Global.use_gpu=false"]'  # this machine has a GPU by name only
        cells = run_all(folder, f'INSTANCE, COUNT, EPOCHS = "ml.g4dn.xlarge", 60, 1\n{cpu}')
        (job,) = account.service.all_jobs
    assert job.status == "Completed", job.reason
    assert (folder / "output/notebook/runs/first/model/inference/inference.json").is_file()
    assert "image/png" in cells[TRAIN]
    assert "run first is done" in cells[TRAIN]
    assert "<iframe" in cells[RESULTS]
    assert cells[TRY].count("<img") == 6


def shown(cell: nbformat.NotebookNode) -> str:
    """All outputs of a cell, as they are kept in a notebook."""
    return "\n".join(each.text if each.output_type == "stream" else str(each.data) for each in cell.outputs)
