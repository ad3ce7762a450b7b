"""Many workers of many processes against one store, on simulated time: the very client, without sockets or waiting.

Each worker is a greenlet; when it sleeps, or waits for an answer, the one whose time comes next goes on.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import greenlet

from cloudfiles.exceptions import CloudFilesError
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.contract import Runtime, Stream
from cloudfiles.transport.client import Client
from cloudfiles.transport.rate_limit.limiter import Limiter
from cloudfiles.transport.request import Origin, Request
from cloudfiles.types import Clock, Tls
from tests.core.scripted import FakeRuntime, FakeTime, ScriptedDialer, answer, unwatched

Store = Callable[[float], bytes | OSError]
"""What it answers to a request that comes at this time."""

GOOD = answer(200, b"right")
SLOW_DOWN = answer(503, b"slow down")


class Simulation:
    """Time, and who goes on when.

    Attributes:
        now: seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, greenlet.greenlet]] = []
        self._order = itertools.count()
        self._hub = greenlet.getcurrent()

    def start(self, work: Callable[[], None], at: float = 0.0) -> None:
        heapq.heappush(self._due, (self.now + at, next(self._order), greenlet.greenlet(work, self._hub)))

    def sleep(self, seconds: float) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), greenlet.getcurrent()))
        self._hub.switch()

    def run(self, seconds: float = float("inf")) -> None:
        """Until all work is done, or for `seconds`."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, worker = heapq.heappop(self._due)
            worker.switch()
        self.now = max(self.now, end) if end < float("inf") else self.now

    def stop(self) -> None:
        """End what has not ended."""
        while self._due:
            heapq.heappop(self._due)[2].throw(greenlet.GreenletExit)


class SimulatedRuntime(FakeRuntime):
    """Sleeps in a simulation."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(FakeTime())
        self._simulation = simulation

    def sleep(self, seconds: float) -> None:
        self._simulation.sleep(seconds)


