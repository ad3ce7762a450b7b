"""The controller of concurrency, without a server: what it makes of intervals."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.transport.concurrency import ConcurrencyController, Interval
from tests.selection import examples

GOOD = Interval(seconds=0.1, operation="GET", size_class=0, completed=100, bytes=409_600, in_progress=20.0,
                first_byte=0.02, first_byte_min=0.019, cpu_share=0.1, refused=0, connects=0, idle_workers=0.0,
                constrained=False)


def unlimited(width: int, latency: float = 0.02) -> Interval:
    """At a server that answers each request after `latency`, however many there are."""
    seconds = 2 * latency
    return replace(GOOD, seconds=seconds, completed=2 * width, in_progress=float(width), first_byte=latency,
                   first_byte_min=latency)


def test_it_widens_while_requests_do_not_wait_for_each_other() -> None:
    controller, now = ConcurrencyController(), 0.0
    for _ in range(12):
        interval = unlimited(controller.width)
        now += interval.seconds
        controller.observe(interval, now)
    assert controller.width == 1024


def test_it_does_not_widen_while_the_client_is_busy() -> None:
    controller = ConcurrencyController()
    for step in range(100):
        controller.observe(replace(unlimited(controller.width), cpu_share=1.0), 0.1 * step)
    assert controller.width == 20


def test_it_narrows_when_descriptors_are_short() -> None:
    controller = ConcurrencyController()
    controller.observe(replace(GOOD, constrained=True), 1.0)
    assert controller.width < 20


positive = st.floats(min_value=0.0, max_value=1e6)
intervals = st.builds(
    Interval, seconds=positive, operation=st.sampled_from(["GET", "PUT"]), size_class=st.integers(0, 3),
    completed=st.integers(0, 10**6), bytes=st.integers(0, 10**12), in_progress=positive,
    first_byte=st.none() | positive, first_byte_min=st.none() | positive, cpu_share=positive,
    refused=st.integers(0, 1000), connects=st.integers(0, 1000), idle_workers=positive, constrained=st.booleans())


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(intervals, st.floats(0.0, 100.0)), max_size=30), st.integers(1, 2000), st.integers(1, 2000))
def test_bounds_hold_and_a_refusal_never_widens(history: list[tuple[Interval, float]], start: int,
                                                maximum: int) -> None:
    controller, now = ConcurrencyController(start=start, maximum=maximum), 0.0
    for interval, seconds in history:
        now += seconds
        before = controller.width
        controller.observe(interval, now)
        assert 1 <= controller.width <= maximum
        assert 0.0 < controller.interval <= 10.0
        if interval.refused or interval.constrained:
            assert controller.width <= before
