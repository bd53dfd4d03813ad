"""Which samples validate: nothing moves that need not, and what belongs together stays together."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.errors import UserError
from data_preparation.grouping import groups_of
from data_preparation.likeness import likeness_of, picture_hash
from data_preparation.split import Split, choose_split, split_by_hash
from data_preparation.split_flags import SplitRule
from data_preparation.together import NEAR, Candidate, Likeness
from tests.data_preparation.folders import crops
from tests.data_preparation.test_convert_data import convert
from tests.data_preparation.test_convert_data import samples as written


def candidate(name: str, label: str = "a", picture: int | None = None, sha256: str = "") -> Candidate:
    """A sample whose picture is like no other one's."""
    seen = random.Random(name).getrandbits(1024) if picture is None else picture
    return Candidate(name, label, Likeness(sha256 or name, seen))


def split(samples: Iterable[Candidate], groups: list[str] | None = None, **rule: object) -> Split:
    samples = list(samples)
    return split_by_hash(samples, groups or [each.name for each in samples], SplitRule(**rule))  # type: ignore[arg-type]


def named(count: int, folder: str = "") -> list[Candidate]:
    return [candidate(f"{folder}{number}.png") for number in range(count)]


def test_adding_data_moves_no_sample() -> None:
    few = named(200)
    many = few + named(300, "new/")
    assert split(few).val == split(many).val & {each.name for each in few}
    assert 20 < len(split(many).val) < 80
    assert split(few, seed=1).val != split(few, seed=2).val
    assert split(few).facts == {"by": "hash", "seed": 1024, "fraction": 0.1}


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_sides_get_a_sample(fraction: float) -> None:
    for seed in range(20):
        assert len(split(named(2), seed=seed, fraction=fraction).val) == 1


def test_groups_stay_together_and_adding_groups_moves_none() -> None:
    def pages(count: int) -> list[Candidate]:
        return [candidate(f"{page}.png/{crop}.jpg") for page in range(count) for crop in range(5)]

    few, many = (choose_split(pages(count), SplitRule()) for count in (60, 200))
    assert few.facts["group_by"] == "page"
    assert {name.partition("/")[0] for name in few.val}.isdisjoint(
        {each.name.partition("/")[0] for each in pages(60) if each.name not in few.val}
    )
    assert few.val == {name for name in many.val if int(name.partition(".")[0]) < 60}
    assert "a hash of each group's name" in few.reason


def test_one_group_is_split_by_sample() -> None:
    page = [candidate(f"1.png/{crop}.jpg") for crop in range(30)]
    chosen = choose_split(page, SplitRule())
    assert 0 < len(chosen.val) < 30
    assert "all samples are of one group" in chosen.notes[0]
    assert "group_by" not in chosen.facts


def test_near_duplicates_and_equal_bytes_stay_together() -> None:
    """Pairs: half of them with the same bytes and other texts, half with nearly the same picture and the same text."""
    draw = random.Random(5)
    samples = []
    for pair in range(400):
        picture = draw.getrandbits(1024)
        for half in (0, 1):
            name = f"{half}/{pair}.png"
            if pair % 2:
                samples.append(candidate(name, "ab"[half], sha256=f"bytes {pair}"))
            else:
                bits = sum(1 << bit for bit in draw.sample(range(1024), NEAR * half))
                samples.append(candidate(name, ("น้ำ", "น\u0e4d\u0e49\u0e32")[half], picture ^ bits))
    chosen = split(samples)
    assert {name[2:] for name in chosen.val if name[0] == "0"} == {name[2:] for name in chosen.val if name[0] == "1"}
    assert 0.05 < len(chosen.val) / len(samples) < 0.15, "two hashes for a pair draw it to no side"
    assert chosen.facts["alike"] == 800
    assert "800 samples" in chosen.notes[0]


def test_a_word_that_always_looks_the_same_is_trained() -> None:
    """Or else a tenth of such words would be nothing but validation, and only of themselves."""
    for seed in range(20):
        same = [candidate(f"same/{number}.png", "total", 7) for number in range(60)]
        chosen = split([*same, *named(440)], seed=seed)
        assert chosen.val.isdisjoint(each.name for each in same)
        assert len(chosen.val) > 20


def test_other_pictures_and_other_texts_are_apart() -> None:
    far = sum(1 << 90 * bit for bit in range(NEAR + 1))
    for one, other in (
        (candidate("a", "x", 0), candidate("b", "x", far)),
        (candidate("a", "x", 0), candidate("b", "y", 0)),
    ):
        assert "alike" not in split([one, other, *named(20)]).facts


@pytest.mark.parametrize(("sha256", "notes"), [("", 1), ("the same", 2)])
def test_what_is_all_alike_is_split_all_the_same(sha256: str, notes: int) -> None:
    chosen = split([candidate(f"{number}.png", picture=7, sha256=sha256) for number in range(30)])
    assert 0 < len(chosen.val) < 30
    assert len(chosen.notes) == notes


def test_a_sample_that_joins_two_clusters_moves_one_at_most() -> None:
    def like(name: str, sha256: str) -> Candidate:
        return candidate(name, sha256=sha256)

    moved = 0
    for number in range(100):
        apart = [like(f"{number}/a", "a"), like(f"{number}/b", "b"), *named(60)]
        joined = [*apart, Candidate(f"{number}/a", "a", Likeness("b", 0))]
        before, after = split(apart).val, split(joined).val
        assert before - {f"{number}/a", f"{number}/b"} == after - {f"{number}/a", f"{number}/b"}
        moved += len(before ^ after)
    assert 0 < moved < 100 * 0.3, "about 2 x 0.1 x 0.9, and always one of the two alone"


