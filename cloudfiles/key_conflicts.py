"""Keys that cannot be objects side by side on one store, although they differ: found before one of them is lost.

On a file system `a/b` cannot be where `a` is an object, `A` and `a` may be one file, and so may `a` and `a.gz`, as
encodings show as suffixes there: a write of `a` removes what held it under another encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from cloudfiles.compression import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_SUFFIXES = tuple(COMPRESSION_EXTENSIONS)


def find_key_conflict(target: Interface, items: Iterable[T], key: Callable[[T], str]) -> Iterable[T]:
    """`items`, to be written under their keys: those of a collection are all checked now, others as they are taken.

    Raises InvalidPathError: two cannot be side by side; now, or before the second of them is begun.
    """
    if isinstance(items, Collection):
        if len(items) > 1:
            check_key_conflicts(target, map(key, items))
        return items
    return _checked(target, items, key) if target.folds_suffixes or target.folds_case else items


def check_key_conflicts(target: Interface, names: Iterable[str]) -> None:
    """Raises InvalidPathError where two of the names cannot be objects at once on this target."""
    if not (target.nests_names or target.folds_suffixes or target.folds_case):
        return
    known = set(names)
    for applies, find in ((target.nests_names, _nested), (target.folds_suffixes, _with_suffix),
                          (target.folds_case, _in_other_case)):
        for one, other in find(known) if applies else ():
            raise InvalidPathError(f"{one!r} and {other!r} conflict: the target cannot hold both; nothing was written",
                                   path=other)


def _nested(known: set[str]) -> Iterator[tuple[str, str]]:
    above: set[str] = set()
    for name in known:
        at = name.rfind("/")
        while at > 0 and name[:at] not in above:
            above.add(name[:at])
            if name[:at] in known:
                yield name[:at], name
            at = name.rfind("/", 0, at)


def _with_suffix(known: set[str]) -> Iterator[tuple[str, str]]:
    return ((_bare(name), name) for name in known if name.endswith(_SUFFIXES) and _bare(name) in known)


def _in_other_case(known: set[str]) -> Iterator[tuple[str, str]]:
    folded: dict[str, str] = {}
    return ((folded[name.casefold()], name) for name in known if folded.setdefault(name.casefold(), name) != name)


def _bare(name: str) -> str:
    return name[:name.rfind(".")]


# ---- any number of them


def _checked(target: Interface, items: Iterable[T], key: Callable[[T], str]) -> Iterator[T]:
    import sqlite3  # takes milliseconds, which others need not wait for

    # A database without a name is a temporary file of SQLite's own, of which little is in memory.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as kept:
        seen = _Seen(kept, target)
        for item in items:
            seen.check(key(item))
            yield item


class _Seen:
    """Keys that were taken, in a temporary file: any number of them costs the same memory."""

    def __init__(self, database: sqlite3.Connection, target: Interface) -> None:
        self._execute = database.execute
        self._fold: Callable[[str], str] = str.casefold if target.folds_case else str
        self._folds_suffixes = target.folds_suffixes
        self._has_suffixes = False
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
                               "CREATE TABLE keys (place INTEGER PRIMARY KEY, key TEXT);"
                               "CREATE TABLE bare (place INTEGER PRIMARY KEY, key TEXT)")

    def check(self, key: str) -> None:
        """Take one more. Raises InvalidPathError."""
        folded = self._fold(key)
        if not self._insert("keys", folded, key):
            self._compare("keys", folded, key)
        if self._has_suffixes:
            self._compare("bare", folded, key)
        if self._folds_suffixes and folded.endswith(_SUFFIXES):
            self._has_suffixes = True
            self._compare("keys", _bare(folded), key)
            self._insert("bare", _bare(folded), key)

    def _insert(self, table: str, folded: str, key: str) -> bool:
        """Whether it is new, or at least its place is."""
        stored = key.encode("utf-8", "surrogatepass")
        return self._execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", (hash(folded), stored)).rowcount == 1

    def _compare(self, table: str, folded: str, key: str) -> None:
        row = self._execute(f"SELECT key FROM {table} WHERE place = ?", (hash(folded),)).fetchone()
        if row is None:
            return
        other = row[0].decode("utf-8", "surrogatepass")
        place = self._fold(_bare(other) if table == "bare" else other)
        if other != key and place == folded:  # else two that only have one hash
            raise InvalidPathError(f"{other!r} and {key!r} conflict: at the target, one would replace the other. "
                                   f"{key!r} was not written; items before it may have been", path=key)
