"""Pretrained weights: what fits is loaded, the head's rows follow their characters, the rest is said or refused."""

# ruff: noqa: E402 (where paddle is not installed, this module is skipped before it imports more)
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

paddle = pytest.importorskip("paddle")

import numpy as np
import yaml

from container.trainer.ppocr_rec.modeling.architectures import build_model
from container.trainer.pretrained import Receipt, load_pretrained, weights_file
from contract.errors import UserError
from contract.paths import EXIT_INTERRUPTED
from contract.recipe import CONFIGS, load_recipe
from contract.weights_dictionary import find_dictionary
from tests.container.jobs import Base, at_step, draw_dataset
from tests.container.pickle_payloads import Call, dump

DIGITS, LETTERS = tuple("0123456789"), tuple("abcdef")
NO_TREE = Path("no tree")


class MultiHeadNetwork(paddle.nn.Layer):
    """A network with the two heads of PP-OCRv4, under its names: `characters` are CTC's classes without the blank."""

    def __init__(self, characters: Sequence[str], width: int = 5):
        super().__init__()
        self.backbone = layers(blocks2=paddle.nn.Linear(3, 4), blocks3=paddle.nn.Linear(4, 5))
        self.head = layers(
            ctc_head=layers(fc=paddle.nn.Linear(width, len(characters) + 1)),
            gtc_head=layers(
                embedding=layers(embedding=paddle.nn.Embedding(len(characters) + 5, 6)),
                tgt_word_prj=paddle.nn.Linear(6, len(characters) + 5, bias_attr=False),
            ),
        )


def layers(**named: paddle.nn.Layer) -> paddle.nn.Layer:
    holder = paddle.nn.Layer()
    for name, layer in named.items():
        holder.add_sublayer(name, layer)
    return holder


def crnn(classes: int, **head: Any) -> paddle.nn.Layer:
    return build_model(
        {
            "model_type": "rec",
            "algorithm": "CRNN",
            "Transform": None,
            "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "small"},
            "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 8},
            "Head": {"name": "CTCHead", "fc_decay": 0, "out_channels": classes, **head},
        }
    )


def arrays(model: paddle.nn.Layer) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def save(folder: Path, content: Any, characters: Sequence[str] | None = None, name: str = "w.pdparams") -> Path:
    """A pretrained channel: the weights, and the characters beside them if they are known."""
    folder.mkdir(parents=True, exist_ok=True)
    paddle.save(content.state_dict() if isinstance(content, paddle.nn.Layer) else content, str(folder / name))
    if characters:
        (folder / "dict.txt").write_text("".join(f"{each}\n" for each in characters), encoding="utf-8")
    return folder


def load(model: paddle.nn.Layer, characters: Sequence[str], folder: Path, tree: Path = NO_TREE) -> Receipt:
    receipt = load_pretrained(model, characters, folder, tree)
    json.dumps(receipt.facts())
    assert len(receipt.line().splitlines()) == 1
    return receipt


def assert_rows_follow(
    old: paddle.nn.Layer, before: Sequence[str], fresh: dict[str, np.ndarray], new: paddle.nn.Layer, now: Sequence[str]
) -> None:
    """Row by row: marks and known characters from the old head, every other row as the new one was made."""
    given, made = arrays(old), arrays(new)
    for name, axis, marks in (
        ("head.ctc_head.fc.weight", 1, ["blank"]),
        ("head.ctc_head.fc.bias", 0, ["blank"]),
        ("head.gtc_head.embedding.embedding.weight", 0, ["blank", "unknown", "start", "end"]),
        ("head.gtc_head.tgt_word_prj.weight", 1, ["blank", "unknown", "start", "end"]),
    ):
        spare = ["spare"] if len(marks) > 1 else []
        classes_before, classes = [*marks, *before, *spare], [*marks, *now, *spare]
        rows_before, rows_fresh, rows = (np.moveaxis(each[name], axis, 0) for each in (given, fresh, made))
        assert len(rows) == len(classes)
        for index, what in enumerate(classes):
            expected = rows_before[classes_before.index(what)] if what in classes_before else rows_fresh[index]
            np.testing.assert_array_equal(rows[index], expected, err_msg=f"{name}, {what!r}")


