"""Regions are cut out as PaddleOCR cuts them, to the pixel, or refused with the reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from data_preparation.cropping import Cut, cut_out, encoded
from data_preparation.quadrilaterals import quadrilateral, upright_box
from data_preparation.regions import Polygon
from data_preparation.sources.annotation import from_top_left
from data_preparation.sources.entries import BadSample
from tests.data_preparation.pages import box, draw_page
from tests.data_preparation.rotate_crop import POLYGON, rotate_crop

SIZE = (640, 480)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return draw_page(tmp_path_factory.mktemp("page") / "page.png", *SIZE)


def polygon(points: np.ndarray) -> Polygon:
    return tuple((float(x), float(y)) for x, y in points)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    centre, turn = points.mean(0), math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (points - centre) @ matrix.T + centre


def some_boxes(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Upright boxes on whole pixels, of all proportions; some reach over the edge of the page."""
    boxes = []
    for _ in range(count):
        width, height = rng.integers(5, 200), rng.integers(5, 60)
        x, y = rng.integers(-6, SIZE[0] + 6 - width), rng.integers(-6, SIZE[1] + 6 - height)
        boxes.append(np.array(box(x, y, width, height)))
    return boxes


@pytest.mark.parametrize("kind", ["upright", "on half pixels", "turned", "of any shape", "on its head"])
def test_quadrilaterals_are_those_of_paddleocr(page: np.ndarray, kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    cut = 0
    for points in some_boxes(rng, 150):
        if kind == "on half pixels":
            points = points + 0.5
        elif kind == "turned":
            points = turned(points, rng.uniform(-180, 180))
        elif kind == "of any shape":
            points = points + rng.uniform(-4, 4, (4, 2))
        elif kind == "on its head":
            points = np.roll(points, 2, axis=0)
        try:
            region = quadrilateral(polygon(points), SIZE)
        except BadSample:
            continue
        expected = rotate_crop()(page, np.float32(points))
        assert np.array_equal(cut_out(page, region, Cut())[0], expected), points.tolist()
        cut += 1
    assert cut > 100


def test_polygons_are_those_of_paddleocr(page: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(6, 14)))
        around = np.stack([np.cos(angles) * rng.uniform(30, 100), np.sin(angles) * rng.uniform(8, 30)], 1)
        points = turned(around, rng.uniform(-180, 180)) + rng.uniform((110, 110), (530, 370))
        expected = rotate_crop(POLYGON)(page, points)
        assert np.array_equal(cut_out(page, quadrilateral(polygon(points), SIZE), Cut())[0], expected), points.tolist()


def test_boxes_on_whole_pixels_are_not_resampled(page: np.ndarray) -> None:
    region = quadrilateral(polygon(np.array(box(30, 40, 90, 20))), SIZE)
    assert upright_box(region.corners) == (30, 40, 120, 60)
    assert np.shares_memory(cut_out(page, region, Cut())[0], page)
    over_the_edge = quadrilateral(polygon(np.array(box(-2, 40, 90, 20))), SIZE)
    assert not np.shares_memory(cut_out(page, over_the_edge, Cut())[0], page)


def test_tall_text_is_turned_or_kept(page: np.ndarray) -> None:
    tall = quadrilateral(polygon(np.array(box(30, 40, 20, 30))), SIZE)
    assert cut_out(page, tall, Cut())[0].shape[:2] == (20, 30)
    assert np.array_equal(cut_out(page, tall, Cut())[0], np.rot90(page[40:70, 30:50]))
    assert np.array_equal(cut_out(page, tall, Cut(turn_tall=False))[0], page[40:70, 30:50])
    less_tall = quadrilateral(polygon(np.array(box(30, 40, 20, 29))), SIZE)
    assert cut_out(page, less_tall, Cut())[0].shape[:2] == (29, 20)


def test_counter_clockwise_corners_give_no_mirrored_text(page: np.ndarray) -> None:
    points = turned(np.array(box(200, 200, 120, 30)), 20)
    clockwise = quadrilateral(polygon(points), SIZE)
    other_way = quadrilateral(polygon(points[[0, 3, 2, 1]]), SIZE)
    assert other_way == clockwise


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("degrees", [-40, -10, 0, 10, 40])
def test_text_drawn_from_any_corner_runs_to_the_right(start: int, step: int, degrees: float) -> None:
    points = turned(np.array(box(200, 200, 120, 30)), degrees)
    drawn = [points[(start + step * number) % 4] for number in range(4)]
    assert from_top_left(polygon(np.array(drawn))) == polygon(points)


