"""`RateLimit`, with a clock of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.transfer.rate_limit import RateLimit


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(1, 1e9))
def test_no_more_than_the_rate(sizes: list[int], rate: float) -> None:
    time = Time()
    limit = RateLimit(rate, time.sleep, lambda: time.now)
    for size in sizes:
        limit.take(size)
    earlier = sum(sizes[:-1])
    assert time.now - 100.0 >= earlier / rate * (1 - 1e-6) - 1e-6
    assert time.now - 100.0 <= earlier / rate * (1 + 1e-6) + 1e-6


def test_time_that_is_not_used_is_not_saved_up() -> None:
    time = Time()
    limit = RateLimit(10.0, time.sleep, lambda: time.now)
    limit.take(10)
    time.now += 60
    limit.take(10)
    limit.take(10)
    assert time.now == 161.0
