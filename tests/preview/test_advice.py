"""From costs to a pool: the size at which more workers gain nothing, and no size that the job cannot use."""

from __future__ import annotations

import pytest

from runner.preview.advice import CAREFUL_SIZE, advise, format_span, summarize
from runner.preview.meter import Cost


def costs(seconds, cpu, *, held=1.0, count=8, other=0.0):
    """Return costs of items that were looked at often, and held the lock at a share of the looks."""
    looks = 100
    return [Cost(seconds, cpu, other_cpu=other, looks=looks, held=round(looks * held))] * count


def pool(found, **facts):
    """Return size, chunksize and kind that are advised on two CPUs."""
    advice = advise(summarize(found), **{"cpus": 2, **facts})
    return advice.size, advice.chunksize, advice.kind


def test_python_code_that_waits_for_nothing_gets_one_thread():
    """Threads would take turns, and pay for it."""
    assert pool(costs(0.05, 0.05)) == (1, 1, "computing")


def test_computing_outside_of_python_gets_a_thread_for_each_cpu():
    """Hashing and compressing let go of the lock."""
    assert pool(costs(0.05, 0.05, held=0.0)) == (2, 1, "computing")
    assert pool(costs(0.05, 0.05, held=0.0), cpus=8) == (8, 1, "computing")


def test_a_task_with_threads_of_its_own_is_not_multiplied():
    """It uses all CPUs already."""
    assert pool(costs(0.05, 0.05, held=0.0, other=0.05))[0] == 1


def test_waiting_gets_as_many_as_fill_the_time():
    """10 ms of waiting for each 1 ms of Python: some more than eleven, for they do not wait in step."""
    size, chunksize, kind = pool(costs(0.011, 0.001))
    assert 11 <= size <= 16
    assert (chunksize, kind) == (1, "waiting")


def test_waiting_for_a_service_has_a_careful_bound():
    """The reason says how many there would be time for."""
    advice = advise(summarize(costs(1.0, 0.001)), cpus=2)
    assert advice.size == CAREFUL_SIZE
    assert any("careful" in reason for reason in advice.reasons)


def test_tiny_items_are_handed_over_together():
    """One thread, and many at a time: the handing over costs more than the item."""
    size, chunksize, kind = pool(costs(2e-6, 2e-6))
    assert (size, kind) == (1, "tiny")
    assert chunksize > 50


def test_under_policies_no_chunksize_is_advised():
    """It would have no effect, and the reason says so."""
    advice = advise(summarize(costs(2e-6, 2e-6)), cpus=2, is_guarded=True)
    assert advice.chunksize == 1
    assert any("one by one" in reason for reason in advice.reasons)


def test_no_more_workers_than_items_or_than_the_rate_can_use():
    """Both bounds are told."""
    assert pool(costs(1.0, 0.001), total=3)[0] == 3
    assert pool(costs(1.0, 0.001), rate_limit=4.0)[0] == 5
    assert pool(costs(2e-6, 2e-6), total=10)[1] <= 2


def test_a_first_item_that_stands_out_is_told_apart():
    """Imports and connections are paid once, and would spoil the mean."""
    found = summarize([Cost(2.0, 1.0), *costs(0.01, 0.001)])
    assert found.first == 2.0
    assert found.seconds == pytest.approx(0.01)
    assert summarize(costs(0.01, 0.001)).first is None


def test_one_item_is_enough():
    """For `--item`, and for an input of one."""
    assert pool([Cost(0.05, 0.0)])[2] == "waiting"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "no time"), (4e-7, "less than 1 µs"), (1.2e-5, "12 µs"), (0.0031, "3.1 ms"), (75, "1 min 15 s")],
)
def test_times_are_told_with_few_digits(seconds, text):
    """As a person would."""
    assert format_span(seconds) == text
