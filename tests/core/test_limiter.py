"""What many workers do together when a store refuses, or is down, on simulated time: by the very client and limiter."""

from __future__ import annotations

import random

import pytest

from cloudfiles.exceptions import ServerError
from cloudfiles.retry import RetryPolicy
from cloudfiles.transport.rate_limit.limiter import POLL_SECONDS, Limiter
from cloudfiles.transport.rate_limit.refused_share import RefusedShare
from cloudfiles.transport.request import Request, Response
from tests.core import simulation
from tests.core.scripted import answer
from tests.core.simulation import (
    GOOD,
    SLOW_DOWN,
    Outcome,
    Store,
    bucket,
    by_the_second,
    changing,
    counting_all,
    down,
    simulate,
    sometimes,
    unreachable,
)
from tests.selection import some

# ---- outages


@pytest.mark.parametrize("seconds", some([12, 60], [12]))
@pytest.mark.parametrize("store", [down, unreachable])
def test_after_an_outage_the_work_is_soon_done(seconds: int, store: type[Store]) -> None:
    outcome = simulate(store(seconds), requests=5000, workers=200)
    assert (sum(outcome.done), outcome.errors) == (5000, [])
    assert outcome.seconds < 1.18 * (seconds + 5000 / 200 * 0.02)
    assert outcome.limiters[0].rate is None


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_few_workers_outlast_a_restart(workers: int) -> None:
    outcome = simulate(unreachable(60), requests=100, workers=workers)
    assert outcome.errors == []
    assert outcome.seconds < 1.15 * (60 + 100 * 0.02 / workers)


def test_a_store_that_is_down_is_asked_by_one_request_at_a_time() -> None:
    outcome = simulate(down(100), requests=5000, workers=200, seconds=90)
    assert outcome.rate(0, 2) > 50
    assert outcome.rate(10, 90) < 2
    assert outcome.rate(80, 90) > 0


