"""Listings: a tree of directories is walked in key order, and read ahead, several directories at once.

Keys are ordered by their bytes, including `/`: subdirectories are sorted as `NAME/`. A directory is read by one
request, whatever its size, because the order in which NameNodes list is another one.

Source: Hadoop documentation, "WebHDFS REST API" (List a Directory).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.file.temporaries import is_temporary
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.interfaces.webhdfs.names import order_of
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace
from cloudfiles.types import ListEntry, ListPage

_AHEAD = 64
"""Directories that are read at once."""

_MAX_IN_MEMORY = 50_000
"""Entries of directories that are read ahead, about."""

_MAX_WALKS = 8
_MAX_AGE = 60.0  # seconds

Position = tuple[str, bool, "str | None"]  # prefix, flat, and token of a page


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

    def __init__(self, files: Namespace, prefix: str, flat: bool, after: str | None) -> None:
        self._files = files
        self._flat = flat
        self._after = after
        self._levels: list[_Level] = []
        self._read: dict[str, list[FileStatus]] = {}  # children of directories, by their keys
        self._largest = 0
        self._start: tuple[str, str] | None = prefix[:prefix.rfind("/") + 1], prefix[prefix.rfind("/") + 1:]

    def page(self, limit: int) -> ListPage:
        """The next `limit` objects and common prefixes."""
        entries: list[ListEntry] = []
        prefixes: list[str] = []
        last = ""
        for found in self._next(limit):
            if isinstance(found, str):
                prefixes.append(found)
                last = found
            else:
                entries.append(found)
                last = found.key
            if len(entries) + len(prefixes) == limit:
                return ListPage(entries, prefixes, last if self._has_more() else None)
        return ListPage(entries, prefixes)

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
        after = _after_within(prefix, self._after)
        if after is None:
            return
        statuses = {status.name + "/" * status.is_directory: status for status in self._children(prefix, limit)
                    if status.name.startswith(beginning) and not is_temporary(status.name)}
        names = sorted(statuses, key=order_of)
        self._levels.append(_Level(prefix, statuses, names[self._first_behind(names, after):] if after else names))

    def _first_behind(self, names: list[str], after: str) -> int:
        at = bisect_right(names, order_of(after), key=order_of)
        is_inside = at > 0 and not self._flat and names[at - 1].endswith("/") and after.startswith(names[at - 1])
        return at - is_inside

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


def _after_within(prefix: str, after: str | None) -> str | None:
    """The part of `after` below `prefix`: '' if all keys there come after it, None if none does."""
    if after is None:
        return ""
    if after.startswith(prefix):
        return after[len(prefix):]
    return "" if order_of(after) < order_of(prefix) else None


class WalkCache:
    """Keeps walks between two pages of a listing, so that a large directory is read once, not per page.

    It is only a cache: if a walk is missing or too old, the listing continues after its token.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._walks: OrderedDict[Position, tuple[float, Walk]] = OrderedDict()

    def take(self, position: Position) -> Walk | None:
        with self._lock:
            kept_at, walk = self._walks.pop(position, (0.0, None))
        return walk if self._clock() - kept_at < _MAX_AGE else None

    def keep(self, position: Position, walk: Walk) -> None:
        with self._lock:
            self._walks[position] = self._clock(), walk
            if len(self._walks) > _MAX_WALKS:
                self._walks.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._walks.clear()
