"""Bad input through the real container: one sentence, exit 1, nothing half-written. Odd but sound input is accepted."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from contract.paths import FAILURE_LIMIT
from tests.container.jobs import ROOT, Base, Finished, draw_dataset

RECIPE = "configs/rec/demo_digits.yml"
PEAK_MB = 400  # of a supervisor that looks at an image of 30,000 x 30,000 pixels


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("sound") / "digits", train=4, val=2)


@pytest.fixture
def dataset(sound: Path, tmp_path: Path) -> Path:
    """A sound dataset of one's own, to spoil."""
    return shutil.copytree(sound, tmp_path / "digits")


def refused(base: Base) -> str:
    """Run the container, check that it refuses as promised, and return the sentence."""
    finished = base.run()
    assert finished.code == 1, finished.errors
    assert "Traceback" not in finished.errors
    sentences = [line.removeprefix("error: ") for line in finished.errors.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1, finished.errors
    assert base.failure.splitlines()[0] == sentences[0]
    assert len(base.failure) <= FAILURE_LIMIT
    assert [event["reason"] for event in finished.of("failed")] == sentences
    for folder in ("model", "checkpoints"):
        assert not (base.folder / folder).exists() or not any((base.folder / folder).iterdir())
    return sentences[0]


def says(sentence: str, *parts: str) -> None:
    for part in parts:
        assert part in sentence


# ---------------------------------------------------------------- the dataset


def delete(name: str) -> Callable[[Path], None]:
    return lambda dataset: (dataset / name).unlink()


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda dataset: (dataset / name).write_bytes(data) and None


def line(number: int, text: str) -> Callable[[Path], None]:
    """Replace one line of train.txt."""

    def spoil(dataset: Path) -> None:
        lines = (dataset / "train.txt").read_text().splitlines()
        lines[number - 1] = text
        (dataset / "train.txt").write_text("".join(f"{each}\n" for each in lines))

    return spoil


def image(name: str, data: bytes, number: int = 3) -> Callable[[Path], None]:
    """Let one line of train.txt name a new image file."""

    def spoil(dataset: Path) -> None:
        (dataset / "images" / name).write_bytes(data)
        line(number, f"images/{name}\t123")(dataset)

    return spoil


def link_out(dataset: Path) -> None:
    outside = dataset.parent / "outside.png"
    shutil.copy(dataset / "images/train0.png", outside)
    (dataset / "images/link.png").symlink_to(outside)
    line(2, "images/link.png\t123")(dataset)


def utf16(dataset: Path) -> None:
    labels = dataset / "train.txt"
    labels.write_bytes(labels.read_text().encode("utf-16"))


def picture(kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    Image.effect_noise((120, 40), 60).convert("RGB").save(data, kind, **options)
    return data.getvalue()


def jpeg_with_thumbnail() -> bytes:
    """As cameras write them: a whole small JPEG, with its own end-of-image marker, inside the header."""
    exif = b"Exif\0\0" + picture("JPEG", quality=20)
    jpeg = picture("JPEG")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def png_bomb(side: int = 30_000) -> bytes:
    """A black 1-bit PNG of about 100 KB that decodes to gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = bytes(1 + -(-side // 8))
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG, JPEG = picture("PNG"), picture("JPEG")

DATASETS = {
    "train.txt missing": (delete("train.txt"), ["train.txt", "does not exist", "convert_data.py"]),
    "val.txt missing": (delete("val.txt"), ["val.txt", "does not exist", "convert_data.py"]),
    "dict.txt missing": (delete("dict.txt"), ["dict.txt", "does not exist", "convert_data.py"]),
    "train.txt empty": (write("train.txt", ""), ["train.txt: the file lists no sample", "add label lines"]),
    "val.txt empty": (write("val.txt", ""), ["val.txt: the file lists no sample", "add label lines"]),
    "dict.txt empty": (write("dict.txt", ""), ["dict.txt: holds no characters", "one character a line"]),
    "line without a tab": (line(3, "images/train2.png 123"), ["train.txt:3: the line has no tab", "one tab"]),
    "blank line": (line(2, ""), ["train.txt:2: the line is blank"]),
    "blank label": (line(2, "images/train1.png\t  "), ["train.txt:2: the label of 'images/train1.png' is blank"]),
    "tab in a label": (line(2, "images/train1.png\t1\t2"), ["train.txt:2: the label holds a tab"]),
    "missing image": (line(4, "images/none.png\t12"), ["train.txt:4: the image 'images/none.png' does not exist"]),
    "empty image": (image("empty.png", b""), ["train.txt:3: the image 'images/empty.png' is empty", "replace"]),
    "truncated PNG": (image("cut.png", PNG[: len(PNG) // 2]), ["train.txt:3: the image 'images/cut.png' is cut"]),
    "truncated JPEG": (image("cut.jpg", JPEG[: len(JPEG) // 2]), ["train.txt:3: the image 'images/cut.jpg' is cut"]),
    "damaged PNG": (image("bad.png", PNG[:80] + bytes(200) + PNG[280:]), ["train.txt:3:", "does not decode"]),
    "text as PNG": (image("text.png", b"not a picture\n"), ["train.txt:3:", "is not an image (PNG, JPEG,"]),
    "image is a folder": (line(1, "images\t12"), ["train.txt:1: the image 'images' is a folder"]),
    "absolute path": (line(1, "/etc/hostname\t12"), ["train.txt:1: '/etc/hostname' is an absolute path"]),
    "path upwards": (line(1, "../outside.png\t12"), ["train.txt:1: '../outside.png' leaves the dataset folder"]),
    "address": (line(1, "http://example.com/1.png\t12"), ["train.txt:1:", "is an address, not a file"]),
    "link that leads out": (link_out, ["train.txt:2:", "is a link that leaves the dataset folder"]),
    "UTF-16": (utf16, ["train.txt:1: the file is UTF-16", "save it as UTF-8"]),
    "Latin-1": (
        write("train.txt", b"images/train0.png\t12\nimages/train1.png\t\xe9\n"),
        ["train.txt:2: the file is not UTF-8", "save it as UTF-8"],
    ),
    "label too long": (
        line(3, "images/train2.png\t" + "12345" * 6),
        ["train.txt:3: the label has 30 code points, the recipe takes 25", "-o Global.max_text_length="],
    ),
    "label that CTC cannot fit": (
        line(2, "images/train1.png\t" + "1" * 20),
        ["train.txt:2: CTC needs 39 time steps for the label, the recipe has 25", "image_shape [3,32,160]"],
    ),
    "characters not in dict.txt": (
        line(2, "images/train1.png\t1ก2ก"),
        ["'ก' (U+0E01) occurs 2 times (train.txt:2) and is not in dict.txt", "add it to dict.txt"],
    ),
}


@pytest.mark.parametrize("case", DATASETS)
def test_a_bad_dataset_is_refused(dataset: Path, tmp_path: Path, case: str):
    spoil, parts = DATASETS[case]
    spoil(dataset)
    sentence = refused(Base(tmp_path / "ml", dataset, config=RECIPE))
    says(sentence, *parts)
    assert str(dataset) in sentence or "input/data/training" in sentence


def test_no_training_channel_is_refused(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "ml", dataset, config=RECIPE)
    (base.folder / "input/data/training").unlink()
    says(refused(base), "there is no dataset", "give the job a channel named training")


def test_weights_that_are_cut_short_are_refused(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "ml", dataset, config=RECIPE, workers=0)
    weights = tmp_path / "mine/best.pdparams"
    weights.parent.mkdir()
    weights.write_bytes(pickle.dumps({"w": b"1" * 1000}, 2)[:-100])
    (base.folder / "input/data/pretrained").symlink_to(weights.parent)
    says(refused(base), f"{weights} is not a file of weights (it is cut short or damaged): replace it")


@pytest.mark.parametrize("channel", ["training", "validation", "pretrained"])
def test_an_empty_channel_is_refused(sound: Path, tmp_path: Path, channel: str):
    base = Base(tmp_path / "ml", sound, config=RECIPE)
    folder = base.folder / "input/data" / channel
    folder.unlink(missing_ok=True)
    folder.mkdir()
    says(refused(base), f"the channel {channel} is empty", "S3 prefix", "correct that address")


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has an NVIDIA driver")
def test_an_instance_with_a_gpu_never_trains_on_its_cpu_in_silence(sound: Path, tmp_path: Path):
    base = Base(tmp_path / "ml", sound, config=RECIPE)
    resources = base.folder / "input/config/resourceconfig.json"
    resources.write_text(json.dumps(json.loads(resources.read_text()) | {"current_instance_type": "ml.g5.xlarge"}))
    says(refused(base), "ml.g5.xlarge has a GPU that would stand idle", "build for the CPU", "Global.use_gpu=false")


def test_all_problems_are_counted_and_the_first_is_named(dataset: Path, tmp_path: Path):
    line(1, "images/train0.png 12")(dataset)
    line(2, "images/none.png\t12")(dataset)
    line(4, "../up.png\t12")(dataset)
    says(refused(Base(tmp_path / "ml", dataset, config=RECIPE)), "train.txt:1: the line has no tab", "and 2 more")


def test_the_first_three_lines_of_a_strange_character_are_named(dataset: Path, tmp_path: Path):
    for number in range(1, 5):
        line(number, f"images/train{number - 1}.png\tx{number}x")(dataset)
    sentence = refused(Base(tmp_path / "ml", dataset, config=RECIPE))
    says(sentence, "'x' (U+0078) occurs 8 times (train.txt:1, train.txt:2, train.txt:3, …)")


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_a_huge_image_is_refused_before_it_is_decoded(dataset: Path, tmp_path: Path):
    bomb = png_bomb()
    assert len(bomb) < 150_000
    image("bomb.png", bomb)(dataset)
    base = Base(tmp_path / "ml", dataset, config=RECIPE)
    says(refused(base), "train.txt:3:", "claims 30000 x 30000 pixels, over the limit of")
    assert peak_megabytes(base) < PEAK_MB


def peak_megabytes(base: Base) -> float:
    """Peak memory of a container run; started from a fresh process, whose own size does not count."""
    measure = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'container', 'train'], capture_output=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure],
        cwd=ROOT,
        env=environment(base),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1024


def environment(base: Base) -> dict[str, str]:
    return os.environ | {"SAGEMAKER_BASE_DIR": str(base.folder)}


def test_a_truncated_jpeg_with_a_thumbnail_is_refused(dataset: Path, tmp_path: Path):
    whole = jpeg_with_thumbnail()
    image("camera.jpg", whole[:-800])(dataset)
    says(refused(Base(tmp_path / "ml", dataset, config=RECIPE)), "train.txt:3: the image 'images/camera.jpg'")


# ---------------------------------------------------------------- hyperparameters

SHAPE = "Train.dataset.transforms.2.RecResizeImg.image_shape"

PARAMETERS = {
    "unknown recipe": (
        {"config": "rec/demo_digit.yml"},
        ["'rec/demo_digit.yml'", "did you mean 'rec/demo_digits.yml'?"],
    ),
    "no recipe": ({"config": ""}, ["config is empty"]),
    "unknown dotted key": (
        {"Optimizer.lr.learning_rat": "0.1"},
        ["'Optimizer.lr.learning_rat'", "did you mean 'Optimizer.lr.learning_rate'?"],
    ),
    "unknown list item": ({"Train.dataset.transforms.9.DecodeImage.img_mode": "RGB"}, ["unknown recipe key", "mean"]),
    "unknown hyperparameter": ({"epoch": "3"}, ["unknown hyperparameter 'epoch'", "did you mean 'epochs'?"]),
    "epochs in words": ({"epochs": "ten"}, ["epochs must be a whole number, not 'ten'"]),
    "half an epoch": ({"epochs": "0.5"}, ["epochs must be a whole number, not '0.5'"]),
    "no epoch": ({"epochs": "0"}, ["epochs must be at least 1, not 0"]),
    "empty batches": ({"batch_size": "0"}, ["batch_size must be at least 1"]),
    "infinite learning rate": ({"learning_rate": "inf"}, ["learning_rate must be a number, not 'inf'"]),
    "negative learning rate": ({"learning_rate": "-1"}, ["learning_rate must be at least 0"]),
    "maybe": ({"Global.use_space_char": "maybe"}, ["Global.use_space_char must be true or false, not 'maybe'"]),
    "letter in a shape": ({SHAPE: "[3,32,x]"}, [f"{SHAPE} must be a list", "[3,32,x]"]),
    "shape of two": ({SHAPE: "[32,100]"}, ["image_shape must be [3, height, width]"]),
    "unknown optimizer": ({"Optimizer.name": "Adamm"}, ["unknown optimizer 'Adamm'", "did you mean 'Adam'?"]),
    "another model type": ({"Architecture.model_type": "det"}, ["Architecture.model_type", "rec"]),
    "zero epochs by key": ({"Global.epoch_num": "0"}, ["Global.epoch_num"]),
    "zero batch by key": ({"Train.loader.batch_size_per_card": "0"}, ["Train.loader.batch_size_per_card"]),
    "negative seed by key": ({"Global.seed": "-1"}, ["Global.seed"]),
    "negative workers by key": ({"Train.loader.num_workers": "-1"}, ["Train.loader.num_workers"]),
    "zero evaluation batch": ({"Eval.loader.batch_size_per_card": "0"}, ["Eval.loader.batch_size_per_card"]),
    "interval of one number": ({"Global.eval_batch_step": "[5]"}, ["Global.eval_batch_step"]),
    "one channel": ({SHAPE: "[1,32,100]"}, ["image_shape"]),
    "loader without a batch": ({"Train.loader": "{}"}, ["Train.loader"]),
    "zero interval by key": ({"Global.eval_batch_step": "[0, 0]"}, ["Global.eval_batch_step"]),
    "backbone without a name": ({"Architecture.Backbone": "{}"}, ["Architecture.Backbone"]),
    "unknown backbone": ({"Architecture.Backbone.name": "MobileNetV33"}, ["Backbone", "'MobileNetV33'"]),
    "operators that are none": ({"Train.dataset.transforms": "[1, 2]"}, ["Train.dataset.transforms"]),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_bad_hyperparameter_is_refused(sound: Path, tmp_path: Path, case: str):
    parameters, parts = PARAMETERS[case]
    says(refused(Base(tmp_path / "ml", sound, **({"config": RECIPE} | parameters))), *parts)


def test_hyperparameters_that_are_not_json_are_refused(sound: Path, tmp_path: Path):
    base = Base(tmp_path / "ml", sound, config=RECIPE)
    (base.folder / "input/config/hyperparameters.json").write_text("epochs: 3")
    says(refused(base), "hyperparameters.json is not JSON")


# ---------------------------------------------------------------- recipes in the training channel


def recipe_with(dataset: Path, change: Callable[[dict], None]) -> str:
    """Put a changed recipe into the dataset folder; returns its name there."""
    recipe = yaml.safe_load((ROOT / RECIPE).read_text())
    change(recipe)
    (dataset / "own.yml").write_text(yaml.safe_dump(recipe))
    return "own.yml"


def test_a_detection_recipe_is_refused(dataset: Path, tmp_path: Path):
    name = recipe_with(dataset, lambda recipe: recipe["Architecture"].update(model_type="det"))
    says(refused(Base(tmp_path / "ml", dataset, config=name)), "own.yml", "'det'", "text recognition (rec) only")


def test_an_incomplete_recipe_is_refused(dataset: Path, tmp_path: Path):
    name = recipe_with(dataset, lambda recipe: recipe.pop("PostProcess"))
    says(refused(Base(tmp_path / "ml", dataset, config=name)), "own.yml", "the section PostProcess is missing")


def test_an_unknown_operator_is_refused(dataset: Path, tmp_path: Path):
    def misspell(recipe: dict) -> None:
        recipe["Train"]["dataset"]["transforms"][0] = {"DecodeImages": {"img_mode": "BGR"}}

    sentence = refused(Base(tmp_path / "ml", dataset, config=recipe_with(dataset, misspell)))
    says(sentence, "Train.dataset.transforms.0", "'DecodeImages'", "did you mean 'DecodeImage'?")


@pytest.mark.parametrize(
    "place", ["Train operator", "Eval operator", "optimizer", "learning rate", "loss", "post-processing", "backbone"]
)
def test_code_in_a_name_never_runs(dataset: Path, tmp_path: Path, place: str):
    code = f"__import__('os').system('touch {tmp_path / 'pwned'}') or DecodeImage"

    def plant(recipe: dict) -> None:
        if place.endswith("operator"):
            recipe[place.split()[0]]["dataset"]["transforms"][0] = {code: {"img_mode": "BGR"}}
        elif place == "learning rate":
            recipe["Optimizer"]["lr"]["name"] = code
        else:
            section = {
                "optimizer": recipe["Optimizer"],
                "loss": recipe["Loss"],
                "post-processing": recipe["PostProcess"],
            }
            section.get(place, recipe["Architecture"]["Backbone"])["name"] = code

    says(refused(Base(tmp_path / "ml", dataset, config=recipe_with(dataset, plant))), "__import__")
    assert not (tmp_path / "pwned").exists()


def test_python_in_yaml_never_runs(dataset: Path, tmp_path: Path):
    (dataset / "own.yml").write_text(f"Global: !!python/object/apply:os.system ['touch {tmp_path / 'pwned'}']\n")
    says(refused(Base(tmp_path / "ml", dataset, config="own.yml")), "own.yml:1: not valid YAML")
    assert not (tmp_path / "pwned").exists()


def test_broken_yaml_is_refused_with_its_line(dataset: Path, tmp_path: Path):
    lines = (ROOT / RECIPE).read_text().splitlines()
    lines[9] = "  save_inference_dir: [1, 2"
    (dataset / "own.yml").write_text("\n".join(lines))
    sentence = refused(Base(tmp_path / "ml", dataset, config="own.yml"))
    says(sentence, "not valid YAML", "correct this line")
    assert any(f"own.yml:{number}:" in sentence for number in (10, 11))


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize("name", ["model", "checkpoints"])
def test_a_file_where_a_folder_must_be_is_refused(sound: Path, tmp_path: Path, name: str):
    base = Base(tmp_path / "ml", sound, config=RECIPE)
    (base.folder / name).write_text("in the way")
    finished = base.run()
    assert finished.code == 1, finished.errors
    assert "Traceback" not in finished.errors
    assert f"/{name}" in base.failure.splitlines()[0]
    assert finished.of("train") == [], "refused before anything is paid for"
    assert (base.folder / name).read_text() == "in the way"


def test_a_failure_that_cannot_be_written_is_still_said(dataset: Path, tmp_path: Path):
    line(2, "no tab")(dataset)
    base = Base(tmp_path / "ml", dataset, config=RECIPE)
    (base.folder / "output").write_text("in the way")
    child = subprocess.run(
        [sys.executable, "-m", "container"],
        cwd=ROOT,
        env=environment(base),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 1
    assert "train.txt:2: the line has no tab" in child.stderr
    assert "Traceback" not in child.stderr


# ---------------------------------------------------------------- odd, and accepted


@pytest.fixture(scope="module")
def accepted(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Finished]:
    """One epoch with a BOM, CRLF and values written every which way."""
    folder = tmp_path_factory.mktemp("odd")
    dataset = shutil.copytree(sound, folder / "digits")
    for name in ("train.txt", "val.txt", "dict.txt"):
        path = dataset / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    base = Base(
        folder / "ml",
        dataset,
        **{
            "config": RECIPE,
            "epochs": "1",
            "learning_rate": "1e-4",
            "amp": "False",
            "Global.use_space_char": "True",
            "Global.cal_metric_during_train": "true",
            "Global.save_res_path": "a=b=c.txt",
            SHAPE: "[3, 32, 64]",
        },
    )
    return base, base.run()


def test_byte_order_marks_and_windows_line_ends_train_and_are_said(accepted: tuple[Base, Finished]):
    base, finished = accepted
    assert finished.code == 0, finished.errors
    for name in ("train.txt", "val.txt", "dict.txt"):
        assert f"note: {name} starts with a byte order mark: accepted, ignored" in finished.errors
        assert f"note: {name} has Windows line ends (CRLF): accepted, ignored" in finished.errors
    assert (base.folder / "model/dict.txt").read_bytes() == b"".join(b"%d\n" % digit for digit in range(10))


def test_values_mean_what_they_look_like(accepted: tuple[Base, Finished]):
    base, finished = accepted
    config = yaml.safe_load((base.folder / "model/config.yml").read_text())
    assert finished.of("train")[0]["lr"] == pytest.approx(0.0001)
    assert config["Global"]["use_space_char"] is True
    assert config["Global"]["cal_metric_during_train"] is True
    assert config["Global"]["save_res_path"] == "a=b=c.txt"
    assert config["Train"]["dataset"]["transforms"][2]["RecResizeImg"]["image_shape"] == [3, 32, 64]
