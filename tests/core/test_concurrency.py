"""The number of concurrent requests that is found for a server: the controller alone, and in simulated batches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulated_batches import GBIT, MBIT, Batch, Run, Store, simulate
from cloudfiles.transport.concurrency.controller import ConcurrencyController
from cloudfiles.transport.concurrency.interval import Interval
from tests.selection import examples

GOOD = Interval(seconds=0.1, operation="GET", size_class=0, completed=100, bytes=409_600, in_progress=20.0,
                first_byte=0.02, first_byte_min=0.02, cpu_share=0.1, refused=0, connects=0, idle_workers=0.0,
                constrained=False)


def unlimited(width: int, latency: float = 0.02) -> Interval:
    """At a server that answers each request after `latency`, however many there are."""
    return GOOD.replace(seconds=2 * latency, completed=2 * width, bytes=8192 * width, in_progress=float(width),
                        first_byte=latency, first_byte_min=latency)


def run(controller: ConcurrencyController, seconds: float = 1.0, begin: float = 0.0, **changed: object) -> float:
    """Let time pass at a server without limits; returns the time at the end."""
    now, end = begin, begin + seconds
    while now < end:
        interval = unlimited(controller.width).replace(**changed)  # type: ignore[arg-type]
        now += interval.seconds
        controller.observe(interval, now)
    return now


# ---- what widens


def test_it_widens_while_requests_do_not_wait_for_each_other() -> None:
    controller = ConcurrencyController()
    run(controller, 0.5)
    assert controller.width == 1024


@pytest.mark.parametrize("changed", [
    {"cpu_share": 0.95}, {"first_byte": 0.01, "first_byte_min": 0.0015}, {"first_byte": 0.5, "first_byte_min": 0.5},
    {"limited": True}, {"refused": 1}, {"in_progress": 5.0}, {"completed": 0},
], ids=str)
def test_it_does_not_widen(changed: dict[str, object]) -> None:
    """Client busy, near, overloaded, limited, refused, too little to do, no answers."""
    controller = ConcurrencyController()
    run(controller, **changed)
    assert controller.width == 20


def test_near_a_server_it_is_seldom_asked() -> None:
    """Nothing is to be gained there, and each time costs the client's thread some CPU time."""
    controller = ConcurrencyController()
    now = run(controller, first_byte=0.0005, first_byte_min=0.0002)
    assert controller.interval >= 0.2
    controller.observe(unlimited(20).replace(operation="PUT", seconds=0.01, completed=5), now)
    assert controller.interval <= 0.01  # this may take longer


def test_it_does_not_widen_if_requests_only_wait_longer() -> None:
    controller = ConcurrencyController()
    run(controller, 0.04)
    for step in range(100):
        slower = controller.width / 20 * 0.02
        controller.observe(unlimited(controller.width).replace(seconds=0.04, completed=40, first_byte=slower,
                                                               first_byte_min=slower), 0.04 * (step + 2))
        assert controller.width <= 80
    assert controller.width <= 45


NOTHING = GOOD.replace(seconds=0.005, completed=0, bytes=0, first_byte=None, first_byte_min=None)


def begun(controller: ConcurrencyController, seconds: float, latency: float = 0.05, count: int = 20,
          **changed: object) -> int:
    """The width after so many first responses, which came within so many seconds, after two round trips."""
    begin, now = 2 * latency, 0.0
    responses = [begin + seconds * number / (count - 1) for number in range(count)]
    while now < begin + seconds:
        now += 0.005
        come = tuple((when, when - latency) for when in responses if now - 0.005 < when <= now)
        controller.observe(NOTHING.replace(completed=len(come), bytes=4096 * len(come), first_responses=come,
                                           **changed), now)  # type: ignore[arg-type]
    return controller.width


def test_responses_that_come_together_let_it_widen_at_once() -> None:
    """20 responses in 2.5 ms, 50 ms away: 400 of them in a round trip."""
    assert 350 <= begun(ConcurrencyController(), 0.0025) <= 450


def test_responses_that_come_one_after_the_other_tell_how_many_the_line_can_take() -> None:
    """20 responses in 20 ms, 50 ms away: 50 requests keep the line busy."""
    assert 40 <= begun(ConcurrencyController(), 0.02) <= 60


