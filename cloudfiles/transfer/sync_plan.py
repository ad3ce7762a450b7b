"""What a sync is going to do: planned before the first byte is copied, and kept in a temporary file.

Any number of keys takes the same memory.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.store import Store
from cloudfiles.content_encoding import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.names import bare_name
from cloudfiles.key_order import order_of
from cloudfiles.transfer.compare import (
    Compare,
    Comparison,
    compare_decoded,
    compare_entries,
    compare_objects,
    sizes_differ,
)
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.key_filter import KeyFilter
from cloudfiles.transfer.listing_merge import ListingPair, OutOfOrderError, merge_listings

_SHOWN = 5
"""Conflicts that an error names."""

_CHUNK = 1000


class SyncPlan:
    """The keys to copy and to delete. A context manager, which removes the temporary file.

    source, target: the interfaces of the workers of `plan`, which compare objects if the listings do not decide.

    Attributes:
        same: the number of keys that the target has already, by what decided it ('size', 'md5', 'time', ...).
        copy_count, delete_count: the number of keys to copy and to delete.
        sources, targets: the number of keys.
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
        self._key_conflicts = _Conflicts(self._target, self._database)
        self._resolve = self._target.key_resolver()
        self._database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "DROP TABLE IF EXISTS copies; DROP TABLE IF EXISTS deletions;"
            "CREATE TABLE copies (key BLOB, size, why TEXT); CREATE TABLE deletions (key BLOB);"
            "DROP TABLE IF EXISTS linked; CREATE TABLE linked (key BLOB, file BLOB)")

    # ---- planning

    def build(self, source: Store, target: Store) -> None:
        """Merge the complete listings of the stores.

        Raises InvalidPathError if keys conflict at the target, and the exceptions of listing.
        """
        try:
            self._build(source, target, trust=True)
        except OutOfOrderError:
            self._begin()
            self._build(source, target, trust=False)
        self._key_conflicts.check()

    def _build(self, source: Store, target: Store, trust: bool) -> None:
        unclear: list[ListingPair] = []
        for pair in merge_listings(source, target, self._wanted, trust, self.skipped_symlinks):
            self._key_conflicts.see(pair)
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
        """Whether the listings are enough to decide."""
        if pair.source is not None and pair.target is not None:
            comparison = compare_entries(self._source, pair.source, self._target, pair.target, self._mode)
            if comparison is not None:
                self._decide(pair, comparison)
            return comparison is not None
        if pair.source is not None and not _may_be_folded(self._target, pair.key):
            self._add_copy(pair, "missing")
            return True
        if pair.target is not None and not (self._delete and self._target.traits.folds_suffixes):
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
        self._database.execute("INSERT INTO copies VALUES (?, ?, ?)", (order_of(pair.key), pair.source.size, why))
        self.copy_count += 1

    def _add_deletion(self, key: str) -> None:
        if self._target.is_below_symlink(key):  # it may be the object of another key
            self.kept_below_symlinks += 1
            return
        self._database.execute("INSERT INTO deletions VALUES (?)", (order_of(key),))
        self.delete_count += 1

    def _keep_below_symlinks(self) -> None:
        """Nothing is deleted at the name of a skipped symlink, or below it: what it leads to was not listed."""
        for name in self.skipped_symlinks:
            names = {name, bare_name(name)} if self._source.traits.folds_suffixes else {name}
            for kept in map(order_of, names):
                self.delete_count -= self._database.execute(
                    "DELETE FROM deletions WHERE key = ? OR (key >= ? AND key < ?)",
                    (kept, kept + b"/", kept + b"0")).rowcount  # '0' comes next to '/'

    # ---- symlinks of the target

    def _note_linked(self, key: str) -> None:
        """Record a key of the source that would be written to the file of another key at the target."""
        file = key if self._resolve is None else self._resolve(key)
        if file != key:
            self._database.execute("INSERT INTO linked VALUES (?, ?)", (order_of(key), order_of(file)))

    def _check_linked(self) -> None:
        """No file is written that belongs to another key of the source too, and none that belongs to one is deleted."""
        run = self._database.execute
        if run("SELECT 1 FROM linked LIMIT 1").fetchone() is None:
            return
        run("CREATE INDEX linked_files ON linked (file)")
        run("CREATE INDEX copied_keys ON copies (key)")
        kept = run("DELETE FROM deletions WHERE key IN (SELECT file FROM linked)").rowcount
        self.delete_count -= kept
        self.kept_below_symlinks += kept
        is_copied = "EXISTS (SELECT 1 FROM copies WHERE copies.key = {})".format
        rows = run("SELECT one.key, two.key, 1, {} OR {} FROM linked one JOIN linked two USING (file) "
                   "WHERE one.key < two.key UNION ALL SELECT key, file, {}, {} OR {} FROM linked".format(
                       *map(is_copied, ("one.key", "two.key", "file", "key", "file"))))
        while pairs := [(_key(key), _key(other), *rest) for key, other, *rest in rows.fetchmany(_CHUNK)]:
            for (key, other, *_), is_conflict in zip(pairs, collect(self._conflicts, pairs, self._plan), strict=True):
                if is_conflict:
                    self._key_conflicts.note(f"{key!r} and {other!r} are the same file there, because of a symlink")

    def _conflicts(self, pair: tuple[str, str, bool, bool]) -> bool:
        """Whether both keys are different objects of the source, one of which is copied, or differs at the target."""
        key, other, is_known, is_copied = pair
        if not is_known and (os.path.isabs(other) or not self._wanted(other) or not self._source.exists(other)):
            return False
        if self._source.is_same(self._source, key, other):
            return False
        return is_copied or compare_objects(self._source, key, self._source, other).verdict == "different"

    # ---- where listings do not decide

    def _compare_unclear(self, pairs: list[ListingPair]) -> None:
        looks = collect(self._compare_pair, pairs, self._plan)
        for pair, (comparison, remove) in zip(pairs, looks, strict=True):
            if comparison is not None:
                self._decide(pair, comparison)
            elif remove:
                self._add_deletion(pair.key)
        pairs.clear()

    def _compare_pair(self, pair: ListingPair) -> tuple[Comparison | None, bool]:
        """The comparison of an object that the source has, or whether to delete one that only the target has."""
        if pair.source is None:
            return None, self._is_only_there(pair.key)
        if pair.target is not None and sizes_differ(pair.source, pair.target):
            return compare_decoded(self._source, pair.source, self._target, pair.target, self._mode), False
        if self._mode in ("size", "time") and pair.target is not None:
            return Comparison("different", "time"), False
        return compare_objects(self._source, pair.key, self._target, pair.key), False

    def _is_only_there(self, key: str) -> bool:
        """Whether the source lacks it. If the target shows encodings as suffixes, `a` may be `a.gz` of the source."""
        described = self._target.describe(key)
        suffixes = [suffix for suffix, encoding in COMPRESSION_EXTENSIONS.items()
                    if described is not None and encoding == described.encoding]
        return not any(self._source.exists(key + suffix) for suffix in suffixes)

    # ---- reading

    def items(self) -> Iterator[Item]:
        """The objects to copy, in order."""
        for key, size, _ in self._database.execute("SELECT key, size, why FROM copies ORDER BY rowid"):
            yield Item(_key(key), _key(key), size)

    def actions(self) -> Iterator[tuple[str, str, str]]:
        """('copy' or 'delete', key, why), in order."""
        for key, why in self._database.execute("SELECT key, why FROM copies ORDER BY rowid"):
            yield "copy", _key(key), why
        for key in self.deletions():
            yield "delete", key, "not at the source"

    def deletions(self) -> Iterator[str]:
        """The keys to delete, in order."""
        for (key,) in self._database.execute("SELECT key FROM deletions ORDER BY rowid"):
            yield _key(key)


