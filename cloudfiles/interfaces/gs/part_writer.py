"""One object that is written in parts by many workers, or by several processes one after the other.

The parts are objects of their own until they are composed, so a process that goes on finds what the one before it has
sent by a listing, with the digests that the server has checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.crc import combine
from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.part_objects import PartObjects
from cloudfiles.interfaces.gs.resource import etag_of, resource_of
from cloudfiles.interfaces.gs.upload import condition_of
from cloudfiles.interfaces.gs.writing import part_size
from cloudfiles.interfaces.part_writer import PartLayout, PartWriter
from cloudfiles.types import WriteOptions


class GsPartWriter(PartWriter):
    """A parallel composite upload as a PartWriter."""

    def __init__(self, bucket: GsBucket, key: str, size: int, options: WriteOptions,
                 state: Mapping[str, Any] | None) -> None:
        known = state if state and state.get("upload") and state.get("part_size") else None
        self.part_size = int(known["part_size"]) if known else part_size(1, size)
        self._cut = PartLayout(key, size, self.part_size)
        self._resource = resource_of(options)
        self._condition = condition_of(bucket, key, options)
        self._parts = PartObjects(bucket, key, str(known["upload"]) if known else None)
        there = self._parts.find() if known else {}
        self._crcs = {number: crc for number, (length, crc) in there.items() if length == self._cut.length(number)}

    def write(self, start: int, content: bytes | memoryview) -> None:
        number = self._cut.number_of(start, content)
        self._crcs[number] = self._parts.send(number, content)

    def finish(self) -> str | None:
        self._cut.check_complete(self._crcs)
        crc = combine("crc32c", ((self._crcs[number], self._cut.length(number)) for number in self._cut.numbers))
        etag = etag_of(self._parts.compose(self._resource, self._condition, crc, self._cut.size))
        self._parts.clean()
        return etag

    def abort(self) -> None:
        self._parts.clean()

    def written(self) -> frozenset[int]:
        return frozenset(map(self._cut.start, self._crcs))

    def state(self) -> Mapping[str, Any]:
        return {"upload": self._parts.upload, "part_size": self.part_size}
