"""Listings: a tree of directories is walked in key order, and read ahead, several directories at once.

A directory is read by one request, whatever its size, because NameNodes list in an order of their own.

Source: Hadoop documentation, "WebHDFS REST API" (List a Directory).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.file.temporaries import is_temporary
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.interfaces.tree_walk import after_within, first_behind, page_of
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace
from cloudfiles.key_order import order_of
from cloudfiles.types import ListEntry, ListPage

_AHEAD = 64
"""Directories that are read at once."""

_MAX_IN_MEMORY = 50_000
"""Entries of directories that are read ahead, about."""

_MAX_AGE = 60.0
"""Seconds for which what was read ahead is used."""


def children(files: Namespace, path: str) -> list[FileStatus] | None:
    """What is in a directory; None if it is missing. A file contains nothing."""
    size = files.dialect.list_size
    if not size:
        return _page(files, path, {})
    page = _page(files, path, {"listSize": str(size)})
    if page is None:
        return None
    found = {status.name: status for status in page}
    while len(page) >= size:
        page = _page(files, path, {"listSize": str(size), "listAfter": page[-1].name}) or []
        count = len(found)
        found.update((status.name, status) for status in page)
        if len(found) == count:  # a server that does not continue
            break
    return list(found.values())


def _page(files: Namespace, path: str, parameters: Mapping[str, str]) -> list[FileStatus] | None:
    """The entries in one response."""
    found = files.ask("LISTSTATUS", "FileStatuses", path, None, parameters)
    if found is None:
        return None
    entries: Any = found.get("FileStatus") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ProtocolError("the listing of a directory has no list 'FileStatus'", path=path)
    statuses = {status.name: status for status in map(FileStatus.of, entries)}
    for name in statuses:
        if "/" in name or name in (".", ".."):
            raise ProtocolError(f"the listing of a directory has the name {name!r}", path=path)
    statuses.pop("", None)  # a file lists itself
    return list(statuses.values())


class _Level:
    """A directory that is being listed.

    Attributes:
        prefix: of the keys in it, ending in '/'; '' for the root.
        names: of its children that are left, in order; those of directories end in '/'.
    """

    def __init__(self, prefix: str, statuses: dict[str, FileStatus], names: list[str]) -> None:
        self.prefix = prefix
        self.statuses = statuses
        self.names = deque(names)


class Walk:
    """The objects (and in flat listings the common prefixes) that begin with `prefix` and come after `after`."""

    def __init__(self, files: Namespace, prefix: str, flat: bool, after: str | None,
                 clock: Callable[[], float]) -> None:
        self._files = files
        self._clock = clock
        self._used_at = 0.0
        self._flat = flat
        self._after = after
        self._levels: list[_Level] = []
        self._read: dict[str, list[FileStatus]] = {}  # children of directories, by their keys
        self._largest = 0
        self._start: tuple[str, str] | None = prefix[:prefix.rfind("/") + 1], prefix[prefix.rfind("/") + 1:]

    def page(self, limit: int) -> ListPage:
        """The next `limit` objects and common prefixes."""
        items = list(islice(self._next(limit), limit))
        self._used_at = self._clock()
        return page_of(items, has_more=len(items) == limit and self._has_more())

    def is_current(self) -> bool:
        """Whether the last page was read less than a minute ago."""
        return self._clock() - self._used_at < _MAX_AGE

    def _has_more(self) -> bool:
        return any(level.names for level in self._levels)

    def _next(self, limit: int) -> Iterator[ListEntry | str]:
        if self._start is not None:
            start, self._start = self._start, None
            self._enter(*start, limit)
        while self._levels:
            level = self._levels[-1]
            if not level.names:
                self._levels.pop()
                continue
            name = level.names.popleft()
            if not name.endswith("/"):
                status = level.statuses[name]
                yield ListEntry(level.prefix + name, status.size, status.etag, status.last_modified)
            elif self._flat:
                yield level.prefix + name
            else:
                self._enter(level.prefix + name, "", limit)

    def _enter(self, prefix: str, beginning: str, limit: int) -> None:
        """Enter a directory, for its keys that begin with `beginning`."""
        after = after_within(prefix, self._after)
        if after is None:
            return
        statuses = {status.name + "/" * status.is_directory: status for status in self._children(prefix, limit)
                    if status.name.startswith(beginning) and not is_temporary(status.name)}
        names = sorted(statuses, key=order_of)
        first = first_behind(names, after, flat=self._flat) if after else 0
        self._levels.append(_Level(prefix, statuses, names[first:]))

    # ---- reading ahead

    def _children(self, prefix: str, limit: int) -> list[FileStatus]:
        if prefix not in self._read:
            most = min(_AHEAD, limit, max(1, _MAX_IN_MEMORY // max(1, self._largest)))
            wanted = [prefix, *islice(self._following(), most - 1)]
            if len(wanted) == 1:
                self._fetch(0, prefix)
            else:
                send_parts(self._files.runtime, wanted, self._fetch, self._files.protocol.cluster.origin)
        found = self._read.pop(prefix)
        self._largest = max(self._largest, len(found))
        return found

    def _following(self) -> Iterator[str]:
        """The directories that will be entered next, and have not been read, as far as they are known."""
        for level in reversed(self._levels):
            for name in level.names:
                if name.endswith("/") and level.prefix + name not in self._read:
                    yield level.prefix + name

    def _fetch(self, _: int, prefix: str) -> None:
        self._read[prefix] = children(self._files, self._files.path(prefix[:-1])) or []
