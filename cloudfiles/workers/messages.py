"""The messages between this process and a worker: a header and a pickle each."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any, NamedTuple

from cloudfiles import secret_references

PROCESS_STATE, TASK, TASK_IN_MEMORY, CANCEL = range(4)
"""To a worker: new state of the parent; run this task; the length of a task in the shared memory; cancel a task."""

READY, RESULT, RESULT_IN_MEMORY, ERROR = range(4, 8)
"""From a worker: it has started; a result; the length of a result in the shared memory; an exception."""

MEMORY_READ = 8
"""Either way: the value in the shared memory has been read, and the next one may be written."""

_HEADER = struct.Struct("<BQQQ")
_SMALL = 4096


class Message(NamedTuple):
    """One message.

    Attributes:
        kind: one of the constants above.
        number: of the task.
        batch: of the task; 0 if it must not run beside another one.
        length: of the payload, or of the value in the shared memory.
    """

    kind: int
    number: int
    batch: int
    length: int
    payload: bytes | bytearray


Pieces = list[bytes]
"""A pickle in pieces: large contents are separate pieces, so that they are not copied."""


def send(pipe: IO[bytes], kind: int, number: int = 0, payload: Pieces | None = None, length: int = 0, batch: int = 0
         ) -> None:
    """Write one message. Raises OSError (BrokenPipeError) if the reader has ended.

    length: of the value in the shared memory, if there is no payload.
    """
    pieces = payload or [b""]
    head = _HEADER.pack(kind, number, batch, sum(map(len, pieces)) or length)
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
    kind, number, batch, length = _HEADER.unpack(head)
    payload = _read(pipe, 0 if kind in (TASK_IN_MEMORY, RESULT_IN_MEMORY) else length)
    return None if payload is None else Message(kind, number, batch, length, payload)


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
    """For own worker processes: includes the secrets that the pickle refers to, as only they can read the pipe."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is secret_references.SecretReference:
            return secret_references.define, (obj.name, secret_references.resolve(obj))
        return NotImplemented


class _PieceWriter:
    """A file for a pickler, which keeps large contents as separate pieces."""

    def __init__(self) -> None:
        self.pieces: Pieces = []

    def write(self, data: Any) -> int:
        self.pieces.append(data if type(data) is bytes else bytes(data))
        return len(data)


def dumps(value: Any) -> Pieces:
    """Pickle `value` for an own worker process."""
    collected = _PieceWriter()
    _Pickler(collected, 5).dump(value)
    return collected.pieces


class Prepared:
    """An argument of many tasks: pickled once, and unpickled once by each worker."""

    def __init__(self, value: Any) -> None:
        self._pickled = b"".join(dumps(value))

    def __reduce__(self) -> Any:
        return _unpickled, (self._pickled,)


_KEPT = 8
_unpickled_before: dict[bytes, Any] = {}


def _unpickled(pickled: bytes) -> Any:
    """In a worker: the value; the same object as before if it is one of the last few."""
    value = _unpickled_before.pop(pickled, None)
    if value is None:
        value = pickle.loads(pickled)
        if len(_unpickled_before) >= _KEPT:
            del _unpickled_before[next(iter(_unpickled_before))]
    _unpickled_before[pickled] = value
    return value


def forget_unpickled() -> None:
    """In a worker: drop unpickled values, as they may depend on state that has changed."""
    _unpickled_before.clear()
