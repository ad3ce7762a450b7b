"""The journal of a resumable transfer: a SQLite file with the state of each object.

Any number of processes on one machine work on it. A worker leases objects: its lease covers all objects that it holds,
is renewed while it works, and ends when it expires or its process is gone. Leases use the monotonic clock of the
machine, so setting the clock does not affect them. Results count only while the worker holds the object.

Every change is one transaction (write-ahead log): after a kill at any point, it is done completely or not at all.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from cloudfiles.exceptions import DuplicatePathError, FileSystemError, JournalError
from cloudfiles.lib import open_private
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.journal.process_identity import ProcessIdentity, is_dead, this_process
from cloudfiles.transfer.journal.records import (
    STATES,
    Failure,
    ItemResult,
    ItemState,
    LeasedItem,
    LeaseOwner,
    TransferRecord,
    item_of,
    key_of,
    stored_key,
)
from cloudfiles.transfer.partial_upload import PartialUpload
from cloudfiles.types import Clock

_APPLICATION_ID = 0x43464A4C  # 'CFJL', in the header of the file
_VERSION = 1
_BATCH = 10_000  # rows that are written or read at once
_BUSY = 60.0  # seconds to wait for another process's transaction

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
CREATE TABLE transfer (source TEXT, target TEXT, options TEXT, created REAL, is_listed INTEGER);
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    source NOT NULL,                         -- its key; a BLOB if it is not text
    target,                                  -- its key at the target; NULL if it is the same
    size INTEGER,                            -- stored bytes, according to the listing
    is_large INTEGER NOT NULL DEFAULT 0,     -- to be copied in parts, after the others
    state TEXT NOT NULL DEFAULT 'pending',
    worker INTEGER,                          -- the worker that holds it
    attempts INTEGER NOT NULL DEFAULT 0,
    cause TEXT,                              -- why it failed or cannot be verified
    algorithm TEXT, digest TEXT,             -- that verified the bytes, and its value if known
    etag TEXT, source_etag TEXT,             -- of the new object, and of the source that was copied
    bytes INTEGER,                           -- stored bytes written
    finished REAL                            -- seconds since the epoch
);
CREATE UNIQUE INDEX targets ON items(ifnull(target, source));
CREATE INDEX pending ON items(is_large, id) WHERE state = 'pending';
CREATE INDEX leased ON items(worker) WHERE state = 'leased';
CREATE INDEX failed ON items(id) WHERE state = 'failed';
CREATE TABLE workers (id INTEGER PRIMARY KEY AUTOINCREMENT, process TEXT, lease REAL, expires REAL);
CREATE TABLE halves (item INTEGER PRIMARY KEY, half TEXT);
"""


def _create_private(path: str) -> None:
    """Create an empty file that nobody else can read, unless it exists; SQLite gives its other files the same mode."""
    try:
        open(path, "ab", opener=open_private).close()
    except OSError as error:
        raise FileSystemError(f"cannot use the journal {path}: {error.strerror}", errno=error.errno) from error


