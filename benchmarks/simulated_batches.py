"""Stores, clients and their batches on simulated time, with the real controller of concurrency and the real limiter.

Simulated are: round trips, handshakes, the time a store takes, its limits (requests per second, bandwidth, requests
that it works through), the CPU time of each client, the 503s and the backoff after them. Clients share the store and
its bandwidth; each has a CPU of its own.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from cloudfiles.transport.concurrency.controller import ConcurrencyController
from cloudfiles.transport.concurrency.interval import Interval
from cloudfiles.transport.rate_limit.limiter import POLL_SECONDS, Limiter

CHUNK = 65_536
"""Bytes of a body that are transmitted before those of others are."""

HANDSHAKES = 64
"""Connections that a client opens at a time."""

SAMPLED, SAMPLE_GAP = 200, 0.001
"""Requests whose time to the first byte is measured, one and all; seconds between two of those after them."""

MBIT, GBIT = 1e6 / 8, 1e9 / 8


@dataclass(frozen=True)
class Store:
    """A store, and the way to it.

    Attributes:
        latency: seconds of a round trip, and of opening a connection.
        is_lazy: a connection is open at once, and its first response takes `latency` longer, as in `far_store`.
        spread: standard deviation of the logarithm of the seconds that the store takes in addition.
        service: median of these seconds.
        stalls: share of the requests that take a hundred times as long.
        bandwidth: bytes per second in all.
        connection_bandwidth: bytes per second of each connection.
        capacity: requests per second that it works through, one after the other. More of them wait.
        rate: requests per second that it allows, by a token bucket of 0.1 s. It responds to others with 503.
        refusals: share of the requests to which it responds with 503 at any rate.
    """

    latency: float = 0.02
    spread: float = 0.0
    service: float = 0.0
    stalls: float = 0.0
    bandwidth: float = 10 * GBIT
    connection_bandwidth: float = 90e6
    capacity: float = math.inf
    rate: float = math.inf
    refusals: float = 0.0
    is_lazy: bool = False


@dataclass(frozen=True)
class Batch:
    """What each client does.

    Attributes:
        objects: number of them.
        size: bytes of each.
        overhead: bytes of a response beside the body.
        cpu: CPU seconds of a request.
        connect_cpu: CPU seconds of a handshake.
    """

    objects: int = 5000
    size: int = 4096
    overhead: int = 350
    cpu: float = 75e-6
    connect_cpu: float = 200e-6


class Time:
    """Seconds, and what is to be done when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), action))

    def run(self, until: float, is_done: Callable[[], bool]) -> None:
        while self._due and not is_done() and self._due[0][0] <= until:
            self.now, _, action = heapq.heappop(self._due)
            action()


class Line:
    """Something that does one piece of work after the other: a link, a CPU, a store of limited capacity."""

    def __init__(self) -> None:
        self._free = 0.0
        self.work = 0.0

    def done(self, now: float, seconds: float) -> float:
        """When work that is handed in now is done."""
        self._free = max(now, self._free) + seconds
        self.work += seconds
        return self._free

    def worked(self, now: float) -> float:
        """Seconds of work until now."""
        return self.work - max(0.0, self._free - now)


class SimulatedStore:
    """A store that clients share."""

    def __init__(self, time: Time, store: Store, draw: random.Random) -> None:
        self.time = time
        self.store = store
        self.link = Line()
        self._capacity = Line()
        self._draw = draw
        self._tokens, self._filled = store.rate / 10, 0.0
        self.requests = self.refused = self.in_progress = self.peak = 0

    def takes(self) -> bool:
        """Whether a request that comes now is allowed."""
        rate = self.store.rate
        self.requests += 1
        if self.store.refusals and self._draw.random() < self.store.refusals:
            self.refused += 1
            return False
        if rate == math.inf:
            return True
        self._tokens = min(rate / 10, self._tokens + rate * (self.time.now - self._filled))
        self._filled = self.time.now
        if self._tokens < 1.0:
            self.refused += 1
            return False
        self._tokens -= 1.0
        return True

    def ready(self) -> float:
        """When the response to a request that comes now can be transmitted."""
        store, now = self.store, self.time.now
        seconds = store.service * math.exp(self._draw.gauss(0.0, store.spread)) if store.service else 0.0
        if store.stalls and self._draw.random() < store.stalls:
            seconds = 100.0 * max(seconds, store.latency)
        return (now if store.capacity == math.inf else self._capacity.done(now, 1.0 / store.capacity)) + seconds


