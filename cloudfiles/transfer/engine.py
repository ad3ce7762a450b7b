"""Many objects from one store to another: the small ones first, many at a time, then the large ones in parts."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cloudfiles.batch.fanout import ItemCounter, Plan, collect
from cloudfiles.batch.store import Store
from cloudfiles.compression import stored_encoding
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import Runtime
from cloudfiles.runtime.engine import blocking_runtime, current_runtime
from cloudfiles.transfer.copier import Copier
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.multipart_copy import LARGE_AT_ONCE
from cloudfiles.transfer.result import ObjectOutcome, TransferResult
from cloudfiles.transfer.route import CopierOptions

Report = Callable[[int], Any]
CopierFactory = Callable[[Interface, Interface, Runtime | None], Copier]

_CHUNK = 20_000
"""Items of an iterator that are taken at once: any number of them costs the same memory."""


def copy_objects_here(source: Store, target: Store, items: Iterable[Item], *, reencode: str | bool | None = None,
               content_type: str | None = None, allow_missing: bool = False, resumable: bool = False,
               raise_errors: bool = True, report: Report | None = None, explains: bool = True) -> TransferResult:
    """Carry the items by the workers of this process; `explains` as for `carry_all`."""
    encoding = checked_encoding(reencode)
    plan, here, there = plan_between(source, target, encodes=encoding is not None)
    skip = None
    if resumable and encoding is None:
        from cloudfiles.transfer.compare import is_up_to_date

        skip = lambda item: is_up_to_date(here, item.source, there, item.target)  # noqa: E731 -- a closure, called by name
    options = CopierOptions(encoding, content_type, allow_missing, skip)
    with _copier_factory(source, target, options, resumable) as make:
        return copy_objects(make(here, there, plan.runtime), items, plan, raise_errors=raise_errors, report=report,
                         for_large=lambda: _for_large(source, target, make, encoding is not None), explains=explains)


@contextmanager
def _copier_factory(source: Store, target: Store, options: CopierOptions, resumable: bool) -> Iterator[CopierFactory]:
    """What makes a carrier: one that keeps on disk what it is at, where that is asked for and can be done."""
    if not resumable:
        yield lambda here, there, runtime: Copier(here, there, runtime, options)
        return
    from cloudfiles.transfer.resumable_copier import ResumableCopier
    from cloudfiles.transfer.resume_store import open_resume_store

    with open_resume_store(source, target) as resume_store:
        yield lambda here, there, runtime: (
            Copier(here, there, runtime, options) if resume_store is None
            else ResumableCopier(here, there, runtime, options, resume_store))


def _for_large(source: Store, target: Store, make: CopierFactory, encodes: bool) -> tuple[Copier, Plan]:
    """A carrier for large objects: unless green threads are asked for, OS threads, which receive and write at once."""
    asked = source.green or target.green
    plan, here, there = plan_between(source, target, encodes=encodes or not asked)
    return make(here, there, plan.runtime), plan


def checked_encoding(reencode: str | bool | None) -> str | None:
    """'' to decode, None to leave as it is. Raises UnsupportedCompressionType."""
    return None if reencode is None else stored_encoding(reencode)


def plan_between(source: Store, target: Store, encodes: bool = False) -> tuple[Plan, Interface, Interface]:
    """How a batch between two stores runs, and the interfaces that its workers use.

    encodes: contents are encoded anew, which green threads would only take turns at.
    """
    width = min(source.width, target.width)
    if width == 0:
        return Plan(None), source.here(), target.here()
    is_local = source.is_local and target.is_local
    green = source.green is not False and target.green is not False and not encodes
    runtime = blocking_runtime() if is_local else current_runtime(green)
    return Plan(runtime, width, probe=is_local), source.interface(runtime), target.interface(runtime)


def copy_objects(copier: Copier, items: Iterable[Item], plan: Plan, *, raise_errors: bool = True,
              report: Report | None = None, note: Callable[[ObjectOutcome], Any] | None = None,
              for_large: Callable[[], tuple[Copier, Plan]] | None = None, explains: bool = True) -> TransferResult:
    """Carry every item; in any order, a large one after the others.

    raise_errors: the first failure ends the transfer; False keeps them in the result.
    note: called, in workers, with each outcome.
    for_large: makes another carrier, and its plan, for large objects, once there are any.
    explains: an error that ends it says what was done before; else that is only in its `result`.
    """
    result = TransferResult()
    large: deque[Item] = deque()
    counter = ItemCounter()

    def settle(copy_object: Callable[..., ObjectOutcome], *args: Any) -> None:
        began = result.recording.now()
        outcome = copy_object(*args)
        if outcome.status == "large":
            large.append(outcome.item)
            return
        counter.add()
        result.add(outcome, began)
        if note is not None:
            note(outcome)

    def keep(item: Item, error: Exception) -> None:
        counter.add()
        result.fail(item, error)

    on_error = None if raise_errors else keep
    try:
        _run(lambda item: settle(copier.copy_unless_large, item), items, plan, plan.width, on_error, report, counter)
        if large:
            several = min(LARGE_AT_ONCE, len(large))
            by, plan = (copier, plan) if for_large is None else for_large()
            _run(lambda item: settle(by.copy_large_object, item, several), large, plan, several, on_error, report,
                 counter)
    except CloudFilesError as error:
        if explains:
            raise result.explain(error) from error.__cause__
        error.result = result  # type: ignore[attr-defined]
        raise
    return result


def _run(work: Callable[[Item], None], items: Iterable[Item], plan: Plan, width: int,
         on_error: Callable[[Item, Exception], Any] | None, report: Report | None, counter: ItemCounter) -> None:
    plan = Plan(plan.runtime, max(1, width), on_error, report, plan.probe)
    if isinstance(items, Collection):
        collect(work, items, plan, counter)
        return
    source = iter(items)
    while chunk := list(itertools.islice(source, _CHUNK)):
        collect(work, chunk, plan, counter)