class Journal:
    """A journal file. Its methods may be called by any thread, one at a time.

    Raises:
        JournalError: it does not exist (unless `create`), or is not a journal that this version can read.
        FileSystemError: it cannot be read or written.
    """

    def __init__(self, path: str, create: bool = False, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or Clock()
        self._lock = threading.RLock()
        if not create and not os.path.exists(path):
            raise JournalError(f"the journal {path} does not exist; create it with init()")
        if create:
            _create_private(path)
        with self._reporting():
            # Autocommit: transactions are explicit.
            self._database = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._open(create)
        except BaseException:
            self._database.close()
            raise

    def _open(self, create: bool) -> None:
        with self._reporting():
            application = self._number("PRAGMA application_id")
            version = self._number("PRAGMA user_version")
            tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if application == _APPLICATION_ID and version > _VERSION:
            raise JournalError(f"{self.path} was written by a newer version of cloudfiles (format {version}; this "
                               f"version reads {_VERSION}); upgrade, or choose another file")
        if application != _APPLICATION_ID and (tables or not create):
            kind = "a journal of cloud-files" if "xfermeta" in tables else "another program's database" if tables else (
                "an empty database")
            raise JournalError(f"{self.path} is {kind}, not the journal of a resumable transfer; choose another file")
        with self._reporting():
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            if application != _APPLICATION_ID:
                self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise FileSystemError(f"cannot use the journal {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path} is not a journal, or is damaged: {error}") from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, isolated from those of other processes."""
        with self._lock, self._reporting():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, self._reporting():
            return self._database.execute(query, values).fetchall()

    def _number(self, query: str, *values: Any) -> int:
        row = self._database.execute(query, values).fetchone()
        return 0 if row is None else int(row[0] or 0)

    def close(self) -> None:
        self._database.close()

    def remove(self) -> None:
        """Close it and remove its file."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.unlink(self.path + suffix)

    # ---- the transfer and its objects

    @property
    def transfer(self) -> TransferRecord | None:
        """None if there is none yet."""
        rows = self._rows("SELECT source, target, options, created, is_listed FROM transfer")
        if not rows:
            return None
        source, target, options, created, is_listed = rows[0]
        return TransferRecord(source, target, json.loads(options), created, bool(is_listed))

    def begin(self, source: str, target: str, options: dict[str, Any]) -> None:
        """Clear it for a new transfer. Call `list_all` next."""
        with self._changing() as database:
            for table in ("transfer", "items", "halves", "workers"):
                database.execute(f"DELETE FROM {table}")
            database.execute("INSERT INTO transfer VALUES (?, ?, ?, ?, 0)",
                             (source, target, json.dumps(options), self._clock.wall()))

    def list_all(self, items: Iterable[Item], skipped: Sequence[str] = ()) -> int:
        """Add all objects, in bounded memory; returns their number. Duplicates count once.

        skipped: the symlinks that the listing has skipped; complete when all items have been consumed.

        Raises DuplicatePathError if two objects have the same target; the journal then cannot be used.
        """
        count = 0
        source = iter(items)
        while batch := list(islice(source, _BATCH)):
            rows = [(stored_key(item.source), stored_key(item.target) if item.target != item.source else None,
                     item.size) for item in batch]
            with self._changing() as database:
                inserted = database.executemany("INSERT OR IGNORE INTO items (source, target, size) VALUES (?, ?, ?)",
                                                rows).rowcount
                if inserted < len(rows):
                    self._check_targets(rows)
                count += inserted
        with self._changing() as database:
            (options,) = database.execute("SELECT options FROM transfer").fetchone()
            text = json.dumps({**json.loads(options), "skipped_symlinks": list(skipped)}) if skipped else options
            database.execute("UPDATE transfer SET is_listed = 1, options = ?", (text,))
        return count

    def _check_targets(self, rows: Iterable[tuple[Any, Any, Any]]) -> None:
        for source, target, _ in rows:
            stored = source if target is None else target
            found = self._database.execute("SELECT source FROM items WHERE ifnull(target, source) = ?",
                                           (stored,)).fetchone()
            if found != (source,):
                raise DuplicatePathError(f"both {key_of(found[0])!r} and {key_of(source)!r} would be written to this "
                                         "path; nothing was transferred",
                                         path=key_of(stored))

    # ---- leases

    def register(self, lease: float) -> LeaseOwner:
        """Register a new worker of this process."""
        with self._changing() as database:
            cursor = database.execute("INSERT INTO workers (process, lease, expires) VALUES (?, ?, ?)",
                                      (this_process().dump(), lease, self._clock.monotonic() + lease))
            return LeaseOwner(int(cursor.lastrowid or 0), lease)

    def renew(self, worker: LeaseOwner) -> None:
        """Renew the lease for its whole duration."""
        with self._changing() as database:
            self._renew(database, worker)

    def _renew(self, database: sqlite3.Connection, worker: LeaseOwner) -> None:
        database.execute("UPDATE workers SET expires = ? WHERE id = ?",
                         (self._clock.monotonic() + worker.lease, worker.id))

    def lease(self, worker: LeaseOwner, count: int, large: bool = False) -> list[LeasedItem]:
        """Lease up to `count` pending objects; an empty list if there are none at the moment."""
        with self._changing() as database:
            rows = database.execute("SELECT id, source, target, size FROM items WHERE state = 'pending' AND "
                                    "is_large = ? ORDER BY id LIMIT ?", (large, count)).fetchall()
            database.executemany("UPDATE items SET state = 'leased', worker = ?, attempts = attempts + 1 WHERE id = ?",
                                 [(worker.id, row[0]) for row in rows])
            self._renew(database, worker)
        return [LeasedItem(row[0], item_of(*row[1:])) for row in rows]

    def record_results(self, worker: LeaseOwner, results: Sequence[tuple[int, ItemResult]],
                       ended: Iterable[int] = ()) -> int:
        """Record the results of objects; returns how many count. Objects that the worker no longer holds are left to
        others.

        ended: large objects whose parts cannot be resumed any more.
        """
        now = self._clock.wall()
        rows = [(*values, now, id, worker.id) for id, values in results]
        with self._changing() as database:
            count = database.executemany(
                "UPDATE items SET state = ?, cause = ?, algorithm = ?, digest = ?, etag = ?, source_etag = ?, bytes = ?"
                ", finished = ?, worker = NULL WHERE id = ? AND worker = ? AND state = 'leased'", rows).rowcount
            database.executemany("DELETE FROM halves WHERE item = ?", [(id,) for id in ended])
            self._renew(database, worker)
        return count

    def set_large(self, worker: LeaseOwner, ids: Sequence[int]) -> None:
        """Return objects, to be copied in parts."""
        with self._changing() as database:
            database.executemany("UPDATE items SET state = 'pending', is_large = 1, worker = NULL, "
                                 "attempts = attempts - 1 WHERE id = ? AND worker = ? AND state = 'leased'",
                                 [(id, worker.id) for id in ids])

    def release(self, worker: LeaseOwner) -> None:
        """Return objects that were not started, and remove the worker."""
        with self._changing() as database:
            database.execute("UPDATE items SET state = 'pending', worker = NULL, attempts = attempts - 1 "
                             "WHERE worker = ? AND state = 'leased'", (worker.id,))
            database.execute("DELETE FROM workers WHERE id = ?", (worker.id,))

    def take_over_leases(self, worker: LeaseOwner) -> tuple[list[LeasedItem], list[str]]:
        """Take over the objects of workers whose lease has expired or whose process is gone.

        Returns them, and the marks of all processes that are gone. Call `hand_back` when everything these processes
        left behind is cleaned up: until then nobody else starts with the objects.
        """
        with self._changing() as database:
            # Not earlier: others may have renewed their leases while this waited for its transaction.
            now = self._clock.monotonic()
            others = database.execute("SELECT id, process, lease, expires FROM workers WHERE id <> ?",
                                      (worker.id,)).fetchall()
            dead = {id: ProcessIdentity.load(process) for id, process, _, _ in others
                    if is_dead(ProcessIdentity.load(process))}
            # A lease that ends later than its duration allows was taken before the machine was rebooted.
            over = [id for id, _, lease, expires in others if not now < expires <= now + lease]
            for id in {*dead, *over}:
                database.execute("UPDATE items SET worker = ? WHERE worker = ? AND state = 'leased'", (worker.id, id))
            rows = database.execute("SELECT id, source, target, size FROM items WHERE worker = ? AND state = 'leased'",
                                    (worker.id,)).fetchall()
        return [LeasedItem(row[0], item_of(*row[1:])) for row in rows], [process.mark for process in dead.values()]

    def hand_back(self, worker: LeaseOwner, processes: Sequence[str]) -> None:
        """Let anyone lease the objects that were taken over, and remove the workers of these processes."""
        with self._changing() as database:
            database.execute("UPDATE items SET state = 'pending', worker = NULL WHERE worker = ? AND state = 'leased'",
                             (worker.id,))
            gone = [id for id, process in database.execute("SELECT id, process FROM workers").fetchall()
                    if ProcessIdentity.load(process).mark in processes]
            database.executemany("DELETE FROM workers WHERE id = ? AND NOT EXISTS (SELECT 1 FROM items WHERE "
                                 "state = 'leased' AND worker = workers.id)", [(id,) for id in gone])

    def is_in_use(self) -> bool:
        """Whether a worker holds anything, unless its process is known to be gone."""
        rows = self._rows("SELECT process, expires FROM workers WHERE EXISTS (SELECT 1 FROM items WHERE "
                          "state = 'leased' AND worker = workers.id)")
        now = self._clock.monotonic()
        return any(expires > now and not is_dead(ProcessIdentity.load(process)) for process, expires in rows)

    def retry_failed(self) -> int:
        """Let failed objects be retried; returns their number."""
        with self._changing() as database:
            return database.execute("UPDATE items SET state = 'pending', cause = NULL, finished = NULL "
                                    "WHERE state = 'failed'").rowcount

    # ---- partial uploads of large objects

    def save_partial_uploads(self, partial_uploads: Sequence[tuple[int, PartialUpload]]) -> None:
        """Save partial uploads for whoever resumes them."""
        with self._changing() as database:
            database.executemany("INSERT OR REPLACE INTO halves VALUES (?, ?)",
                                 [(id, partial_upload.dump()) for id, partial_upload in partial_uploads])

    def delete_partial_uploads(self, ids: Iterable[int]) -> None:
        """Forget partial uploads whose parts are gone, or are complete objects now."""
        with self._changing() as database:
            database.executemany("DELETE FROM halves WHERE item = ?", [(id,) for id in ids])

    def partial_upload(self, id: int) -> PartialUpload | None:
        rows = self._rows("SELECT half FROM halves WHERE item = ?", id)
        return PartialUpload.load(rows[0][0]) if rows else None

    def partial_uploads(self, *states: ItemState) -> list[tuple[LeasedItem, PartialUpload]]:
        """All partial uploads, or those of objects in these states."""
        wanted = ", ".join(f"'{state}'" for state in states or STATES)
        rows = self._rows("SELECT items.id, source, target, size, half FROM halves JOIN items ON items.id = item "
                          f"WHERE state IN ({wanted})")
        return [(LeasedItem(row[0], item_of(*row[1:4])), PartialUpload.load(row[4])) for row in rows]

    # ---- results

    def counts(self) -> tuple[Counter[str], int]:
        """The number of objects by their state, and the bytes written."""
        rows = self._rows("SELECT state, count(*), sum(bytes) FROM items GROUP BY state")
        return Counter({state: count for state, count, _ in rows}), sum(total or 0 for _, _, total in rows)

    def failures(self) -> Iterator[Failure]:
        """The failed objects, in bounded memory."""
        for row in self._select("state = 'failed'", "cause, attempts"):
            item = item_of(row[1], row[2], row[3])
            yield Failure(item.source, item.target, row[4], row[5])

    def items(self, *states: ItemState) -> Iterator[Item]:
        """The objects in these states, in bounded memory."""
        wanted = ", ".join(f"'{state}'" for state in states)
        for row in self._select(f"state IN ({wanted})", "NULL"):
            yield item_of(row[1], row[2], row[3])

    def records(self) -> Iterator[dict[str, Any]]:
        """Everything that is recorded of each object, by the names of the columns."""
        names = ("state", "attempts", *ItemResult._fields[1:], "finished")
        for row in self._select("1", ", ".join(names)):
            item = item_of(row[1], row[2], row[3])
            yield {"path": item.source, "dest_path": item.target, "size": item.size,
                   **dict(zip(names, row[4:], strict=True))}

    def _select(self, where: str, columns: str) -> Iterator[Any]:
        last = 0
        while rows := self._rows(f"SELECT id, source, target, size, {columns} FROM items WHERE id > ? AND {where} "
                                 f"ORDER BY id LIMIT {_BATCH}", last):
            yield from rows
            last = rows[-1][0]
