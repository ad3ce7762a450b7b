"""A large body that one connection brings slowly: the rest of it by several.

A connection across a network carries as much as its window and its share of the way allow, stores give some 100 MB/s
to each; several carry several times that. On one that is fast a body stays whole: there, more would only cost more.
"""

from __future__ import annotations

from cloudfiles.exceptions import IntegrityError, ObjectChangedError, PreconditionFailedError
from cloudfiles.interfaces.haste import places
from cloudfiles.interfaces.http_object import ObjectRead
from cloudfiles.interfaces.parts import send_parts
from cloudfiles.transport.client import Client
from cloudfiles.transport.memory import BodyMemory
from cloudfiles.transport.request import SlowBodyError
from cloudfiles.types import StoredObject

_PART = 8 << 20


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
        places.release()
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
        one = request.part(at, at + size)
        one.is_patient = True  # also where a server answers with the whole object
        part: StoredObject | None = client.send(one)
        if part is None or not request.goes_with(part) or len(part.content) != size:
            raise ObjectChangedError("the object was replaced or removed while it was being read", path=request.path)
        memory.view[at - first:at - first + size] = part.content

    send_parts(client.runtime, range(start, end, _PART), read)
    return request.complete(memory.cut(end - first))
