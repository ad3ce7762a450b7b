"""One object that is written in parts by many workers, or by several processes one after the other.

The parts are objects of their own until they are composed, so a process that goes on finds what the one before it has
sent by a listing, with the digests that the server has checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.crc import combine
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.interfaces.gs.bucket import Bucket
from cloudfiles.interfaces.gs.part_objects import PartObjects
from cloudfiles.interfaces.gs.resource import resource_of
from cloudfiles.interfaces.gs.upload import condition_of
from cloudfiles.interfaces.gs.writing import part_size
from cloudfiles.interfaces.moving import PartWriter
from cloudfiles.types import WriteOptions


class GsPartWriter(PartWriter):
    """A parallel composite upload as a PartWriter."""

    def __init__(self, bucket: Bucket, key: str, size: int, options: WriteOptions,
                 state: Mapping[str, Any] | None) -> None:
        known = state if state and state.get("upload") and state.get("part_size") else None
        self.part_size = int(known["part_size"]) if known else part_size(1, size)
        self._key = key
        self._size = size
        self._resource = resource_of(options)
        self._condition = condition_of(bucket, key, options)
        self._parts = PartObjects(bucket, key, str(known["upload"]) if known else None)
        there = self._parts.find() if known else {}
        self._crcs = {number: crc for number, (length, crc) in there.items() if length == self._length(number)}

    def _length(self, number: int) -> int:
        """Bytes that part `number`, from 1, is to have."""
        return min(self.part_size, self._size - (number - 1) * self.part_size)

    @property
    def _count(self) -> int:
        return -(-self._size // self.part_size)

    def write(self, start: int, content: bytes | memoryview) -> None:
        number = start // self.part_size + 1
        if start % self.part_size or len(content) != self._length(number):
            raise InvalidInputError(f"{len(content)} bytes from {start} on are no part of {self._size} bytes in parts "
                                    f"of {self.part_size}", path=self._key)
        self._crcs[number] = self._parts.send(number, content)

    def finish(self) -> str | None:
        numbers = range(1, self._count + 1)
        missing = next((number for number in numbers if number not in self._crcs), None)
        if missing is not None:
            raise InvalidInputError(f"the part from byte {(missing - 1) * self.part_size} on has not been written",
                                    path=self._key)
        crc = combine("crc32c", ((self._crcs[number], self._length(number)) for number in numbers))
        etag = str(self._parts.compose(self._resource, self._condition, crc, self._size)["etag"])
        self._parts.clean()
        return etag

    def abort(self) -> None:
        self._parts.clean()

    def written(self) -> frozenset[int]:
        return frozenset((number - 1) * self.part_size for number in self._crcs)

    def state(self) -> Mapping[str, Any]:
        return {"upload": self._parts.upload, "part_size": self.part_size}