# ---------------------------------------------------------------- the head


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([*DIGITS], [*DIGITS, *LETTERS]),
        ([*DIGITS], ["x", *reversed(DIGITS)]),
        ([*DIGITS, " "], [*DIGITS, "-", " "]),
        ([*DIGITS], [*DIGITS, " "]),
        ([*DIGITS, " "], [*DIGITS]),
        ([*DIGITS, *LETTERS, " "], ["7", "ก", "น", "้", "ำ", " "]),
        ([*DIGITS], list(reversed(DIGITS))),
        (["\u3000", *DIGITS], ["0", "\u3000"]),
    ],
    ids=["more", "order", "space stays last", "space comes", "space goes", "few in common", "same size", "U+3000"],
)
def test_rows_follow_their_characters(tmp_path: Path, before: list[str], now: list[str]):
    old, new = MultiHeadNetwork(before), MultiHeadNetwork(now)
    fresh = arrays(new)
    # the space is never a line of dict.txt: the size of the head tells that it is a class
    receipt = load(new, now, save(tmp_path, old, [each for each in before if each != " "]))
    assert_rows_follow(old, before, fresh, new, now)
    carried = len(set(before) & set(now))
    assert (receipt.head, receipt.loaded, receipt.tensors, receipt.carried) == ("rebuilt", 4, 8, carried)
    assert f"loaded 4 of 8 tensors from w.pdparams; head rebuilt: dictionary {len(before) + 1} → {len(now) + 1}, " in (
        receipt.line()
    )
    assert f"{carried} rows carried over by character (dict.txt)" in receipt.line()
    assert receipt.new == ()
    assert sorted(receipt.new_characters or "") == sorted(set(now) - set(before))


def test_the_english_dictionary_of_paddleocr_has_the_space_twice(tmp_path: Path):
    """Its 95 lines hold a space, and use_space_char adds one: PaddleOCR trains the last. 97 → 143 classes."""
    before = [*map(chr, range(33, 127)), " ", " "]
    now = [*map(chr, range(33, 127)), *map(chr, range(0x0E01, 0x0E30)), " "]
    old, new = MultiHeadNetwork(before), MultiHeadNetwork(now)
    receipt = load(new, now, save(tmp_path, old, before[:-1]))
    assert "head rebuilt: dictionary 97 → 143, 95 rows carried over by character" in receipt.line()
    weight = "head.ctc_head.fc.weight"
    np.testing.assert_array_equal(arrays(new)[weight][:, -1], arrays(old)[weight][:, -1])


def test_the_same_dictionary_loads_everything(tmp_path: Path):
    old, new = MultiHeadNetwork(DIGITS), MultiHeadNetwork(DIGITS)
    receipt = load(new, DIGITS, save(tmp_path, old, DIGITS))
    assert (receipt.head, receipt.loaded, receipt.new) == ("kept", 8, ())
    assert receipt.line() == "pretrained weights: loaded 8 of 8 tensors from w.pdparams"
    for name, value in arrays(old).items():
        np.testing.assert_array_equal(arrays(new)[name], value)


def test_without_the_old_dictionary_heads_of_one_size_are_taken_as_they_are(tmp_path: Path):
    receipt = load(MultiHeadNetwork(DIGITS), DIGITS, save(tmp_path, MultiHeadNetwork(DIGITS)))
    assert (receipt.head, receipt.loaded, receipt.dictionary) == ("kept", 8, None)
    assert "head taken as it is, with 11 classes as before: if their order changed, put the old" in receipt.line()


def test_without_the_old_dictionary_a_head_of_another_size_starts_anew(tmp_path: Path):
    new = MultiHeadNetwork(LETTERS)
    fresh = arrays(new)
    receipt = load(new, LETTERS, save(tmp_path, MultiHeadNetwork(DIGITS)))
    assert (receipt.head, receipt.loaded, receipt.carried) == ("new", 4, None)
    assert len(receipt.new) == 4
    assert "head starts anew: dictionary 11 → 7 and the old dictionary is not known; put it beside" in receipt.line()
    for name in receipt.new:
        np.testing.assert_array_equal(arrays(new)[name], fresh[name])


def test_a_file_without_a_head(tmp_path: Path):
    body = {name: value for name, value in MultiHeadNetwork(DIGITS).state_dict().items() if "head" not in name}
    receipt = load(MultiHeadNetwork(DIGITS), DIGITS, save(tmp_path, body, DIGITS))
    assert (receipt.head, receipt.loaded, receipt.classes_before) == ("new", 4, None)
    assert "head starts anew: the file has none" in receipt.line()


