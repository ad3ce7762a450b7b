"""A large body that one connection brings slowly: the rest of it by several.

A connection across a network carries as much as its window and its share of the way allow, stores give some 100 MB/s
to each; several carry several times that. On one that is fast a body stays whole: there, more would only cost more.
"""

from __future__ import annotations

import threading
from time import monotonic

from cloudfiles.exceptions import IntegrityError, ObjectChangedError, PreconditionFailedError
from cloudfiles.interfaces.http_object import ObjectRead
from cloudfiles.interfaces.parts import send_parts
from cloudfiles.transport.client import Client
from cloudfiles.transport.memory import BodyMemory
from cloudfiles.transport.request import SlowBodyError
from cloudfiles.types import StoredObject

_FAST = 256 << 20
"""Bytes a second that one connection is left alone at: the core that receives them has little time left."""

_LOOK = 0.1
"""Seconds over which the rate is taken, again and again, from the body's first megabyte on."""

_BEGIN = 1 << 20
"""Bytes before the rate is looked at: the window of a new connection is still growing."""

_LEAST = 32 << 20
"""Bytes that have to be left."""

_PART = 8 << 20

_AT_ONCE = 2
"""Bodies of the process that are divided at a time: the next ones run beside others anyway."""

_places = threading.BoundedSemaphore(_AT_ONCE)


class Haste:
    """Ends an exchange whose body is large and comes slowly."""

    __slots__ = ("_count", "_length", "_since")

    def __init__(self, length: int) -> None:
        self._length = length
        self._since = 0.0
        self._count = 0

    def look(self, got: int) -> None:
        now = monotonic()
        if not self._since:
            if got >= _BEGIN:
                self._since, self._count = now, got
            return
        elapsed = now - self._since
        if elapsed < _LOOK:
            return
        if got - self._count < elapsed * _FAST and self._length - got >= _LEAST and _places.acquire(blocking=False):
            raise SlowBodyError
        self._since, self._count = now, got


def read_object(client: Client, request: ObjectRead) -> StoredObject | None:
    """`client.send(request)`, by several connections where a large body comes slowly."""
    try:
        found: StoredObject | None = client.send(request)
    except SlowBodyError:
        return _read_divided(client, request)
    return found


def _read_divided(client: Client, request: ObjectRead) -> StoredObject | None:
    try:
        if request.received():
            return _rest_by_several(client, request)
    except (ObjectChangedError, PreconditionFailedError, IntegrityError):
        request.begin_anew()
    finally:
        _places.release()
    request.is_patient = True
    found: StoredObject | None = client.send(request)
    return found


def _rest_by_several(client: Client, request: ObjectRead) -> StoredObject:
    begin = b"".join(request.received())
    start, end = request.left()
    first = start - len(begin)
    memory = BodyMemory(end - first, begin)

    def read(_: int, at: int) -> None:
        size = min(_PART, end - at)
        part: StoredObject | None = client.send(request.part(at, at + size))
        if part is None or len(part.content) != size:
            raise ObjectChangedError("the object was replaced or removed while it was read", path=request.path)
        memory.view[at - first:at - first + size] = part.content

    send_parts(client.runtime, range(start, end, _PART), read)
    return request.complete(memory.cut(end - first))
