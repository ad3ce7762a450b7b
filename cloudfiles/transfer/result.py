"""The results of transfers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudfiles.exceptions import CloudFilesError
from cloudfiles.monitoring import IOEnum, TransmissionMonitor
from cloudfiles.transfer.items import Item
from cloudfiles.types import StoredObject
from cloudfiles.values import NamedTuple

MOST_RECORDED = 20_000
"""Entries of a recording, so that any number of objects takes the same memory."""

Status = Literal["copied", "skipped", "missing", "large"]
Way = Literal["", "copy", "rename", "whole", "parts", "spool"]


class ObjectOutcome(NamedTuple):
    """The result for one object.

    Attributes:
        status: 'copied', 'skipped' (the target had it), 'missing' (the source has none), or 'large' (nothing was
            done yet: it is to be copied in parts, after the others).
        way: 'copy' (server-side, or by the kernel), 'rename', 'whole' (through memory), 'parts' (several at once),
            'spool' (through a temporary file).
        size: stored bytes that were written; None if the store did not report it.
        etag: of the new object, if the store reported it.
        verified: the digest that the bytes read were verified by; '' if the source offers none; 'local' if no network
            was involved.
        source_etag: the ETag of the source that was read, if it is known.
        digest: of the stored bytes of the source, `algorithm:hexadecimal`, if one was reported or computed.
        described: the source of a 'large' object, if it is known: without it, another request has to be made.
    """

    item: Item
    status: Status
    way: Way = ""
    size: int | None = None
    etag: str | None = None
    verified: str = ""
    source_etag: str | None = None
    digest: str = ""
    described: StoredObject | None = None


@dataclass
class TransferResult:
    """The result of `CloudFiles.transfer_to`, `transfer_from` and `moves`.

    Attributes:
        copied: number of objects that were copied (or moved).
        skipped: number of objects that the target already had.
        missing: number of objects that the source does not have, with `allow_missing`.
        bytes: stored bytes written, as far as the stores report them.
        unverified: number of copied objects that passed through this process, and for which the source has no digest to
            verify them with.
        ways: number of objects by how they were copied: 'copy' (by the store or the kernel), 'rename', 'whole' (through
            memory), 'parts' (several at once), 'spool' (through a temporary file).
        errors: exceptions by source path; only with `raise_errors=False`.
        skipped_symlinks: symlinks of the source that were not followed, because they lead out of it or are broken.
        recording: a TransmissionMonitor, which recorded when the objects were transferred. Its methods can also be
            called on the result: `result.total_bytes()`, `result.peak_Mbps()`. If there are very many objects, adjacent
            ones are recorded together.
    """

    copied: int = 0
    skipped: int = 0
    missing: int = 0
    bytes: int = 0
    unverified: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    errors: dict[str, Exception] = field(default_factory=dict)
    skipped_symlinks: list[str] = field(default_factory=list)
    outcomes: list[ObjectOutcome] = field(default_factory=list, repr=False, compare=False)  # of a worker's chunk
    recording: TransmissionMonitor = field(default_factory=lambda: TransmissionMonitor(IOEnum.TX), repr=False,
                                           compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "recording":  # which a result that is being unpickled has not yet
            raise AttributeError(name)
        return getattr(self.recording, name)

    def num_ios(self) -> int:
        """The number of objects that were copied."""
        return self.copied

    def add(self, outcome: ObjectOutcome, began: float | None = None) -> None:
        """Count an outcome; called by any worker.

        began: when, by the clock of the recording; None leaves it out of that.
        """
        with self._lock:
            if outcome.status == "copied":
                if began is not None:
                    self.recording.note((began, self.recording.now(), outcome.size or 0))
                    self._bound_recording()
                self.copied += 1
                self.bytes += outcome.size or 0
                self.unverified += not outcome.verified and outcome.way in ("whole", "parts", "spool")
                self.ways[outcome.way] += 1
            elif outcome.status == "skipped":
                self.skipped += 1
            elif outcome.status == "missing":
                self.missing += 1

    def fail(self, item: Item, error: Exception) -> None:
        """Record the error of an item."""
        with self._lock:
            self.errors[item.source] = error
            self.recording.record_error()

    def _bound_recording(self) -> None:
        if self.recording.num_ios() > MOST_RECORDED:
            self.recording.halve()

    def __len__(self) -> int:
        return self.copied

    def __bool__(self) -> bool:
        """True if nothing failed."""
        return not self.errors

    def merge(self, other: TransferResult) -> None:
        """Add the result of other objects."""
        with self._lock:
            for name in ("copied", "skipped", "missing", "bytes", "unverified"):
                setattr(self, name, getattr(self, name) + getattr(other, name))
            self.ways.update(other.ways)
            self.errors.update(other.errors)
            self.recording.add(other.recording)
            self._bound_recording()

    def explain(self, error: CloudFilesError, verb: str = "transferred",
                others: str = "the remaining objects were not started") -> CloudFilesError:
        """The error that ended the transfer, with a message that tells what was done before, and what happened to the
        `others`; its attribute `result` is this result."""
        done = f"{self.copied} object{'s were' if self.copied != 1 else ' was'} {verb} completely before"
        error.args = (f"{error.args[0] if error.args else ''} ({done}; the target of this one is unchanged; "
                      f"{others})",)
        error.result = self  # type: ignore[attr-defined]
        return error

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


@contextmanager
def skipped_in_errors(skipped: Sequence[str]) -> Iterator[None]:
    """The `result` of an error that ends a transfer reports the symlinks that were skipped until then."""
    try:
        yield
    except CloudFilesError as error:
        result = getattr(error, "result", None)
        if isinstance(result, TransferResult):
            result.skipped_symlinks = list(skipped)
        raise
