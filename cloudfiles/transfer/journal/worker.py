"""A worker of a journal: leases objects, copies them, many at a time, and records the result of each."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

from cloudfiles.batch.fanout import collect
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    FileSystemError,
    MissingCredentialsError,
    TransportError,
    redact,
)
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.transfer.compare import Comparison, compare_objects
from cloudfiles.transfer.copier import Copier, TransferOptions
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.journal.records import ItemResult, ItemState, LeasedItem, TransferRecord
from cloudfiles.transfer.partial_upload import PartialUpload, PartTracker, ResumeTracker
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.resume_store import CLOCK_SKEW
from cloudfiles.types import Clock, WriteOptions

_CHUNK = 20_000
"""Objects in one batch, which takes memory for each of them."""

_IN_A_ROW = 100
"""Consecutive failures of these kinds after which the rest is left pending: the objects are not the cause."""

_COMMON = (TransportError, AuthorizationError, FileSystemError)

_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that would affect the next object too."""

_STATES: dict[str, ItemState] = {"copied": "done", "skipped": "skipped", "missing": "failed"}
"""The states of the journal by the status of an outcome."""

_PAUSE = 0.5
"""Seconds between saving partial uploads, and between renewals of the lease."""


class JournalWorker:
    """Copies the objects of a journal. To be used once, by one thread.

    lease: seconds. block: objects that are leased at once. report: called now and then with the objects settled since.
    """

    def __init__(self, journal: Journal, source: Store, target: Store, transfer: TransferRecord, *, lease: float,
                 block: int, clock: Clock, report: Callable[[int], Any]) -> None:
        encoding: str | None = transfer.options.get("encoding")
        self._plan, self._source, self._target = plan_between(source, target, encodes=encoding is not None)
        self._resume = ResumeTracker(self._target, self._save_parts)
        self._copier = Copier(self._source, self._target, self._plan,
                              TransferOptions(encoding, allow_missing=True), computes_digests=True, resume=self._resume)
        self._here = target.here()
        self._journal = journal
        self._transfer = transfer
        self._worker = journal.register(lease)
        self._block = block
        self._clock = clock
        self._report = report
        self._thread = threading.get_ident()
        self._results: deque[tuple[int, ItemResult]] = deque()
        self._ended: deque[int] = deque()  # large objects whose parts cannot be resumed any more
        self._large: deque[int] = deque()
        self._unsaved: dict[str, PartTracker] = {}
        self._ids: dict[str, int] = {}  # of large objects in progress, by their targets
        self._due = 0.0
        self._in_a_row = 0
        self.stopped_by: Exception | None = None

    def work(self) -> None:
        """Copy all pending objects, and those of workers that die. Objects that were not started are returned.

        An error that would affect every object ends it early, and is then in `stopped_by`.
        """
        try:
            self._clean_up()
            while self.stopped_by is None:
                self._copy_pending(self._copy_unless_large, large=False)
                self._copy_pending(self._copy_large, large=True)
                if not self._clean_up():
                    break
        finally:
            self._flush(at_once=True)
            self._journal.release(self._worker)

    # ---- workers that are gone

    def _clean_up(self) -> bool:
        """Take over from workers that are gone, and clean up after them; returns whether there is anything to do."""
        adopted, processes = self._journal.take_over_leases(self._worker)
        if adopted or processes:
            kept = [partial.state for _, partial in self._journal.partial_uploads()]
            self._here.discard_interrupted(self._interrupted(
                [leased.item.target for leased in adopted], processes, kept))
            self._journal.hand_back(self._worker, processes)
        return bool(adopted)

    def _interrupted(self, keys: Sequence[str], processes: Sequence[str],
                     kept: Sequence[Mapping[str, Any]]) -> InterruptedWrites:
        """Writes of this transfer."""
        return InterruptedWrites(keys, self._transfer.created - CLOCK_SKEW, processes, kept)

    # ---- copying

    def _copy_pending(self, copy_object: Callable[[LeasedItem], None], large: bool) -> None:
        plan = self._plan._replace(on_error=self._failed, report=lambda _: self._flush())
        if large:
            plan = self._copier.part_workers.object_plan(plan)
        pending = self._pending(large)
        while chunk := list(islice(pending, 1)):
            collect(copy_object, chain(chunk, islice(pending, _CHUNK)), plan)
            self._flush(at_once=True)

    def _pending(self, large: bool) -> Iterator[LeasedItem]:
        """In the caller's thread: objects to copy, leased as workers need them."""
        while self.stopped_by is None:
            self._flush(at_once=not large)
            block = self._journal.lease(self._worker, 1 if large else self._block, large)
            if not block:
                return
            for leased in block:
                if large:
                    self._remember(leased)
                if self.stopped_by is None:
                    yield leased

    def _remember(self, leased: LeasedItem) -> None:
        partial = self._journal.partial_upload(leased.id)
        self._ids[leased.item.target] = leased.id
        if partial is not None:
            self._resume.saved[leased.item.target] = partial

    def _copy_unless_large(self, leased: LeasedItem) -> None:
        outcome = self._copier.copy_unless_large(leased.item)
        if outcome.status == "large":
            self._large.append(leased.id)
        else:
            self._add_result(leased, _of_outcome(outcome))

    def _copy_large(self, leased: LeasedItem) -> None:
        try:
            results = self._finished_before(leased) or _of_outcome(self._copier.copy_large_object(leased.item))
        except CloudFilesError as error:
            if not isinstance(error, TransportError):
                self._forget_parts(leased)
            raise
        self._forget_parts(leased)
        self._add_result(leased, results)

    def _finished_before(self, leased: LeasedItem) -> ItemResult | None:
        """The result if the object was complete already, and only the record of it was lost."""
        partial = self._resume.saved.get(leased.item.target)
        comparison = None if partial is None else self._compare(leased, partial)
        if comparison is None or partial is None:
            return None
        del self._resume.saved[leased.item.target]
        with suppress(CloudFilesError):  # parts may be objects of their own
            self._target.discard_interrupted(self._interrupted([leased.item.target], (), ()))
        return ItemResult("done", None, comparison.by, None, None, partial.validator, partial.size)

    def _forget_parts(self, leased: LeasedItem) -> None:
        """The parts of this object cannot be resumed any more."""
        partial = self._resume.saved.pop(leased.item.target, None)
        if partial is not None:  # otherwise they are complete, or were aborted
            partial.discard(self._target, leased.item.target)
        self._ids.pop(leased.item.target, None)
        self._unsaved.pop(leased.item.target, None)
        self._ended.append(leased.id)

    def _compare(self, leased: LeasedItem, partial: PartialUpload) -> Comparison | None:
        """None unless the target has the current content of the source, with the right attributes."""
        item = leased.item
        ours, theirs = self._source.describe(item.source), self._target.describe(item.target)
        if ours is None or theirs is None or (ours.validator, ours.size) != (partial.validator, theirs.size):
            return None
        wanted, found = self._copier.write_options(ours, item), self._target.write_options(theirs)
        if not self._target.traits.is_local and _attributes(wanted) != _attributes(found):
            return None
        comparison = compare_objects(self._source, item.source, self._target, item.target)
        return comparison if comparison.verdict == "same" else None

    # ---- results

    def _add_result(self, leased: LeasedItem, result: ItemResult) -> None:
        self._in_a_row = 0
        self._results.append((leased.id, result))

    def _failed(self, leased: LeasedItem, error: Exception) -> None:
        """In a worker: an object could not be copied."""
        self._results.append((leased.id, ItemResult("failed", _cause(error))))
        self._in_a_row += isinstance(error, _COMMON)
        hopeless = isinstance(error, MissingCredentialsError) or (
            isinstance(error, FileSystemError) and error.errno in _HOPELESS)
        if hopeless or self._in_a_row >= _IN_A_ROW:
            self.stopped_by = self.stopped_by or error

    def _save_parts(self, target: str, tracker: PartTracker) -> None:
        """In a worker: more parts of an object are written."""
        self._unsaved[target] = tracker
        if self._plan.runtime is None and threading.get_ident() == self._thread:
            self._flush()  # nobody else will

    def _flush(self, at_once: bool = False) -> None:
        """In the caller's thread: record what the workers have done."""
        ended = _all_of(self._ended)
        results = _all_of(self._results)
        if results or ended:
            self._journal.record_results(self._worker, results, ended)
            self._report(len(results))
        if large := _all_of(self._large):
            self._journal.set_large(self._worker, large)
        now = self._clock.monotonic()
        if at_once or now >= self._due:
            self._due = now + min(_PAUSE, self._worker.lease / 4)
            self._flush_parts()
            if not results:
                self._journal.renew(self._worker)

    def _flush_parts(self) -> None:
        notes = [self._unsaved.popitem() for _ in range(len(self._unsaved))]
        partial_uploads = [(self._ids[target], tracker.snapshot()) for target, tracker in notes if target in self._ids]
        if kept := [(id, partial) for id, partial in partial_uploads if partial is not None]:
            self._journal.save_partial_uploads(kept)


def _of_outcome(outcome: ObjectOutcome) -> ItemResult:
    algorithm, _, digest = outcome.digest.partition(":")
    state, cause = _STATES[outcome.status], None
    if outcome.status == "missing":
        cause = "the object no longer exists at the source"
    elif not outcome.verified and outcome.way in ("whole", "parts", "spool"):
        state, cause = "unverifiable", "the source has no digest to verify the bytes with"
    return ItemResult(state, cause, algorithm or outcome.verified or None, digest or None, outcome.etag,
                      outcome.source_etag, outcome.size)


def _cause(error: Exception) -> str:
    text = str(error) if isinstance(error, CloudFilesError) else redact(str(error))
    return f"{type(error).__name__}: {text}"


def _attributes(options: WriteOptions) -> tuple[Any, ...]:
    """The attributes that a target keeps."""
    return (options.content_type, options.encoding, options.cache_control, dict(options.metadata or {}),
            options.content_disposition, options.content_language)


def _all_of(queue: deque[Any]) -> list[Any]:
    """Its current items, removed from it; workers may add others at the same time."""
    return [queue.popleft() for _ in range(len(queue))]
