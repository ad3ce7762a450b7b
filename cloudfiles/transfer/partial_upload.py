"""Partial uploads: what is known of the parts of a large object, so that another process can resume it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfiles import crc, integrity
from cloudfiles.exceptions import TransportError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.part_writer import PartWriter
from cloudfiles.transfer.checksum import COMPUTED, ObjectChecksum
from cloudfiles.transfer.items import Item
from cloudfiles.types import StoredObject, WriteOptions

_SECONDS_PER_PART = 0.001
"""The time until a partial upload is saved again, for each part that it has."""


@dataclass(frozen=True)
class PartialUpload:
    """What is saved of one object.

    Attributes:
        validator: of the version of the source that the parts belong to, see `StoredObject.validator`.
        size: the stored bytes of the source.
        state: of the writer, as `Interface.open_writer` takes it.
        parts: the crc32c of each part that was written, in hexadecimal, by its start.
        algorithm: of the digests of parts that the source's own digest is combined from, if it is not crc32c.
        values: these digests, in hexadecimal, by the start of the part.
    """

    validator: str
    size: int
    state: Mapping[str, Any]
    parts: Mapping[int, str] = field(default_factory=dict)
    algorithm: str = ""
    values: Mapping[int, str] = field(default_factory=dict)

    def dump(self) -> str:
        others = [self.algorithm, self.values] if self.values else []
        return json.dumps([self.validator, self.size, self.state, self.parts, *others], separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> PartialUpload:
        validator, size, state, parts, *others = json.loads(text)
        algorithm, values = others or ("", {})
        return cls(validator, size, state, _by_start(parts), algorithm, _by_start(values))

    def digest_of(self, start: int, algorithm: str) -> str | None:
        """The digest of the part that starts there, in hexadecimal; None if it is unknown."""
        if algorithm in ("", COMPUTED):
            return self.parts.get(start)
        return self.values.get(start) if algorithm == self.algorithm else None

    def discard(self, target: Interface, key: str) -> None:
        """Remove the parts from the store. Raises what `Interface.open_writer` does."""
        writer = target.open_writer(key, self.size, WriteOptions(), self.state)
        if writer is not None:
            writer.abort()


def _by_start(values: Mapping[str, str]) -> dict[int, str]:
    return {int(start): value for start, value in values.items()}


class PartTracker:
    """Records the parts of one object as they are written.

    Args:
        described: the version of the source that is copied.
        saved: the partial upload to resume.
        save: called, by any worker, whenever there is more to save.
    """

    def __init__(self, described: StoredObject, saved: PartialUpload | None,
                 save: Callable[[PartTracker], object]) -> None:
        self._validator = described.validator
        self._size = described.size or 0
        self._saved = saved
        self._save = save
        self._writer: PartWriter | None = None
        self._parts: dict[int, tuple[bytes, int]] = {}
        self._algorithm = ""
        self._values: dict[int, bytes] = {}

    @property
    def state(self) -> Mapping[str, Any] | None:
        """The state of the earlier writer to resume."""
        return None if self._saved is None else self._saved.state

    def start_writing(self, writer: PartWriter, checksum: ObjectChecksum) -> None:
        """From now on parts are written to `writer`, and added to `checksum`."""
        self._writer = writer
        self._checksum = checksum
        self._algorithm = checksum.part_algorithm if checksum.part_algorithm not in (None, COMPUTED) else ""
        self._save(self)

    def matches(self, start: int, content: bytes) -> bool:
        """Whether this is the part that was written there before."""
        return self._saved is not None and self._saved.parts.get(start) == _crc(content).hex()

    def add(self, start: int, content: bytes) -> None:
        """This part has been written, and added to the checksum."""
        self.add_digest(start, _crc(content), len(content))

    def add_digest(self, start: int, crc32c: bytes, length: int) -> None:
        """The same, given the digest of the part."""
        self._parts[start] = crc32c, length
        if self._algorithm:
            self._values[start] = self._checksum.part_value(start)
        self._save(self)

    def reuse_part(self, start: int, length: int) -> bool:
        """Whether this part was written before and need not be read again: its digests are saved, and are now added to
        the checksum. Only for writers whose parts the store itself has verified against these digests."""
        algorithm = self._checksum.part_algorithm
        crc32c = None if self._saved is None else self._saved.parts.get(start)
        value = None if self._saved is None or algorithm is None else self._saved.digest_of(start, algorithm)
        if crc32c is None or value is None:
            return False
        self._checksum.add_part_value(start, bytes.fromhex(value), length)
        self._parts[start] = bytes.fromhex(crc32c), length
        if self._algorithm:
            self._values[start] = bytes.fromhex(value)
        return True

    def is_resumable_after(self, error: BaseException) -> bool:
        """Whether it makes sense to resume after this failure: one of the connection, or an interruption."""
        return self._validator is not None and (isinstance(error, TransportError) or not isinstance(error, Exception))

    def snapshot(self) -> PartialUpload | None:
        """All that another process needs; None if nothing tells whether the source is still the same."""
        if self._writer is None or self._validator is None:
            return None
        before = {} if self._saved is None else dict(self._saved.parts)
        now = {start: value.hex() for start, (value, _) in list(self._parts.items())}
        return PartialUpload(self._validator, self._size, self._writer.state(), before | now, self._algorithm,
                             self._all_values())

    def _all_values(self) -> dict[int, str]:
        saved = self._saved is not None and self._saved.algorithm == self._algorithm
        before = dict(self._saved.values) if saved and self._saved is not None else {}
        return before | {start: value.hex() for start, value in list(self._values.items())}

    def digest(self) -> str:
        """Of the whole object, `algorithm:hexadecimal`; '' before all parts are written."""
        if sum(length for _, length in self._parts.values()) != self._size:
            return ""
        return f"{COMPUTED}:{crc.combine(COMPUTED, (self._parts[start] for start in sorted(self._parts))).hex()}"


def _crc(content: bytes) -> bytes:
    hasher = integrity.hasher(COMPUTED)
    hasher.update(content)
    return hasher.digest()


class ResumeTracker:
    """What a copier reports to, so that objects can be resumed by another run.

    Args:
        target: the interface that the objects are written to.
        save: called with the key of the target, by any worker, whenever there is more to save of its parts.

    Attributes:
        saved: partial uploads of earlier runs that have not been resumed yet, by the key of the target.
    """

    def __init__(self, target: Interface, save: Callable[[str, PartTracker], object],
                 saved: dict[str, PartialUpload] | None = None) -> None:
        self.target = target
        self.saved = {} if saved is None else saved
        self._save = save

    def begin(self, item: Item, is_large: bool) -> None:
        """From now on the copy may leave something behind if the process is killed."""

    def end(self, item: Item) -> None:
        """Nothing of the copy can be resumed any more, or has to be cleaned up."""

    def track_parts(self, item: Item, described: StoredObject) -> PartTracker:
        """A tracker for this version of the source. A partial upload of another version is discarded."""
        saved = self.saved.pop(item.target, None)
        if saved is not None and (saved.validator, saved.size) != (described.validator, described.size):
            saved.discard(self.target, item.target)
            saved = None
        return PartTracker(described, saved, lambda tracker: self._save(item.target, tracker))


class SaveThrottle:
    """Decides when the parts of an object are to be saved again, so that saving takes the same share of the time for
    any number of parts. Parts written since the last save are sent again after a kill."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: dict[str, float] = {}

    def is_due(self, target: str) -> bool:
        now = self._now()
        return now >= self._due.get(target, now)

    def saved(self, target: str, partial: PartialUpload) -> None:
        """It was saved just now."""
        self._due[target] = self._now() + _SECONDS_PER_PART * len(partial.parts)
