"""A transfer between two stores: by the workers of this process, or spread over others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cloudfiles.batch.processes import Parallel, is_parallel
from cloudfiles.batch.progress import Progress, bar_for
from cloudfiles.batch.store import Store
from cloudfiles.transfer.engine import Report, checked_encoding, copy_objects_here
from cloudfiles.transfer.items import Item, items_between
from cloudfiles.transfer.result import TransferResult
from cloudfiles.transfer.sources import check_source


def transfer(source: Store, target: Store, paths: Any = None, *, reencode: str | bool | None = None,
             content_type: str | None = None, allow_missing: bool = False, resumable: bool = False,
             progress: Progress = None, total: int | None = None, raise_errors: bool = True,
             parallel: Parallel = 1) -> TransferResult:
    """Copy objects from one store to another. See `CloudFiles.transfer_to`."""
    checked_encoding(reencode)
    how = {"reencode": reencode, "content_type": content_type, "allow_missing": allow_missing, "resumable": resumable,
           "raise_errors": raise_errors}
    if paths is None:
        check_source(source)
    skipped: list[str] = []
    items = items_between(source, target, paths, reencode, skipped)
    count = len(items) if isinstance(items, Collection) else total
    with bar_for(progress, count, "Transferring") as bar:
        result = copy_between(source, target, items, how, parallel, bar.update if progress else None)
    result.skipped_symlinks = skipped
    return result


def copy_between(source: Store, target: Store, items: Iterable[Item], how: Mapping[str, Any], parallel: Parallel,
                  report: Report | None) -> TransferResult:
    """Carry the items here, or spread over processes.

    how: options of `carry_here`.
    """
    if is_parallel(parallel):
        from cloudfiles.transfer.distribute import can_distribute, distribute

        if can_distribute(source, target):
            return distribute(source, target, items, how, parallel, report)
    return copy_objects_here(source, target, items, report=report, **how)