def test_a_head_of_another_width_starts_anew(tmp_path: Path):
    receipt = load(MultiHeadNetwork(LETTERS, 7), LETTERS, save(tmp_path, MultiHeadNetwork(DIGITS), DIGITS))
    assert receipt.head == "new"
    assert "its layers have other sizes" in receipt.line()
    assert "head.gtc_head.tgt_word_prj.weight" not in receipt.new, "NRTR's rows still fit, by character"


@pytest.mark.parametrize("head", [{}, {"mid_channels": 6}], ids=["one layer", "two layers"])
def test_a_crnn_of_ours(tmp_path: Path, head: dict):
    old, new = crnn(11, **head), crnn(17, **head)
    receipt = load(new, [*LETTERS, *DIGITS], save(tmp_path, old, DIGITS))
    assert receipt.loaded == receipt.tensors - 2
    assert receipt.carried == 10
    layer = "head.fc2" if head else "head.fc"
    np.testing.assert_array_equal(arrays(new)[f"{layer}.bias"][7:], arrays(old)[f"{layer}.bias"][1:])
    np.testing.assert_array_equal(arrays(new)[f"{layer}.weight"][:, 0], arrays(old)[f"{layer}.weight"][:, 0])


def test_pp_ocrv4_from_english_to_thai(tmp_path: Path):
    def build(characters: Sequence[str]) -> paddle.nn.Layer:
        architecture = load_recipe(CONFIGS / "rec/PP-OCRv4/en_PP-OCRv4_rec.yml")["Architecture"]
        classes = len(characters) + 1
        architecture["Head"]["out_channels_list"] = {"CTCLabelDecode": classes, "NRTRLabelDecode": classes + 3}
        return build_model(architecture)

    english, thai = [*map(chr, range(33, 127)), " "], ["ก", "า", "A", "B", " "]
    old, new = build(english), build(thai)
    fresh = arrays(new)
    receipt = load(new, thai, save(tmp_path, old, english[:-1]))
    assert receipt.loaded == receipt.tensors - 4
    assert (receipt.carried, receipt.new, receipt.new_characters) == (3, (), "กา")
    assert_rows_follow(old, english, fresh, new, thai)


# ---------------------------------------------------------------- where the dictionary is found


