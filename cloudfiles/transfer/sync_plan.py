"""What a sync is going to do, made out before the first byte is carried, and kept in a temporary file.

Any number of keys costs the same memory.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.compression import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.names import bare_name
from cloudfiles.transfer.compare import (
    Compare,
    Comparison,
    compare_decoded,
    compare_entries,
    compare_objects,
    sizes_differ,
)
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.listing_merge import KeyFilter, ListingPair, OutOfOrderError, merge_listings, sort_key

_SHOWN = 5
"""Collisions that an error names."""

_CHUNK = 1000


class SyncPlan:
    """The keys to carry and to delete. A context manager: the temporary file goes with it.

    source, target: the interfaces of the workers of `plan`, for a closer look at what listings leave open.

    Attributes:
        same: keys that the target has already, counted by what told so ('size', 'md5', 'time', ...).
        carried, deleted: how many are to be.
        sources, targets: how many keys there are.
        kept_below_symlinks: keys that are only at the target, and not deleted, as a symlink leads to their directory.
        skipped_symlinks: those at the source that were not followed.
    """

    def __init__(self, source: Interface, target: Interface, plan: Plan, mode: Compare, wanted: KeyFilter,
                 delete: bool) -> None:
        self._source = source
        self._target = target
        self._plan = plan
        self._mode = mode
        self._wanted = wanted
        self._delete = delete
        self._directory = tempfile.TemporaryDirectory(prefix="cloudfiles-")
        self._database = sqlite3.connect(Path(self._directory.name) / "plan", check_same_thread=False)
        self._begin()

    def __enter__(self) -> SyncPlan:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._database.close()
        with suppress(OSError):
            self._directory.cleanup()

    def _begin(self) -> None:
        self.same: Counter[str] = Counter()
        self.copy_count = self.delete_count = self.sources = self.targets = self.kept_below_symlinks = 0
        self.skipped_symlinks: list[str] = []
        self._collisions = _Collisions(self._target, self._database)
        self._resolve = self._target.key_resolver()
        self._database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "DROP TABLE IF EXISTS carried; DROP TABLE IF EXISTS deleted;"
            "CREATE TABLE carried (place BLOB, size, why TEXT); CREATE TABLE deleted (place BLOB);"
            "DROP TABLE IF EXISTS linked; CREATE TABLE linked (place BLOB, file BLOB)")

    # ---- making

    def make(self, source: Interface, target: Interface) -> None:
        """Merge the listings of the stores (by interfaces of the calling thread) to their end.

        Raises InvalidPathError where keys collide at the target, and what listing raises.
        """
        try:
            self._make(source, target, trust=True)
        except OutOfOrderError:
            self._begin()
            self._make(source, target, trust=False)
        self._collisions.check()

    def _make(self, source: Interface, target: Interface, trust: bool) -> None:
        unclear: list[ListingPair] = []
        for pair in merge_listings(source, target, self._wanted, trust, self.skipped_symlinks):
            self._collisions.see(pair)
            if pair.source is not None:
                self.sources += 1
                self._note_linked(pair.key)
            self.targets += pair.target is not None
            if not self._decide_by_listing(pair):
                unclear.append(pair)
            if len(unclear) == _CHUNK:
                self._compare_unclear(unclear)
        self._compare_unclear(unclear)
        self._keep_below_symlinks()
        self._check_linked()

    def _decide_by_listing(self, pair: ListingPair) -> bool:
        """Whether the listings told enough to decide."""
        if pair.source is not None and pair.target is not None:
            comparison = compare_entries(self._source, pair.source, self._target, pair.target, self._mode)
            if comparison is not None:
                self._decide(pair, comparison)
            return comparison is not None
        if pair.source is not None and not _may_be_folded(self._target, pair.key):
            self._add_copy(pair, "missing")
            return True
        if pair.target is not None and not (self._delete and self._target.folds_suffixes):
            if self._delete:
                self._add_deletion(pair.key)
            return True
        return False

    def _decide(self, pair: ListingPair, comparison: Comparison) -> None:
        if comparison.verdict == "same":
            self.same[comparison.by] += 1
        else:
            self._add_copy(pair, comparison.by or comparison.verdict)

    def _add_copy(self, pair: ListingPair, why: str) -> None:
        assert pair.source is not None
        self._database.execute("INSERT INTO carried VALUES (?, ?, ?)", (sort_key(pair.key), pair.source.size, why))
        self.copy_count += 1

    def _add_deletion(self, key: str) -> None:
        if self._target.is_below_symlink(key):  # it may be another key's object, which is to stay
            self.kept_below_symlinks += 1
            return
        self._database.execute("INSERT INTO deleted VALUES (?)", (sort_key(key),))
        self.delete_count += 1

    def _keep_below_symlinks(self) -> None:
        """Nothing is deleted in place of a symlink that was skipped, or below it: what it leads to was not seen."""
        for name in self.skipped_symlinks:
            names = {name, bare_name(name)} if self._source.folds_suffixes else {name}
            for kept in map(sort_key, names):
                self.delete_count -= self._database.execute(
                    "DELETE FROM deleted WHERE place = ? OR (place >= ? AND place < ?)",
                    (kept, kept + b"/", kept + b"0")).rowcount  # '0' comes next to '/'

    # ---- symlinks of the target

    def _note_linked(self, key: str) -> None:
        """Note a key of the source whose object is the file of another key at the target."""
        file = key if self._resolve is None else self._resolve(key)
        if file != key:
            self._database.execute("INSERT INTO linked VALUES (?, ?)", (sort_key(key), sort_key(file)))

    def _check_linked(self) -> None:
        """Nothing is written to a file that has another key of the source too, and none that has one is deleted."""
        run = self._database.execute
        if run("SELECT 1 FROM linked LIMIT 1").fetchone() is None:
            return
        run("CREATE INDEX linked_files ON linked (file)")
        run("CREATE INDEX carried_places ON carried (place)")
        kept = run("DELETE FROM deleted WHERE place IN (SELECT file FROM linked)").rowcount
        self.delete_count -= kept
        self.kept_below_symlinks += kept
        is_carried = "EXISTS (SELECT 1 FROM carried WHERE carried.place = {})".format
        rows = run("SELECT one.place, two.place, 1, {} OR {} FROM linked one JOIN linked two USING (file) "
                   "WHERE one.place < two.place UNION ALL SELECT place, file, {}, {} OR {} FROM linked".format(
                       *map(is_carried, ("one.place", "two.place", "file", "place", "file"))))
        while pairs := [(_key(key), _key(other), *rest) for key, other, *rest in rows.fetchmany(_CHUNK)]:
            for (key, other, *_), is_conflict in zip(pairs, collect(self._conflicts, pairs, self._plan), strict=True):
                if is_conflict:
                    self._collisions.note(f"{key!r} and {other!r} are the same file there, because of a symlink")

    def _conflicts(self, pair: tuple[str, str, bool, bool]) -> bool:
        """Whether both keys are different objects of the source: one is written, or the file cannot be like both."""
        key, other, is_known, is_carried = pair
        if not is_known and (os.path.isabs(other) or not self._wanted(other) or not self._source.exists(other)):
            return False
        if self._source.is_same(self._source, key, other):
            return False
        return is_carried or compare_objects(self._source, key, self._source, other).verdict == "different"

    # ---- a closer look, many at a time

    def _compare_unclear(self, pairs: list[ListingPair]) -> None:
        looks = collect(self._compare_pair, pairs, self._plan)
        for pair, (comparison, remove) in zip(pairs, looks, strict=True):
            if comparison is not None:
                self._decide(pair, comparison)
            elif remove:
                self._add_deletion(pair.key)
        pairs.clear()

    def _compare_pair(self, pair: ListingPair) -> tuple[Comparison | None, bool]:
        """The judgement of what is at the source, or whether to delete what is only at the target."""
        if pair.source is None:
            return None, self._is_only_there(pair.key)
        if pair.target is not None and sizes_differ(pair.source, pair.target):
            return compare_decoded(self._source, pair.source, self._target, pair.target, self._mode), False
        if self._mode in ("size", "time") and pair.target is not None:
            return Comparison("different", "time"), False
        return compare_objects(self._source, pair.key, self._target, pair.key), False

    def _is_only_there(self, key: str) -> bool:
        """On a store that shows encodings as suffixes, a key `a` may be what the source has as `a.gz`."""
        described = self._target.describe(key)
        suffixes = [suffix for suffix, encoding in COMPRESSION_EXTENSIONS.items()
                    if described is not None and encoding == described.encoding]
        return not any(self._source.exists(key + suffix) for suffix in suffixes)

    # ---- reading

    def items(self) -> Iterator[Item]:
        """What to carry, in order."""
        for place, size, _ in self._database.execute("SELECT place, size, why FROM carried ORDER BY rowid"):
            yield Item(_key(place), _key(place), size)

    def actions(self) -> Iterator[tuple[str, str, str]]:
        """('copy' or 'delete', key, why), in order."""
        for place, why in self._database.execute("SELECT place, why FROM carried ORDER BY rowid"):
            yield "copy", _key(place), why
        for key in self.deletions():
            yield "delete", key, "not at the source"

    def deletions(self) -> Iterator[str]:
        """What to delete, in order."""
        for (place,) in self._database.execute("SELECT place FROM deleted ORDER BY rowid"):
            yield _key(place)


def _key(place: bytes) -> str:
    return place.decode("utf-8", "surrogateescape")


def _may_be_folded(target: Interface, key: str) -> bool:
    """Whether the target may have this key without its listing showing it so."""
    return target.folds_suffixes and key.endswith(tuple(COMPRESSION_EXTENSIONS))


class _Collisions:
    """Keys that cannot be side by side at the target."""

    def __init__(self, target: Interface, database: sqlite3.Connection) -> None:
        self._target = target
        self._database = database
        self._found: list[str] = []
        self._count = 0
        self._open: list[tuple[str, bool]] = []  # keys that the present one begins with, and whether it is a source's
        if target.folds_case:
            database.executescript("DROP TABLE IF EXISTS folded;"
                                   "CREATE TABLE folded (folded BLOB PRIMARY KEY, place BLOB) WITHOUT ROWID")

    def see(self, pair: ListingPair) -> None:
        """Take the next key, in order."""
        key, is_ours = pair.key, pair.source is not None
        while self._open and not key.startswith(self._open[-1][0]):
            self._open.pop()
        for shorter, was_ours in self._open:
            rest = key[len(shorter):]
            if (is_ours or was_ours) and self._target.nests_names and rest.startswith("/"):
                self.note(f"{shorter!r} is an object, and {key!r} would be below it")
            if is_ours and was_ours and self._target.folds_suffixes and rest in COMPRESSION_EXTENSIONS:
                self.note(f"{shorter!r} and {key!r} may be the same file there, because suffixes denote encodings")
        self._open.append((key, is_ours))
        if is_ours and self._target.folds_case:
            self._see_folded(key)

    def _see_folded(self, key: str) -> None:
        folded = sort_key(key.casefold())
        row = self._database.execute("SELECT place FROM folded WHERE folded = ?", (folded,)).fetchone()
        if row is None:
            self._database.execute("INSERT INTO folded VALUES (?, ?)", (folded, sort_key(key)))
        else:
            self.note(f"{_key(row[0])!r} and {key!r} differ only in case")

    def note(self, text: str) -> None:
        self._count += 1
        if len(self._found) < _SHOWN:
            self._found.append(text)

    def check(self) -> None:
        """Raises InvalidPathError naming some of them."""
        if self._count:
            more = f", and {self._count - _SHOWN} more" if self._count > _SHOWN else ""
            raise InvalidPathError(f"{self._count} keys conflict at the target: {'; '.join(self._found)}{more}. "
                                   "Nothing was copied or deleted; use exclude= to leave out keys")


def key_filter(include: Any, exclude: Any) -> Callable[[str], bool]:
    """Whether a key is in: it matches one of `include` (None: all do) and none of `exclude`.

    Each is a glob (`*` goes over slashes too), a compiled regular expression that is searched for, a function of the
    key, or a list of these.
    """
    included, excluded = _matchers(include), _matchers(exclude)
    return lambda key: ((include is None or any(match(key) for match in included))
                        and not any(match(key) for match in excluded))


def _matchers(patterns: Any) -> list[Callable[[str], Any]]:
    if patterns is None:
        return []
    several: Iterable[Any] = patterns if isinstance(patterns, list | tuple | set | frozenset) else [patterns]
    return [_matcher(pattern) for pattern in several]


def _matcher(pattern: Any) -> Callable[[str], Any]:
    import fnmatch
    import re

    from cloudfiles.exceptions import InvalidInputError

    if isinstance(pattern, str):
        return re.compile(fnmatch.translate(pattern)).match
    if isinstance(pattern, re.Pattern):
        return pattern.search
    if callable(pattern):
        matching: Callable[[str], Any] = pattern
        return matching
    raise InvalidInputError("expected a glob, a compiled regular expression, a function of the key, or a list of "
                            f"them, got {type(pattern).__name__}: {pattern!r}")
