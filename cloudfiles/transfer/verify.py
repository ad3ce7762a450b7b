"""Compares the objects of two stores with each other."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudfiles.batch.fanout import collect
from cloudfiles.batch.store import Store
from cloudfiles.interfaces.base import Interface
from cloudfiles.progress import Progress, bar_for, is_shown
from cloudfiles.transfer.compare import Comparison, compare_objects
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.items import Item, as_items, listed_items
from cloudfiles.transfer.sources import check_source
from cloudfiles.values import NamedTuple

_CHUNK = 5000


class Mismatch(NamedTuple):
    """An object that differs between two stores, or may differ.

    Attributes:
        verdict: 'different', 'missing' (at one of them) or 'unverifiable'.
        cause: an explanation.
    """

    path: str
    dest_path: str
    verdict: str
    cause: str


@dataclass
class VerifyResult:
    """The result of `CloudFiles.verify`. It is true if all objects are proven to be equal.

    Attributes:
        same: number of equal objects.
        by: number of equal objects by how this was decided: the name of a digest, or 'content' if both were read.
        different, missing, unverifiable: lists of the other objects, as Mismatch.
        skipped_symlinks: symlinks of the source that were not followed, because they lead out of it or are broken.
    """

    same: int = 0
    by: Counter[str] = field(default_factory=Counter)
    different: list[Mismatch] = field(default_factory=list)
    missing: list[Mismatch] = field(default_factory=list)
    unverifiable: list[Mismatch] = field(default_factory=list)
    skipped_symlinks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not (self.different or self.missing or self.unverifiable)

    def add(self, item: Item, comparison: Comparison) -> None:
        """Count one object."""
        if comparison.verdict == "same":
            self.same += 1
            self.by[comparison.by] += 1
        else:
            found: list[Mismatch] = getattr(self, comparison.verdict)
            found.append(Mismatch(item.source, item.target, comparison.verdict, comparison.cause))


def verify(source: Store, target: Store, paths: Any = None, *, read: bool = False,
           progress: Progress = None) -> VerifyResult:
    """Compare objects of the source with those of the target: by size, then by digest.

    Args:
        paths: as for a transfer; None for all objects that the source lists.
        read: read both objects if the stores have no digests in common. Local files are always read.
    """
    if paths is None:
        check_source(source)
    plan, here, there = plan_between(source, target)
    result = VerifyResult()
    items: Iterable[Item] = listed_items(source, result.skipped_symlinks) if paths is None else as_items(paths)
    with bar_for(progress, len(items) if isinstance(items, Collection) else None, "Verifying") as bar:
        report = bar.update if is_shown(progress) else None
        for chunk in _chunks(items):
            comparison = collect(lambda item: _compare(here, there, item, read), chunk,
                                 plan._replace(report=report))
            for item, one in zip(chunk, comparison, strict=True):
                result.add(item, one)
    return result


def _compare(source: Interface, target: Interface, item: Item, read: bool) -> Comparison:
    return compare_objects(source, item.source, target, item.target, read=read)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while chunk := list(itertools.islice(source, _CHUNK)):
        yield chunk
