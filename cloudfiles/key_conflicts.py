"""Different keys that cannot exist next to each other in one store: detected before one of them is lost.

On a file system `a/b` cannot exist if `a` is an object, `A` and `a` may be the same file, and so may `a` and `a.gz`,
because suffixes denote encodings: a write of `a` removes its file with another encoding. If a directory is a symlink to
another one, keys below both are the same files: only objects that are also the same file at the source may be written
to both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from cloudfiles.content_encoding import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import InvalidPathError

if TYPE_CHECKING:
    import sqlite3

    from cloudfiles.interfaces.base import Interface

T = TypeVar("T")
IsSame = Callable[[T, T], bool]

_SUFFIXES = tuple(COMPRESSION_EXTENSIONS)


def find_key_conflict(target: Interface, items: Iterable[T], key: Callable[[T], str], *,
                      source: Interface | None = None, source_key: Callable[[T], str] | None = None,
                      suffixes: bool = True) -> Iterable[T]:
    """Check `items` to be written under their keys: those of a collection now, others when they are taken.

    source, source_key: the source of the items, and their keys there.
    suffixes: False if the names are known not to conflict by suffixes of encodings.

    Raises InvalidPathError if two keys conflict, either now or before the second of them is started.
    """
    origin = key if source_key is None else source_key
    if isinstance(items, Collection):
        if len(items) > 1:
            origins = cache(lambda: {key(item): origin(item) for item in items})
            check_key_conflicts(target, map(key, items), None if source is None else lambda one, other: source.is_same(
                source, origins()[one], origins()[other]))
        return items
    suffixes = suffixes and target.traits.folds_suffixes
    if not (suffixes or target.traits.folds_case or target.key_resolver() is not None):
        return items
    return _checked(target, items, key, source, origin, suffixes)


def check_key_conflicts(target: Interface, names: Iterable[str], is_same: IsSame[str] | None = None) -> None:
    """Raise InvalidPathError if two of the names cannot both be objects of this target.

    is_same: whether the objects to be written under two names are the same file.
    """
    if not (target.traits.nests_names or target.traits.folds_suffixes or target.traits.folds_case):
        return
    known = _by_file(target, set(names), is_same)
    for applies, find in ((target.traits.nests_names, _nested), (target.traits.folds_suffixes, _with_suffix),
                          (target.traits.folds_case, _in_other_case)):
        for one, other in find(known.keys()) if applies else ():
            raise InvalidPathError(f"{known[one]!r} and {known[other]!r} conflict: the target cannot hold both; "
                                   "nothing was written", path=known[other])


def _by_file(target: Interface, names: set[str], is_same: IsSame[str] | None) -> dict[str, str]:
    """The names by their keys without symlinks. Raises InvalidPathError if two are the same file."""
    resolve = target.key_resolver()
    if resolve is None:
        return {name: name for name in names}
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(resolve(name), name)
        if other != name and not (is_same is not None and is_same(other, name)):
            raise InvalidPathError(f"{other!r} and {name!r} conflict: a symlink at the target makes them the same "
                                   "file; nothing was written", path=name)
    return known


def _nested(known: Collection[str]) -> Iterator[tuple[str, str]]:
    above: set[str] = set()
    for name in known:
        at = name.rfind("/")
        while at > 0 and name[:at] not in above:
            above.add(name[:at])
            if name[:at] in known:
                yield name[:at], name
            at = name.rfind("/", 0, at)


def _with_suffix(known: Collection[str]) -> Iterator[tuple[str, str]]:
    return ((_bare(name), name) for name in known if name.endswith(_SUFFIXES) and _bare(name) in known)


def _in_other_case(known: Collection[str]) -> Iterator[tuple[str, str]]:
    folded: dict[str, str] = {}
    return ((folded[name.casefold()], name) for name in known if folded.setdefault(name.casefold(), name) != name)


def _bare(name: str) -> str:
    return name[:name.rfind(".")]


# ---- iterators of any length


def _checked(target: Interface, items: Iterable[T], key: Callable[[T], str], source: Interface | None,
             origin: Callable[[T], str], suffixes: bool) -> Iterator[T]:
    import sqlite3  # imported here because it takes milliseconds

    # A database without a name is a temporary file of SQLite, which keeps little of it in memory.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as kept:
        seen = _Seen(kept, target, source, suffixes)
        for item in items:
            seen.check(key(item), origin(item))
            yield item


_INSERT = "INSERT OR IGNORE INTO {} VALUES (?, ?, ?)"
_STORED_AT_ONCE = 1000


class _Seen:
    """The keys so far, in a temporary file, so that any number of them takes the same memory."""

    def __init__(self, database: sqlite3.Connection, target: Interface, source: Interface | None,
                 suffixes: bool) -> None:
        self._database = database
        self._resolve = target.key_resolver()
        self._folds_case = target.traits.folds_case
        self._source = source
        self._folds_suffixes = suffixes
        self._has_suffixes = False
        # If only symlinks can cause conflicts, keys before the first symlink are not compared, but kept for later.
        self._unlinked: list[tuple[str, str]] | None = None if suffixes or target.traits.folds_case else []
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
                               "CREATE TABLE keys (place INTEGER PRIMARY KEY, key TEXT, origin TEXT);"
                               "CREATE TABLE bare (place INTEGER PRIMARY KEY, key TEXT, origin TEXT)")

    def _file(self, key: str) -> str:
        """A value that is equal for keys of the same file."""
        if self._resolve is not None:
            key = self._resolve(key)
        return key.casefold() if self._folds_case else key

    def check(self, key: str, origin: str) -> None:
        """Add a key that comes from `origin`. Raises InvalidPathError."""
        file = self._file(key)
        if self._unlinked is not None:
            if file == key:
                self._unlinked.append((key, origin))
                if len(self._unlinked) == _STORED_AT_ONCE:
                    self._store_unlinked()
                return
            self._store_unlinked()
            self._unlinked = None
        if not self._insert("keys", file, key, origin):
            self._compare("keys", file, key, origin)
        if self._has_suffixes:
            self._compare("bare", file, key, origin)
        if self._folds_suffixes and file.endswith(_SUFFIXES):
            self._has_suffixes = True
            self._compare("keys", _bare(file), key, origin)
            self._insert("bare", _bare(file), key, origin)

    def _store_unlinked(self) -> None:
        assert self._unlinked is not None
        self._database.executemany(_INSERT.format("keys"), [
            (hash(key), _stored(key), None if origin == key else _stored(origin)) for key, origin in self._unlinked])
        self._unlinked.clear()

    def _insert(self, table: str, file: str, key: str, origin: str) -> bool:
        """Whether the key, or at least its entry, is new."""
        stored = _stored(key)
        return self._database.execute(_INSERT.format(table), (
            hash(file), stored, None if origin == key else _stored(origin))).rowcount == 1

    def _compare(self, table: str, file: str, key: str, origin: str) -> None:
        row = self._database.execute(f"SELECT key, ifnull(origin, key) FROM {table} WHERE place = ?",
                                     (hash(file),)).fetchone()
        if row is None:
            return
        other, other_origin = (stored.decode("utf-8", "surrogatepass") for stored in row)
        place = self._file(other)
        if other == key or (_bare(place) if table == "bare" else place) != file:  # only the hash is the same
            return
        if table == "bare" or file != self._file(key) or self._source is None or not self._source.is_same(
                self._source, other_origin, origin):
            raise InvalidPathError(f"{other!r} and {key!r} conflict: at the target, one would replace the other. "
                                   f"{key!r} was not written; items before it may have been", path=key)


def _stored(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