def test_every_validation_character_is_in_training() -> None:
    samples = named(300)
    alone = sorted(split(samples).val)[:3]
    rare = {alone[0]: "aก", alone[1]: "ขaค", alone[2]: "a"}
    samples = [candidate(each.name, rare.get(each.name, "a")) for each in samples]
    chosen = split(samples)
    assert chosen.val == split(named(300)).val - {alone[0], alone[1]}
    assert chosen.facts["moved_to_train"] == 2
    (note,) = chosen.notes
    assert note == ("2 samples go to training, which would not have 'ก' (U+0E01), 'ข' (U+0E02) otherwise"), (
        "one sample brings both ข and ค"
    )


def test_half_of_validation_stays_and_its_characters_are_said() -> None:
    """Each sample has a character of its own: none of them can be both trained and validated."""
    chosen = split(candidate(f"{number}.png", chr(0x4E00 + number)) for number in range(300))
    without = len(split(named(300)).val)
    assert len(chosen.val) == without - without // 2
    assert chosen.facts["moved_to_train"] == without // 2
    assert len(chosen.facts["not_in_train"]) == len(chosen.val)
    assert chosen.notes[1].startswith("only validation has '")
    assert len(split([candidate("a", "x"), candidate("b", "y")]).val) == 1


def test_pictures_that_were_encoded_again_are_near_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    hashes = []
    for number in range(40):
        image = np.full((40, 160, 3), 230, np.uint8)
        cv2.putText(image, f"{rng.integers(10**6)}", (4, 30), number % 4, 1, (20, 30, 40), 2)
        first = picture_hash(image)
        hashes.append(first)
        for copy in (
            cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR),
            cv2.resize(image, None, fx=2, fy=2),
            cv2.convertScaleAbs(image, alpha=0.8, beta=20),
        ):
            assert (first ^ picture_hash(copy)).bit_count() <= NEAR
    distances = [(one ^ other).bit_count() for n, one in enumerate(hashes) for other in hashes[:n]]
    assert sorted(distances)[len(distances) // 20] > NEAR, "a few numbers in one typeface are near"
    assert picture_hash(np.full((9, 9, 3), 128, np.uint8)) == 0


def test_what_is_no_image_has_no_likeness() -> None:
    with pytest.raises(ValueError, match="is not an image"):
        likeness_of(b"text")


NAMES = ["a.png", "p.png/1.jpg", "sub/p.png/2.jpg", "w07/x_1.png"]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("sample", NAMES),
        ("page", ["a.png", "p.png", "sub/p.png", "w07/x_1.png"]),
        ("folder", [".", "p.png", "sub/p.png", "w07"]),
        (r"^w(\d+)/x_(\d)", ["a.png", "p.png/1.jpg", "sub/p.png/2.jpg", "07/1"]),
        (r"(p)\.png|(q)", ["a.png", "p/", "p/", "w07/x_1.png"]),
    ],
)
def test_groups(by: str, groups: list[str]) -> None:
    assert groups_of(NAMES, by, None) == groups


def test_no_names_have_no_groups(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("image,writer\na.png,w\n")
    assert groups_of([], "(a)", None) == groups_of([], "writer", tmp_path / "groups.csv") == []


def test_groups_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text('image,note,writer\nimages/a.png,"x,\ny",w1\np.png/1.jpg,,w1\nsub\\p.png/2.jpg,,\nelse.png,,w3\n')
    assert groups_of(NAMES, "writer", table) == ["w1", "w1", "sub/p.png/2.jpg", "w07/x_1.png"]
    table.write_text("writer\tfile_name\nw,1\tC:\\old\\crops\\a.png\n")
    assert groups_of(NAMES, "writer", table)[0] == "w,1", "tabs, another name for the image, folders that are gone"


@pytest.mark.parametrize(
    ("by", "text", "sentence"),
    [
        ("writer", None, "--group-by writer says no group: give page, folder, sample, a pattern"),
        ("(", None, r"--group-by \( is no regular expression"),
        ("(xyz)", None, r"is found in no image path \(the first is a.png\)"),
        ("writer", "image,age\n", r"groups.csv:1: there is no column 'writer', only image, age"),
        ("age", "who,age\n", r"groups.csv:1: there is no column of the images, such as 'image', only who, age"),
        ("age", "image,age\nother.png,3\n", "names none of the images"),
        ("age", "", "there is no column of the images, such as 'image', only nothing"),
    ],
)
def test_wrong_groups_are_one_sentence(tmp_path: Path, by: str, text: str | None, sentence: str) -> None:
    table = None if text is None else tmp_path / "groups.csv"
    if table:
        table.write_text(text or "")
    with pytest.raises(UserError, match=sentence):
        groups_of(NAMES, by, table)


def test_convert_groups_by_a_column_of_the_table_of_labels(tmp_path: Path) -> None:
    names = [f"{number:02}.png" for number in range(30)]
    crops(tmp_path / "crops", names)
    rows = [f"{name},{name[0]} {name[1]},writer {number % 6}" for number, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,text,writer", *rows, ""]))
    flags = ["--val-fraction", "0.4", "--group-by", "writer"]
    assert convert(tmp_path / "crops", tmp_path / "labels.csv", tmp_path / "out", *flags) == 0
    sides = [{int(Path(image).stem) % 6 for image in written(tmp_path / "out", side)} for side in ("train", "val")]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[0] | sides[1]) == 6
