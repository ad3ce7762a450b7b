"""Objects moved: renamed where a file system can, else copied, compared, and only then removed from the source."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.progress import Progress, bar_for
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, IntegrityError
from cloudfiles.transfer.compare import compare_objects
from cloudfiles.transfer.copier import Copier
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.items import Item, as_items, without_conflicts
from cloudfiles.transfer.result import ObjectOutcome, TransferResult


def move_objects(source: Store, target: Store, paths: Any, *, total: int | None = None,
                 progress: Progress = None) -> TransferResult:
    """Move objects from one store to another. See `CloudFiles.moves`."""
    plan, here, there = plan_between(source, target)
    mover = Mover(Copier(here, there, plan.runtime))
    items = without_conflicts(source, target, as_items(paths))
    result = TransferResult()

    def move(item: Item) -> None:
        began = result.recording.now()
        result.add(mover.move(item), began)

    count = len(items) if isinstance(items, Collection) else total
    with bar_for(progress, count, "Moving") as bar:
        report = bar.update if progress else None
        try:
            collect(move, items,
                    Plan(plan.runtime, plan.width, report=report, probe=plan.probe))
        except CloudFilesError as error:
            raise result.explain(error, "moved") from error.__cause__
    return result


class Mover:
    """Moves objects by way of a carrier."""

    def __init__(self, copier: Copier) -> None:
        self._copier = copier
        self._source = copier.source
        self._target = copier.target

    def move(self, item: Item) -> ObjectOutcome:
        """Move one object. The source is there until its copy is proven to be the same.

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
        self._check(item)
        for error in self._source.delete([item.source]).values():
            error.args = (f"{error.args[0]} (it was copied to {item.target}, but could not be removed from the "
                          "source)",)
            raise error
        return outcome

    def _check(self, item: Item) -> None:
        comparison = compare_objects(self._source, item.source, self._target, item.target, read=True)
        if comparison.verdict != "same":
            raise IntegrityError(f"could not verify the copy at {item.target}, so the source was not removed: "
                                 f"{comparison.cause}", path=item.source)
