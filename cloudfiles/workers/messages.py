"""What goes through the pipes between this process and a worker: a header and a pickle each."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any, NamedTuple

from cloudfiles import secret_references

PROCESS_STATE, TASK, CANCEL, FREE = range(4)
"""To a worker: what has changed around it; do this; give it up; the shared memory may be written again."""

READY, RESULT, IN_MEMORY, ERROR = range(4, 8)
"""From a worker: it has started; the result; the result's length in the shared memory; the exception."""

_HEADER = struct.Struct("<BQQ")
_SMALL = 4096


class Message(NamedTuple):
    """One message.

    Attributes:
        kind: one of the constants above.
        number: of the task.
        length: of the payload, or of what is in the shared memory.
    """

    kind: int
    number: int
    length: int
    payload: bytes | bytearray


Pieces = list[bytes]
"""A pickle in pieces: large contents are pieces of their own, and are not copied to become part of it."""


def send(pipe: IO[bytes], kind: int, number: int = 0, payload: Pieces | None = None, length: int = 0) -> None:
    """Write one message. Raises OSError (BrokenPipeError) where nobody reads.

    length: of what is in the shared memory, where there is no payload.
    """
    pieces = payload or [b""]
    head = _HEADER.pack(kind, number, sum(map(len, pieces)) or length)
    if len(pieces[0]) < _SMALL:
        _write(pipe, head + pieces[0])
        pieces = pieces[1:]
    else:
        _write(pipe, head)
    for piece in pieces:
        _write(pipe, piece)


def _write(pipe: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view):]


def receive(pipe: Any) -> Message | None:
    """Wait for one message; None at the end."""
    head = _read(pipe, _HEADER.size)
    if head is None:
        return None
    kind, number, length = _HEADER.unpack(head)
    payload = _read(pipe, 0 if kind == IN_MEMORY else length)
    return None if payload is None else Message(kind, number, length, payload)


def _read(pipe: Any, length: int) -> bytearray | None:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        try:
            count = pipe.readinto(view)
        except (OSError, ValueError):  # closed in this process meanwhile
            return None
        if not count:
            return None
        view = view[count:]
    return data


class _Pickler(pickle.Pickler):
    """For worker processes of our own: the secrets that a pickle refers to go along, through a pipe of these two."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is secret_references.SecretReference:
            return secret_references.define, (obj.name, secret_references.resolve(obj))
        return NotImplemented


class _CollectBatch:
    """A file for a pickler that writes large contents as they are."""

    def __init__(self) -> None:
        self.pieces: Pieces = []

    def write(self, data: Any) -> int:
        self.pieces.append(data if type(data) is bytes else bytes(data))
        return len(data)


def dumps(value: Any) -> Pieces:
    """`value` for a worker process of our own."""
    collected = _CollectBatch()
    _Pickler(collected, 5).dump(value)
    return collected.pieces


class Prepared:
    """Something that many tasks are about: pickled once, and unpickled once by each worker."""

    def __init__(self, value: Any) -> None:
        self._pickled = b"".join(dumps(value))

    def __reduce__(self) -> Any:
        return _unpickled, (self._pickled,)


_KEPT = 8
_unpickled_before: dict[bytes, Any] = {}


def _unpickled(pickled: bytes) -> Any:
    """In a worker: the value, the same one as before where it is one of the last ones."""
    value = _unpickled_before.pop(pickled, None)
    if value is None:
        value = pickle.loads(pickled)
        if len(_unpickled_before) >= _KEPT:
            del _unpickled_before[next(iter(_unpickled_before))]
    _unpickled_before[pickled] = value
    return value


def forget_unpickled() -> None:
    """In a worker: what was unpickled may have been made by settings that have changed."""
    _unpickled_before.clear()