@pytest.mark.parametrize("how", [Cut(padding=6), Cut(padding=0.2, relative=True)])
@pytest.mark.parametrize("degrees", [0, 15])
def test_padding_is_page_around_the_region(page: np.ndarray, how: Cut, degrees: float) -> None:
    points = turned(np.array(box(200, 200, 120, 30)), degrees)
    region = quadrilateral(polygon(points), SIZE)
    crop, padded = cut_out(page, region, Cut())[0], cut_out(page, region, how)[0]
    assert (padded.shape[0] - crop.shape[0], padded.shape[1] - crop.shape[1]) == (12, 12)
    assert np.mean(padded[6:-6, 6:-6] == crop) > 0.999  # the rest is rounding of the transform
    if degrees == 0:
        assert np.array_equal(padded, page[194:236, 194:326])


def test_padding_stops_at_the_edge_of_the_page(page: np.ndarray) -> None:
    region = quadrilateral(polygon(np.array(box(2, 2, 120, 30))), SIZE)
    padded = cut_out(page, region, Cut(padding=6))[0]
    assert np.array_equal(padded[4:, 4:], page[:38, :128])
    assert np.array_equal(padded[:4, 4:], np.broadcast_to(page[0, :128], (4, 128, 3)))


def test_padding_beyond_the_horizon_is_refused(page: np.ndarray) -> None:
    wedge = quadrilateral(((300, 200), (306, 200), (400, 300), (200, 300)), SIZE)
    assert cut_out(page, wedge, Cut())[0].shape
    with pytest.raises(BadSample, match="too far from a rectangle"):
        cut_out(page, wedge, Cut(padding=90))[0]


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (box(10, 10)[:3], "the region has 3 of at least 4 points"),
        ([], "the region has 0 of at least 4 points"),
        ([[10, 10], [90, 40], [90, 10], [10, 40]], "the region's sides cross each other"),
        ([[10, 10], [90, 10], [30, 20], [10, 60]], "the region has a dent at a corner"),
        ([[10, 10], [50, 10], [90, 10], [10, 40]], "three corners of the region lie on one line"),
        ([[10, 10]] * 4, "three corners of the region lie on one line"),
        ([[10, 10]] * 6, "it has no area"),
        ([[10, 10], [20, 10], [30, 10], [40, 10], [50, 10]], "it has no area"),
        (box(10, 10, 80, 3.9), "the region is 80 x 3 pixels, of at least 4"),
        (box(10, 10, math.nan), "a coordinate is no number of pixels"),
        (box(10, math.inf), "a coordinate is no number of pixels"),
        (box(1e9, 10), "a coordinate is no number of pixels"),
        (box(700, 10), "the region lies outside the page of 640 x 480 pixels;"),
        (box(600, 10), "the region lies outside the page of 640 x 480 pixels by 50%"),
    ],
)
def test_what_is_no_region_is_refused(points: list[list[float]], reason: str) -> None:
    with pytest.raises(BadSample) as refused:
        quadrilateral(tuple((x, y) for x, y in points), SIZE)
    assert reason in str(refused.value.problem("x"))


def test_a_crop_of_more_pixels_than_an_image_may_have_is_refused() -> None:
    with pytest.raises(BadSample, match="the region would be 9899 x 6990 pixels, over the limit of 50,000,000"):
        quadrilateral(((0, 0), (7000, 7000), (6990, 7000), (0, 6990)), (7000, 7000))


def test_a_crop_too_long_for_a_jpeg_is_refused() -> None:
    line = np.zeros((8, 65_501, 3), np.uint8)
    with pytest.raises(BadSample, match="the crop of 65501 x 8 pixels cannot be a JPEG"):
        encoded(line, "jpg")
    assert encoded(line[:, :-1], "jpg")
    assert encoded(line, "png")


def test_a_region_a_little_outside_is_cut_out(page: np.ndarray) -> None:
    region = quadrilateral(polygon(np.array(box(-10, 10, 80, 20))), SIZE)
    crop = cut_out(page, region, Cut())[0]
    assert np.array_equal(crop[:, 10:], page[10:30, :70])
    assert np.array_equal(crop[:, :10], np.repeat(page[10:30, :1], 10, axis=1))
