"""Objects written in parts: the writer, and the layout of the parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.integrity import Buffer
from cloudfiles.values import NamedTuple

PART_BYTES = 8 << 20
"""Default size of a part in bytes: large enough to hide latency, small enough to keep several in memory."""


class InterruptedWrites(NamedTuple):
    """Incomplete writes of processes that have ended.

    Attributes:
        keys: the keys that they were writing.
        since: the writes started after this time, in seconds since the epoch.
        processes: the results of `file_names.process_mark` in these processes.
        kept: states of writers that will be resumed: what belongs to them is kept.
    """

    keys: Sequence[str]
    since: float
    processes: Sequence[str]
    kept: Sequence[Mapping[str, Any]]


class PartWriter(ABC):
    """Writes one object in parts. The complete object appears at its key when `finish` returns, not earlier.

    Attributes:
        part_size: the size of every part except the last, in bytes.
        is_checked: the store has verified the parts in `written` with a digest; otherwise they have to be read back.
        takes_pieces: `write_piece` can be called instead of `write`.
    """

    part_size: int
    is_checked: bool = True
    takes_pieces: bool = False

    @abstractmethod
    def write(self, start: int, content: bytes | memoryview) -> None:
        """Write the part that starts at byte `start`, a multiple of `part_size`. Called by many workers concurrently,
        in any order, and again for the same part if an attempt failed."""

    def write_piece(self, at: int, piece: bytes | memoryview) -> None:
        """Write bytes at this offset of the object, a piece of a part that ends with `end_part`."""
        raise NotImplementedError

    def end_part(self, start: int) -> None:
        """All pieces of the part that starts there have been written."""
        raise NotImplementedError

    @abstractmethod
    def finish(self) -> str | None:
        """Publish the object after all parts are written; returns its ETag if the store reports it."""

    @abstractmethod
    def abort(self) -> None:
        """Remove everything that was written. Best effort; never raises a CloudFilesError."""

    def suspend(self) -> None:
        """Stop writing, and keep the parts for another writer that is created from `state()`."""
        return

    def read_back(self, start: int, length: int) -> bytes | None:
        """The bytes of a part that was written; None if the store cannot return them before the end."""
        return None

    @abstractmethod
    def written(self) -> frozenset[int]:
        """The offsets of the parts that certainly exist, including those of an earlier writer whose `state` was passed
        to `Interface.open_writer`."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """The state that another process needs to resume this write: JSON-serializable, without secrets."""


class PartLayout(NamedTuple):
    """The parts of an object of `size` bytes: `part_size` bytes each, except the last, numbered from 1.

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
        """The number of the part that starts there. Raises InvalidInputError if `content` is not a part."""
        number = start // self.part_size + 1
        if start % self.part_size or len(content) != self.length(number):
            raise InvalidInputError(f"{len(content)} bytes at offset {start} are not a part of {self.size} bytes split "
                                    f"into parts of {self.part_size}", path=self.key)
        return number

    def check_complete(self, written: Container[int]) -> None:
        """Raise InvalidInputError unless all parts are written."""
        missing = next((number for number in self.numbers if number not in written), None)
        if missing is not None:
            raise InvalidInputError(f"the part at offset {self.start(missing)} has not been written", path=self.key)
