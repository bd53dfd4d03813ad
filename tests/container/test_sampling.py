"""Which sample trains when: every sample once per epoch, the same from any position, at sizes that take turns."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from container.trainer.sampling import Schedule, sample_seed
from contract.batches import Scales, epoch_batches

UPSTREAMS = Scales(((320, 32), (320, 48), (320, 64)), 320 * 32, fix_batch=False)
SCALES = pytest.mark.parametrize("scales", [None, UPSTREAMS])


@SCALES
@pytest.mark.parametrize(("samples", "batch"), [(50, 32), (3, 32), (64, 32), (1, 1), (1080, 16), (33, 32)])
def test_every_sample_once_per_epoch_in_even_batches(samples: int, batch: int, scales: Scales | None):
    schedule = Schedule(samples, batch, epochs=2, seed=7, scales=scales)
    batches = list(schedule.batches(0, 0))
    assert len(batches) == 2 * schedule.steps_per_epoch == schedule.steps_left(0, 0)
    for epoch in (0, 1):
        keys = [key for keys in batches for key in keys if key.epoch == epoch]
        assert sorted(key.sample for key in keys) == list(range(samples))
    by_size: dict = {}
    for keys in batches:
        by_size.setdefault(keys[0].size, set()).add(len(keys))
        assert len({key.size for key in keys}) == 1
    for size, counts in by_size.items():
        assert max(counts) - min(counts) <= 1
        assert max(counts) <= (batch * 32 // size[1] if size else batch) or samples == 1


@SCALES
def test_from_any_position_the_rest_is_the_same(scales: Scales | None):
    schedule = Schedule(50, 8, epochs=3, seed=7, scales=scales)
    everything = list(schedule.batches(0, 0))
    consumed = 0
    for step, keys in enumerate(everything):
        epoch, done = divmod(consumed, 50)
        assert list(schedule.batches(epoch, done)) == everything[step:]
        assert schedule.steps_left(epoch, done) == len(everything) - step
        assert schedule.steps_done(epoch, done) == step
        consumed += len(keys)


@SCALES
def test_a_position_of_another_batch_size_loses_and_repeats_nothing(scales: Scales | None):
    schedule = Schedule(50, 8, epochs=1, seed=7, scales=scales)
    order = [key.sample for keys in schedule.batches(0, 0) for key in keys]
    for consumed in range(50):
        batches = list(schedule.batches(0, consumed))
        assert [key.sample for keys in batches for key in keys] == order[consumed:]
        assert len(batches) == schedule.steps_left(0, consumed)


@pytest.mark.parametrize(("samples", "batch", "minimum"), [(50, 8, 8), (17, 8, 3), (9, 8, 2), (3, 2, 2), (2, 8, 4)])
@SCALES
def test_no_batch_is_smaller_than_the_minimum(samples: int, batch: int, minimum: int, scales: Scales | None):
    schedule = Schedule(samples, batch, epochs=1, seed=7, scales=scales, minimum=minimum)
    for consumed in range(samples):
        batches = list(schedule.batches(0, consumed))
        assert len(batches) == schedule.steps_left(0, consumed)
        assert min(map(len, batches)) >= minimum
        trained = Counter(key.sample for keys in batches for key in keys)
        assert len(trained) >= samples - consumed
        if samples - consumed >= minimum:
            assert sum(trained.values()) <= samples - consumed + minimum - 1


def test_batches_of_a_scale_cost_the_same_memory():
    assert [shape.samples for shape in UPSTREAMS.shapes(96)] == [96, 64, 48]  # PaddleOCR's own
    assert [shape.samples for shape in Scales(UPSTREAMS.sizes, 320 * 32, fix_batch=True).shapes(96)] == [96, 96, 96]


def test_scales_take_turns_and_meet_other_samples_in_every_epoch():
    schedule = Schedule(960, 96, epochs=2, seed=7, scales=UPSTREAMS)
    batches = list(schedule.batches(0, 0))
    first, second = batches[: schedule.steps_per_epoch], batches[schedule.steps_per_epoch :]
    for epoch in (first, second):
        counts = Counter(keys[0].size for keys in epoch)
        assert max(counts.values()) - min(counts.values()) <= 1
    assert [keys[0].size for keys in first] != [keys[0].size for keys in second]


@pytest.mark.parametrize("taken", [15, 20, 49])
@SCALES
def test_epochs_of_a_part_train_all_alike_often(taken: int, scales: Scales | None):
    """ratio_list: in PaddleOCR 3.7.0 the same first part again and again."""
    schedule = Schedule(taken, 8, epochs=50, seed=7, scales=scales, of=50)
    times = Counter(key.sample for keys in schedule.batches(0, 0) for key in keys)
    assert sorted(times) == list(range(50))
    assert set(times.values()) == {taken}
    later = [keys for keys in schedule.batches(0, 0) if keys[0].epoch >= 7]
    assert list(schedule.batches(7, 0)) == later


def test_epochs_and_seeds_differ():
    first, second = itertools.islice(Schedule(50, 50, 2, 7).batches(0, 0), 2)
    assert [key.sample for key in first] != [key.sample for key in second]
    assert first != next(Schedule(50, 50, 2, 8).batches(0, 0))
    assert len({sample_seed(1, epoch, name) for epoch in range(3) for name in ("a", "b")}) == 6


def test_the_streams_never_change():
    """A run of an older version must continue as it began: these values are part of the checkpoint format."""
    assert [key.sample for key in next(Schedule(10, 10, 1, 1024).batches(0, 0))] == [3, 2, 6, 4, 5, 0, 1, 9, 8, 7]
    assert sample_seed(1024, 0, "images/a.png") == 959005339
    scaled = Schedule(20, 8, 1, 1024, UPSTREAMS).batches(0, 0)
    assert [(len(keys), keys[0].size[1]) for keys in scaled] == [(7, 32), (4, 48), (6, 32), (3, 64)]


def test_no_rump():
    sizes = {count: [batch.samples for batch in epoch_batches(count, 32, None)] for count in (50, 33, 32, 1, 100)}
    assert sizes == {50: [25, 25], 33: [17, 16], 32: [32], 1: [1], 100: [25, 25, 25, 25]}
