"""Reading a part of a large object over HTTP that is passed on as it arrives, so that it is never in memory as a whole.

Shared by every protocol that speaks HTTP. Compared with receiving 8 MiB and writing them then, this takes a quarter
less CPU time, as the memory of a piece is in the caches and is used again, and a small part of the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from cloudfiles.byteranges import parse_content_range
from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.transport.request import Origin, ProviderProtocol, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject

TakePiece = Callable[[int, "bytes | memoryview"], object]
"""Called with pieces and their offsets in the object: in order, or from the start of the part again."""


class PartRead(ObjectRead):
    """A GET of the bytes `[start:end]` of the version that `require` was called with, which passes them to `take`.

    An interrupted body is resumed after the bytes that were passed on. A response that is not exactly the rest of the
    part of that version is received into memory, and interpreted as that to any other read. The result has no content
    if the bytes were passed on.
    """

    __slots__ = ("_at", "_is_passed_on", "_last", "_take", "receiver")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: ProviderProtocol, path: str,
                 start: int, end: int, take: TakePiece) -> None:
        ObjectRead.__init__(self, origin, target, headers, protocol, path, start, end)
        self.receiver = self
        self._take = take
        self._at, self._last = start, end
        self._is_passed_on = False  # the body of the current response

    def accepts(self, head: Head, length: int) -> bool:
        self._is_passed_on = (head.status in (200, 206) and length == self._last - self._at
                              and self._is_rest(head.headers))
        return self._is_passed_on

    def _is_rest(self, headers: dict[str, str]) -> bool:
        """Whether the body after these headers is the rest of the part."""
        value = headers.get("content-range")
        if value is None or self._condition is None or self._validator(headers) != self._condition:
            return False
        content_range = parse_content_range(value)
        return (content_range.start, content_range.end) == (self._at, self._last)

    def write(self, piece: memoryview | bytes) -> None:
        if piece:
            self._take(self._at, piece)
            self._at += len(piece)

    def on_incomplete_body(self, head: Head, received: bytes) -> None:
        if self._is_passed_on:
            self._request_rest()
        elif self._at == self.start:
            super().on_incomplete_body(head, received)

    def _request_rest(self) -> None:
        self.headers["range"] = f"bytes={self._at}-{self._last - 1}"

    def rest_after(self, head: Head, count: int | None) -> ObjectRead | None:
        if not self._is_passed_on:
            return super().rest_after(head, count) if self._at == self.start else None
        rest = copy(self)
        rest.headers = self.headers.copy()
        rest._request_rest()
        return rest

    def is_rest(self, head: Head) -> bool:
        return head.status == 206 and self._is_rest(head.headers) if self._is_passed_on else super().is_rest(head)

    def resumable_bytes(self) -> int:
        return self._at - (self.start or 0) + super().resumable_bytes()

    def accept(self, response: Response) -> StoredObject | None:
        if self._is_passed_on:
            return StoredObject(None, response.headers.get("content-encoding", ""), "", response.headers.get("etag"))
        if self._at != self.start and response.status in (200, 206):
            raise ObjectChangedError("the rest of a part was requested after an interruption, and the response is not "
                                     "that of the same object", path=self.path)
        return super().accept(response)