def test_a_first_response_that_is_far_ahead_of_the_others_does_not_count() -> None:
    controller = ConcurrencyController()
    responses = [0.1, *(0.105 + 0.0001 * number for number in range(19))]
    for step, now in enumerate((0.1025, 0.1075)):
        come = tuple((when, when - 0.05) for when in responses if now - 0.005 < when <= now)
        assert len(come) == (1, 19)[step]
        controller.observe(NOTHING.replace(completed=len(come), first_responses=come), now)
    assert 450 <= controller.width <= 550


def test_responses_that_a_busy_client_sees_together_may_have_come_one_after_the_other() -> None:
    assert begun(ConcurrencyController(), 0.0025, cpu_share=1.0) == 40


def test_the_last_of_the_first_responses_are_not_waited_for() -> None:
    """The others may stall."""
    assert 350 <= begun(ConcurrencyController(), 0.002, count=16) <= 450


def test_opening_connections_does_not_end_the_growth() -> None:
    """It takes CPU time, but only once."""
    controller = ConcurrencyController()
    now = run(controller, 0.04)
    now = run(controller, 0.2, now, cpu_share=1.0, connects=50)
    width = controller.width
    run(controller, 0.5, now)
    assert controller.width == 1024 > width


def test_connections_that_are_not_open_yet_do_not_end_the_growth_either() -> None:
    """Opening them keeps the client busy before there is a single one."""
    controller = ConcurrencyController()
    now = run(controller, 0.06)
    width = controller.width
    assert width > 20
    now = run(controller, 0.03, now, cpu_share=1.0)
    run(controller, 0.5, now)
    assert controller.width == 1024


def test_a_busy_client_ends_the_growth() -> None:
    controller = ConcurrencyController()
    now = run(controller, 0.06)
    now = run(controller, 0.2, now, cpu_share=1.0)
    width = controller.width
    run(controller, 0.4, now)
    assert controller.width == width < 100


def test_without_samples_it_widens_too() -> None:
    controller = ConcurrencyController()
    run(controller, 5.0, first_byte=None, first_byte_min=None)
    assert controller.width > 200


# ---- what narrows


@pytest.mark.parametrize(("changed", "least"), [
    ({"constrained": True}, 1), ({"idle_workers": 500.0, "in_progress": 20.0}, 20),
], ids=["descriptors or memory", "idle workers"])
def test_it_narrows(changed: dict[str, object], least: int) -> None:
    controller = ConcurrencyController()
    now = run(controller)
    assert controller.width == 1024
    run(controller, 60.0, now, **changed)
    assert least <= controller.width <= 1.3 * max(20, least)


def test_it_narrows_until_the_limiter_has_decided_what_refusals_mean() -> None:
    controller = ConcurrencyController()
    now = run(controller)
    assert controller.width == 1024
    run(controller, 0.9, now, refused=500, completed=500)
    assert 20 <= controller.width <= 26


@pytest.mark.parametrize("begin", [0.0, 1.0], ids=["cold", "wide"])
def test_refusals_for_which_the_limiter_does_not_limit_the_rate_are_no_reason_to_stay_narrow(begin: float) -> None:
    """Some stores refuse a share of the requests at any rate."""
    controller, now = ConcurrencyController(), 0.0
    if begin:
        now = run(controller)
    end = now + 30.0
    while now < end:
        interval = unlimited(controller.width)
        now += interval.seconds
        refused = interval.completed // 10
        controller.observe(interval.replace(completed=interval.completed - refused, refused=refused), now)
    assert controller.width == 1024


def test_a_limit_that_is_lifted_leaves_the_limiter_time_to_decide_again() -> None:
    controller = ConcurrencyController()
    now = run(controller, 5.0, refused=1, limited=True)
    now = run(controller, 0.9, now, refused=1)
    assert controller.width == 20
    run(controller, 10.0, now, refused=1)
    assert controller.width > 20


def test_while_the_limiter_limits_it_keeps_twice_what_is_in_progress() -> None:
    controller = ConcurrencyController()
    now = run(controller)
    run(controller, 100.0, now, limited=True, in_progress=100.0, refused=30)
    assert controller.width == 200


@pytest.mark.parametrize("changed", [{"limited": True}, {"refused": 1}], ids=["limited", "refused"])
def test_after_refusals_it_grows_as_at_the_beginning(changed: dict[str, object]) -> None:
    controller = ConcurrencyController()
    now = run(controller, 0.05)
    now = run(controller, 1.0, now, in_progress=20.0, **changed)
    assert controller.width < 200
    run(controller, 0.5, now)
    assert controller.width == 1024


