"""Listings of huge buckets into SQLite databases, page by page, so that they can be interrupted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter

import click

from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import DONE
from cloudfiles.cli.progress_bar import progress_of
from cloudfiles.cli.store_options import Stores
from cloudfiles.exceptions import InvalidInputError, redact

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, size INTEGER);
CREATE TABLE IF NOT EXISTS checkpoint (
    id INTEGER PRIMARY KEY AUTOINCREMENT, page_token TEXT, rows_done INTEGER DEFAULT 0,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS metadata (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, value TEXT);
"""
"""`files`: what was listed. `checkpoint`: one row, the token of the page to continue with, or NULL at the end.
`metadata`: the cloudpath that the paths are relative to, and the prefix that was listed."""


def list_to_sqlite(stores: Stores, one: Operand, database: str, progress: bool | None) -> int:
    """Write the keys that start with an operand, and their sizes, to a database; continue if it is incomplete.

    Raises InvalidInputError if the database belongs to another listing, or is not one of these.
    """
    if one.is_pattern:
        raise click.UsageError("--sqlite: expected a prefix, got a glob")
    cf = stores.open(one.directory)
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        token, rows, is_finished = _begin(db, redact(cf.cloudpath), one.name, database)
        if is_finished:
            click.echo(f"{rows} objects; the listing in {database} is complete", err=True)
            return DONE
        with progress_of("Listing", progress) as bar:
            for page_token, page in _pages(cf.list(one.name, size=True, return_resume_token=True, resume_token=token)):
                found = [(path, size) for path, size, _ in page]
                _save(db, found, page_token)
                if bar is not False:
                    bar.update(len(found))
        rows = db.execute("SELECT count(*) FROM files").fetchone()[0]
        db.execute("UPDATE checkpoint SET page_token = NULL, rows_done = ?, updated_at = CURRENT_TIMESTAMP", [rows])
        db.execute("INSERT INTO metadata (name, value) VALUES ('complete', '1')")
    click.echo(f"{rows} objects listed in {database}", err=True)
    return DONE


Row = tuple[str, "int | None", "str | None"]


def _pages(rows: Iterator[Row]) -> Iterator[tuple[str | None, list[Row]]]:
    """The rows of each page, with the token that continues at that page."""
    for token, page in groupby(rows, key=itemgetter(2)):
        yield token, list(page)


def _begin(db: sqlite3.Connection, cloudpath: str, prefix: str, database: str) -> tuple[str | None, int, bool]:
    """Where to continue, the number of rows, and whether nothing is left to do."""
    try:
        db.executescript(_SCHEMA)
        known = dict(db.execute("SELECT name, value FROM metadata"))
        checkpoint = db.execute("SELECT page_token, rows_done FROM checkpoint ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        raise InvalidInputError(f"{database} is not a listing: {error}") from error
    wanted = {"cloudpath": cloudpath, "prefix": prefix}
    if known and {name: known.get(name, "") for name in wanted} != wanted:
        raise InvalidInputError(f"{database} is the listing of {known.get('cloudpath')} {known.get('prefix', '')!r}; "
                                "choose another file, or delete it")
    if not known:
        db.executemany("INSERT INTO metadata (name, value) VALUES (?, ?)", list(wanted.items()))
    if checkpoint is None:
        db.execute("INSERT INTO checkpoint (page_token) VALUES (NULL)")
        return None, 0, False
    return checkpoint[0], checkpoint[1], known.get("complete") == "1"


def _save(db: sqlite3.Connection, found: list[tuple[str, int | None]], token: str | None) -> None:
    """A page and its checkpoint, together. The page that `token` begins may be listed again: its rows are replaced."""
    db.execute("BEGIN")
    db.executemany("INSERT INTO files (path, size) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET size = excluded.size",
                   found)
    db.execute("UPDATE checkpoint SET page_token = ?, rows_done = rows_done + ?, updated_at = CURRENT_TIMESTAMP",
               [token, len(found)])
    db.execute("COMMIT")
