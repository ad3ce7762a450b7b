"""Quantiles of the time to the first byte, in fixed memory."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.transport.first_byte import FirstByteTimes, Histogram

_STEP = 2 ** 0.25


@given(st.lists(st.floats(1.1e-4, 100.0), min_size=1, max_size=300), st.integers(0, 10_000))
def test_a_quantile_is_exact_within_a_bucket(values: list[float], number: int) -> None:
    rank = number % len(values)
    histogram = Histogram()
    for value in values:
        histogram.add(value, 1.0)
    found = histogram.quantile((rank + 0.5) / len(values))
    assert found is not None
    assert found / _STEP * (1 - 1e-9) <= sorted(values)[rank] <= found * (1 + 1e-9)


def test_without_samples_there_is_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    times = FirstByteTimes()
    assert times.quantile("GET", 0, 0.5) is None
    assert times.count("GET", 0, 1.0) == 0.0
    assert times.recent("GET", 0.0) == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e9])
def test_times_beyond_the_buckets(seconds: float) -> None:
    histogram = Histogram()
    histogram.add(seconds, 1.0)
    assert histogram.quantile(0.5) == pytest.approx(1e-4 if seconds < 1 else 1e-4 * 2.0 ** 21)


def test_old_samples_fade() -> None:
    histogram = Histogram()
    for _ in range(400):
        histogram.add(0.01, 1000.0)
    assert histogram.count(1000.0) == 400
    assert histogram.count(1060.0) == pytest.approx(200)
    for _ in range(400):
        histogram.add(1.0, 1600.0)
    assert histogram.quantile(0.05) == pytest.approx(1.0, rel=0.2)


def test_a_change_is_learned_although_many_samples_came_before() -> None:
    histogram = Histogram()
    for _ in range(100_000):
        histogram.add(0.01, 1000.0)
    for _ in range(2000):
        histogram.add(0.1, 1000.0)
    assert histogram.count(1000.0) <= 1001
    assert histogram.quantile(0.5) == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize(("rate", "least", "most"), [(10, 990, 1000), (100, 990, 1000), (1000, 500, 1000),
                                                     (50_000, 200, 260)])
def test_requests_are_all_sampled_at_first_and_then_every_few_milliseconds(rate: float, least: int, most: int) -> None:
    times, sampled = FirstByteTimes(), 0
    for number in range(1, 1001):
        if number >= times.next_sample:
            times.begin_sample(number, number / rate)
            sampled += 1
    assert least <= sampled <= most


def test_requests_that_begin_together_are_sampled_too() -> None:
    """Hundreds of workers start at once: all of them have been counted when the first one is sent."""
    times, sampled = FirstByteTimes(), 0
    for number in range(500, 1000):
        if number >= times.next_sample:
            times.begin_sample(number, 1.0)
            sampled += 1
    assert sampled >= 200


def test_samples_become_frequent_again_when_requests_become_rare() -> None:
    times = FirstByteTimes()
    for number in range(10_000):
        if number >= times.next_sample:
            times.begin_sample(number, number / 50_000)
    for number in range(10_000, 10_200):
        if number >= times.next_sample:
            times.begin_sample(number, 1.0 + number)
    assert times.next_sample == 10_200


def test_operations_and_sizes_are_told_apart() -> None:
    times = FirstByteTimes()
    times.add("GET", 0, 0.01, 10.0)
    times.add("GET", 1, 0.5, 11.0)
    times.add("LIST", 0, 0.2, 12.0)
    assert times.quantile("GET", 0, 0.5) == pytest.approx(0.01, rel=0.2)
    assert times.quantile("GET", 1, 0.5) == pytest.approx(0.5, rel=0.2)
    assert times.quantile("LIST", 0, 0.5) == pytest.approx(0.2, rel=0.2)
    assert times.recent("GET", 0.0) == [0.01, 0.5]
    assert times.recent("GET", 10.0) == [0.5]
    assert times.operations() == ["GET", "LIST"]
    assert times.answered_since(10.5) == 2


def test_memory_is_bounded() -> None:
    times, draw = FirstByteTimes(), random.Random(1)
    for number in range(20_000):
        times.add("GET", 0, draw.expovariate(10.0), float(number))
    assert len(times.recent("GET", 0.0)) == 256
    assert sys.getsizeof(times._histograms["GET", 0]._counts) < 1000
