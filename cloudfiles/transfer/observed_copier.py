"""A carrier that tells how far it is with each object."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import Runtime
from cloudfiles.transfer.copier import Copier
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.route import CopierOptions

T = TypeVar("T")
Watch = Callable[[Item, int], object]


class ObservedCopier(Copier):
    """Calls `watch(item, size)`, in workers: with 0 when an item is begun, then after each `size` bytes written.

    What `watch` raises fails the item. An object that is replaced while it is read is written anew, and counts again.
    """

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CopierOptions,
                 watch: Watch) -> None:
        super().__init__(source, target, runtime, options)
        self._watch = watch

    def copy_unless_large(self, item: Item) -> ObjectOutcome:
        return Copier.copy_unless_large(self.watching(item), item)

    def copy_large_object(self, item: Item, objects: int = 1) -> ObjectOutcome:
        return Copier.copy_large_object(self.watching(item), item, objects)

    def watching(self, item: Item) -> ObservedCopier:
        """The same, for this item alone."""
        self._watch(item, 0)
        one = copy.copy(self)
        one.write = _Counted(self.write, partial(self._watch, item)).call
        return one


class _Counted:
    def __init__(self, call: Callable[..., Any], count: Callable[[int], object]) -> None:
        self._call = call
        self._count = count

    def call(self, size: int, function: Callable[..., T], *args: Any) -> T:
        result: T = self._call(size, function, *args)
        self._count(size)
        return result
