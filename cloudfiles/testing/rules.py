"""Which requests meet which fault.

A script is a list of rules, each a function of what is known of a request at its head's arrival; the first that
gives a fault wins. Scripts travel to the server's process by pickle, so a function has to be a module's own.
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


@dataclass(frozen=True)
class IncomingRequest:
    """A request as scripts see it, at its head's arrival."""

    n: int  # 1 for the first request since the last reset
    request: ServerRequest  # without its body
    bucket: str
    key: str
    attempt: int  # 1 for the first request of this method for this target and range


@dataclass
class Rule:
    """`fault` for the requests that match.

    Attributes:
        method, key: exactly these; None matches any.
        prefix: what the key begins with.
        query: a text that the target's query contains (`uploadId=`, `list-type=2`).
        skip: how many matching requests pass unharmed first.
        times: how many are then hit; None hits all.
        each_key: `skip` and `times` count for every key by itself.
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

    def __call__(self, sighting: IncomingRequest) -> Fault | None:
        if not self._matches(sighting):
            return None
        counted = sighting.key if self.each_key else ""
        seen = self._seen[counted] = self._seen.get(counted, 0) + 1
        hit = seen > self.skip and (self.times is None or seen <= self.skip + self.times)
        return self.fault if hit else None

    def _matches(self, sighting: IncomingRequest) -> bool:
        return (self.method in (None, sighting.request.method) and self.key in (None, sighting.key)
                and sighting.key.startswith(self.prefix)
                and (self.query is None or self.query in sighting.request.raw_query))


@dataclass(frozen=True)
class Mix:
    """Faults drawn at random, independently for each request.

    The draw depends on the seed, method, target, range and number of the attempt alone, so that the same
    requests meet the same faults in whatever order they arrive.
    """

    seed: int
    probabilities: tuple[tuple[Fault, float], ...]

    def __call__(self, sighting: IncomingRequest) -> Fault | None:
        request = sighting.request
        draw = random.Random(f"{self.seed} {request.method} {request.target} {request.header('range')} "
                             f"{sighting.attempt}").random()
        for fault, probability in self.probabilities:
            draw -= probability
            if draw < 0:
                return fault
        return None


def mix(seed: int, probabilities: Mapping[Fault, float]) -> Mix:
    """Each fault with its probability; what is missing to 1 stays right."""
    if sum(probabilities.values()) > 1:
        raise ValueError(f"probabilities add up to more than 1: {probabilities}")
    return Mix(seed, tuple(probabilities.items()))


# A bad day of a flaky network and a busy store: 24 of 100 requests come to grief.
FLAKY: dict[Fault, float] = {
    slow_down(): 0.05, too_many_requests(0): 0.02, internal_error(): 0.02, ResetBefore(): 0.03,
    ResetInBody(): 0.03, ShortBody(): 0.03, FlipBit(5): 0.01, SilentClose(): 0.05,
}

Script = Sequence[Callable[[IncomingRequest], Fault | None]]
