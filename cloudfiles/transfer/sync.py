"""Synchronizing: missing and different objects are copied, and surplus ones are deleted if requested."""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudfiles import paths
from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.processes import Parallel
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, redact
from cloudfiles.interfaces.base import Interface
from cloudfiles.option_checks import checked_count
from cloudfiles.progress import Progress, bar_for, is_shown
from cloudfiles.transfer.compare import checked_mode
from cloudfiles.transfer.copier import TransferOptions
from cloudfiles.transfer.engine import OnOutcome, copy_items, plan_between
from cloudfiles.transfer.key_filter import key_filter
from cloudfiles.transfer.result import TransferResult, skipped_in_errors
from cloudfiles.transfer.sources import check_source
from cloudfiles.transfer.sync_plan import SyncPlan

_log = logging.getLogger("cloudfiles")

MAX_DELETE = 1000


@dataclass
class SyncResult:
    """The result of `CloudFiles.sync_to`: what it did, or with `dry_run` would do.

    Attributes:
        transfer: the TransferResult of the copies; `copied` is short for its `copied`. With `raise_errors=False`, its
            `errors` are the copies that failed.
        same: number of objects that the target already had, by how this was decided: 'md5' (or another digest), 'time'
            or 'size'.
        deleted: number of objects deleted from the target.
        actions: with `dry_run`, tuples ('copy' or 'delete', key, reason).
        skipped_symlinks: symlinks of the source that were not followed, because they lead out of it or are broken.
            Objects of the target with their names, or below them, were neither compared nor deleted.
    """

    transfer: TransferResult = field(default_factory=TransferResult)
    same: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    actions: list[tuple[str, str, str]] = field(default_factory=list)
    skipped_symlinks: list[str] = field(default_factory=list)

    @property
    def copied(self) -> int:
        """The number of objects that were copied."""
        return self.transfer.copied


def sync(source: Store, target: Store, *, delete: bool = False, compare: str = "auto", include: Any = None,
         exclude: Any = None, dry_run: bool = False, max_delete: int | None = MAX_DELETE, progress: Progress = None,
         parallel: Parallel = 1, raise_errors: bool = True, max_rate: float | None = None,
         on_outcome: OnOutcome | None = None, announce: Callable[[str, str, str], object] | None = None,
         may_overlap: bool = False) -> SyncResult:
    """Make the target like the source; `CloudFiles.sync_to` documents the other arguments and the exceptions.

    Args:
        announce: called with each action before the first of them is done.
        may_overlap: the caller has checked that neither store contains the other.
    """
    if not may_overlap:
        check_disjoint(source, target)
    mode, wanted = checked_mode(compare), key_filter(include, exclude)
    options = TransferOptions(allow_missing=True, raise_errors=raise_errors, max_rate=max_rate)
    max_delete = None if max_delete is None else checked_count("max_delete", max_delete)
    check_source(source)
    plan, here, there = plan_between(source, target)
    with SyncPlan(here, there, plan, mode, wanted, delete) as todo:
        todo.build(source, target)
        if todo.kept_below_symlinks:
            _log.warning("%s: %d objects that the source does not have are kept, because symlinks lead to their "
                         "directories", redact(target.cloudpath), todo.kept_below_symlinks)
        if dry_run:
            return SyncResult(same=todo.same, actions=list(todo.actions()), skipped_symlinks=todo.skipped_symlinks)
        _check_deletions(todo, max_delete)
        if announce is not None:
            for action in todo.actions():
                announce(*action)
        with bar_for(progress, todo.copy_count + todo.delete_count, "Synchronizing") as bar:
            report = bar.update if is_shown(progress) else None
            with skipped_in_errors(todo.skipped_symlinks):
                copied = copy_items(source, target, todo.items(), options, parallel, report, on_outcome)
            deleted = 0 if copied.errors else _delete_all(there, todo.deletions(), plan, report)
    return SyncResult(copied, todo.same, deleted, skipped_symlinks=todo.skipped_symlinks)


def check_disjoint(source: Store, target: Store) -> None:
    """Raise InvalidInputError if one store contains the other: each pass would then find more to copy."""
    ours, theirs = map(_root_of, (source, target))
    if ours.startswith(theirs) or theirs.startswith(ours):
        raise InvalidInputError(f"{ours} and {theirs} overlap; expected two stores where neither contains the other")


def _root_of(store: Store) -> str:
    location = store.location
    if location.protocol == "file":  # symlinks above it are resolved
        return f"file://{os.path.realpath(location.path or os.sep)}".rstrip("/") + "/"
    return paths.asprotocolpath(location).rstrip("/") + "/"


def _check_deletions(todo: SyncPlan, max_delete: int | None) -> None:
    if max_delete is None or not todo.delete_count:
        return
    if not todo.sources:
        raise InvalidInputError(f"the source is empty, and all {todo.delete_count} objects of the target would be "
                                "deleted; nothing was changed. To delete them, use max_delete=None")
    if todo.delete_count > max_delete:
        raise InvalidInputError(f"{todo.delete_count} of the target's {todo.targets} objects would be deleted, more "
                                f"than max_delete={max_delete}; nothing was changed")


def _delete_all(target: Interface, keys: Iterator[str], plan: Plan, report: Any) -> int:
    """Delete the keys. Raises the first error that the store reports for a key, after all others were deleted."""
    deleted, errors = 0, []
    while chunk := list(itertools.islice(keys, target.traits.delete_batch * plan.width)):
        batches = [chunk[at:at + target.traits.delete_batch] for at in range(0, len(chunk), target.traits.delete_batch)]
        for failed in collect(target.delete, batches, plan):
            errors.extend(failed.values())
        deleted += len(chunk)
        if report is not None:
            report(len(chunk))
    if errors:
        error: CloudFilesError = errors[0]
        error.args = (f"{error.args[0]} (all copies were made; {deleted - len(errors)} objects were deleted, "
                      f"{len(errors)} could not be deleted)",)
        raise error
    return deleted
