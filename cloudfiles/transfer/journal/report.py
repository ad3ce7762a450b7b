"""The state of a resumable transfer, as values and as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from cloudfiles.exceptions import redact
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.journal.records import Failure, TransferRecord

_FAILURES = 1000
"""Failures in a report; the journal has all of them."""

_SHOWN = 20
"""Failures in its text."""


@dataclass(frozen=True)
class Report:
    """The state of a transfer. Printing it shows a summary. True if every object is at the target.

    Attributes:
        source, target: cloudpaths.
        pending: objects that are not started, or are to be resumed.
        leased: objects that a process is working on.
        done: objects that were copied, and whose bytes were verified by a digest or came from a local store.
        skipped: objects that the target had already.
        failed: objects that could not be copied; `retry_failed` lets them be retried.
        unverifiable: objects that were copied, but whose source has no digest to verify the bytes with.
        bytes: stored bytes written.
        half_done: incomplete large objects whose parts can be resumed.
        failures: the first failures, with their causes.
        skipped_symlinks: symlinks below the source that lead out of it, or to nothing, and were not followed.
    """

    source: str
    target: str
    pending: int
    leased: int
    done: int
    skipped: int
    failed: int
    unverifiable: int
    bytes: int
    half_done: int
    failures: tuple[Failure, ...]
    skipped_symlinks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not (self.pending or self.leased or self.failed)

    @property
    def total(self) -> int:
        """The number of objects."""
        return self.pending + self.leased + self.done + self.skipped + self.failed + self.unverifiable

    def __str__(self) -> str:
        lines = [f"{redact(self.source)} to {redact(self.target)}: {self.total} objects"]
        for name in ("done", "skipped", "unverifiable", "failed", "leased", "pending"):
            count = getattr(self, name)
            if count or name == "done":
                lines.append(f"  {name:<12} {count:>12}")
        lines.append(f"  {'bytes':<12} {self.bytes:>12}")
        if self.half_done:
            lines.append(f"  {'incomplete':<12} {self.half_done:>12}")
        if self.skipped_symlinks:
            lines.append(f"  {'skipped symlinks':<16} {len(self.skipped_symlinks):>8}")
        lines += [f"  failed: {failure.path}: {failure.cause}" for failure in self.failures[:_SHOWN]]
        if self.failed > _SHOWN:
            lines.append(f"  and {self.failed - _SHOWN} more failures")
        return "\n".join(lines)


def report_of(journal: Journal, transfer: TransferRecord) -> Report:
    """The current state of the journal."""
    counts, written = journal.counts()
    by_state: Counter[str] = counts
    return Report(transfer.source, transfer.target, by_state["pending"], by_state["leased"], by_state["done"],
                  by_state["skipped"], by_state["failed"], by_state["unverifiable"], written,
                  len(journal.partial_uploads()), tuple(islice(journal.failures(), _FAILURES)),
                  tuple(transfer.options.get("skipped_symlinks", ())))
