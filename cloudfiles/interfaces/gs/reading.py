"""Reading objects: the stored bytes as they are, of one generation from first to last.

Source: Cloud Storage docs, "Transcoding of gzip-compressed files", "Request preconditions" and "Downloads".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.bounded_read import SizeLimit
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.transport.request import Origin, ProviderProtocol, Response
from cloudfiles.types import StoredObject

READ_HEADERS = {"accept-encoding": "gzip"}
"""Whoever takes gzip gets what is stored: without this, the server decodes objects stored as gzip on their way, and
ignores ranges of them."""

GENERATION = "x-goog-generation"

_PIN = "&ifGenerationMatch="


class GsRead(ObjectRead):
    """A GET of an object or a byte range of it, pinned by its generation where it goes on after a break.

    An ETag changes with the metadata too, and not every answer has one; a generation stands for the bytes alone.
    """

    __slots__ = ()

    def __init__(self, origin: Origin, target: str, protocol: ProviderProtocol, path: str, start: int | None = None,
                 end: int | None = None, generation: str | None = None) -> None:
        """target: with a query.

        generation: PreconditionFailedError, or ObjectChangedError by a server that does not look at it, where the
        object has another one.
        """
        ObjectRead.__init__(self, origin, target if generation is None else f"{target}{_PIN}{generation}",
                            READ_HEADERS.copy(), protocol, path, start, end)
        self._condition = generation

    def accept(self, response: Response) -> StoredObject | None:
        if response.status not in (200, 206):
            return ObjectRead.accept(self, response)
        generation = response.headers.get(GENERATION)
        if self._condition is not None and generation not in (None, self._condition):
            raise self._changed()  # the server does not look at conditions
        if _is_transcoded(response.headers):
            self._undo_transcoding(response)
        stored = ObjectRead.accept(self, response)
        if stored is not None:
            stored.generation = generation
        return stored

    def part(self, start: int, end: int) -> GsRead:
        target, _, generation = self.target.partition(_PIN)
        return GsRead(self.origin, target, self.protocol, self.path or "", start, end, generation or None)

    def _validator(self, headers: dict[str, str]) -> str | None:
        return None if _is_transcoded(headers) else headers.get(GENERATION)

    def _pin(self, validator: str) -> None:
        if _PIN not in self.target:
            self.target += f"{_PIN}{validator}"

    def _is_same_version(self, headers: dict[str, str]) -> bool:
        return self._first_headers is None or headers.get(GENERATION) == self._first_headers.get(GENERATION)

    def restart(self) -> None:
        ObjectRead.restart(self)
        self.headers.pop("if-match", None)
        if self._condition is None:
            self.target = self.target.partition(_PIN)[0]

    def _undo_transcoding(self, response: Response) -> None:
        """Bring back the stored bytes where a server on the way compressed them; it may do that to a whole object."""
        headers = response.headers
        stored, sent = headers["x-goog-stored-content-encoding"], headers.get("content-encoding", "identity")
        if stored != "identity" or sent != "gzip" or "range" in self.headers:
            raise ProtocolError(f"the object is stored with the encoding {stored}, but was sent with {sent}, although "
                                "it was requested as stored: a proxy or cache changes it", path=self.path)
        from cloudfiles.compression import decompress

        response.content = decompress(response.content, "gzip", self.path or "")
        del headers["content-encoding"]


@dataclass(slots=True)
class MediaObject(StoredObject):
    """An object as a read told of it: with all its headers, and without its metadata, which is in no JSON API read
    (Go client's reference, Reader.Metadata).

    Attributes:
        key: to ask for that by.
    """

    key: str = ""


class GsBoundedRead(GsRead):
    """A GET of a whole object of at most `most` bytes; gives a MediaObject. `Client.send` raises BodyTooLargeError."""

    __slots__ = ("_limit", "receiver")

    def __init__(self, origin: Origin, target: str, protocol: ProviderProtocol, path: str, most: int) -> None:
        GsRead.__init__(self, origin, target, protocol, path)
        self.receiver = self._limit = SizeLimit(most)

    def accept(self, response: Response) -> StoredObject | None:
        if self._limit.memory is not None:
            response.content = self._limit.memory.content()
        return GsRead.accept(self, response)

    def _whole(self, content: bytes, headers: dict[str, str]) -> StoredObject:
        stored = GsRead._whole(self, content, headers)
        return MediaObject(stored.content, stored.encoding, stored.verified, stored.etag, None, headers,
                           key=self.path or "")


def described_media(headers: Mapping[str, str], key: str) -> MediaObject:
    """The object that a read's headers are about, without its content."""
    size = headers.get("x-goog-stored-content-length") or headers.get("content-length", "")
    encoding = headers.get("x-goog-stored-content-encoding", headers.get("content-encoding", ""))
    return MediaObject(None, "" if encoding == "identity" else encoding, "", headers.get("etag"),
                       int(size) if size.isascii() and size.isdigit() else None, headers, headers.get(GENERATION), key)


def _is_transcoded(headers: dict[str, str]) -> bool:
    stored = headers.get("x-goog-stored-content-encoding")
    return stored is not None and stored != headers.get("content-encoding", "identity")
