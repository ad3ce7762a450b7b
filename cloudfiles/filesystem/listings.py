"""Listings of a store as entries of a file system: files, and the directories that their names imply."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, TypeAlias

from cloudfiles.batch.fanout import collect
from cloudfiles.batch.lister import list_pages
from cloudfiles.batch.store import Store
from cloudfiles.filesystem.names import Place
from cloudfiles.interfaces.base import Interface
from cloudfiles.results import ObjectHead
from cloudfiles.transfer.compare import when
from cloudfiles.types import ListEntry

Info: TypeAlias = "dict[str, Any]"
"""What `info` returns: 'name', 'size' (stored bytes; 0 for a directory), 'type' ('file' or 'directory'); of files also
'ETag' and 'last_modified' (a `datetime` in UTC), None where the store does not report them."""

Entry: TypeAlias = "tuple[str, ListEntry | None]"
"""The name of a file with its entry, or that of a directory with None."""


def directory_info(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory"}


def entry_info(entry: Entry) -> Info:
    """The info of an entry of a listing."""
    name, listed = entry
    if listed is None:
        return directory_info(name)
    return {"name": name, "size": listed.size, "type": "file", "ETag": listed.etag,
            "last_modified": time_of(listed.last_modified)}


def head_info(name: str, head: ObjectHead) -> Info:
    """The info of a file that was asked for by itself, which has all that its entry in a listing has."""
    info = {"name": name, "size": head["Content-Length"], "type": "file", "ETag": head["ETag"],
            "last_modified": time_of(head["Last-Modified"])}
    more = {"content_type": head["Content-Type"], "content_encoding": head["Content-Encoding"]}
    return {**info, **{field: value for field, value in more.items() if value is not None}}


@lru_cache(maxsize=4096)
def time_of(text: str | None) -> datetime | None:
    """A time of a listing or a header. Many files of a listing have the same, and parsing takes long."""
    seconds = when(text)
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


# ---- one level


def directory_prefix(key: str) -> str:
    """What the keys in a directory begin with: '' for the root."""
    return key.rstrip("/") + "/" if key else ""


def contents(place: Place, key: str, beginning: str = "", source: Interface | None = None) -> tuple[bool, list[Entry]]:
    """Whether there is a directory `key`, and its direct contents whose names begin with `beginning`.

    source: what to list; None for the store, which may request several pages at a time.
    """
    return _level(place, source or place.cf._store, directory_prefix(key), beginning)


def _level(place: Place, source: Store | Interface, directory: str, beginning: str) -> tuple[bool, list[Entry]]:
    found: list[Entry] = []
    exists = False
    for page in list_pages(source, directory + beginning, flat=True):
        exists = exists or bool(page.entries or page.prefixes)
        found += page_contents(place, directory, page.entries, page.prefixes)
        if directory and directory + "/" in page.prefixes:
            # The names of `a//` and `a` are the same: what is in the former is shown in the latter.
            found += _level(place, source, directory + "/", beginning)[1]
    found.sort(key=_name)
    return exists, found


def page_contents(place: Place, directory: str, entries: list[ListEntry], prefixes: list[str]) -> Iterator[Entry]:
    """The entries of a page of a flat listing. An object whose key ends with '/' marks its directory."""
    for entry in entries:
        if not entry.key.endswith("/"):
            yield place.prefix + entry.key, entry
        elif entry.key != directory:
            yield place.name(entry.key), None
    for prefix in prefixes:
        if prefix.rstrip("/") and prefix != directory + "/":
            yield place.name(prefix), None


def _name(entry: Entry) -> str:
    return entry[0]


# ---- all levels


def tree(place: Place, key: str, beginning: str = "", maxdepth: int | None = None, empty: bool = False
         ) -> Iterator[Entry]:
    """All files in a directory and its subdirectories, and the subdirectories, each once.

    Args:
        beginning: what their names begin with, relative to the directory.
        maxdepth: the number of levels; None for all.
        empty: also empty directories, on stores that have them.
    """
    directory = directory_prefix(key)
    if empty or (maxdepth is not None and (maxdepth == 1 or place.cf._store.is_local)):
        yield from _level_by_level(place, key, beginning, maxdepth)
        return
    seen: set[str] = set()
    cut = len(directory)
    for page in list_pages(place.cf._store, directory + beginning):
        for entry in page.entries:
            above, _, last = entry.key[cut:].rpartition("/")
            if above and above not in seen:
                yield from _new_directories(place, directory, above, seen, maxdepth)
            if last and (maxdepth is None or _depth(above) < maxdepth):
                yield place.prefix + entry.key, entry


def _depth(directory: str) -> int:
    """The number of components of a path; empty ones, as in `a//b`, do not count."""
    if "//" not in directory:
        return directory.count("/") + (directory != "")
    return sum(1 for component in directory.split("/") if component)


def _new_directories(place: Place, directory: str, path: str, seen: set[str], maxdepth: int | None) -> Iterator[Entry]:
    """The directories of `path` that were not seen yet, the outer ones first."""
    at, depth = -1, 0
    while at < len(path):
        at = path.find("/", at + 1)
        at = len(path) if at < 0 else at
        one = path[:at]
        is_named = not one.endswith("/") and one != ""
        if one not in seen:
            seen.add(one)
            if is_named and (maxdepth is None or depth < maxdepth):
                yield place.name(directory + one), None
        depth += is_named


def _level_by_level(place: Place, key: str, beginning: str, maxdepth: int | None) -> Iterator[Entry]:
    level = contents(place, key, beginning)[1]
    for depth in itertools.count():
        yield from level
        directories = [place.key(name) for name, entry in level if entry is None]
        if depth + 1 == maxdepth or not directories:
            return
        level = [entry for _, found in contents_of_many(place, directories) for entry in found]


def are_directories(place: Place, keys: list[str]) -> list[bool]:
    """Whether there are directories of these keys, many at a time."""
    plan, interface = place.cf._store.plan()
    return collect(interface.isdir, keys, plan)


def contents_of_many(place: Place, keys: list[str], beginning: str = "") -> list[tuple[bool, list[Entry]]]:
    """As `contents`, of many directories at a time."""
    plan, interface = place.cf._store.plan()
    return collect(lambda key: contents(place, key, beginning, interface), keys, plan)
