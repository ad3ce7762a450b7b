"""Which requests meet which fault.

A script is a sequence of rules, functions of a request whose headers have arrived; the first that returns a fault
wins. Scripts are sent to the server's process by pickle, so that a function has to be importable there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cloudfiles.testing.http_messages import ServerRequest
from cloudfiles.testing.server_faults import (
    Fault,
    FlipBit,
    ResetBefore,
    ResetInBody,
    ShortBody,
    SilentClose,
    internal_error,
    slow_down,
    too_many_requests,
)


@dataclass(slots=True)
class IncomingRequest:
    """A request as rules see it: its headers have arrived.

    Attributes:
        n: 1 for the first request since the start or the last `reset` or `forget`.
        request: without its body.
        bucket, key: '' and the path for a plain web page.
        attempt: 1 for the first request with this method, target and range.
    """

    n: int
    request: ServerRequest
    bucket: str
    key: str
    attempt: int


@dataclass
class Rule:
    """`fault` for the requests that match.

    Attributes:
        method, key: exact values; None matches any.
        prefix: the beginning of the key.
        query: a text that the query contains, such as `uploadId=` or `list-type=2`.
        skip: number of matching requests that are answered correctly first.
        times: number of requests that then meet the fault; None for all.
        each_key: `skip` and `times` count for every key separately.
    """

    fault: Fault
    method: str | None = None
    key: str | None = None
    prefix: str = ""
    query: str | None = None
    skip: int = 0
    times: int | None = 1
    each_key: bool = False
    _seen: dict[str, int] = field(default_factory=dict)

    def __call__(self, incoming: IncomingRequest) -> Fault | None:
        if not self._matches(incoming):
            return None
        counted = incoming.key if self.each_key else ""
        seen = self._seen[counted] = self._seen.get(counted, 0) + 1
        hit = seen > self.skip and (self.times is None or seen <= self.skip + self.times)
        return self.fault if hit else None

    def _matches(self, incoming: IncomingRequest) -> bool:
        return (self.method in (None, incoming.request.method) and self.key in (None, incoming.key)
                and incoming.key.startswith(self.prefix)
                and (self.query is None or self.query in incoming.request.raw_query))


@dataclass(frozen=True)
class Mix:
    """Faults drawn at random for each request; see `mix`.

    A draw depends on nothing but the seed, the method, target and range, and the number of the attempt, so that the
    same requests meet the same faults in whatever order they arrive.
    """

    seed: int
    probabilities: tuple[tuple[Fault, float], ...]

    def __call__(self, incoming: IncomingRequest) -> Fault | None:
        request = incoming.request
        draw = random.Random(f"{self.seed} {request.method} {request.target} {request.header('range')} "
                             f"{incoming.attempt}").random()
        for fault, probability in self.probabilities:
            draw -= probability
            if draw < 0:
                return fault
        return None


def mix(seed: int, probabilities: Mapping[Fault, float]) -> Mix:
    """A rule that draws each fault with its probability, and none with what remains to 1.

    Raises ValueError if the probabilities add up to more than 1.
    """
    if sum(probabilities.values()) > 1:
        raise ValueError(f"probabilities add up to more than 1: {probabilities}")
    return Mix(seed, tuple(probabilities.items()))


FLAKY: dict[Fault, float] = {
    slow_down(): 0.05, too_many_requests(0): 0.02, internal_error(): 0.02, ResetBefore(): 0.03,
    ResetInBody(): 0.03, ShortBody(): 0.03, FlipBit(5): 0.01, SilentClose(): 0.05,
}
"""A flaky network and a busy store, for `mix`: 24% of the requests meet a fault."""

Script = Sequence[Callable[[IncomingRequest], Fault | None]]
