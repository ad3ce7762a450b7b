"""Where the calls of a local store run, by how long they have taken: in the thread of the hub, or in native threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transfer.adaptive_caller import AdaptiveCaller

pytestmark = pytest.mark.one_runtime

FAST, SLOW, PAUSE = 0.00005, 0.005, 0.2  # seconds: of a local disk, of a network mount, without the processor


class Hub:
    """A hub whose clock moves by what each call takes; it counts the calls in threads."""

    name = "green"

    def __init__(self) -> None:
        self.now = 0.0
        self.in_threads = 0

    def run_in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        self.in_threads += 1
        return function(*args)


class Local:
    class traits:  # noqa: N801 -- the attribute
        is_local = True


class Calls:
    """Calls that take given times, and how many of them ran in threads."""

    def __init__(self) -> None:
        self._hub = Hub()
        self._caller = AdaptiveCaller(cast(Interface, Local()), cast(Runtime, self._hub), lambda: self._hub.now)

    def take(self, seconds: float, size: int = 4096) -> bool:
        """Make a call that takes so long. Whether it ran in a thread."""
        def operation(result: str) -> str:
            self._hub.now += seconds
            return result

        before = self._hub.in_threads
        assert self._caller.call(size, operation, "done") == "done"
        return self._hub.in_threads > before

    def in_threads(self, count: int, seconds: float) -> int:
        """How many of `count` such calls ran in threads."""
        return sum(self.take(seconds) for _ in range(count))


def test_fast_operations_stay_in_the_hub() -> None:
    assert Calls().in_threads(1000, FAST) == 0


def test_large_operations_run_in_threads() -> None:
    assert Calls().take(FAST, RUN_IN_THREAD_BYTES)


def test_slow_operations_leave_the_hub() -> None:
    calls = Calls()
    assert calls.in_threads(32, SLOW) >= 16
    assert calls.in_threads(100, SLOW) == 100


def test_pauses_of_the_process_are_not_taken_for_a_slow_store() -> None:
    calls = Calls()
    for _ in range(50):
        assert not calls.take(PAUSE)
        assert calls.in_threads(20, FAST) == 0


def test_operations_that_become_fast_again_return_to_the_hub() -> None:
    calls = Calls()
    calls.in_threads(20, SLOW)
    calls.in_threads(300, FAST)
    assert calls.in_threads(1000, FAST) == 0


def test_a_store_that_stays_slow_is_tried_in_the_hub_ever_more_rarely() -> None:
    calls = Calls()
    calls.in_threads(10_000, SLOW)
    assert calls.in_threads(10_000, SLOW) > 9_980
