"""The notebook: clean as it is committed, and run from top to bottom on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import install
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "paddle_ocr_recognition_training.ipynb"
KERNEL, KERNEL_SHOWN = "paddleocr-recognition", "PaddleOCR Recognition"
SHORT = "COUNT, EPOCHS, INTERRUPT_AFTER = 160, 3, '5steps'"


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


@pytest.mark.slow
def test_it_runs_from_top_to_bottom_without_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(kernel_name=KERNEL, display_name=KERNEL_SHOWN, prefix=str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter/share/jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read()
    (settings,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    settings.source += f"\n{SHORT}"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    run = tmp_path / "output/notebook/runs/first"
    result = json.loads((run / "model/run.json").read_text(encoding="utf-8"))
    assert (result["status"], result["steps"]) == ("finished", 27)
    assert result["resumed_from"]
    assert (run / "model/inference/inference.json").is_file()
    cells = {cell.source.splitlines()[-1]: cell for cell in cells_of(notebook, "code")}
    training = shown(cells['verb("launcher submit", *JOB, "--yes");'])
    assert "run first is done" in training
    assert "resuming from step" in training
    assert "image/png" in training  # the curve
    assert 'value="27"' in training
    report = shown(cells['show_page(f"{DATASET}-report.html")'])
    assert "<iframe" in report
    pictures = shown(cells['show_readings(verb("container predict", Path(RUNS, RUN, "model"), *PICTURES, "--json"))'])
    assert pictures.count("<img") == 12


def shown(cell: nbformat.NotebookNode) -> str:
    """All outputs of a cell, as they are kept in a notebook."""
    return "\n".join(each.text if each.output_type == "stream" else str(each.data) for each in cell.outputs)
