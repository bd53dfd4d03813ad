"""Which PaddleOCR tree trains, and whose networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from container.tree import SHA256, download_source, locate_tree
from contract.errors import UserError
from contract.tree_places import cache_folder
from tests.container.jobs import ROOT, Base, draw_dataset

TINY = {"config": "rec/demo_digits.yml", "epochs": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=4, val=2)


def test_a_complete_tree_keeps_its_own_networks(dataset: Path, tmp_path: Path):
    complete = tmp_path / "PaddleOCR"
    shutil.copytree(locate_tree(print), complete, ignore=shutil.ignore_patterns("docs", "*.md"))
    ours = ROOT / "container/trainer/ppocr_rec"
    for part in ("modeling", "losses", "optimizer", "metrics"):
        shutil.copytree(ours / part, complete / "ppocr" / part)
    shutil.copy(ours / "supported.py", complete / "ppocr/supported.py")
    with (complete / "ppocr/modeling/architectures/__init__.py").open("a") as file:
        file.write("\nprint('networks of the tree')\n")

    base = Base(tmp_path / "base", dataset, **TINY)
    finished = base.run(env={"PADDLEOCR_HOME": str(complete)})
    assert finished.code == 0, finished.errors
    assert "networks of the tree" in finished.lines
    assert base.report()["versions"]["networks"] == "tree"


def test_the_source_distribution_is_completed_by_ours(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "base", dataset, **TINY)
    finished = base.run()
    assert finished.code == 0, finished.errors
    assert base.report()["versions"]["networks"] == "ppocr_rec"


def test_a_folder_that_is_no_tree_is_refused(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "base", dataset, **TINY)
    assert base.run(env={"PADDLEOCR_HOME": str(tmp_path)}).code == 1
    assert "is not a PaddleOCR tree: it must hold ppocr/data" in base.failure


def test_an_archive_with_another_hash_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="could not be fetched"):
        download_source("paddleocr", "3.7.0", "0" * 64, tmp_path)


def test_the_cache_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OCR_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    said: list[str] = []
    tree = locate_tree(said.append)
    assert SHA256[:16] in tree.name
    assert (tree / "ppocr/data").is_dir()
    assert said == ["fetching the source distribution paddleocr==3.7.0 (3 MB, once)"]
    assert [path.name for path in tmp_path.iterdir()] == [tree.name], "nothing else is left in the cache"
