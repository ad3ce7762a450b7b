"""Large objects that are half carried: what is known of their parts, so that another process can go on from there."""

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

_NOTE_SECONDS = 0.001
"""For each part that a note tells of, how long it is until the next one."""


@dataclass(frozen=True)
class PartialUpload:
    """What is kept of one object.

    Attributes:
        validator: of the content of the source that the parts are of, see `StoredObject.validator`.
        size: its stored bytes.
        state: of the writer, as `Interface.open_writer` takes it.
        parts: the crc32c of each part that was written, in hexadecimal, by where it begins.
        algorithm: of the digests of parts that the source's own digest is made of, where that is another one.
        values: those digests, in hexadecimal, by where the parts begin.
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
        """Of the part that begins there, in hexadecimal; None where it is not kept."""
        if algorithm in ("", COMPUTED):
            return self.parts.get(start)
        return self.values.get(start) if algorithm == self.algorithm else None

    def discard(self, target: Interface, key: str) -> None:
        """Let the store forget the parts. Raises what `Interface.open_writer` does."""
        writer = target.open_writer(key, self.size, WriteOptions(), self.state)
        if writer is not None:
            writer.abort()


def _by_start(values: Mapping[str, str]) -> dict[int, str]:
    return {int(start): value for start, value in values.items()}


class PartTracker:
    """Takes note of the parts of one object as they are written.

    note: called, by any worker, whenever there is more to keep.
    """

    def __init__(self, described: StoredObject, kept: PartialUpload | None,
                 note: Callable[[PartTracker], object]) -> None:
        self._validator = described.validator
        self._size = described.size or 0
        self._kept = kept
        self._note = note
        self._writer: PartWriter | None = None
        self._parts: dict[int, tuple[bytes, int]] = {}
        self._algorithm = ""
        self._values: dict[int, bytes] = {}

    @property
    def state(self) -> Mapping[str, Any] | None:
        """The state of an earlier writer to go on with."""
        return None if self._kept is None else self._kept.state

    def start_writing(self, writer: PartWriter, digest: ObjectChecksum) -> None:
        """From now on parts are written to `writer`, and counted in `digest`."""
        self._writer = writer
        self._digest = digest
        self._algorithm = digest.part_algorithm if digest.part_algorithm not in (None, COMPUTED) else ""
        self._note(self)

    def matches(self, start: int, content: bytes) -> bool:
        """Whether this is the part that was written there before."""
        return self._kept is not None and self._kept.parts.get(start) == _crc(content).hex()

    def add(self, start: int, content: bytes) -> None:
        """This part is written, and counted in the digest."""
        self._parts[start] = _crc(content), len(content)
        if self._algorithm:
            self._values[start] = self._digest.part_value(start)
        self._note(self)

    def reuse_part(self, start: int, length: int) -> bool:
        """Whether this part was written before and need not be read again: its digests are kept, and are now counted
        in. Only for writers that are checked by the store: what it has is what the digests are of."""
        algorithm = self._digest.part_algorithm
        crc32c = None if self._kept is None else self._kept.parts.get(start)
        value = None if self._kept is None or algorithm is None else self._kept.digest_of(start, algorithm)
        if crc32c is None or value is None:
            return False
        self._digest.add_part_value(start, bytes.fromhex(value), length)
        self._parts[start] = bytes.fromhex(crc32c), length
        if self._algorithm:
            self._values[start] = bytes.fromhex(value)
        return True

    def is_resumable_after(self, error: BaseException) -> bool:
        """Whether there is sense in going on from here after this failure: the connection's, or an interruption."""
        return self._validator is not None and (isinstance(error, TransportError) or not isinstance(error, Exception))

    def snapshot(self) -> PartialUpload | None:
        """All that another process needs; None where nothing tells whether the source is still the same."""
        if self._writer is None or self._validator is None:
            return None
        before = {} if self._kept is None else dict(self._kept.parts)
        now = {start: value.hex() for start, (value, _) in list(self._parts.items())}
        return PartialUpload(self._validator, self._size, self._writer.state(), before | now, self._algorithm,
                        self._all_values())

    def _all_values(self) -> dict[int, str]:
        kept = self._kept is not None and self._kept.algorithm == self._algorithm
        before = dict(self._kept.values) if kept and self._kept is not None else {}
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


class PartTrackers:
    """The logs of a run, by what is kept of each object.

    target: whose parts they are. note: see `PartLog`, with the key of the target.
    """

    def __init__(self, target: Interface, note: Callable[[str, PartTracker], object]) -> None:
        self._target = target
        self._note = note
        self.kept: dict[str, PartialUpload] = {}

    def tracker_for(self, item: Item, described: StoredObject) -> PartTracker:
        """A log for this state of the source. What is kept of another state is discarded."""
        kept = self.kept.pop(item.target, None)
        if kept is not None and (kept.validator, kept.size) != (described.validator, described.size):
            kept.discard(self._target, item.target)
            kept = None
        return PartTracker(described, kept, lambda tracker: self._note(item.target, tracker))


class SaveThrottle:
    """When the parts of an object are to be noted again. Notes cost the same share of the time however many parts it
    has; those since the last note are sent again after a kill."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: dict[str, float] = {}

    def is_due(self, target: str) -> bool:
        now = self._now()
        return now >= self._due.get(target, now)

    def saved(self, target: str, partial: PartialUpload) -> None:
        """A note was made."""
        self._due[target] = self._now() + _NOTE_SECONDS * len(partial.parts)
