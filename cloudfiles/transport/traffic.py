"""What was sent to one origin and received from it: counters that the number of concurrent requests is based on."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from cloudfiles.transport.first_byte import FirstByteTimes

if TYPE_CHECKING:
    from cloudfiles.transport.request import Origin


_FIRST_RESPONSES = 64


class Traffic:
    """Counters of one origin, shared by all connections of the process.

    Numbers are only added to, without a lock: a lost update would not matter.

    Attributes:
        begun, ended: exchanges, each including the time until there is a connection.
        failed: those of them without a response, or with one that was refused or broken.
        bytes: received and sent, with the headers of responses.
        connects: connections opened.
        refused: responses by which the server asked for fewer requests.
        backing_off: requests that wait before another attempt, as the server asked for fewer of them.
        unsized_bytes: the usual size of bodies of unknown length that are not small; 0 if there were none.
        first_byte: the time to the first byte of responses, from samples.
        first_responses: of the last new connections: when their first response was complete, and the seconds of a round
            trip that it tells.
    """

    __slots__ = ("backing_off", "begun", "bytes", "connects", "ended", "failed", "first_byte", "first_responses",
                 "refused", "unsized_bytes")

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.failed = 0
        self.bytes = 0
        self.connects = 0
        self.refused = 0
        self.backing_off: set[object] = set()
        self.unsized_bytes = 0
        self.first_byte = FirstByteTimes()
        self.first_responses: deque[tuple[float, float]] = deque(maxlen=_FIRST_RESPONSES)

    @property
    def completed(self) -> int:
        """Exchanges with a response that was neither refused nor broken."""
        return self.ended - self.failed

    @property
    def in_progress(self) -> int:
        return max(0, self.begun - self.ended)


_traffic: dict[Origin, Traffic] = {}


def traffic_of(origin: Origin) -> Traffic:
    """The counters of `origin` in this process."""
    traffic = _traffic.get(origin)
    return traffic if traffic is not None else _traffic.setdefault(origin, Traffic())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_traffic.clear)
