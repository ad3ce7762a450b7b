"""What protocols exchange when data moves between them: copies by the store itself, and objects written in parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cloudfiles.types import WriteOptions

PART_BYTES = 8 << 20
"""Bytes of a part where nothing asks for another size: latency is hidden, and few enough fit in memory."""

Attributes = Callable[[WriteOptions], WriteOptions]


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How an object is copied by the store itself.

    Attributes:
        size: the source's stored bytes, where they are known: some stores copy large objects in another way.
        etag: copy only this state of the source (ObjectChangedError otherwise); None: whatever is there.
        change: what the copy is described by, made of what the source is described by; None: all as it is. It never
            changes the encoding.
    """

    size: int | None = None
    etag: str | None = None
    change: Attributes | None = None


class Copied(NamedTuple):
    """A copy that was made: its stored bytes and its ETag, each None where the store did not tell."""

    size: int | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Interrupted:
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
