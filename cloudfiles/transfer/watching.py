"""A carrier that tells how far it is with each object, and names that cannot be side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from cloudfiles.compression import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import Runtime
from cloudfiles.transfer.carrier import Carrier, CarryOptions
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import Outcome

T = TypeVar("T")
Watch = Callable[[Item, int], object]


class WatchedCarrier(Carrier):
    """Calls `watch(item, size)`, in workers: with 0 when an item is begun, then after each `size` bytes written.

    What `watch` raises fails the item. An object that is replaced while it is read is written anew, and counts again.
    """

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CarryOptions,
                 watch: Watch) -> None:
        super().__init__(source, target, runtime, options)
        self._watch = watch

    def carry_unless_large(self, item: Item) -> Outcome:
        return Carrier.carry_unless_large(self.watching(item), item)

    def carry_large(self, item: Item, objects: int = 1) -> Outcome:
        return Carrier.carry_large(self.watching(item), item, objects)

    def watching(self, item: Item) -> WatchedCarrier:
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


def check_side_by_side(target: Interface, names: Iterable[str]) -> None:
    """Raises InvalidPathError where two of the names cannot be objects at once on this target."""
    known = set(names)
    suffixes = tuple(COMPRESSION_EXTENSIONS) if target.folds_suffixes else ()
    folded: dict[str, str] = {}
    for name in sorted(known):
        above = [name[:at] for at, letter in enumerate(name) if letter == "/"] if target.nests_names else []
        bare = [name[:-len(suffix)] for suffix in suffixes if name.endswith(suffix)]
        other = next((one for one in (*above, *bare) if one in known), None)
        if other is None and target.folds_case and folded.setdefault(name.casefold(), name) != name:
            other = folded[name.casefold()]
        if other is not None:
            raise InvalidPathError(f"{other!r} and {name!r} cannot be side by side at the target; "
                                   "nothing was transferred", path=name)
