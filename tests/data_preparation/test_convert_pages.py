"""Annotated pages become crops: all of them or a reason."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from data_preparation.cropping import Cut
from data_preparation.images import decode
from data_preparation.page_cutting import page_orders
from data_preparation.regions import PageSource, Region
from data_preparation.scripts.convert_data import main
from data_preparation.sources.pages import page_size
from data_preparation.sources.reading import read_source
from tests.data_preparation.folders import REPOSITORY, huge_png, png
from tests.data_preparation.pages import box, draw_page, icdar_line, label_line, labelme_file, shape
from tests.data_preparation.test_convert_data import samples


def convert(images: Path, labels: Path, output: Path, *flags: str) -> int:
    return main(["--input-images", str(images), "--input-labels", str(labels), "--output-dir", str(output), *flags])


def rejected(folder: Path) -> list[tuple[str, str, str]]:
    """The rows of rejected.csv: source, region, reason."""
    with (folder / "rejected.csv").open(encoding="utf-8", newline="") as file:
        return [(row["source"], row["region"], row["reason"]) for row in csv.DictReader(file)]


def test_a_label_txt_of_ppocrlabel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [draw_page(tmp_path / f"in/{number}.png", seed=number) for number in range(3)]
    regions = [("ร้าน 7", box(20, 30)), ("###", box(20, 90)), ("total", box(20, 150, 24, 80))]
    lines = [label_line(f"in/{number}.png", regions) for number in range(3)]
    (tmp_path / "in/Label.txt").write_text("".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    assert convert(tmp_path / "in", tmp_path / "in", out, "--image-format", "png", "--workers", "1") == 0
    assert "9 regions: 6 cut out, 3 left out" in capsys.readouterr().err
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        f"images/{page}.png/{ident}.png": text
        for page in range(3)
        for ident, text in (("0001", "ร้าน 7"), ("0003", "total"))
    }
    assert (cv2.imread(str(out / "images/1.png/0001.png")) == pages[1][30:54, 20:100]).all()
    turned = cv2.rotate(pages[1][150:230, 20:44], cv2.ROTATE_90_COUNTERCLOCKWISE)
    assert (cv2.imread(str(out / "images/1.png/0003.png")) == turned).all()
    assert [row[:2] for row in rejected(out)] == [("Label.txt", f"{line}#2") for line in (1, 2, 3)]


def test_text_files_of_icdar_2015(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, texts = tmp_path / "pages", tmp_path / "gt"
    texts.mkdir()
    for number in (1, 2):
        draw_page(pages / f"img_{number}.jpg", seed=number)
        lines = [
            icdar_line("Joe's, since 1,999", box(10, 10)),
            icdar_line("###", box(10, 50)),
            icdar_line("EXIT", box(10, 90)),
        ]
        (texts / f"gt_img_{number}.txt").write_text("".join(lines), encoding="utf-8-sig", newline="\r\n")
    (texts / "gt_img_3.txt").write_text("5,5,80,5,80,30,5,30,no page\nfive,5,80\n")
    (texts / "gt_img_4.txt").write_bytes("5,5,80,5,80,30,5,30,é\n".encode("latin-1"))
    out = tmp_path / "out"
    assert convert(pages, texts, out) == 0
    said = capsys.readouterr().err
    assert "format: icdar (4 text files of eight numbers and a text)" in said
    assert "note: 2 text files: starts with a byte order mark: accepted, ignored" in said
    assert "9 regions: 4 cut out, 5 left out" in said
    found = samples(out, "train") | samples(out, "val")
    assert sorted(found.values()) == ["EXIT", "EXIT", "Joe's, since 1,999", "Joe's, since 1,999"]
    assert "images/img_1.jpg/0001.jpg" in found
    assert rejected(out) == [
        ("gt_img_3.txt", "1", "there is no page img_3.jpg (.png, …) in pages/; add it"),
        ("gt_img_3.txt", "2", "the line is not eight numbers and a text; correct the line"),
        ("gt_img_4.txt", "", "the file is not UTF-8 (line 1); say what it is, as in --encoding cp874"),
        ("gt_img_1.txt", "2", "the region is marked as illegible; nothing to do: it is left out"),
        ("gt_img_2.txt", "2", "the region is marked as illegible; nothing to do: it is left out"),
    ]


def test_the_scripts_of_icdar_mlt_are_no_text(tmp_path: Path) -> None:
    draw_page(tmp_path / "ts_1.png")
    lines = [icdar_line(text, box(10, 10 + 30 * n)) for n, text in enumerate(("Latin,a, b", "None,###", "Arabic,حمام"))]
    (tmp_path / "gt_ts_1.txt").write_text("".join(lines), encoding="utf-8")
    source = read_source(tmp_path, tmp_path)
    assert isinstance(source, PageSource)
    assert [region.text for region in source.regions] == ["a, b", "حمام"]
    assert [problem.where for problem in source.problems] == ["gt_ts_1.txt:2"]


def test_json_files_of_labelme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, labels = tmp_path / "pages", tmp_path / "labels"
    pixels = draw_page(pages / "a/1.png", seed=1)
    draw_page(pages / "2.png", seed=2)
    anywhere = box(20, 60)[2:] + box(20, 60)[:2]  # drawn from the bottom right corner
    shapes = [
        shape("a polygon", anywhere[::-1]),
        shape("a rectangle", [[99.2, 33.5], [20.7, 10.1]], "rectangle"),
        shape("turned", box(120, 60, 24, 80), "rotation", direction=0.0),
        shape("a circle", [[50, 50], [60, 60]], "circle"),
        shape("###", box(20, 100)),
        shape("hard", box(20, 100), difficult=True),
        shape("a line", [[50, 50], [60, 60], [70, 50]], "linestrip"),
        {"points": []},
    ]
    labelme_file(labels / "a/1.json", "..\\..\\pages\\a\\1.png", shapes, imageWidth=320, imageHeight=240)
    labelme_file(labels / "2.json", "C:\\Users\\me\\old name.png", [shape("second", box(20, 30))])
    labelme_file(labels / "3.json", "2.png", [shape("of a larger page", box(20, 130))], imageWidth=640, imageHeight=480)
    labelme_file(labels / "4.json", "http://host/4.png", [shape("elsewhere", box(20, 30))])
    (labels / "5.json").write_text('{"shapes": [')
    (labels / "classes.json").write_text('{"names": []}')
    out = tmp_path / "out"
    assert convert(pages, labels, out, "--image-format", "png") == 0
    said = capsys.readouterr().err
    assert "format: labelme (5 JSON files with shapes)" in said
    assert "note: 1 JSON file without shapes: left alone" in said
    assert "12 regions: 4 cut out, 8 left out" in said
    found = samples(out, "train") | samples(out, "val")
    assert found == {
        "images/a/1.png/0001.png": "a polygon",
        "images/a/1.png/0002.png": "a rectangle",
        "images/a/1.png/0003.png": "turned",
        "images/2.png/0001.png": "second",
    }
    assert (cv2.imread(str(out / "images/a/1.png/0001.png")) == pixels[60:84, 20:100]).all()
    assert (cv2.imread(str(out / "images/a/1.png/0002.png")) == pixels[10:34, 20:100]).all()
    assert {(source, region) for source, region, _ in rejected(out)} == {
        *(("a/1.json", str(number)) for number in range(4, 9)),
        ("3.json", "1"),
        ("4.json", "1"),
        ("5.json", ""),
    }


def test_texts_of_x_anylabeling_are_descriptions(tmp_path: Path) -> None:
    draw_page(tmp_path / "1.png")
    shapes = [shape("text", box(9, 9 + 30 * n), description=text) for n, text in enumerate(("Menu", "Rice 50", ""))]
    labelme_file(tmp_path / "1.json", "1.png", shapes)
    source = read_source(tmp_path, tmp_path)
    assert isinstance(source, PageSource)
    assert [region.text for region in source.regions] == ["Menu", "Rice 50", ""]


def two_pages(folder: Path, more: str = "", name: str = "Label.txt") -> Path:
    """Two pages with two sound regions each, and a Label.txt with more lines."""
    for number in (1, 2):
        draw_page(folder / f"{number}.png", seed=number)
    lines = [label_line(f"{number}.png", [("one", box(20, 30)), ("two", box(20, 90))]) for number in (1, 2)]
    (folder / name).write_text("".join(lines) + more, encoding="utf-8")
    return folder / name


def test_every_region_is_a_crop_or_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png()[:-20])
    (tmp_path / "in/huge.png").write_bytes(huge_png())
    (tmp_path / "in/text.png").write_text("no image")
    (tmp_path / "secret.png").write_bytes(png())
    reasons = {
        label_line("3.png", [("x", box(20, 30))]): "the page '3.png' is not in in/; add it",
        label_line("../secret.png", [("x", box(20, 30))]): "the page '../secret.png' is not in in/; add it",
        label_line(f"{tmp_path}/secret.png", [("x", box(20, 30))]): "is not in in/; add it",
        label_line("https://host/1.png", [("x", box(20, 30))]): "is an address, not a file",
        label_line("", [("x", box(20, 30))]): "names no file",
        label_line("a\0b.png", [("x", box(20, 30))]): "names no file",
        label_line("n" * 300 + ".png", [("x", box(20, 30))]): "is not in in/; add it",
        label_line("cut.png", [("x", box(20, 30))]): "the page 'cut.png' is cut short",
        label_line("huge.png", [("x", box(20, 30))]): "claims 30000 x 30000 pixels",
        label_line("text.png", [("x", box(20, 30))]): "is not an image",
        label_line("1.png", [("twice", box(20, 30))]): "region 0001 of 1.png is annotated at Label.txt:1#1 already",
        '1.png\t[{"transcription": "x"}]\n': "its points are not a list of [x, y]",
        '1.png\t[{"transcription": "x", "points": [[1, 2], [3]]}]\n': "its points are not a list of [x, y]",
        '1.png\t[{"transcription": "x", "points": [["a", "b"]]}]\n': "its points are not a list of [x, y]",
        '1.png\t[{"points": [[1, 2], [9, 2], [9, 9], [1, 9]]}]\n': "the region has no transcription",
        "1.png\t[7]\n": "the region has no transcription",
        "1.png\t{}\n": "the line is not a path, one tab, and a JSON list",
        "1.png\t[{]\n": "the line is not a path, one tab, and a JSON list",
        "1.png\t" + "[" * 100_000 + "\n": "the line is not a path, one tab, and a JSON list",
        "no tab\n": "the line is not a path, one tab, and a JSON list",
    }
    own_page = {
        ("x", ((20, 30), (90, 30), (20, 60))): "3 of at least 4 points",
        ("x", ((20, 30), (90, 60), (90, 30), (20, 60))): "sides cross",
        ("x", ((20, 30), (20, 30), (20, 30), (20, 30))): "no area",
        ("x", ((20, 30), (1e400, 30), (90, 60), (20, 60))): "no number of pixels",
        ("x", ((900, 30), (990, 30), (990, 60), (900, 60))): "outside the page of 320 x 240 pixels",
        ("x", ((20, 30), (22, 30), (22, 60), (20, 60))): "the region is 2 x 30 pixels",
        (" ", ((20, 30), (90, 30), (90, 60), (20, 60))): "the region's text is blank",
        ("a\nb", ((20, 30), (90, 30), (90, 60), (20, 60))): "several lines",
        ("a\tb", ((20, 30), (90, 30), (90, 60), (20, 60))): "holds a tab",
        ("###", ((20, 30), (90, 30), (90, 60), (20, 60))): "marked as illegible",
        ("TEMPORARY", ((20, 30), (90, 30), (90, 60), (20, 60))): "'TEMPORARY' is PPOCRLabel's word for no text",
        ("无法识别", ((20, 30), (90, 30), (90, 60), (20, 60))): "is PPOCRLabel's word for no text",
        ("*", ((20, 30), (90, 30), (90, 60), (20, 60))): "marked as illegible",
    }
    draw_page(tmp_path / "in/own.png")
    of_own_page = [(text, [list(point) for point in points]) for text, points in own_page]
    more = "\n" + "".join(reasons) + label_line("own.png", of_own_page)
    more += label_line("1.png", [("hard", box(20, 30))], difficult=True) + "2.png\t[]\n"
    labels = two_pages(tmp_path / "in", more)
    out = tmp_path / "out"
    assert convert(tmp_path / "in", labels, out) == 0
    rows = rejected(out)
    assert len(rows) == len(reasons) + len(own_page) + 1
    assert f"{len(rows) + 4} regions: 4 cut out, {len(rows)} left out" in capsys.readouterr().err
    found = {(source, region): reason for source, region, reason in rows}
    assert len(found) == len(rows)
    for number, words in enumerate(reasons.values(), start=4):
        assert words in (found.get(("Label.txt", f"{number}#1")) or found[("Label.txt", str(number))])
    for number, words in enumerate(own_page.values(), start=1):
        assert words in found[("Label.txt", f"{len(reasons) + 4}#{number}")]
    assert json.loads((out / "dataset.json").read_text())["rejected"] == len(rows)


def test_pages_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    lines = []
    for number in range(12):
        draw_page(tmp_path / f"in/{number:02}.png", seed=number)
        lines.append(label_line(f"{number:02}.png", [(f"a{n}", box(20, 10 + 40 * n)) for n in range(5)]))
    (tmp_path / "in/Label.txt").write_text("".join(lines))
    assert convert(tmp_path / "in", tmp_path / "in/Label.txt", tmp_path / "out", "--val-fraction", "0.3") == 0
    train, val = ({Path(name).parent for name in samples(tmp_path / "out", side)} for side in ("train", "val"))
    assert not train & val
    assert (bool(train), bool(val), len(train | val)) == (True, True, 12)


def test_names_are_stable_and_never_clash(tmp_path: Path) -> None:
    pages = ["a.png", "a.jpg", "b/a.png", "b_a.png", "ก.png", "ข.png", "x y.png", "x_y.png", "l" * 240 + ".png"]
    for number, name in enumerate(pages):
        draw_page(tmp_path / "in" / name, seed=number)
    lines = [label_line(name, [(name[:9], box(20, 30))]) for name in pages]
    (tmp_path / "in/Label.txt").write_text("".join(lines), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "all") == 0
    found = samples(tmp_path / "all", "train") | samples(tmp_path / "all", "val")
    assert sorted(found.values()) == sorted(name[:9] for name in pages)
    assert all(name.isascii() and " " not in name for name in found)
    (tmp_path / "in/Label.txt").write_text("".join(lines[5:3:-1]), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "some") == 0
    fewer = samples(tmp_path / "some", "train") | samples(tmp_path / "some", "val")
    assert fewer.items() < found.items()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_taken_and_listed(tmp_path: Path) -> None:
    stem = os.fsdecode(b"img_\xff")
    draw_page(tmp_path / "in/2.png")
    (tmp_path / "in/2.png").rename(tmp_path / f"in/{stem}.png")
    lines = [icdar_line(text, box(10, 10 + 30 * number)) for number, text in enumerate(("one", "two", "###"))]
    (tmp_path / f"in/gt_{stem}.txt").write_text("".join(lines))
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out") == 0
    assert rejected(tmp_path / "out")[0][:2] == (r"gt_img_\udcff.txt", "3")
    assert len(samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")) == 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("stated", [(240, 320), (320, 240)])
def test_pages_of_a_camera_held_upright(tmp_path: Path, orientation: int, stated: tuple[int, int]) -> None:
    """A page stored lying on its side. Stated 240 x 320: annotated as it is seen; 320 x 240: as it is stored."""
    stored = Image.fromarray(cv2.cvtColor(draw_page(tmp_path / "drawn/1.png"), cv2.COLOR_BGR2RGB))
    exif = stored.getexif()
    exif[0x0112] = orientation
    (tmp_path / "in").mkdir()
    stored.save(tmp_path / "in/1.png", exif=exif)
    annotated_as_seen = orientation in (6, 8) and stated == (240, 320)
    size = stated if orientation in (6, 8) else (320, 240)
    shapes = [shape("one", box(20, 30), "rectangle"), shape("two", box(20, 90), "rectangle")]
    labelme_file(tmp_path / "in/1.json", "1.png", shapes, imageWidth=size[0], imageHeight=size[1])
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out", "--image-format", "png") == 0
    seen = stored
    if annotated_as_seen or orientation == 3:
        seen = ImageOps.exif_transpose(stored_again(tmp_path / "in/1.png"))
    expected = np.asarray(seen.crop((20, 30, 100, 54)))
    assert (cv2.imread(str(tmp_path / "out/images/1.png/0001.png"))[:, :, ::-1] == expected).all()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
def test_the_size_of_a_page_is_that_of_its_pixels(tmp_path: Path, ending: str) -> None:
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / f"1.{ending}", exif=exif)
    pixels = decode((tmp_path / f"1.{ending}").read_bytes())
    assert pixels is not None
    assert page_size(tmp_path / f"1.{ending}") == (20, 40) == pixels.shape[1::-1]


def stored_again(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_several_processes_make_the_same_dataset(tmp_path: Path) -> None:
    labels = two_pages(tmp_path / "in", "3.png\t[{]\n")
    assert convert(tmp_path / "in", labels, tmp_path / "one", "--workers", "1") == 0
    assert convert(tmp_path / "in", labels, tmp_path / "two", "--workers", "2") == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 5 + 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a shell")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_crops_that_cannot_be_written_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    """A file system that takes no file: its limit on their size is 0 in the children too."""
    labels = two_pages(tmp_path / "in")
    command = (
        f"ulimit -f 0; trap '' XFSZ; exec {sys.executable} -m data_preparation convert --input-images {tmp_path}/in"
    )
    command += f" --input-labels {labels} --output-dir {tmp_path}/out --workers {workers}"
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written (File too large): check space" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.skipif(sys.platform != "linux", reason="finds a worker in /proc")
@pytest.mark.parametrize("ended_by", ["Ctrl-C", "a kill"])
def test_ctrl_c_leaves_nothing_and_a_killed_process_costs_time_only(tmp_path: Path, ended_by: str) -> None:
    draw_page(tmp_path / "in/0.png", 1600, 1200)
    for number in range(1, 60):
        os.link(tmp_path / "in/0.png", tmp_path / f"in/{number}.png")
    lines = [label_line(f"{number}.png", [("one", box(20, 30)), ("two", box(20, 90))]) for number in range(60)]
    (tmp_path / "in/Label.txt").write_text("".join(lines))
    command = [sys.executable, "-m", "data_preparation", "convert", "--input-images", str(tmp_path / "in")]
    command += ["--output-dir", str(tmp_path / "out"), "--workers", "2"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr
        said = [next(line for line in process.stderr if "cutting pages: 15 of 60" in line)]
        if ended_by == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            os.kill(a_worker(process.pid), signal.SIGKILL)
        said += process.stderr
    assert "Traceback" not in "".join(said)
    if ended_by == "Ctrl-C":
        assert (process.returncode, said[-1]) == (130, "interrupted\n")
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
    else:
        assert process.returncode == 0, said
        assert len(samples(tmp_path / "out", "train") | samples(tmp_path / "out", "val")) == 120
        assert len(list((tmp_path / "out/images").rglob("*.jpg"))) == 120


def a_worker(pid: int) -> int:
    """A process that cuts pages for this one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes())


