"""What came of a resumable transfer, as values and as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from cloudfiles.exceptions import redact
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.journal.records import Failure, TransferRecord

_FAILURES = 1000
"""Failures that a report holds; the journal has all."""

_SHOWN = 20
"""Failures that its text shows."""


@dataclass(frozen=True)
class Report:
    """The state of a transfer. Prints as text. True where every object is at the target.

    Attributes:
        source, target: cloudpaths.
        pending: objects that nobody has begun with, or that are to be gone on with.
        leased: those that a process is at work on.
        done: carried; every byte that passed through a process was checked by a digest, or came from a local store.
        skipped: the target had them.
        failed: could not be carried. `retry_failed` lets them be done again.
        unverifiable: carried, but the source offers no digest to check the bytes by.
        bytes: stored bytes written.
        half_done: large objects of whose parts some are kept, to go on from.
        failures: the first of those that failed, with their causes.
        skipped_symlinks: symlinks below the source that lead out of it, or nowhere, and were not followed.
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
        """Objects in all."""
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
    """The state that the journal is in now."""
    counts, written = journal.counts()
    by_state: Counter[str] = counts
    return Report(transfer.source, transfer.target, by_state["pending"], by_state["leased"], by_state["done"],
                  by_state["skipped"], by_state["failed"], by_state["unverifiable"], written,
                  len(journal.partial_uploads()), tuple(islice(journal.failures(), _FAILURES)),
                  tuple(transfer.options.get("skipped_symlinks", ())))
