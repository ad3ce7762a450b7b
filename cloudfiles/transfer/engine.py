"""Transfers of many objects between two stores: small ones first, many at a time, then large ones in parts; by the
workers of this process, or distributed over other processes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudfiles.batch.fanout import ItemCounter, Plan, collect
from cloudfiles.batch.processes import Parallel, is_parallel, run
from cloudfiles.batch.store import Store, share_of
from cloudfiles.exceptions import CloudFilesError, redact
from cloudfiles.interfaces.base import Interface
from cloudfiles.progress import Progress, bar_for, is_shown
from cloudfiles.runtime.hub_engine import blocking_runtime, current_runtime
from cloudfiles.transfer.copier import Copier, TransferOptions
from cloudfiles.transfer.items import Item, items_between
from cloudfiles.transfer.result import ObjectOutcome, TransferResult, skipped_in_errors
from cloudfiles.transfer.sources import check_source
from cloudfiles.transport.concurrency.adaptive_width import FIRST_WIDTH
from cloudfiles.transport.hedge_count import counting_hedges

if TYPE_CHECKING:
    from cloudfiles.transfer.resume_store import SharedResumeStore
    from cloudfiles.types import StoredObject

Report = Callable[[int], Any]
OnOutcome = Callable[[ObjectOutcome], Any]

_CHUNK = 20_000
"""Items of an iterator that are taken at once, so that any number of them needs the same memory."""

_DESCRIBED = 1000
"""Large objects whose descriptions are kept until they are copied: with all headers, they take memory."""


def transfer(source: Store, target: Store, paths: Any, options: TransferOptions, *, progress: Progress = None,
             total: int | None = None, parallel: Parallel = 1, on_outcome: OnOutcome | None = None) -> TransferResult:
    """Copy objects from one store to another. See `CloudFiles.transfer_to`."""
    if paths is None:
        check_source(source)
    skipped: list[str] = []
    items = items_between(source, target, paths, options.encoding, skipped)
    count = len(items) if isinstance(items, Collection) else total
    with bar_for(progress, count, "Transferring") as bar, skipped_in_errors(skipped):
        result = copy_items(source, target, items, options, parallel, bar.update if is_shown(progress) else None,
                            on_outcome)
    result.skipped_symlinks = skipped
    return result


def copy_items(source: Store, target: Store, items: Iterable[Item], options: TransferOptions, parallel: Parallel = 1,
               report: Report | None = None, on_outcome: OnOutcome | None = None) -> TransferResult:
    """Copy the items in this process, or distributed over others; memory exists in this one only."""
    if is_parallel(parallel) and not (source.keeps_live_objects or target.keeps_live_objects):
        return _distribute(source, target, items, options, parallel, report, on_outcome)
    return _copy_here(source, target, items, options, report, on_outcome)


# ---- distributed over processes


@dataclass(repr=False)
class StorePair:
    """What a worker process receives: the two stores."""

    _store: Store
    target: Store

    def __repr__(self) -> str:
        return redact(f"{self._store.cloudpath!r} to {self.target.cloudpath!r}")

    def copy_objects(self, items: list[Item], *, parallel: Parallel, progress: Any,
                     options: TransferOptions, keeps_outcomes: bool) -> TransferResult:
        """In a worker: copy one chunk, in its process alone."""
        outcomes: list[ObjectOutcome] = []
        keep = outcomes.append if keeps_outcomes else None
        try:
            result = _copy_here(self._store, self.target, items, options, on_outcome=keep, explains=False)
        except CloudFilesError as error:
            getattr(error, "result", TransferResult()).outcomes += outcomes
            raise
        result.outcomes += outcomes
        return result


def _distribute(source: Store, target: Store, items: Iterable[Item], options: TransferOptions, parallel: Parallel,
                report: Report | None, on_outcome: OnOutcome | None) -> TransferResult:
    """Copy the items in other processes, or by an executor, in chunks.

    Raises the first error of a chunk; chunks that have not started are cancelled, processes of our own interrupted.
    """
    result = TransferResult()
    arguments = {"options": options, "keeps_outcomes": on_outcome is not None}

    def merge(part: TransferResult) -> None:
        result.merge(part)
        for outcome in part.outcomes:
            assert on_outcome is not None
            on_outcome(outcome)

    overlapping = source.width is target.width is None and not (source.is_local and target.is_local)
    chunks = run(StorePair(source, target), "copy_objects", items, arguments, parallel, report or (lambda _: None),
                 overlapping=overlapping)
    try:
        for _, part in chunks:
            merge(part)
    except CloudFilesError as error:
        merge(getattr(error, "result", TransferResult()))
        raise result.explain(error, others="objects that other workers had not started were "
                                           "cancelled") from error.__cause__
    return result


# ---- in this process


def _copy_here(source: Store, target: Store, items: Iterable[Item], options: TransferOptions,
               report: Report | None = None, on_outcome: OnOutcome | None = None, explains: bool = True
               ) -> TransferResult:
    encodes = options.encoding is not None
    plan, here, there = plan_between(source, target, encodes)
    skip: Callable[[Item], bool] | None = None
    resume_store: AbstractContextManager[SharedResumeStore | None] = nullcontext()
    if options.resumable:
        from cloudfiles.transfer.compare import is_up_to_date  # here: others do not need them
        from cloudfiles.transfer.resume_store import open_resume_store

        resume_store = open_resume_store(source, target)
        skip = None if encodes else lambda item: is_up_to_date(here, item.source, there, item.target)
    with resume_store as store:

        def copier(plan: Plan, here: Interface, there: Interface) -> Copier:
            return Copier(here, there, plan, options, skip=skip,
                          resume=None if store is None else store.tracker(there))

        def for_large() -> Copier:
            """OS threads, which receive and write at the same time, unless green threads were requested."""
            asked = source.green or target.green
            return copier(*plan_between(source, target, encodes or not asked))

        return copy_objects(copier(plan, here, there), items, plan, report=report,
                            on_outcome=on_outcome, for_large=for_large, explains=explains)


def plan_between(source: Store, target: Store, encodes: bool = False) -> tuple[Plan, Interface, Interface]:
    """How a batch between two stores is run, and the interfaces that its workers use.

    encodes: contents are re-encoded, which green threads could not do concurrently.
    """
    given = [store.width for store in (source, target) if store.width is not None]
    width = min(given, default=FIRST_WIDTH)
    if width == 0:
        return Plan(None), source.here(), target.here()
    is_local = source.is_local and target.is_local
    green = source.green is not False and target.green is not False and not encodes
    runtime = blocking_runtime() if is_local else current_runtime(green)
    here, there = source.interface(runtime), target.interface(runtime)
    most = [store.options.max_concurrency for store in (source, target) if store.options.max_concurrency is not None]
    share = None if given or is_local else share_of(here, there, runtime=runtime, maximum=min(most, default=None))
    return Plan(runtime, width, probe=is_local, share=share), here, there


def copy_objects(copier: Copier, items: Iterable[Item], plan: Plan, *, report: Report | None = None,
                 on_outcome: OnOutcome | None = None,
                 for_large: Callable[[], Copier] | None = None, explains: bool = True) -> TransferResult:
    """Copy every item, in any order, large ones after the others.

    The first failure ends the transfer, unless the options of the copier say otherwise.

    Args:
        on_outcome: called, by workers, with the outcome of each object.
        for_large: returns another copier for large objects; called when there are any.
        explains: an error that ends the transfer tells in its message what was done before; False: only in its
            `result`.
    """
    result = TransferResult()
    large: deque[tuple[Item, StoredObject | None]] = deque()
    counter = ItemCounter()

    def record(copy: Callable[..., ObjectOutcome], *args: Any) -> None:
        began = result.recording.now()
        with counting_hedges(result.recording.record_hedged):
            outcome = copy(*args)
        if outcome.status == "large":
            large.append((outcome.item, outcome.described if len(large) < _DESCRIBED else None))
            return
        counter.add()
        result.add(outcome, began)
        if on_outcome is not None:
            on_outcome(outcome)

    def fail(item: Item, error: Exception) -> None:
        counter.add()
        result.fail(item, error)

    on_error = None if copier.options.raise_errors else fail
    try:
        _run(lambda item: record(copier.copy_unless_large, item), items, plan, on_error, report, counter)
        if large:
            by = copier if for_large is None else for_large()
            _run(lambda one: record(by.copy_large_object, *one), list(large), by.part_workers.object_plan(by.plan),
                 on_error and (lambda one, error: fail(one[0], error)), report, counter)
    except CloudFilesError as error:
        if explains:
            raise result.explain(error) from error.__cause__
        error.result = result  # type: ignore[attr-defined]
        raise
    return result


def _run(work: Callable[[Any], None], items: Iterable[Any], plan: Plan,
         on_error: Callable[[Any, Exception], Any] | None, report: Report | None, counter: ItemCounter) -> None:
    plan = plan._replace(width=max(1, plan.width), on_error=on_error, report=report)
    if isinstance(items, Collection):
        collect(work, items, plan, counter)
        return
    source = iter(items)
    while chunk := list(itertools.islice(source, _CHUNK)):
        collect(work, chunk, plan, counter)
