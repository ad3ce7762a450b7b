"""What goes through the pipes between this process and a worker: a header and a pickle each."""

from __future__ import annotations

import io
import pickle
import struct
from typing import IO, Any, NamedTuple

from cloudfiles import handed_in

SURROUNDINGS, TASK, CANCEL, FREE = range(4)
"""To a worker: what has changed around it; do this; give it up; the shared memory may be written again."""

READY, RESULT, IN_MEMORY, ERROR = range(4, 8)
"""From a worker: it has started; the result; the result's length in the shared memory; the exception."""

_HEADER = struct.Struct("<BQQ")


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


def send(pipe: IO[bytes], kind: int, number: int = 0, payload: bytes = b"", length: int | None = None) -> None:
    """Write one message. Raises OSError (BrokenPipeError) where nobody reads."""
    head = _HEADER.pack(kind, number, len(payload) if length is None else length)
    if len(payload) < 4096:
        _write(pipe, head + payload)
    else:
        _write(pipe, head)
        _write(pipe, payload)


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
        if type(obj) is handed_in.HandedIn:
            return handed_in.accept, (obj.name, handed_in.value(obj))
        return NotImplemented


def dumps(value: Any) -> bytes:
    """`value` for a worker process of our own."""
    buffer = io.BytesIO()
    _Pickler(buffer, 5).dump(value)
    return buffer.getvalue()


class Prepared:
    """Something that many tasks are about: pickled once, and unpickled once by each worker."""

    def __init__(self, value: Any) -> None:
        self._pickled = dumps(value)

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
