"""Moves objects: by renaming within a file system, otherwise by copying, verifying and then removing the source.

With symlinks at a local source, several paths can be the same file. The first of them is moved; the others are copied
from its target, after all other objects were moved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any

from cloudfiles.batch.fanout import collect
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, IntegrityError, MissingObjectError
from cloudfiles.interfaces.base import Interface
from cloudfiles.progress import Progress, bar_for, is_shown
from cloudfiles.transfer.compare import compare_objects
from cloudfiles.transfer.copier import Copier, TransferOptions
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.items import Item, as_items, without_conflicts
from cloudfiles.transfer.result import ObjectOutcome, TransferResult
from cloudfiles.transfer.shared_files import SharedFiles
from cloudfiles.transport.hedge_count import counting_hedges


def move_objects(source: Store, target: Store, paths: Any, *, total: int | None = None,
                 progress: Progress = None, raise_errors: bool = True, max_rate: float | None = None,
                 on_outcome: Callable[[ObjectOutcome], Any] | None = None) -> TransferResult:
    """Move objects from one store to another. See `CloudFiles.moves`."""
    plan, here, there = plan_between(source, target)
    mover = Mover(Copier(here, there, plan, TransferOptions(max_rate=max_rate)))
    items = without_conflicts(source, target, as_items(paths))
    count = len(items) if isinstance(items, Collection) else total
    result = TransferResult()
    later: deque[Item] = deque()

    def add(outcome: ObjectOutcome, began: float) -> None:
        result.add(outcome, began)
        if on_outcome is not None:
            on_outcome(outcome)

    def move(item: Item) -> None:
        began = result.recording.now()
        try:
            with counting_hedges(result.recording.record_hedged):
                outcome = mover.move(item)
        except CloudFilesError:
            if here.exists(item.source) or not shared.others(item):
                raise
            later.append(item)
        else:
            add(outcome, began)

    def copy(item: Item) -> None:
        began = result.recording.now()
        moved = next((other for other in shared.others(item) if other[:2] not in not_moved), None)
        add(mover.copy_moved(item, None if moved is None else moved.target), began)

    with bar_for(progress, count, "Moving") as bar, closing(SharedFiles(source.here())) as shared:
        how = plan._replace(report=bar.update if is_shown(progress) else None,
                            on_error=None if raise_errors else result.fail)
        try:
            collect(move, shared.note(items), how)
            not_moved = {item[:2] for item in later}
            collect(copy, list(later), how._replace(report=None, probe=False))
        except CloudFilesError as error:
            raise result.explain(error, "moved") from error.__cause__
    return result


class Mover:
    """Moves objects with the help of a copier."""

    def __init__(self, copier: Copier) -> None:
        self._copier = copier
        self._source = copier.source
        self._target = copier.target

    def move(self, item: Item) -> ObjectOutcome:
        """Move one object. The source is only removed when its copy has been verified.

        Raises:
            MissingObjectError: there is no source.
            AmbiguousPathError: two local files are the source.
            IntegrityError: the copy is not proven; both are there.
        """
        self._target.check_target(item.target)
        self._source.check_unambiguous(item.source)
        if self._target.is_same(self._source, item.source, item.target):
            return ObjectOutcome(item, "skipped")
        if self._copier.write(0, self._target.rename_from, self._source, item.source, item.target):
            return ObjectOutcome(item, "copied", "rename")
        outcome = self._copier.copy_object(item)
        self.remove_source(item)
        return outcome

    def copy(self, item: Item) -> None:
        """The first half of a move in two steps."""
        self._copier.copy_object(item)

    def remove_source(self, item: Item) -> None:
        """The second half: remove the source if its copy is the same. Raises IntegrityError."""
        self._finish(item, self._source, item.source)

    def copy_moved(self, item: Item, moved: str | None) -> ObjectOutcome:
        """Like `move`, for an object that has already been moved to the key `moved` of the target."""
        if moved is None:
            raise MissingObjectError("the object to move does not exist", path=item.source)
        copy = Copier(self._target, self._target, self._copier.plan).copy_object(Item(moved, item.target, item.size))
        self._finish(item, self._target, moved)
        return copy._replace(item=item)

    def _finish(self, item: Item, source: Interface, key: str) -> None:
        """Compare a copy with its original, then remove the source of the item."""
        comparison = compare_objects(source, key, self._target, item.target, read=True)
        if comparison.verdict != "same":
            raise IntegrityError(f"could not verify the copy at {item.target}, so the source was not removed: "
                                 f"{comparison.cause}", path=item.source)
        for error in self._source.delete([item.source]).values():
            error.args = (f"{error.args[0]} (it was copied to {item.target}, but could not be removed from the "
                          "source)",)
            raise error