def in_folder(name: str, content: str) -> Callable[[Path, Path], None]:
    def write(folder: Path, tree: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")

    return write


def config(path: str) -> str:
    return yaml.safe_dump({"Global": {"character_dict_path": path}})


LISTED = yaml.safe_dump({"PostProcess": {"name": "CTCLabelDecode", "character_dict": list(DIGITS)}})
LINES = "".join(f"{each}\n" for each in DIGITS)
FOUND: dict[str, tuple[Callable[[Path, Path], None], str | None]] = {
    "dict.txt": (in_folder("dict.txt", LINES), "dict.txt"),
    "dict.txt of Windows": (in_folder("dict.txt", "\ufeff" + LINES.replace("\n", "\r\n")), "dict.txt"),
    "dict.txt without its last line end": (in_folder("dict.txt", LINES.rstrip("\n")), "dict.txt"),
    "another .txt": (in_folder("my_digits.txt", LINES), "my_digits.txt"),
    "a .txt that is none": (in_folder("README.txt", "Weights of ours.\n"), None),
    "inference.yml": (in_folder("inference.yml", LISTED), "inference.yml"),
    "inference.yml of our model folder": (in_folder("inference/inference.yml", LISTED), "inference.yml"),
    "inference.yml of a detector": (in_folder("inference.yml", yaml.safe_dump({"PostProcess": {}})), None),
    "config.yml and the tree": (in_folder("config.yml", config("./ppocr/utils/dict/digits.txt")), "digits.txt"),
    "config.yml and no such file": (in_folder("config.yml", config("./ppocr/utils/dict/gone.txt")), None),
    "config.yml that points outside": (in_folder("config.yml", config("../../../../secret.txt")), None),
    "config.yml with an absolute path": (in_folder("config.yml", config("/etc/passwd")), None),
    "config.yml of lists": (in_folder("config.yml", "[1, 2]"), None),
    "nothing": (lambda folder, tree: None, None),
}


@pytest.mark.parametrize("case", FOUND)
def test_where_the_dictionary_is_found(tmp_path: Path, case: str):
    write, expected = FOUND[case]
    tree, folder = tmp_path / "tree", tmp_path / "channel/weights"
    in_folder("ppocr/utils/dict/digits.txt", LINES)(tree, tree)
    in_folder("secret.txt", LINES)(tmp_path, tree)
    folder.mkdir(parents=True)
    write(folder, tree)
    for where in (folder, folder.parent):
        found = find_dictionary(folder / "w.pdparams", where, tree, 11)
        assert (Path(found.file).name if found else None) == expected
        assert not found or found.characters == DIGITS
        with_space = find_dictionary(folder / "w.pdparams", where, tree, 12) if expected else None
        assert not with_space or with_space.characters == (*DIGITS, " ")


@pytest.mark.parametrize(
    ("name", "file"),
    [("th_PP-OCRv5_mobile_rec", "dict/ppocrv5_th_dict.txt"), ("en_PP-OCRv4_mobile_rec", "en_dict.txt")],
)
def test_official_weights_bring_their_dictionary(tmp_path: Path, name: str, file: str):
    in_folder(f"ppocr/utils/{file}", LINES)(tmp_path, tmp_path)
    folder = tmp_path / "channel"
    folder.mkdir()
    found = find_dictionary(folder / f"{name}_pretrained.pdparams", folder, tmp_path, 12)
    assert found
    assert found.characters == (*DIGITS, " ")
    assert found.file == f"PaddleOCR's {Path(file).name}"
    assert find_dictionary(folder / f"{name}_pretrained.pdparams", folder, tmp_path, 50) is None
    assert find_dictionary(folder / "other.pdparams", folder, tmp_path, 12) is None


def test_a_dictionary_that_is_not_of_these_weights(tmp_path: Path):
    folder = save(tmp_path, MultiHeadNetwork(DIGITS), LETTERS)
    with pytest.raises(
        UserError, match=r"with 6 lines it is not the dictionary of w\.pdparams, whose head has 11 classes"
    ):
        load(MultiHeadNetwork(LETTERS), LETTERS, folder)


# ---------------------------------------------------------------- files of other origin


def prefixed(prefix: str) -> Callable[[dict], dict]:
    return lambda weights: {prefix + name: value for name, value in weights.items()}


def distilled(weights: dict) -> dict:
    noise = {"Teacher." + name: value * 0 for name, value in weights.items()}
    return noise | {"Student." + name: value for name, value in weights.items()}


@pytest.mark.parametrize(
    "rename",
    [prefixed("Student."), prefixed("_layers."), distilled, lambda weights: {"state": 1} | weights],
    ids=["student", "DataParallel", "teacher and student", "more than tensors"],
)
def test_names_of_other_tools(tmp_path: Path, rename: Callable[[dict], dict]):
    old, new = crnn(11), crnn(11)
    receipt = load(new, DIGITS, save(tmp_path, rename(old.state_dict()), DIGITS))
    assert receipt.loaded == receipt.tensors
    np.testing.assert_array_equal(arrays(new)["head.fc.weight"], arrays(old)["head.fc.weight"])


def test_a_bare_backbone(tmp_path: Path):
    weights = {
        name.removeprefix("backbone."): value for name, value in crnn(11).state_dict().items() if "backbone" in name
    }
    receipt = load(crnn(11), DIGITS, save(tmp_path, weights))
    assert receipt.loaded == len(weights)
    assert receipt.head == "new"


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_weights_of_another_precision(tmp_path: Path, kind: str):
    old, new = crnn(11), crnn(11)
    load(new, DIGITS, save(tmp_path, {name: each.astype(kind) for name, each in old.state_dict().items()}, DIGITS))
    for name, value in arrays(old).items():
        assert arrays(new)[name].dtype == value.dtype
        np.testing.assert_allclose(arrays(new)[name], value, rtol=0.01, atol=1e-6)


# ---------------------------------------------------------------- refused


def test_weights_of_another_recipe(tmp_path: Path):
    folder = save(
        tmp_path, {f"backbone.blocks2.{i}.dw_conv.conv_kxk.0.conv.weight": paddle.ones([2]) for i in range(9)}
    )
    with pytest.raises(UserError) as error:
        load(crnn(11), DIGITS, folder)
    message = str(error.value)
    assert "only 0 of the " in message
    assert "tensors of the backbone (0%) fit: they are weights of PP-OCRv4/v5 mobile (PPLCNetV3), " in message
    assert message.endswith("and the recipe is CRNN (MobileNetV3): name the recipe that they were trained with")


def test_weights_of_another_size(tmp_path: Path):
    grown = {name: paddle.concat([each, each]) for name, each in crnn(11).state_dict().items() if each.ndim}
    with pytest.raises(UserError, match=r"they are weights of CRNN \(MobileNetV3\) in another size"):
        load(crnn(11), DIGITS, save(tmp_path, grown))


@pytest.mark.parametrize(
    ("names", "whose"),
    [
        (["linear_0.w_0_moment1_0"], "an optimizer"),
        (["head.binarize.conv1.weight"], "a text detection model"),
        (["backbone.blocks2.0.dw_conv.reparam_conv.weight"], "fused for reading"),
        (["backbone.patch_embed.proj.0.conv.weight"], "SVTR"),
        (["something"], "something else"),
    ],
)
def test_what_other_files_are(tmp_path: Path, names: list[str], whose: str):
    with pytest.raises(UserError, match=whose):
        load(crnn(11), DIGITS, save(tmp_path, {name: paddle.ones([1]) for name in names}))


def test_weights_that_are_not_numbers(tmp_path: Path):
    old = crnn(11)
    old.head.fc.bias.set_value(paddle.full([11], float("nan")))
    with pytest.raises(UserError, match=r"head\.fc\.bias holds values that are not numbers"):
        load(crnn(11), DIGITS, save(tmp_path, old))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "holds no .pdparams file: put the weights"),
        (["best_accuracy.pdparams", "latest.pdparams"], "2 .pdparams files (best_accuracy.pdparams, latest.pdparams)"),
        (["inference/inference.pdiparams"], "inference.pdiparams, an exported model, which cannot be trained on"),
        (["en_PP-OCRv4_rec_train.tar"], "an archive: unpack it"),
        (["model.safetensors"], "weights of another format"),
        (["latest.pdopt", "latest.states"], "latest.pdopt, an optimizer without its weights"),
    ],
)
def test_what_a_channel_holds_instead(tmp_path: Path, files: list[str], said: str):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError) as error:
        weights_file(tmp_path)
    assert said in str(error.value)