@pytest.mark.parametrize(
    ("name", "content", "flags", "words"),
    [
        ("Label.txt", "1.png\t[]\n", (), "0 of 0 regions could be cut out, and a dataset needs two: name more"),
        (
            "Label.txt",
            label_line("gone.png", [("x", box(1, 1))]),
            (),
            "0 of 1 region could be cut out, and a dataset needs two: the first that could not is Label.txt:1#1: the",
        ),
        ("Label.txt", label_line("1.png", []), ("--format", "labelme"), "is not JSON (line 1)"),
        ("Label.txt", label_line("1.png", []), ("--format", "icdar"), "holds no line such as 10,20,90,20,90,40,10,40"),
        ("gt_1.txt", "1,2,3,4,5,6,7,8,x\n", ("--format", "ppocrlabel"), "or name another --format"),
        ("gt_1.txt", "1,2,3,4,5,6,7,8,x\n", ("--format", "label-file"), "has no tab in any line"),
        (
            "Label.txt",
            label_line("1.png", [("x", box(1, 1))]),
            ("--format", "label-file"),
            "Label.txt:1 lists regions of a page: --format ppocrlabel cuts them out",
        ),
        ("1.xml", "<a/>", (), "1.xml is not of a format known here: name it with --format (ppocrlabel, icdar"),
        ("1.json", "{}", ("--format", "labelme"), "holds no JSON file with shapes"),
        ("Label.txt", "1.png\t[]\n", ("--padding", "1000"), "'1000' is neither a number of pixels up to 100 nor"),
        ("Label.txt", "1.png\t[]\n", ("--padding", "nan"), "'nan' is neither a number of pixels up to 100 nor"),
    ],
)
def test_whole_inputs_that_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, flags: tuple[str, ...], words: str
) -> None:
    draw_page(tmp_path / "in/1.png")
    (tmp_path / "in" / name).write_text(content)
    assert convert(tmp_path / "in", tmp_path / "in" / name, tmp_path / "out", *flags) == 1
    said = capsys.readouterr().err
    assert words in said.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_two_formats_in_one_folder_are_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_pages(tmp_path / "in")
    labelme_file(tmp_path / "in/1.json", "1.png", [shape("a", box(20, 30)), shape("b", box(20, 90))])
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out") == 1
    assert "in looks like ppocrlabel and like labelme: say which with --format" in capsys.readouterr().err
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out", "--format", "labelme") == 0


