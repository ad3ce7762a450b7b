"""Which items of a batch have the same file as their source, because of symlinks."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator

from cloudfiles.interfaces.base import Interface
from cloudfiles.transfer.items import Item


class SharedFiles:
    """Keeps items in a temporary file, so that any number of them takes the same memory. Thread-safe."""

    def __init__(self, source: Interface) -> None:
        self._resolve = source.key_resolver(follow=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
                                     "CREATE TABLE items (file INTEGER, source BLOB, target BLOB);"
                                     "CREATE INDEX files ON items (file)")

    def close(self) -> None:
        self._database.close()

    def note(self, items: Iterable[Item]) -> Iterable[Item]:
        """The items; each is recorded before it is returned."""
        if self._resolve is None:
            return items
        if not isinstance(items, Collection):
            return self._noted(items)
        if len(items) > 1:
            self._add(items)
        return items

    def _noted(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self._add([item])
            yield item

    def _add(self, items: Iterable[Item]) -> None:
        with self._lock:
            self._database.executemany("INSERT INTO items VALUES (?, ?, ?)", [
                (hash(self._file(item.source)), _stored(item.source), _stored(item.target)) for item in items])

    def _file(self, key: str) -> str:
        return key if self._resolve is None else self._resolve(key)

    def others(self, item: Item) -> list[Item]:
        """Items of other keys of the same file."""
        file = self._file(item.source)
        with self._lock:
            rows = self._database.execute("SELECT source, target FROM items WHERE file = ?", (hash(file),)).fetchall()
        items = [Item(*(stored.decode("utf-8", "surrogatepass") for stored in row)) for row in rows]
        return [other for other in items if other.source != item.source and self._file(other.source) == file]


def _stored(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