@dataclass
class Outcome:
    """What became of one client.

    Attributes:
        seconds: from its start to its end; infinite if it did not end.
        widths: the width, and when it was set.
        done: when each object was complete.
    """

    began: float
    seconds: float = math.inf
    widths: list[tuple[float, int]] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    refused: int = 0

    def rate(self, begin: float, end: float) -> float:
        """Objects per second between these times."""
        return sum(1 for when in self.done if begin <= when < end) / (end - begin)

    def width(self, when: float) -> int:
        """The width at this time."""
        return next((width for since, width in reversed(self.widths) if since <= when), self.widths[0][1])


class SimulatedClient:
    """A process that gets objects: its workers, connections, limiter, and the controller of their number."""

    def __init__(self, shared: SimulatedStore, batch: Batch, draw: random.Random, *, fixed: int = 0, at: float = 0.0,
                 controller: ConcurrencyController | None = None) -> None:
        self._shared = shared
        self._time = shared.time
        self._batch = batch
        self._draw = draw
        self._fixed = fixed
        self._left = batch.objects
        self._completed = 0
        self._cpu = Line()
        self.controller = controller or ConcurrencyController()
        self.limiter = Limiter(draw.random)
        self.outcome = Outcome(at)
        self._sampled = -math.inf
        self._working = self._in_progress = self._idle = self._dialing = self._backing_off = 0
        self._waiting: deque[tuple[float, int]] = deque()  # for a connection: when they entered, and attempts
        self._time.at(at, self._begin)

    @property
    def is_done(self) -> bool:
        return self._completed == self._batch.objects

    @property
    def _width(self) -> int:
        return self._fixed or self.controller.width

    def _begin(self) -> None:
        self._new_interval()
        self.outcome.widths.append((self._time.now, self._width))
        self._fill()
        if not self._fixed:
            self._time.at(self._time.now + self.controller.interval, self._tick)

    # ---- workers

    def _fill(self) -> None:
        while self._working - self._backing_off < self._width and self._left:
            self._left -= 1
            self._working += 1
            self._send(0)

    def _send(self, attempt: int) -> None:
        """Send a request as soon as the limiter lets it."""
        now = self._time.now
        if not self.limiter.enter(now):
            self._start(attempt)
            return
        ticket = self.limiter.join(now)

        def ask() -> None:
            delay = self.limiter.wait(ticket, self._time.now)
            if delay:
                self._time.at(self._time.now + min(delay, POLL_SECONDS), ask)
            else:
                self._start(attempt)
        ask()

    def _start(self, attempt: int) -> None:
        self._in_progress += 1
        entered = self._time.now
        if self._idle:
            self._idle -= 1
            self._request(entered, attempt, is_first=False)
        elif self._dialing < HANDSHAKES:
            self._dial(entered, attempt)
        else:
            self._waiting.append((entered, attempt))

    def _dial(self, entered: float, attempt: int) -> None:
        self._dialing += 1

        def dialed() -> None:
            self._dialing -= 1
            self._connects += 1
            if self._waiting:
                self._dial(*self._waiting.popleft())
            self._request(entered, attempt, is_first=True)
        latency = 0.0 if self._shared.store.is_lazy else self._shared.store.latency
        self._time.at(self._cpu.done(self._time.now, self._batch.connect_cpu) + latency, dialed)

    def _give_back(self) -> None:
        """Pass a connection on to a request that waits for one."""
        if self._waiting:
            self._request(*self._waiting.popleft(), is_first=False)
        else:
            self._idle += 1

    def _request(self, entered: float, attempt: int, is_first: bool) -> None:
        shared, latency = self._shared, self._shared.store.latency / 2
        wait = 2.0 * latency if is_first and shared.store.is_lazy else 0.0
        sent = self._cpu.done(self._time.now, self._batch.cpu / 2)

        def arrive() -> None:
            if shared.takes():
                shared.in_progress += 1
                shared.peak = max(shared.peak, shared.in_progress)
                shared.time.at(shared.ready() + wait, lambda: self._transmit(
                    entered, sent, is_first, self._batch.size + self._batch.overhead))
            else:
                shared.time.at(shared.time.now + latency, lambda: self._was_refused(entered, attempt))
        self._time.at(sent + latency, arrive)

    def _transmit(self, entered: float, sent: float, is_first: bool, left: int) -> None:
        """Hand the next bytes of a body to the link."""
        shared = self._shared
        size, latency = min(left, CHUNK), shared.store.latency / 2
        arrives = shared.link.done(self._time.now, size / shared.store.bandwidth)
        if not is_first and left >= self._batch.size:
            self._time.at(arrives + latency, partial(self._first_bytes, sent))
        if left > size:
            self._bytes += size
            at = max(arrives, self._time.now + size / shared.store.connection_bandwidth)
            self._time.at(at, lambda: self._transmit(entered, sent, is_first, left - size))
        else:
            shared.in_progress -= 1
            self._time.at(arrives + latency, lambda: self._receive(entered, size, sent if is_first else None))

    def _first_bytes(self, sent: float) -> None:
        if len(self.outcome.done) < SAMPLED or self._time.now - self._sampled >= SAMPLE_GAP:
            self._sampled = self._time.now
            self._first.append(self._cpu.done(self._time.now, 0.0) - sent)

    def _receive(self, entered: float, size: int, opened: float | None) -> None:
        """The last `size` bytes have arrived."""
        self._bytes += size
        self._time.at(self._cpu.done(self._time.now, self._batch.cpu / 2), lambda: self._complete(entered, opened))

    def _complete(self, entered: float, opened: float | None) -> None:
        """opened: when the connection was, if this is its first response."""
        now = self._time.now
        if opened is not None:
            self._first_responses.append((now, (now - opened) / 2 if self._shared.store.is_lazy else now - opened))
        self._done += 1
        self._in_progress -= 1
        self._give_back()
        self._working -= 1
        self._completed += 1
        if self.limiter.is_watching:
            self.limiter.accepted(entered, now)
        self.outcome.done.append(now)
        if self.is_done:
            self.outcome.seconds = now - self.outcome.began
        self._fill()

    def _was_refused(self, entered: float, attempt: int) -> None:
        now = self._time.now
        self._refused += 1
        self.outcome.refused += 1
        self._in_progress -= 1
        self._give_back()
        self.limiter.refused(entered, now)
        delay = self._draw.random() * min(2.0, 0.1 * 2 ** attempt)
        self._backing_off += 1

        def again() -> None:
            self._backing_off -= 1
            self._send(attempt + 1)
        self._time.at(now + delay, again)
        self._fill()

    # ---- the controller

    def _new_interval(self) -> None:
        self._since = self._time.now
        self._done = self._bytes = self._refused = self._connects = 0
        self._first: list[float] = []
        self._first_responses: list[tuple[float, float]] = []
        self._at_begin = self._in_progress
        self._worked = self._cpu.worked(self._time.now)

    def _tick(self) -> None:
        if self.is_done:
            return
        now = self._time.now
        seconds = now - self._since
        share = (self._cpu.worked(now) - self._worked) / seconds
        size_class = 0 if self._batch.size < 262_144 else 1 if self._batch.size < 8_388_608 else 2
        self.controller.observe(Interval(
            seconds, "GET", size_class, self._done, self._bytes, (self._at_begin + self._in_progress) / 2,
            median(self._first) if self._first else None, min(self._first) if self._first else None,
            share, self._refused, self._connects, 0.0, False, limited=self.limiter.rate is not None,
            samples=len(self._first), first_responses=tuple(self._first_responses)), now)
        self.outcome.widths.append((now, self.controller.width))
        self._new_interval()
        self._fill()
        self._time.at(now + self.controller.interval, self._tick)


