"""Parallel reads: the rest of a large body that one connection delivers slowly is read by several.

The throughput of a connection is limited by its window and its share of the link. Stores deliver about 100 MB/s per
connection, and several connections deliver several times that. For a fast connection, more would only cost more.
"""

from __future__ import annotations

from cloudfiles.exceptions import IntegrityError, ObjectChangedError, PreconditionFailedError
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.interfaces.throughput_monitor import parallel_read_slots
from cloudfiles.transport.body_buffers import BodyBuffer
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import SlowBodyError
from cloudfiles.types import StoredObject

_PART = 8 << 20


def read_object(client: Client, request: ObjectRead, slots: Budget | None) -> StoredObject | None:
    """`client.send(request)`, over several connections if a large body arrives slowly. slots: see `send_parts`."""
    try:
        found: StoredObject | None = client.send(request)
    except SlowBodyError:
        return _read_rest(client, request, slots)
    return found


def _read_rest(client: Client, request: ObjectRead, slots: Budget | None) -> StoredObject | None:
    """Continue a slow read in parallel, or over one connection if no slot is free or parallel reads fail."""
    with parallel_read_slots.try_acquire() as acquired:
        if acquired and request.received():
            try:
                return _read_in_parallel(client, request, slots)
            except (ObjectChangedError, PreconditionFailedError, IntegrityError):
                request.restart()
    request.single_connection = True
    found: StoredObject | None = client.send(request)
    return found


def _read_in_parallel(client: Client, request: ObjectRead, slots: Budget | None) -> StoredObject:
    received = b"".join(request.received())
    start, end = request.remaining()
    first = start - len(received)
    memory = BodyBuffer(end - first, received)

    def read(_: int, at: int) -> None:
        size = min(_PART, end - at)
        part_request = request.part(at, at + size)
        part_request.single_connection = True  # also where a server responds with the whole object
        part: StoredObject | None = client.send(part_request)
        if part is None or not request.matches(part) or len(part.content) != size:
            raise ObjectChangedError("the object was replaced or removed while it was being read", path=request.path)
        memory.view[at - first:at - first + size] = part.content

    send_parts(client.runtime, range(start, end, _PART), read, request.origin, part_size=_PART,
               slots=slots)
    return request.complete(memory.cut(end - first))
