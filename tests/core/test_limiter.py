"""The brake on simulated time: few refusals cost nobody anything, many slow every worker down, and it recovers."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from cloudfiles.transport.limiter import Limiter


def simulate(limiter: Limiter, seconds: float, refuses: Callable[[float, float], bool], workers: int = 20,
             service: float = 0.05, start: float = 0.0) -> list[tuple[float, bool]]:
    """When each request of `workers` went and whether it was refused, each worker one request after the other.

    refuses: (now, requests in the last second) -> whether the server refuses.
    """
    draw = random.Random(1)
    due = [(start + draw.random() * service, worker) for worker in range(workers)]
    heapq.heapify(due)
    sent: list[tuple[float, bool]] = []
    waiting: dict[int, float] = {}
    while due[0][0] < start + seconds:
        now, worker = heapq.heappop(due)
        if worker not in waiting:
            delay = limiter.enter(now)
            if delay:
                waiting[worker] = now
                heapq.heappush(due, (now + delay, worker))
                continue
        waiting.pop(worker, None)
        recent = sum(1 for when, _ in sent[-2000:] if when > now - 1)
        refused = refuses(now, recent)
        sent.append((now, refused))
        if refused:
            limiter.slow_down(now)
        heapq.heappush(due, (now + service, worker))
    return sent


def rate(sent: list[tuple[float, bool]], begin: float, end: float) -> float:
    return sum(1 for when, _ in sent if begin <= when < end) / (end - begin)


@pytest.mark.parametrize("share", [0.02, 0.07, 0.12])
def test_a_few_refusals_among_successes_brake_nobody(share: float) -> None:
    draw = random.Random(3)
    limiter = Limiter()
    sent = simulate(limiter, 20, lambda now, recent: draw.random() < share)
    assert limiter.rate is None
    assert rate(sent, 0, 20) == pytest.approx(400, rel=0.02)


def test_a_few_refusals_in_all_brake_nobody() -> None:
    limiter = Limiter()
    for _ in range(7):
        limiter.enter(0.0)
        limiter.slow_down(0.0)
    assert limiter.rate is None


def test_all_workers_slow_down_together_and_recover() -> None:
    """The server can take 100 requests a second for half a minute, and anything afterwards."""
    sent = simulate(limiter := Limiter(), 90, lambda now, recent: 5 < now < 35 and recent > 100)
    assert rate(sent, 0, 5) > 350
    assert rate(sent, 10, 35) < 150
    refused = sum(refused for when, refused in sent if 10 <= when < 35)
    assert refused < 0.3 * sum(1 for when, _ in sent if 10 <= when < 35)
    assert rate(sent, 70, 90) > 350
    assert limiter.rate is None


def test_a_server_that_refuses_all_is_asked_less_and_less_but_never_given_up() -> None:
    sent = simulate(Limiter(), 60, lambda now, recent: True)
    assert rate(sent, 0, 1) > 20
    assert 0.5 <= rate(sent, 40, 60) <= 4


def test_refusals_of_one_moment_count_once() -> None:
    limiter = Limiter()
    limiter.enter(100.0)
    for _ in range(99):
        limiter.enter(100.5)
    limiter.enter(101.0)
    for _ in range(100):
        limiter.slow_down(101.0)
    assert limiter.rate == pytest.approx(50, rel=0.05)


def test_slots_are_spaced() -> None:
    limiter = Limiter()
    limiter.rate, limiter._unlimited, limiter._began = 10.0, 100.0, 100.0
    assert [round(limiter.enter(100.0), 6) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]
    assert round(limiter.enter(100.35), 6) == 0.05
