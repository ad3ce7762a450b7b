"""A transfer spread over processes, or an executor: chunks of its items to each, and what came of them summed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfiles.batch.processes import Parallel, run
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, redact
from cloudfiles.transfer.engine import Report, copy_objects_here
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import TransferResult


@dataclass(repr=False)
class StorePair:
    """What a worker is told: from where to where."""

    _store: Store
    target: Store

    def __repr__(self) -> str:
        return redact(f"{self._store.cloudpath!r} to {self.target.cloudpath!r}")

    def copy_objects(self, items: list[Item], *, parallel: Parallel, progress: Any, **how: Any) -> TransferResult:
        """In a worker: carry one chunk, in its process alone."""
        return copy_objects_here(self._store, self.target, items, explains=False, **how)


def can_distribute(source: Store, target: Store) -> bool:
    """Whether other processes can reach both: memory they cannot."""
    return not (source.keeps_live_objects or target.keeps_live_objects)


def distribute(source: Store, target: Store, items: Iterable[Item], how: Mapping[str, Any], parallel: Parallel,
           report: Report | None) -> TransferResult:
    """Carry the items by workers elsewhere.

    Raises the first error of a chunk; chunks that are not begun are cancelled, processes of our own interrupted.
    """
    result = TransferResult()
    chunks = run(StorePair(source, target), "copy_objects", items, dict(how), parallel, report or (lambda _: None))
    try:
        for _, part in chunks:
            result.merge(part)
    except CloudFilesError as error:
        result.merge(getattr(error, "result", TransferResult()))
        raise result.explain(error, others="objects that other workers had not started were "
                                           "cancelled") from error.__cause__
    return result