class SimulatedStream:
    """A connection to the store, which answers after its latency."""

    def __init__(self, simulation: Simulation, store: Store, latency: Callable[[], float]) -> None:
        self._simulation = simulation
        self._store = store
        self._latency = latency
        self.peer: Any = None

    def send(self, data: bytes | bytearray | memoryview) -> None:
        self._simulation.sleep(self._latency() / 2)
        self._answer = self._store(self._simulation.now)

    def receive_into(self, buffer: memoryview) -> int:
        self._simulation.sleep(self._latency() / 2)
        if isinstance(self._answer, OSError):
            raise self._answer
        buffer[:len(self._answer)] = self._answer
        return len(self._answer)

    def tls_session(self) -> None:
        return None

    def is_stale(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def forget(self) -> None:
        pass


@dataclass
class Outcome:
    """What came of a simulated run.

    Attributes:
        sent: when each request came to the store, and whether it was answered with success.
        seconds: until the last worker had nothing more to do.
        errors: what requests failed with in the end.
        done: by each process.
        limiters: of each process.
    """

    sent: list[tuple[float, bool]] = field(default_factory=list)
    seconds: float = 0.0
    errors: list[CloudFilesError] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    limiters: list[Limiter] = field(default_factory=list)

    @property
    def refused(self) -> float:
        """The share of requests without success."""
        return sum(not good for _, good in self.sent) / len(self.sent)

    def rate(self, begin: float, end: float, good: bool | None = None) -> float:
        """Requests a second between these times; good: only those with this outcome."""
        return sum(1 for when, was in self.sent if begin <= when < end and good in (None, was)) / (end - begin)


def simulate(store: Store, *, requests: int, workers: int, processes: int = 1, latency: float = 0.02,
             seconds: float = float("inf"), policy: RetryPolicy | None = None, seed: int = 1,
             apart: float = 0.0) -> Outcome:
    """`requests` in all, by this many workers of each process, until they are done or `seconds` are over.

    latency: seconds of an answer on average.
    apart: seconds between the starts of two processes.
    """
    simulation, outcome, draw = Simulation(), Outcome(), random.Random(seed)
    began = simulation.now

    def observed(now: float) -> bytes | OSError:
        given = store(now - began)
        outcome.sent.append((now - began, given is GOOD))
        return given

    def wait() -> float:
        return latency * (0.5 + draw.random())

    for number in range(processes):
        _start_process(simulation, number, -(-requests // processes), workers, outcome, draw, policy,
                       lambda: SimulatedStream(simulation, observed, wait), number * apart)
    simulation.run(seconds)
    outcome.seconds = simulation.now - began
    simulation.stop()
    return outcome


def _start_process(simulation: Simulation, number: int, count: int, workers: int, outcome: Outcome,
                   draw: random.Random, policy: RetryPolicy | None, stream: Callable[[], SimulatedStream],
                   at: float) -> None:
    origin = Origin("http", f"process{number}.test", 80)
    clock = Clock(wall=lambda: simulation.now, monotonic=lambda: simulation.now)
    client = Client(cast(Runtime, SimulatedRuntime(simulation)), Tls(), 1.0, 1.0, policy=policy, clock=clock,
                    jitter=draw.random, descriptors=unwatched(10_000))
    client._dialer = cast(Any, _Dialer(stream))
    limiter = client._open_pool(origin).limiter = Limiter(draw.random)
    limiter.has_answered = True
    outcome.limiters.append(limiter)
    outcome.done.append(0)
    keys: Iterator[int] = iter(range(count))

    def work() -> None:
        for key in keys:
            try:
                client.send(Request(origin, "GET", f"/{key}", path=str(key)))
                outcome.done[number] += 1
            except CloudFilesError as error:
                outcome.errors.append(error)

    for _ in range(workers):
        simulation.start(work, at + draw.random() * 0.02)


class _Dialer(ScriptedDialer):
    def __init__(self, stream: Callable[[], SimulatedStream]) -> None:
        super().__init__()
        self._stream = stream

    def dial(self, origin: Origin, proxy: Any = None, most: float = math.inf, avoid: Any = None) -> Stream:
        return self._stream()


# ---- stores


def down(until: float) -> Store:
    """Refuses everything until then, and nothing afterwards."""
    return lambda now: SLOW_DOWN if now < until else GOOD


def unreachable(until: float) -> Store:
    """Breaks every connection until then."""
    return lambda now: ConnectionResetError("reset") if now < until else GOOD


def bucket(rate: float, burst: float) -> Store:
    """Allows `rate` requests a second, and `burst` at once after a pause (a token bucket)."""
    state = [burst, 0.0]

    def store(now: float) -> bytes | OSError:
        state[0], state[1] = min(burst, state[0] + rate * (now - state[1])), now
        if state[0] < 1.0:
            return SLOW_DOWN
        state[0] -= 1.0
        return GOOD
    return store


def changing(before: Store, at: float, after: Store) -> Store:
    """Does as the first one, and from then on as the second one."""
    return lambda now: before(now) if now < at else after(now)


def by_the_second(rate: float) -> Store:
    """Allows so many requests in each second of its clock."""
    state = [-1, 0]

    def store(now: float) -> bytes | OSError:
        if int(now) != state[0]:
            state[:] = [int(now), 0]
        state[1] += 1
        return GOOD if state[1] <= rate else SLOW_DOWN
    return store


def counting_all(limit: Callable[[float], float]) -> Store:
    """Refuses what comes when there were more requests than `limit` in the last second, the refused ones included."""
    recent: deque[float] = deque()

    def store(now: float) -> bytes | OSError:
        while recent and recent[0] <= now - 1:
            recent.popleft()
        recent.append(now)
        return GOOD if len(recent) <= limit(now) else SLOW_DOWN
    return store


def sometimes(share: float, seed: int = 3) -> Store:
    """Refuses this share of the requests, however many there are."""
    draw = random.Random(seed)
    return lambda now: SLOW_DOWN if draw.random() < share else GOOD