def test_a_label_txt_in_each_folder(tmp_path: Path) -> None:
    two_pages(tmp_path / "in/a")
    two_pages(tmp_path / "in/b")
    source = read_source(tmp_path / "in", tmp_path / "in")
    assert isinstance(source, PageSource)
    pages = {region.page.relative_to(tmp_path / "in").as_posix() for region in source.regions}
    assert pages == {"a/1.png", "a/2.png", "b/1.png", "b/2.png"}
    assert source.regions[-1].where == "b/Label.txt:2#2"


@pytest.mark.parametrize("form", ["ppocrlabel", "icdar", "labelme"])
def test_links_out_of_the_folder_of_the_pages_are_refused(tmp_path: Path, form: str) -> None:
    two_pages(tmp_path / "elsewhere")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.png").symlink_to(tmp_path / "elsewhere/1.png")
    (tmp_path / "in/Label.txt").write_text(label_line("1.png", [("x", box(20, 30))]))
    (tmp_path / "in/1.txt").write_text(icdar_line("x", box(20, 30)))
    labelme_file(tmp_path / "in/1.json", "1.png", [shape("x", box(20, 30))])
    source = read_source(tmp_path / "in", tmp_path / "in", form)
    assert isinstance(source, PageSource)
    assert not source.regions
    assert any("is a link that leaves the folder" in str(problem) for problem in source.problems)


