"""The verb `dictionary`: built from labels, compared with what weights know, and the weights and recipe that suit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.tree import locate_tree
from contract.recipe import find_recipe, load_recipe
from contract.text import normalise
from contract.weights_dictionary import official_dictionary, official_names
from data_preparation.official_weights import RECIPES, V5
from data_preparation.scripts.dictionary import main
from data_preparation.scripts.validate_data import main as validate
from tests.data_preparation.folders import dataset, png


@pytest.fixture(scope="module")
def tree() -> Path:
    """The official dictionaries; as the job finds them."""
    return locate_tree(print)


@pytest.fixture
def thai(tmp_path: Path) -> Path:
    return dataset(tmp_path / "data", {"1.png": "น้ำ 7", "2.png": "ฃวด", "3.png": "ขวด"}, {"v.png": "น้ำ"})


def test_build_from_datasets_and_label_files(
    thai: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("a.png\tab\u200b\nno tab\nb.png\tน\u0e4d\u0e32\n", encoding="utf-8")
    assert main(["build", str(thai), str(more)]) == 0
    out, said = capsysbinary.readouterr()
    assert out.decode().split("\n") == [*sorted({*"น้ำ7ฃวดขab\u200b\u0e4d\u0e32"}), ""]
    assert "note: 1 line of more.txt is left out, the first: more.txt:2: the line has no tab" in said.decode()
    assert "note: 1 label holds SARA AM in two code points" in said.decode()
    assert "note: dict.txt has 1 character that no label in the normal form holds: '\\u200b'" in said.decode()
    assert "13 characters of 6 labels; the rarest: '7' 1×" in said.decode()


def test_build_begins_with_the_characters_of_weights(thai: Path, tmp_path: Path, tree: Path) -> None:
    (tmp_path / "old.txt").write_bytes("ข\nนน\n \nZ\nน\nZ\n".encode())
    out = tmp_path / "dict.txt"
    assert main(["build", str(thai), "--with", str(tmp_path / "old.txt"), "--output", str(out)]) == 0
    assert out.read_bytes() == "ข\nZ\nน\n7\nฃ\nด\nว\nำ\n้\n".encode()
    assert (
        main(["build", str(thai), "--with", "th_PP-OCRv5_mobile_rec", "--tree", str(tree), "--output", str(out)]) == 0
    )
    official = (tree / "ppocr/utils/dict/ppocrv5_th_dict.txt").read_text(encoding="utf-8")
    assert out.read_text(encoding="utf-8") == official.rstrip("\n") + "\nฃ\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "name",
    ["th_PP-OCRv5_mobile_rec", "th_PP-OCRv5_mobile_rec_pretrained", "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml", None],
)
def test_compare_with_official_weights(
    thai: Path, tree: Path, capsys: pytest.CaptureFixture[str], name: str | None
) -> None:
    capsys.readouterr()
    chosen = ["--with", name] if name else []
    assert main(["compare", str(thai), *chosen, "--tree", str(tree)]) == 0
    out, said = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[1:] for row in rows if row[0] == "added"] == [["U+0E03", "ฃ", "1"]]
    assert {row[2] for row in rows if row[0] == "kept"} == {*"น้ำ 7วดข"}
    lines = (tree / "ppocr/utils/dict/ppocrv5_th_dict.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert {row[2] for row in rows if row[0] == "lost"} == {*lines} - {*"น้ำ7วดข"}
    assert "th_PP-OCRv5_mobile_rec (PaddleOCR's ppocrv5_th_dict.txt) knows 92.9% of the characters" in said
    assert "added: 1 character to be learnt: 'ฃ' 1×" in said
    assert "head: 526 → 10 rows; 9 carry over" in said


def test_compare_with_files_and_folders(thai: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "dict.txt").write_text("น\nZ\n", encoding="utf-8")
    (weights / "best.pdparams").write_bytes(b"not looked at")
    for name in (weights, weights / "dict.txt"):
        assert main(["compare", str(thai), "--with", str(name), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["kept"], facts["lost"]) == (["น", " "], ["Z"])
        assert (facts["rows_before"], facts["rows"], facts["rows_kept"]) == (4, 10, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--with", "th_PP-OCRv5_mobil_rec"], "is not known: did you mean 'th_PP-OCRv5_mobile_rec'?"),
        (["--with", "rec/rec_svtrnet.yml"], "rec/rec_svtrnet.yml has no official weights"),
        (["--with", "nowhere.txt"], "nowhere.txt does not exist"),
        (["--with", "EMPTY"], "says nothing of a dictionary"),
        (["--tree", "EMPTY"], "is not a PaddleOCR tree: it must hold ppocr/utils/dict"),
    ],
)
def test_what_is_not_known_is_one_sentence(
    thai: Path, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    given = [argument.replace("EMPTY", str(tmp_path / "empty")) for argument in arguments]
    assert main(["compare", str(thai), *(["--tree", str(tree)] if "--tree" not in given else []), *given]) == 1
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_without_a_tree_it_says_how_to_get_one(
    thai: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PADDLEOCR_HOME", raising=False)
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "cache"))
    assert main(["suggest", str(thai)]) == 1
    assert "fetch it once (3 MB) with python -m container fetch-tree" in capsys.readouterr().err


LATIN, THAI = "rec/PP-OCRv5/latin_PP-OCRv5_mobile_rec.yml", "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml"


@pytest.mark.parametrize(
    ("labels", "flags", "words"),
    [
        (["น้ำ", "Ice 25"], [f"--config {THAI}"], "th_PP-OCRv5_mobile_rec knows 100.0%"),
        (["Total 3", "12:30"], ["--config rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml"], "Latin 53%, digits 32%"),
        (["Straße", "Öl"], [f"--config {LATIN}"], "Latin 100%"),
        (
            ["привет", "мир"],
            [f"--config {LATIN}", "-o Global.model_name=eslav_PP-OCRv5_mobile_rec"],
            "which has the network of these weights",
        ),
        (["नमस्ते"], [f"--config {THAI}", "-o Global.model_name=devanagari_PP-OCRv5_mobile_rec"], "Devanagari 100%"),
        (["ภาษาไทย" * 9], [f"--config {THAI}"], "the labels need more than the recipe has"),
        (["ᚠᚢᚦ"], [f"--config {LATIN}"], "weights: none know most of these characters"),
    ],
)
def test_suggest(
    tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str], labels: list[str], flags: list[str], words: str
) -> None:
    folder = dataset(tmp_path / "data", {f"{number}.png": label for number, label in enumerate(labels)})
    (folder / "images/0.png").write_bytes(png(900, 48))
    assert main(["suggest", str(folder), "--tree", str(tree)]) == 0
    out, said = capsys.readouterr()
    assert words in said
    printed = out.splitlines()
    assert printed[: len(flags)] == flags
    assert validate([str(folder), *out.split()]) == 0, "with the flags that are printed it trains"


def test_suggest_as_json(thai: Path, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suggest", str(thai), "--tree", str(tree), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["config"], facts["weights"], facts["overrides"]) == (THAI, "th_PP-OCRv5_mobile_rec", [])
    assert facts["options"][0]["added"] == "ฃ"
    assert facts["fits"]
    assert facts["aspect"] == pytest.approx(3)


def test_every_recipe_is_that_of_its_weights() -> None:
    for weights, recipe in RECIPES.items():
        assert load_recipe(find_recipe(recipe))["Global"]["model_name"] == weights


def test_official_dictionaries_have_the_normal_form_of_all_their_characters(tree: Path) -> None:
    for weights in official_names(tree):
        old = official_dictionary(weights, tree)
        assert old is not None
        if weights.endswith(V5):
            characters = {each for each in old.characters if len(each) == 1}
            assert {*"".join(map(normalise, characters))} <= characters