def test_it_narrows_to_a_lower_maximum() -> None:
    controller = ConcurrencyController()
    run(controller)
    controller.maximum = 64
    assert (controller.width, controller.maximum) == (64, 64)


def test_work_that_runs_out_changes_nothing() -> None:
    controller = ConcurrencyController()
    now = run(controller)
    run(controller, 10.0, now, in_progress=3.0, completed=6)
    assert controller.width == 1024


def test_each_kind_of_work_has_its_width() -> None:
    controller = ConcurrencyController()
    now = run(controller)
    controller.observe(GOOD.replace(size_class=2, bytes=10 ** 8), now + 0.1)
    assert controller.width == 20
    controller.observe(unlimited(20), now + 0.3)
    assert controller.width == 1024


# ---- properties

positive = st.floats(min_value=0.0, max_value=1e6)
intervals = st.builds(
    Interval, seconds=positive, operation=st.sampled_from(["GET", "PUT"]), size_class=st.integers(0, 3),
    completed=st.integers(0, 10**6), bytes=st.integers(0, 10**12), in_progress=positive,
    first_byte=st.none() | positive, first_byte_min=st.none() | positive, cpu_share=positive,
    refused=st.integers(0, 1000), connects=st.integers(0, 1000), idle_workers=positive, constrained=st.booleans(),
    limited=st.booleans(), samples=st.integers(0, 1000),
    first_responses=st.lists(st.tuples(positive, positive), max_size=30).map(sorted).map(tuple))
histories = st.lists(st.tuples(intervals, st.floats(0.0, 100.0)), max_size=30)


@settings(max_examples=examples(50))
@given(histories, st.integers(1, 2000), st.integers(1, 2000))
def test_bounds_hold_and_a_first_refusal_never_widens(history: list[tuple[Interval, float]], start: int,
                                                      maximum: int) -> None:
    controller, now, refused = ConcurrencyController(start=start, maximum=maximum), 0.0, -math.inf
    for interval, seconds in history:
        now += seconds
        before = controller.width
        controller.observe(interval, now)
        assert 1 <= controller.width <= maximum
        assert 0.0 < controller.interval <= 1.0
        is_first = interval.refused > 0 and now - refused >= 10.0
        if is_first or interval.constrained or interval.limited:
            assert controller.width <= before
        if interval.refused or interval.limited:
            refused = now


bad = st.builds(
    lambda **changed: GOOD.replace(**changed), refused=st.integers(0, 100), constrained=st.booleans(),
    limited=st.booleans(), idle_workers=st.floats(0.0, 100.0), first_byte=st.floats(0.02, 10.0),
    completed=st.integers(0, 1000), in_progress=st.floats(0.0, 1000.0))


@settings(max_examples=examples(10))
@given(st.lists(bad, max_size=30))
def test_it_recovers_from_any_bad_intervals(history: list[Interval]) -> None:
    controller, now = ConcurrencyController(), 0.0
    for interval in history:
        now += interval.seconds
        controller.observe(interval, now)
    run(controller, 100.0, now)
    assert controller.width > 500


# ---- simulated batches


def best(store: Store, batch: Batch, *widths: int) -> float:
    """The seconds with the best of these fixed widths."""
    return min(simulate(store, batch, fixed=width).seconds for width in widths)


def peak(outcome: Run) -> int:
    return max(width for each in outcome.outcomes for _, width in each.widths)


@pytest.mark.parametrize("latency", [0.02, 0.05])
def test_a_far_store_is_used_almost_as_with_the_best_fixed_width(latency: float) -> None:
    store, batch = Store(latency=latency), Batch(5000, cpu=35e-6, connect_cpu=100e-6)
    found = simulate(store, batch).seconds
    assert found < best(store, batch, 256, 512, 1024) / 0.8
    assert found < simulate(store, batch, fixed=20).seconds / 10


@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize("latency", [0.02, 0.05])
def test_the_same_with_a_slower_client_and_slow_first_responses(latency: float, is_lazy: bool) -> None:
    """Connections cost CPU time, which must not be taken for a limit of the client."""
    store, batch = Store(latency=latency, is_lazy=is_lazy), Batch(5000, cpu=75e-6, connect_cpu=300e-6)
    assert simulate(store, batch).seconds < best(store, batch, 256, 512, 1024) / 0.8


