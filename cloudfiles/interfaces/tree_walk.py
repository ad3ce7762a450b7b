"""What the walks over trees of directories have in common: they list in key order, and stay open between two pages.

Keys are ordered by their bytes, including `/`, so `a-b` comes before `a/b` and `a0` after it: the names of
subdirectories are sorted with a `/` at their end. So subtrees do not overlap.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from cloudfiles.key_order import order_of
from cloudfiles.types import ListEntry, ListPage

Position = tuple[str, bool, "str | None"]  # prefix, flat, and token of a page

_MAX_WALKS = 8


def after_within(prefix: str, after: str | None) -> str | None:
    """The part of `after` below `prefix`: '' if all keys there come after it, None if none does."""
    if after is None:
        return ""
    if after.startswith(prefix):
        return after[len(prefix):]
    return "" if order_of(after) < order_of(prefix) else None


def first_behind(names: list[str], after: str, *, flat: bool) -> int:
    """The index of the first of the sorted names in a directory that has keys after `after`.

    flat: directories are listed by their names, and not entered.
    """
    at = bisect_right(names, order_of(after), key=order_of)
    is_inside = at > 0 and not flat and names[at - 1].endswith("/") and after.startswith(names[at - 1])
    return at - is_inside


def page_of(items: Sequence[ListEntry | str], *, has_more: bool, skipped_symlinks: Sequence[str] = ()) -> ListPage:
    """A page of objects and common prefixes; its token is the name of the last one.

    has_more: whether others follow.
    """
    entries = [item for item in items if not isinstance(item, str)]
    prefixes = [item for item in items if isinstance(item, str)]
    last = items[-1] if has_more else None
    return ListPage(entries, prefixes, last.key if isinstance(last, ListEntry) else last, skipped_symlinks)


class _Walk(Protocol):
    def is_current(self) -> bool:
        """Whether it may continue."""


W = TypeVar("W", bound=_Walk)


class WalkCache(Generic[W]):
    """Keeps walks between two pages of a listing, so that a directory of a million files is read once, not per page.

    It is only a cache: if a walk is missing or not current any more, the listing restarts after its token.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._walks: OrderedDict[Position, W] = OrderedDict()

    def take(self, position: Position) -> W | None:
        with self._lock:
            walk = self._walks.pop(position, None)
        return walk if walk is not None and walk.is_current() else None

    def keep(self, position: Position, walk: W) -> None:
        with self._lock:
            self._walks[position] = walk
            if len(self._walks) > _MAX_WALKS:
                self._walks.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._walks.clear()