def test_pages_are_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_pages(tmp_path / "in")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    source = read_source(Path("../in"), Path("../in"))
    assert isinstance(source, PageSource)
    assert (len(source.regions), len(source.problems)) == (4, 0)


def test_a_region_that_is_read_twice_from_one_place_is_one_crop(tmp_path: Path) -> None:
    region = Region("1.json#a", tmp_path / "1.png", tuple(box(20, 30)), "one", "a")
    orders, problems = page_orders([region, region], tmp_path, tmp_path / "out", Cut())
    assert [order.regions for order in orders] == [(region,)]
    assert [str(problem) for problem in problems] == [
        "1.json#a: region a of 1.png is annotated at 1.json#a already; keep one of the two"
    ]


def test_other_files_of_ppocrlabel_are_left_alone(tmp_path: Path) -> None:
    two_pages(tmp_path / "in")
    (tmp_path / "in/fileState.txt").write_text(f"{tmp_path}/in/1.png\t1\n")
    (tmp_path / "in/Cache.cach").write_text('{"1.png": []}')
    (tmp_path / "in/rec_gt.txt").write_text("crop_img/1_crop_0.jpg\tone\n")
    source = read_source(tmp_path / "in", tmp_path / "in")
    assert isinstance(source, PageSource)
    assert (source.format, source.count, len(source.regions)) == ("ppocrlabel", 4, 4)


