"""Which sample trains when: every sample once per epoch, the same from any position."""

from __future__ import annotations

import itertools

import pytest

from container.trainer.sampling import Schedule, next_batch_size, sample_seed


@pytest.mark.parametrize(("samples", "batch"), [(50, 32), (3, 32), (64, 32), (1, 1), (1080, 16), (33, 32)])
def test_every_sample_once_per_epoch_in_even_batches(samples: int, batch: int):
    schedule = Schedule(samples, batch, epochs=2, seed=7)
    batches = list(schedule.batches(0, 0))
    assert len(batches) == 2 * schedule.steps_per_epoch == schedule.steps_left(0, 0)
    for epoch in (0, 1):
        keys = [key for keys in batches for key in keys if key[0] == epoch]
        assert sorted(index for _, index in keys) == list(range(samples))
    sizes = [len(keys) for keys in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch


def test_from_any_position_the_rest_is_the_same():
    schedule = Schedule(50, 8, epochs=3, seed=7)
    everything = list(schedule.batches(0, 0))
    consumed = 0
    for step, keys in enumerate(everything):
        epoch, done = divmod(consumed, 50)
        assert list(schedule.batches(epoch, done)) == everything[step:]
        assert schedule.steps_left(epoch, done) == len(everything) - step
        assert schedule.steps_done(epoch, done) == step
        consumed += len(keys)


def test_epochs_and_seeds_differ():
    first, second = itertools.islice(Schedule(50, 50, 2, 7).batches(0, 0), 2)
    assert [index for _, index in first] != [index for _, index in second]
    assert first != next(Schedule(50, 50, 2, 8).batches(0, 0))
    assert len({sample_seed(1, epoch, name) for epoch in range(3) for name in ("a", "b")}) == 6


def test_the_streams_never_change():
    """A run of an older version must continue as it began: these values are part of the checkpoint format."""
    assert [index for _, index in next(Schedule(10, 10, 1, 1024).batches(0, 0))] == [3, 2, 6, 4, 5, 0, 1, 9, 8, 7]
    assert sample_seed(1024, 0, "images/a.png") == 959005339


def test_no_rump():
    assert [next_batch_size(remaining, 32) for remaining in (50, 33, 32, 1)] == [25, 17, 32, 1]
