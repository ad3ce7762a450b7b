"""Merges two listings in key order, in constant memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cloudfiles.batch.lister import list_pages
from cloudfiles.batch.store import Store
from cloudfiles.interfaces.base import Interface
from cloudfiles.key_order import order_of
from cloudfiles.transfer.key_filter import KeyFilter
from cloudfiles.types import ListEntry
from cloudfiles.values import NamedTuple


class ListingPair(NamedTuple):
    """A key, with its entries at the source and at the target; at least one of them exists."""

    key: str
    source: ListEntry | None
    target: ListEntry | None


class OutOfOrderError(Exception):
    """A store does not list in the order that it promises: start again, and do not rely on it."""


def merge_listings(source: Store | Interface, target: Store | Interface, wanted: KeyFilter, trust: bool = True,
                   skipped: list[str] | None = None) -> Iterator[ListingPair]:
    """All keys of both stores for which `wanted(key)` is true, in order, each once.

    Do not act on them before the end is reached: only then is it known that both listings are complete. Raises the
    exceptions of listing, and OutOfOrderError.

    Args:
        trust: rely on the order of stores that promise one; False sorts all listings.
        skipped: collects the symlinks that the listing of the source skips.
    """
    with sorted_listing(source, trust, skipped) as ours, sorted_listing(target, trust) as theirs:
        yield from _merge(filter(lambda entry: wanted(entry.key), ours),
                          filter(lambda entry: wanted(entry.key), theirs))


def _merge(ours: Iterator[ListEntry], theirs: Iterator[ListEntry]) -> Iterator[ListingPair]:
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if right is None or (left is not None and order_of(left.key) < order_of(right.key)):
            assert left is not None
            yield ListingPair(left.key, left, None)
            left = next(ours, None)
        elif left is None or left.key != right.key:
            yield ListingPair(right.key, None, right)
            right = next(theirs, None)
        else:
            yield ListingPair(left.key, left, right)
            left, right = next(ours, None), next(theirs, None)


@contextmanager
def sorted_listing(store: Store | Interface, trust: bool,
                   skipped: list[str] | None = None) -> Iterator[Iterator[ListEntry]]:
    """All entries of a store in order, sorted in a temporary file unless the store lists in this order."""
    here = store.here() if isinstance(store, Store) else store
    if here.traits.lists_in_key_order and trust:
        yield _checked(list_entries(store, skipped))
        return
    with tempfile.TemporaryDirectory(prefix="cloudfiles-") as directory:
        with closing(sqlite3.connect(Path(directory) / "listing")) as database:
            yield _sorted(store, database, skipped)


def list_entries(store: Store | Interface, skipped: list[str] | None = None) -> Iterator[ListEntry]:
    """All entries of a store, in its order; `skipped` collects the symlinks that it skips."""
    for page in list_pages(store):
        if skipped is not None:
            skipped += page.skipped_symlinks
        yield from page.entries


def _checked(entries: Iterator[ListEntry]) -> Iterator[ListEntry]:
    before = None
    for entry in entries:
        stored = order_of(entry.key)
        if before is not None and stored <= before:
            raise OutOfOrderError(entry.key)
        before = stored
        yield entry


def _sorted(store: Store | Interface, database: sqlite3.Connection, skipped: list[str] | None) -> Iterator[ListEntry]:
    database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                           "CREATE TABLE listing (stored BLOB PRIMARY KEY, size, etag, modified) WITHOUT ROWID")
    rows = ((order_of(e.key), e.size, e.etag, e.last_modified) for e in list_entries(store, skipped))
    database.executemany("INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?)", rows)
    for stored, size, etag, modified in database.execute("SELECT * FROM listing ORDER BY stored"):
        yield ListEntry(stored.decode("utf-8", "surrogateescape"), size, etag, modified)
