"""Rates of bytes over time, against sums made the slow way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudfiles.monitoring.rates import Flow, Io

MILLISECOND = st.integers(0, 20_000).map(lambda n: n / 1000)
IOS = st.lists(st.tuples(MILLISECOND, MILLISECOND, st.integers(0, 1 << 40)).map(
    lambda io: (min(io[:2]), max(io[:2]), io[2])), max_size=30)


def landed(ios: list[Io], time: float) -> float:
    """Bytes by `time`, each operation by itself."""
    return sum(size * min(1.0, max(0.0, (time - start) / max(end - start, 1e-6))) for start, end, size in ios)


@given(IOS, st.floats(-1, 21))
def test_bytes_by_a_time(ios: list[Io], time: float) -> None:
    assert Flow(ios).by(time) == pytest.approx(landed(ios, time), rel=1e-6, abs=1e-3 * max([0, *(io[2] for io in ios)]))


@given(IOS, st.floats(0.001, 30))
def test_a_histogram_holds_every_byte(ios: list[Io], resolution: float) -> None:
    histogram = Flow(ios).histogram(resolution)
    assert sum(histogram) == sum(size for _, _, size in ios)
    assert all(count >= 0 for count in histogram)


@given(IOS, st.floats(0.01, 5), st.floats(0, 21))
@example([(0.0, 0.0, 1), (0.005, 2.002, 666)], 2.0, 0.0)
def test_no_window_beats_the_peak(ios: list[Io], window: float, begin: float) -> None:
    flow = Flow(ios)
    peak = flow.peak(window)
    window = min(window, flow.end - flow.begin)
    assert peak >= flow.rate(begin, begin + window) * (1 - 1e-6) - 1e-3
    assert peak >= flow.rate(flow.begin, flow.end) * (1 - 1e-6)


def test_a_steady_flow_is_its_own_peak() -> None:
    ios = [(a, b, 1000) for a, b in pairwise(n / 4 for n in range(41))]
    assert Flow(ios).peak(1.0) == pytest.approx(4000)
    assert Flow(ios).histogram(1.0) == [4000] * 10


def test_operations_at_the_same_time_add_up() -> None:
    flow = Flow([(0.0, 2.0, 1000), (1.0, 2.0, 1000)])
    assert flow.peak(1.0) == pytest.approx(1500)
    assert flow.peak(0.5) == pytest.approx(1500)
    assert flow.histogram(1.0) == [500, 1500]


def test_a_peak_between_the_seconds_is_found() -> None:
    """A histogram would cut it in two."""
    assert Flow([(0.0, 0.1, 0), (0.75, 1.25, 5000), (3.0, 4.0, 0)]).peak(1.0) == pytest.approx(5000)


def test_nothing() -> None:
    flow = Flow([])
    assert (flow.begin, flow.end, flow.peak(1.0), flow.rate(0, 1), flow.by(5)) == (0, 0, 0, 0, 0)
    assert flow.histogram(1.0) == []


def test_an_operation_without_a_time_counts() -> None:
    flow = Flow([(1.0, 1.0, 500)])
    assert flow.by(2.0) == 500
    assert flow.histogram(1.0) == [500]