def test_the_width_is_remembered() -> None:
    store, batch = Store(latency=0.05), Batch(5000)
    controller = simulate(store, batch).controllers[0]
    assert simulate(store, batch, controller=controller).seconds < best(store, batch, 512, 1024) / 0.95


def test_near_a_store_nothing_is_changed() -> None:
    outcome = simulate(Store(latency=0.0002), Batch(10_000))
    assert peak(outcome) == 20


@pytest.mark.parametrize("latency", [0.02, 0.05])
def test_through_a_slow_line_there_are_never_more_than_twice_the_requests_it_needs(latency: float) -> None:
    store, batch = Store(latency=latency, bandwidth=50 * MBIT), Batch(5000)
    needed = 50 * MBIT / (batch.size + batch.overhead) * (latency + batch.cpu)
    outcome = simulate(store, batch)
    assert peak(outcome) <= 2 * needed
    assert outcome.seconds < best(store, batch, 64, 128) / 0.95


def test_larger_objects_fill_the_line() -> None:
    store, batch = Store(latency=0.05, bandwidth=GBIT), Batch(3000, 65_536, cpu=80e-6)
    assert simulate(store, batch).seconds < best(store, batch, 128, 256) / 0.7


def test_long_tails_are_no_reason_to_stay_narrow() -> None:
    store, batch = Store(latency=0.02, service=0.02, spread=0.7), Batch(10_000)
    assert simulate(store, batch).seconds < best(store, batch, 512, 1024) / 0.6


def test_a_store_that_refuses_what_exceeds_its_limit() -> None:
    outcome = simulate(Store(latency=0.02, rate=1000), Batch(20_000))
    assert outcome.seconds < 1.15 * 20
    assert outcome.share < 0.08


def test_a_store_that_refuses_some_requests_at_any_rate() -> None:
    store, batch = Store(latency=0.05, refusals=0.1), Batch(10_000)
    assert simulate(store, batch).seconds < simulate(store, batch, fixed=20).seconds / 3


def test_clients_that_start_together_get_equal_shares_without_oscillation() -> None:
    outcome = simulate(Store(latency=0.02, capacity=5000), Batch(10 ** 6), clients=4, seconds=10)
    rates = [each.rate(5, 10) for each in outcome.outcomes]
    assert sum(rates) > 0.97 * 5000
    assert max(rates) < 2 * min(rates)
    for each in outcome.outcomes:
        late = [width for when, width in each.widths if when > 5]
        assert max(late) <= 2 * min(late)


def test_a_crowd_does_not_crowd_itself_out() -> None:
    """30 clients: with the start alone, they ask for 50 times as much at a time as the store needs to be busy."""
    outcome = simulate(Store(latency=0.02, capacity=600), Batch(10 ** 6), clients=30, seconds=10, apart=0.02)
    assert sum(each.rate(5, 10) for each in outcome.outcomes) > 0.97 * 600
    assert peak(outcome) < 300


def test_a_server_that_takes_somewhat_longer_than_before_is_not_taken_to_be_loaded_for_ever() -> None:
    controller = ConcurrencyController()
    now = run(controller)
    end = now + 180.0
    narrowest = controller.width
    while now < end:
        interval = unlimited(controller.width, 0.035)
        now += interval.seconds
        controller.observe(interval, now)
        narrowest = min(narrowest, controller.width)
    assert narrowest < 100
    assert controller.width == 1024


def test_a_server_that_is_farther_away_than_before_is_measured_again() -> None:
    """A width that was found near a server is not kept for ever when its responses begin to take much longer."""
    controller, now = ConcurrencyController(), 0.0

    def observed(seconds: float, latency: float, steps: int) -> None:
        nonlocal now
        for _ in range(steps):
            now += seconds
            done = round(controller.width * seconds / latency)
            controller.observe(Interval(seconds, "GET", 0, done, 4096 * done, controller.width, latency, latency,
                                        0.2, 0, 0, 0.0, False, samples=done), now)

    observed(0.05, 0.001, 40)
    assert controller.width == 20
    observed(0.05, 0.05, 100)
    assert controller.width == 20  # for five seconds: it may be a pause
    observed(0.05, 0.05, 300)
    assert controller.width > 200