def test_refusals_inside_a_200_are_no_successes(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 reports them so for operations that take long: the server is down all the same."""
    class Copy(Request):
        def accept(self, response: Response) -> None:
            if response.content != b"right":
                raise ServerError("SlowDown", status=200, is_slow_down=True, is_transient=True)

    monkeypatch.setattr(simulation, "Request", Copy)
    refusing = answer(200, b"<Error>")
    outcome = simulate(lambda now: refusing if now < 30 else GOOD, requests=1000, workers=50)
    assert (sum(outcome.done), outcome.errors) == (1000, [])
    assert outcome.rate(10, 30) < 2


def test_a_server_that_is_down_is_not_asked_before_the_time_of_its_retry_after() -> None:
    """RFC 9110 10.2.3: so long it is expected to be unavailable."""
    limiter = Limiter(lambda: 0.5)
    for number in range(9):
        limiter.refused(0.0, 0.25 * number, retry_after=30.0)
    assert limiter.is_down
    ticket = limiter.join(3.0)
    assert limiter.wait(ticket, 3.0) == pytest.approx(30.5, abs=1.0)
    assert limiter.wait(ticket, 32.0) > 0.0
    assert limiter.wait(ticket, 36.0) == 0.0


def test_retry_after_concerns_one_request_if_others_are_accepted() -> None:
    limiter = Limiter()
    limiter.refused(0.0, 0.0, retry_after=60.0)
    limiter.accepted(0.0, 0.1)
    for _ in range(8):
        limiter.failed(1.5)
    assert limiter.is_down
    assert limiter.wait(limiter.join(1.5), 1.5) == 0.0


def test_processes_do_not_ask_together() -> None:
    outcome = simulate(down(60), requests=4000, workers=20, processes=20)
    probes = sorted(when for when, _ in outcome.sent if 40 < when < 59)
    assert max(sum(1 for other in probes if when <= other < when + 0.25) for when in probes) < 10


def test_a_store_that_stays_down_ends_the_batch_when_the_time_is_over() -> None:
    outcome = simulate(down(1e9), requests=200, workers=50)
    assert len(outcome.errors) == 200
    first = outcome.errors[0]
    assert 295 < first.elapsed < 310
    # Four times in turn 50 requests: the first wait for five minutes, the next for one, as nothing has answered so long
    assert 300 + 3 * 55 < outcome.seconds < 300 + 3 * 75


# ---- a rate that the store allows


@pytest.mark.parametrize("store", [bucket(200, 20), pytest.param(bucket(200, 200), marks=pytest.mark.full)])
def test_processes_that_share_a_store_use_what_it_allows(store: Store) -> None:
    outcome = simulate(store, requests=8000, workers=50, processes=4)
    assert (sum(outcome.done), outcome.errors) == (8000, [])
    assert outcome.refused < 0.08
    assert outcome.seconds < 1.15 * 40


def test_one_process_uses_what_the_store_allows() -> None:
    outcome = simulate(bucket(1000, 100), requests=20_000, workers=200)
    assert outcome.errors == []
    assert outcome.refused < 0.08
    assert outcome.seconds < 1.1 * 20


@pytest.mark.parametrize("seed", some([1, 2, 3], [1]))
@pytest.mark.parametrize(("latency", "burst"), [(0.02, 100), (0.1, 100), (0.02, 1000)])
def test_the_limit_is_known_after_a_round_trip(latency: float, burst: float, seed: int) -> None:
    """What is accepted while others are refused is what the store allows: no time is lost with the search for it."""
    outcome = simulate(bucket(1000, burst), requests=10_000, workers=200, latency=latency, seed=seed)
    assert (sum(outcome.done), outcome.errors) == (10_000, [])
    assert outcome.refused < 0.06
    assert outcome.seconds < 1.05 * 10


@pytest.mark.parametrize("seed", some([1, 2, 3], [1]))
def test_processes_that_start_together_soon_share_the_limit(seed: int) -> None:
    outcome = simulate(bucket(1000, 100), requests=10_000, workers=50, processes=4, seed=seed)
    assert (sum(outcome.done), outcome.errors) == (10_000, [])
    assert outcome.refused < 0.08
    assert outcome.seconds < 1.15 * 10


@pytest.mark.parametrize("seed", some([1, 2, 3], [1]))
def test_processes_that_start_and_end_one_after_the_other(seed: int) -> None:
    """Those that are left use what the ones that have ended leave."""
    outcome = simulate(bucket(1000, 100), requests=10_000, workers=50, processes=4, seed=seed, apart=0.5)
    assert (sum(outcome.done), outcome.errors) == (10_000, [])
    assert outcome.refused < 0.1
    assert outcome.seconds < 1.25 * 10


@pytest.mark.parametrize("seed", some([1, 2, 3], [1]))
def test_a_limit_that_is_raised_is_soon_used(seed: int) -> None:
    store = changing(bucket(1000, 100), 5.0, bucket(4000, 400))
    outcome = simulate(store, requests=20_000, workers=200, seed=seed)
    assert (outcome.errors, outcome.refused < 0.06) == ([], True)
    assert outcome.seconds < 1.3 * 8.75


@pytest.mark.parametrize("seed", some([1, 2, 3], [1]))
def test_a_limit_that_is_lowered_is_soon_kept(seed: int) -> None:
    store = changing(bucket(1000, 100), 5.0, bucket(200, 20))
    outcome = simulate(store, requests=8000, workers=200, seed=seed)
    assert outcome.errors == []
    assert outcome.seconds < 1.05 * 20
    assert outcome.rate(8, 18) < 1.1 * 200


def test_a_store_that_counts_by_the_second() -> None:
    outcome = simulate(by_the_second(1000), requests=20_000, workers=200)
    assert outcome.refused < 0.1
    assert outcome.seconds < 1.25 * 20


def test_shares_become_fair() -> None:
    """A process that begins later, on a store that another one uses to the full, gets its half after a while."""
    store = bucket(200, 20)
    outcome = simulate(store, requests=40_000, workers=50, processes=2, seconds=120)
    rates = [limiter.rate or 0.0 for limiter in outcome.limiters]
    assert max(rates) < 1.5 * min(rates)


@pytest.mark.full
def test_many_processes_may_stay_below_one_request_a_second() -> None:
    outcome = simulate(bucket(20, 20), requests=4000, workers=4, processes=100, seconds=200)
    assert outcome.rate(50, 200, good=True) > 15
    assert outcome.rate(50, 200) < 60


# ---- what brakes nobody, and what lets go


@pytest.mark.parametrize("share", [0.02, 0.07, 0.12])
def test_a_few_refusals_among_successes_slow_nobody_down(share: float) -> None:
    outcome = simulate(sometimes(share), requests=10_000, workers=20, latency=0.05, seconds=20)
    assert outcome.limiters[0].rate is None
    # Those that are refused wait a little, and nobody else does
    assert outcome.rate(0, 20) == pytest.approx(20 / (0.05 + share * 0.05), rel=0.1)


@pytest.mark.parametrize(("share", "seconds"), [(0.25, 15), (0.3, 30), (0.5, 120)])
def test_refusals_that_do_not_depend_on_the_rate_do_not_limit_it(share: float, seconds: float) -> None:
    """A lower rate would be refused as often: the work would take as many times longer as the rate is lower."""
    outcome = simulate(sometimes(share), requests=5000, workers=64, seconds=600)
    assert (sum(outcome.done), outcome.errors) == (5000, [])
    assert max(when for when, _ in outcome.sent) < seconds


def test_a_share_that_is_refused_for_long_is_not_tolerated() -> None:
    """42 workers send 1 500 requests a second: a seventh of them would be refused for good."""
    outcome = simulate(bucket(1300, 130), requests=15_000, workers=42)
    assert (sum(outcome.done), outcome.errors) == (15_000, [])
    assert outcome.refused < 0.07
    assert outcome.seconds < 1.15 * 15_000 / 1300


def test_a_few_responses_do_not_tell_that_a_lower_rate_is_refused_less() -> None:
    share = RefusedShare()
    share.begin(100.0, 0.25)
    assert not share.is_usual(accepted=18, refused=8, seconds=1.0)
    assert share.is_usual(accepted=26, refused=4, seconds=1.0)  # fewer, but this may be chance
    share.begin(100.0, 0.25)
    assert not share.is_usual(accepted=180, refused=20, seconds=5.0)


def test_a_limit_is_found_among_refusals_that_do_not_depend_on_the_rate() -> None:
    limited, unlimited = bucket(200, 20), sometimes(0.3)
    outcome = simulate(lambda now: limited(now) if unlimited(now) is GOOD else SLOW_DOWN, requests=4000, workers=64)
    assert (sum(outcome.done), outcome.errors) == (4000, [])
    assert outcome.seconds < 2 * 20
    assert outcome.refused < 0.6


def test_a_rate_that_was_limited_for_a_while_recovers_among_other_refusals() -> None:
    """The store rejects a tenth of the requests, whatever their rate, after it was at its limit for some seconds."""
    store = changing(bucket(300, 30), 3.0, sometimes(0.1))
    outcome = simulate(store, requests=30_000, workers=64, seconds=200)
    assert (sum(outcome.done), outcome.errors) == (30_000, [])
    assert max(when for when, _ in outcome.sent) < 40


def test_a_few_refusals_in_all_slow_nobody_down() -> None:
    limiter = Limiter()
    for _ in range(7):
        assert not limiter.enter(0.0)
        limiter.refused(0.0, 0.0)
    assert limiter.rate is None


def test_all_workers_slow_down_together_and_recover() -> None:
    """The server can take 100 requests a second for half a minute, and anything afterwards."""
    store = counting_all(lambda now: 100 if 5 < now < 35 else 1e9)
    outcome = simulate(store, requests=100_000, workers=20, latency=0.05, seconds=90)
    assert outcome.rate(0, 5) > 350
    assert outcome.rate(10, 35) < 150
    assert outcome.rate(10, 35, good=True) > 0.6 * outcome.rate(10, 35)
    assert outcome.rate(70, 90) > 350
    assert outcome.limiters[0].rate is None


# ---- the queue


def limited(rate: float) -> Limiter:
    """A limiter at this rate."""
    limiter = Limiter()
    limiter._limit(rate, 100.0, search=1.0)
    limiter._until = 1e9
    return limiter


def test_turns_are_spaced() -> None:
    limiter = limited(10.0)
    places = [limiter.join(100.0) for _ in range(4)]
    assert [round(limiter.wait(place, 100.0), 6) for place in places] == [0.0, 0.1, 0.2, 0.3]
    assert round(limiter.wait(limiter.join(100.35), 100.35), 6) == 0.05


def test_waiting_workers_learn_the_new_rate() -> None:
    limiter = limited(1.0)
    places = [limiter.join(100.0) for _ in range(100)]
    assert limiter.wait(places[99], 100.0) == pytest.approx(99)
    limiter.rate = 100.0
    assert limiter.wait(places[99], 100.0 + POLL_SECONDS) < 1
    limiter.rate = None
    assert limiter.wait(places[99], 100.0 + POLL_SECONDS) == 0.0


def test_a_waiter_that_gives_up_leaves_no_gap() -> None:
    limiter = limited(1.0)
    places = [limiter.join(100.0) for _ in range(100)]
    for place in places[:98]:
        limiter.leave(place)
    assert limiter.wait(places[99], 100.0) <= 1.0


def test_nothing_is_saved_up_while_nobody_asks() -> None:
    limiter = limited(10.0)
    limiter.join(100.0)
    places = [limiter.join(160.0) for _ in range(3)]
    assert [round(limiter.wait(place, 160.0), 6) for place in places] == [0.0, 0.1, 0.2]


def test_a_long_pause_is_no_reason_for_a_flood() -> None:
    limiter, now = limited(10.0), 100.0
    limiter._until = now
    draw = random.Random(1)
    for _ in range(200):
        now += draw.choice((0.001, 1.0, 20.0, 100_000.0))
        if limiter.enter(now):
            limiter.wait(limiter.join(now), now)
        limiter.refused(now, now) if draw.random() < 0.5 else limiter.accepted(now, now)
        assert limiter.rate is None or limiter.rate < 1e6


def test_the_policy_of_few_tries_ends_all_the_same() -> None:
    outcome: Outcome = simulate(down(1e9), requests=20, workers=20, policy=RetryPolicy(attempts=3))
    assert len(outcome.errors) == 20
    assert all(len(error.attempts) <= 3 for error in outcome.errors)