def _key(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _may_be_folded(target: Interface, key: str) -> bool:
    """Whether the target may have this key although its listing does not show it."""
    return target.traits.folds_suffixes and key.endswith(tuple(COMPRESSION_EXTENSIONS))


class _Conflicts:
    """Detects keys that conflict at the target."""

    def __init__(self, target: Interface, database: sqlite3.Connection) -> None:
        self._target = target
        self._database = database
        self._found: list[str] = []
        self._count = 0
        # Prefixes of the current key that are keys themselves, and whether the source has them.
        self._open: list[tuple[str, bool]] = []
        if target.traits.folds_case:
            database.executescript("DROP TABLE IF EXISTS folded;"
                                   "CREATE TABLE folded (folded BLOB PRIMARY KEY, key BLOB) WITHOUT ROWID")

    def see(self, pair: ListingPair) -> None:
        """Check the next key, in order."""
        key, is_ours = pair.key, pair.source is not None
        while self._open and not key.startswith(self._open[-1][0]):
            self._open.pop()
        for shorter, was_ours in self._open:
            rest = key[len(shorter):]
            if (is_ours or was_ours) and self._target.traits.nests_names and rest.startswith("/"):
                self.note(f"{shorter!r} is an object, and {key!r} would be below it")
            if is_ours and was_ours and self._target.traits.folds_suffixes and rest in COMPRESSION_EXTENSIONS:
                self.note(f"{shorter!r} and {key!r} may be the same file there, because suffixes denote encodings")
        self._open.append((key, is_ours))
        if is_ours and self._target.traits.folds_case:
            self._see_folded(key)

    def _see_folded(self, key: str) -> None:
        folded = order_of(key.casefold())
        row = self._database.execute("SELECT key FROM folded WHERE folded = ?", (folded,)).fetchone()
        if row is None:
            self._database.execute("INSERT INTO folded VALUES (?, ?)", (folded, order_of(key)))
        else:
            self.note(f"{_key(row[0])!r} and {key!r} differ only in case")

    def note(self, text: str) -> None:
        self._count += 1
        if len(self._found) < _SHOWN:
            self._found.append(text)

    def check(self) -> None:
        """Raise InvalidPathError if there are any, naming some of them."""
        if self._count:
            more = f", and {self._count - _SHOWN} more" if self._count > _SHOWN else ""
            raise InvalidPathError(f"{self._count} keys conflict at the target: {'; '.join(self._found)}{more}. "
                                   "Nothing was copied or deleted; use exclude= to leave out keys")