@dataclass
class Run:
    """What became of all clients.

    Attributes:
        share: of the requests that were refused.
        peak: requests that were at the store at the same time.
    """

    outcomes: list[Outcome]
    share: float
    peak: int
    controllers: list[ConcurrencyController]

    @property
    def seconds(self) -> float:
        """Until the last client was done."""
        return max(outcome.began + outcome.seconds for outcome in self.outcomes)


def simulate(store: Store, batch: Batch, *, clients: int = 1, fixed: int = 0, seed: int = 1, apart: float = 0.0,
             seconds: float = 600.0, controller: ConcurrencyController | None = None) -> Run:
    """Let `clients` do the same batch.

    fixed: their width, instead of a controller.
    apart: seconds between the starts of two clients.
    seconds: the simulation ends after these.
    controller: that of the first client, from an earlier batch.
    """
    draw, time = random.Random(seed), Time()
    shared = SimulatedStore(time, store, draw)
    all_clients = [SimulatedClient(shared, batch, draw, fixed=fixed, at=apart * number,
                                   controller=controller if number == 0 else None) for number in range(clients)]
    left = deque(all_clients)

    def is_done() -> bool:
        while left and left[0].is_done:
            left.popleft()
        return not left
    time.run(seconds, is_done)
    return Run([client.outcome for client in all_clients], shared.refused / max(1, shared.requests), shared.peak,
               [client.controller for client in all_clients])
