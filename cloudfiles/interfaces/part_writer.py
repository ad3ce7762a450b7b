"""Objects written in parts: the writer, and the layout of the parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.integrity import Buffer

PART_BYTES = 8 << 20
"""Bytes of a part where nothing asks for another size: latency is hidden, and few enough fit in memory."""

@dataclass(frozen=True, slots=True)
class InterruptedWrites:
    """Writes that processes which are gone have left half-done.

    Attributes:
        keys: of the objects that they were writing.
        since: seconds since the epoch; their writes began later.
        processes: what `file_names.process_mark` told in them.
        kept: states of writers that are to be gone on with: what belongs to them stays.
    """

    keys: Sequence[str]
    since: float
    processes: Sequence[str]
    kept: Sequence[Mapping[str, Any]]


class PartWriter(ABC):
    """One object that is being written in parts. It appears at its key, whole, when `finish` returns, and not before.

    Attributes:
        part_size: bytes of every part but the last.
        is_checked: the store has compared with a digest what `written` tells; else it is to be read back.
    """

    part_size: int
    is_checked: bool = True

    @abstractmethod
    def write(self, start: int, content: bytes | memoryview) -> None:
        """Take the part that begins at byte `start`, a multiple of `part_size`. Called by many workers at once, in any
        order, and again for the same part where a try failed."""

    @abstractmethod
    def finish(self) -> str | None:
        """Publish the object once all parts are there; gives its ETag where the store tells one."""

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind. Best effort, and never raises a CloudFilesError."""

    def leave(self) -> None:
        """Write no more, and leave the parts to another writer that is given `state()`."""
        return

    def read_back(self, start: int, length: int) -> bytes | None:
        """The bytes of a part that was written; None where the store gives none back before the end."""
        return None

    @abstractmethod
    def written(self) -> frozenset[int]:
        """Where the parts begin that are surely there: those of an earlier writer as well, after `state` was handed
        to `Interface.open_writer`."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """What another process needs to go on with this write: values that JSON can say, and no secrets."""


@dataclass(frozen=True, slots=True)
class PartLayout:
    """The parts of an object of `size` bytes: of `part_size` bytes but for the last, and numbered from 1.

    >>> parts = PartLayout("key", 25, 10)
    >>> [(number, parts.start(number), parts.length(number)) for number in parts.numbers]
    [(1, 0, 10), (2, 10, 10), (3, 20, 5)]
    """

    key: str
    size: int
    part_size: int

    @property
    def numbers(self) -> range:
        return range(1, -(-self.size // self.part_size) + 1)

    def start(self, number: int) -> int:
        return (number - 1) * self.part_size

    def length(self, number: int) -> int:
        return min(self.part_size, self.size - self.start(number))

    def number_of(self, start: int, content: Buffer) -> int:
        """The number of the part that begins there. Raises InvalidInputError where `content` is none."""
        number = start // self.part_size + 1
        if start % self.part_size or len(content) != self.length(number):
            raise InvalidInputError(f"{len(content)} bytes at offset {start} are not a part of {self.size} bytes split "
                                    f"into parts of {self.part_size}", path=self.key)
        return number

    def check_complete(self, written: Container[int]) -> None:
        """Raise InvalidInputError unless all numbers are among those written."""
        missing = next((number for number in self.numbers if number not in written), None)
        if missing is not None:
            raise InvalidInputError(f"the part at offset {self.start(missing)} has not been written", path=self.key)