def test_the_weights_of_a_folder_that_paddleocr_left(tmp_path: Path):
    for name in ("best_accuracy/best_accuracy.pdparams", "best_accuracy/best_accuracy.pdopt", "train.log", "x.states"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert weights_file(tmp_path) == tmp_path / "best_accuracy/best_accuracy.pdparams"


def test_what_lies_beside_the_weights_is_never_unpickled(tmp_path: Path):
    mark = tmp_path / "ran"
    folder = save(tmp_path / "channel", crnn(11), DIGITS)
    for name in ("w.states", "w.pdopt", "dict.pkl"):
        (folder / name).write_bytes(dump(Call("os:system", f"touch {mark}")))
    assert load(crnn(11), DIGITS, folder).head == "kept"
    assert not mark.exists()


# ---------------------------------------------------------------- in a job


def test_the_receipt_is_in_run_json_whatever_came_between(tmp_path: Path):
    """Digits were known, in another order and with letters; the run is stopped and continued."""
    recipe = load_recipe(CONFIGS / "rec/demo_digits.yml")
    recipe["Architecture"]["Head"]["out_channels"] = len(LETTERS + DIGITS) + 1
    dataset = draw_dataset(tmp_path / "digits", train=12, val=4)
    parameters = {"config": "rec/demo_digits.yml", "epochs": 2, "batch_size": 4, "workers": 0}
    base = Base(tmp_path / "ml", dataset, **parameters, Global__print_batch_step=1)
    save(tmp_path / "ml/input/data/pretrained", build_model(recipe["Architecture"]), [*LETTERS, *DIGITS])
    stopped = base.run("train", stop_when=at_step(2))
    assert stopped.code == EXIT_INTERRUPTED, stopped.errors
    (event,) = stopped.of("pretrained")
    assert (event["file"], event["head"]) == ("w.pdparams", "rebuilt")
    assert event["loaded"] == event["tensors"] - 2
    assert (
        "head rebuilt: dictionary 17 → 12, 10 rows carried over by character (dict.txt); to be learnt: the space"
        in stopped.errors
    )
    finished = base.run("train")
    assert finished.code == 0, finished.errors
    assert not finished.of("pretrained"), "a resumed run has its weights from the checkpoint"
    receipt = base.report()["pretrained"]
    assert (receipt["carried"], receipt["classes_before"], receipt["classes"]) == (10, 17, 12)
