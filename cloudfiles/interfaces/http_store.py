"""Stores accessed over HTTP: byte ranges that a Range header can express, and objects described by response headers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from cloudfiles.exceptions import ObjectChangedError, PreconditionFailedError, ProtocolError
from cloudfiles.interfaces.base import Interface, object_changed
from cloudfiles.interfaces.bounded_read import BoundedRead, PiecewiseRead, object_from_headers, read_bounded
from cloudfiles.interfaces.object_read import ObjectRead, head_from_headers
from cloudfiles.interfaces.parallel_read import read_object
from cloudfiles.interfaces.part_read import PartRead, TakePiece
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Origin, ProviderProtocol, Request
from cloudfiles.types import StoredObject

_TRIES = 4
"""How often the size of an object is determined if the object is replaced before it is read."""

ReadArguments = tuple[Origin, str, dict[str, str], ProviderProtocol, str]
"""Origin, target, headers, protocol and path of a GET of an object. The headers are owned by the request."""


class HttpStore(Interface):
    """A store whose objects are read by GET."""

    suffix_ranges: ClassVar[bool] = True
    """The server understands ranges of the last bytes (`bytes=-5`)."""

    read_request: ClassVar[type[ObjectRead]] = ObjectRead

    part_request: ClassVar[type[PartRead]] = PartRead

    _client: Client

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        """See the contract. Ranges relative to the end take a request for the size first, except `[-n:]`."""
        first = start or 0
        if (end is not None and end <= first) or (first < 0 and (end is not None or not self.suffix_ranges)):
            return self._get_by_size(key, start, end)
        begin = None if end is None and not first else first
        found = read_object(self._client, self.read_request(*self._read_arguments(key, begin, end), begin, end),
                            self.part_slots)
        if first < 0 and found is not None and not found.content:
            return self._get_by_size(key, start, end)  # some servers reject a suffix that is longer than the object
        return found

    def _get_by_size(self, key: str, start: int | None, end: int | None) -> StoredObject | None:
        """A range that is empty, or that a Range header can express only once the object's size is known."""
        for _ in range(_TRIES):
            version = self._version(key)
            if version is None:
                return None
            if version.size is None and ((start or 0) < 0 or (end or 0) < 0):
                raise ProtocolError("the server does not report the size of the object", path=key)
            first, last, _ = slice(start, end).indices(version.size or 0)
            if first >= last:
                return StoredObject(b"", version.encoding, "", version.etag)
            with suppress(PreconditionFailedError, ObjectChangedError):
                found = self._read_version(key, first, last, version)
                if found is None or len(found.content) == last - first:
                    return found
        raise ObjectChangedError(f"the object was replaced {_TRIES} times between determining its size and reading it",
                                 path=key)

    def _read_version(self, key: str, start: int, end: int, version: StoredObject) -> StoredObject | None:
        """The bytes `[start:end]` of this version of the object; None if the object is missing.

        Raises PreconditionFailedError or ObjectChangedError if the object has another version.
        """
        request = self.read_request(*self._read_arguments(key, start, end), start, end)
        request.require(version)
        found = read_object(self._client, request, self.part_slots)
        if found is not None and _is_other_version(found, version):  # not every server honors conditions
            raise ObjectChangedError("the object was replaced before it was read", path=key)
        return found

    def stream_part(self, key: str, start: int, end: int, described: StoredObject, take: TakePiece) -> None:
        request = self.part_request(*self._read_arguments(key, start, end), start, end, take)
        request.require(described)
        with suppress(PreconditionFailedError, ObjectChangedError):
            part: StoredObject | None = self._send(request)
            if part is not None and part.content is None:
                return
            if part is not None and len(part.content) == end - start and not _is_other_version(part, described):
                take(start, part.content)
                return
        raise object_changed(key)

    def _send(self, request: Request) -> Any:
        return self._client.send(request)

    @abstractmethod
    def _read_arguments(self, key: str, start: int | None = None, end: int | None = None) -> ReadArguments:
        """start, end: the byte range that will be requested."""

    @abstractmethod
    def _version(self, key: str) -> StoredObject | None:
        """Size, encoding and validator of the object; None if it is missing."""


class HeaderStore(HttpStore):
    """An HTTP store that describes its objects by response headers, to a HEAD as to a GET."""

    bounded_read_request: ClassVar[type[BoundedRead]] = BoundedRead

    @abstractmethod
    def _head(self, key: str) -> dict[str, str] | None:
        """The headers of the object; None if it is missing."""

    def _version(self, key: str) -> StoredObject | None:
        headers = self._head(key)
        return None if headers is None else object_from_headers(headers)

    def exists(self, key: str) -> bool:
        return self._head(key) is not None

    def head(self, key: str) -> dict[str, Any] | None:
        headers = self._head(key)
        return None if headers is None else head_from_headers(headers)

    def describe(self, key: str) -> StoredObject | None:
        return self._version(key)

    def get_bounded(self, key: str, max_size: int) -> StoredObject | None:
        return read_bounded(self._send, self.bounded_read_request(*self._read_arguments(key), max_size))

    def stream_in_one_request(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        found: StoredObject | None = self._send(PiecewiseRead(*self._read_arguments(key), take))
        return found


def _is_other_version(found: StoredObject, version: StoredObject) -> bool:
    if version.generation is not None:
        return found.generation not in (None, version.generation)
    return version.etag is not None and found.etag != version.etag