def test_how_many_crops_were_turned_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_page(tmp_path / "in/1.png")
    regions = [("ร้าน", box(20, 30, 24, 80)), ("๗", box(80, 30, 20, 30)), ("7", box(140, 30, 20, 29))]
    (tmp_path / "in/Label.txt").write_text(label_line("1.png", regions), encoding="utf-8")
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "out") == 0
    told = "2 of 3 crops are tall and turned by 90 degrees, such as images/1.png/0002.jpg ('๗'): --keep-tall keeps them"
    assert told in capsys.readouterr().err
    assert json.loads((tmp_path / "out/dataset.json").read_text())["cut"]["turned"] == 2
    assert cv2.imread(str(tmp_path / "out/images/1.png/0002.jpg")).shape[:2] == (20, 30)
    assert convert(tmp_path / "in", tmp_path / "in", tmp_path / "kept", "--keep-tall") == 0
    assert "keep-tall" not in capsys.readouterr().err
    assert cv2.imread(str(tmp_path / "kept/images/1.png/0002.jpg")).shape[:2] == (30, 20)


def test_padding_and_cut_are_in_the_manifest(tmp_path: Path) -> None:
    labels = two_pages(tmp_path / "in")
    flags = ("--padding", "25%", "--keep-tall", "--image-format", "png")
    assert convert(tmp_path / "in", labels, tmp_path / "out", *flags) == 0
    assert cv2.imread(str(tmp_path / "out/images/1.png/0001.png")).shape == (24 + 12, 80 + 12, 3)
    manifest = json.loads((tmp_path / "out/dataset.json").read_text())
    assert manifest["cut"] == {"padding": "25%", "tall": "kept", "encoding": "png", "turned": 0}
