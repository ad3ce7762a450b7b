"""Lists a tree of files as keys in order, page by page, with one directory per level in memory.

Symlinks are followed if their target is inside of the root. Others are skipped and reported: those that lead out of it
(unless these are followed, too), to nothing, or to a parent directory, which would never end. Anything other than a
regular file or a directory is not an object and not listed.

Files that are created or removed while their directory is being read may be listed or not. Where the file system is
slow, the next directories and the status of the next files are read ahead (`read_ahead.py`).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator

from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.file.file_io import etag_of
from cloudfiles.interfaces.file.names import EXACT, Variants, bare_name
from cloudfiles.interfaces.file.objects import files_of, find_object
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, ambiguous
from cloudfiles.interfaces.file.read_ahead import Answers, DirectoriesAhead, FilesAhead
from cloudfiles.interfaces.file.symlinks import Symlinks
from cloudfiles.interfaces.file.temporaries import is_temporary
from cloudfiles.interfaces.tree_walk import after_within, first_behind, page_of
from cloudfiles.key_order import order_of
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.types import ListEntry, ListPage

_Identity = tuple[int, int]  # device and inode
_Scanned = tuple[os.stat_result, dict[str, os.stat_result], dict[str, str], set[str], set[str]]

_TIMED = 32
"""The time for the status of every so many files is measured."""

_PAUSES = (0.001, 0.005, 0.02, 0.1, 0.0)
"""Seconds between checks of two files of one key: a write under another encoding creates the new file first."""


class _RepeatedDirectoryError(Exception):
    """The directory is being listed already: a symlink leads to it."""


class _OpenDirectory:
    """A directory that is being listed.

    Attributes:
        directory: the local path, ending in a separator.
        prefix: of the keys in it, ending in '/'; '' for the root.
        modified: nanoseconds since the epoch, when it was read.
        names: file names by key within the directory; '' for subdirectories, whose key ends in '/'.
        keys: those of `names` that are left, in order.
        shared: keys that may have several files.
        links: keys of subdirectories that are symlinks.
        last: the last key that was taken from `keys`, or that they follow.
        subdirectories: those that were not entered yet, but for symlinks, the last one first.
    """

    __slots__ = ("directory", "files", "identity", "keys", "last", "links", "modified", "names", "prefix", "shared",
                 "subdirectories")

    def __init__(self, directory: str, prefix: str, identity: _Identity, modified: int, names: dict[str, str],
                 keys: Iterator[str], shared: set[str], links: set[str], last: str | None) -> None:
        self.directory = directory
        self.prefix = prefix
        self.identity = identity
        self.modified = modified
        self.names = names
        self.keys = keys
        self.shared = shared
        self.links = links
        self.last = last
        self.files: FilesAhead | None = None
        self.subdirectories: list[str] | None = None

    def left(self) -> Iterator[str]:
        """The paths of subdirectories that were not entered yet, but for symlinks."""
        after = order_of(self.last or "")
        if self.subdirectories is None:
            self.subdirectories = [key for key in _sorted(self.names) if not self.names[key] and key not in self.links]
            self.subdirectories.reverse()
        while self.subdirectories and order_of(self.subdirectories[-1]) <= after:
            self.subdirectories.pop()
        return (self.directory + key[:-1] + os.sep for key in reversed(self.subdirectories))

    def read_ahead(self, known: dict[str, os.stat_result]) -> None:
        """Read the status of the files after the last one ahead, except for those that are known."""
        after = order_of(self.last or "")
        self.files = FilesAhead(self.directory, known, (
            self.names[key] for key in _sorted(self.names) if self.names[key] and order_of(key) > after))

    def is_current(self) -> bool:
        try:
            return os.stat(self.directory).st_mtime_ns == self.modified
        except OSError:
            return False


class Walk:
    """The objects below a root (and in flat listings the common prefixes) with `prefix` and after the key `after`, in
    order.

    Files and directories that are removed meanwhile are skipped. Raises OSError if a directory cannot be read.
    """

    def __init__(self, root: str, variants: Variants, prefix: str, flat: bool, after: str | None,
                 follow_external: bool) -> None:
        self._root = root
        self._variants = variants
        self._links = Symlinks(root, follow_external)
        self._flat = flat
        self._after = after
        self._levels: list[_OpenDirectory] = []
        self._put_back: ListEntry | str | None = None
        self._directories = DirectoriesAhead()
        self._files = Answers()
        self._count = 0
        above, _, beginning = prefix.rpartition("/")
        above = above and above + "/"
        ancestors = _ancestors(root, above)
        if ancestors is not None and self._links.leads_inside(above):
            self._ancestors = ancestors
            self._enter(root + above.replace("/", os.sep), above, beginning)

    def _next(self) -> ListEntry | str | None:
        """The next object, or common prefix (a str), or None at the end."""
        if self._put_back is not None:
            item, self._put_back = self._put_back, None
            return item
        while self._levels:
            level = self._levels[-1]
            key = next(level.keys, None)
            if key is None:
                self._levels.pop()
            elif name := level.names[key]:
                if key in level.shared:
                    name = self._only_file(level, key)
                self._count += 1
                if level.files is None and self._count % _TIMED:
                    status = _status(level, key, name, self._variants)
                else:
                    status = self._timed_status(level, key, name)
                if status is not None:
                    return ListEntry(
                        level.prefix + key, status.st_size, etag_of(status), http_date(int(status.st_mtime)))
            elif self._flat:
                return level.prefix + key
            else:
                level.last = key
                self._enter(level.directory + key[:-1] + os.sep, level.prefix + key, "")
        self._links.report()
        return None

    def page(self, limit: int) -> ListPage:
        """The next `limit` objects and common prefixes."""
        items: list[ListEntry | str] = list(itertools.islice(iter(self._next, None), limit))
        self._put_back = self._next() if len(items) == limit else None
        return page_of(items, has_more=self._put_back is not None, skipped_symlinks=self._links.take_new())

    def _only_file(self, level: _OpenDirectory, key: str) -> str:
        """The name of the only file of the key.

        Raises AmbiguousPathError for two files, unless one is just being replaced by the other.
        """
        for pause in _PAUSES:
            files = files_of(level.directory + key, self._variants)
            if len(files) < 2:
                return os.path.basename(files[0]) if files else key
            time.sleep(pause)
        raise ambiguous(level.prefix + key, f"file://{self._root}", *(
            level.prefix + os.path.basename(file) for file in files[:2]))

    def is_current(self) -> bool:
        """Whether the directories that are being listed are unchanged."""
        return all(level.is_current() for level in self._levels)

    def _enter(self, directory: str, prefix: str, beginning: str) -> None:
        """Enter a directory, for its keys that begin with `beginning`."""
        after = after_within(prefix, self._after)
        if after is None:
            return
        try:
            status, known, names, shared, links = self._read(directory, prefix, beginning)
        except _RepeatedDirectoryError:
            self._links.skip(prefix[:-1])
            return
        except OSError as error:
            if error.errno in MISSING_ERRNOS:
                return
            raise
        keys = _sorted(names)
        first = first_behind(keys, after, flat=self._flat) if after else 0
        level = _OpenDirectory(directory, prefix, _identity(status), status.st_mtime_ns, names,
                               itertools.islice(keys, first, None), shared, links, keys[first - 1] if first else None)
        if self._files.are_slow:
            level.read_ahead(known)
        self._levels.append(level)
        if self._directories.answers.are_slow and not self._flat:
            self._directories.request((path for level in reversed(self._levels) for path in level.left()),
                                      self._files.are_slow)

    def _read(self, directory: str, prefix: str, beginning: str) -> _Scanned:
        """The status of a directory, those of files that were read ahead, and the result of `_scan`."""
        contents = self._directories.take(directory)
        if contents is not None:
            self._check_new(contents.status)
            return (contents.status, contents.files, *self._scan(contents.entries, prefix, beginning))
        began = time.monotonic()
        status = os.stat(directory)  # before it is read, so that later changes are detected
        self._check_new(status)
        with with_descriptor(os.scandir, directory) as entries:
            self._directories.answers.add(time.monotonic() - began)
            return (status, {}, *self._scan(entries, prefix, beginning))

    def _check_new(self, status: os.stat_result) -> None:
        identity = _identity(status)
        if identity in self._ancestors or identity in [level.identity for level in self._levels]:
            raise _RepeatedDirectoryError

    def _scan(self, entries: Iterable[os.DirEntry[str]], prefix: str,
              beginning: str) -> tuple[dict[str, str], set[str], set[str]]:
        """The file names by key, '' for directories, whose key ends in '/'; the keys that may have several files; and
        those of directories that are symlinks."""
        names: dict[str, str] = {}
        shared: set[str] = set()
        links: set[str] = set()
        key_of = str if self._variants is EXACT else bare_name
        for entry in entries:
            name = entry.name
            if not name.startswith(beginning):
                continue
            is_directory, is_file = self._kind(entry, prefix)
            if is_directory:
                names[name + "/"] = ""
                if entry.is_symlink():
                    links.add(name + "/")
            elif is_file and not is_temporary(name):
                key = key_of(name)
                if not key.startswith(beginning):
                    continue
                if names.setdefault(key, name) != name or (key != name and bare_name(key) != key):
                    shared.add(key)  # with `a.gz.xz` there may be `a.gz`, whose own key is `a`
        return names, shared, links

    def _timed_status(self, level: _OpenDirectory, key: str, name: str) -> os.stat_result | None:
        """The status of a file, read ahead if that is slow; None if it was removed."""
        if level.files is not None:
            return level.files.take(name) or _status(level, key, name, self._variants)
        began = time.monotonic()
        status = _status(level, key, name, self._variants)
        self._files.add(time.monotonic() - began)
        if self._files.are_slow:
            level.last = key
            level.read_ahead({})
        return status

    def _kind(self, entry: os.DirEntry[str], prefix: str) -> tuple[bool, bool]:
        """Whether it is a directory to enter, and whether it is a regular file; neither for skipped symlinks."""
        is_link = entry.is_symlink()
        if is_link and not self._links.is_followed(entry.path):
            self._links.skip(prefix + entry.name)
            return False, False
        kind = _kind(entry)
        if is_link and not any(kind):
            self._links.skip(prefix + entry.name)
        return kind


def _ancestors(root: str, above: str) -> list[_Identity] | None:
    """The directories from the root to the parent of `above`; None if one is missing, or contains itself."""
    found: list[_Identity] = []
    directory = root
    for name in above.split("/")[:-1]:
        try:
            status = os.stat(directory)
        except OSError as error:
            if error.errno in MISSING_ERRNOS:
                return None
            raise
        identity = (status.st_dev, status.st_ino)
        if identity in found:
            return None
        found.append(identity)
        directory += name + os.sep
    return found


def _kind(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Whether it is a directory, and whether it is a regular file; neither for a dangling symlink."""
    try:
        return entry.is_dir(), entry.is_file()
    except OSError as error:
        if error.errno in MISSING_ERRNOS:
            return False, False
        raise


def _sorted(names: dict[str, str]) -> list[str]:
    """The keys sorted by their bytes."""
    return sorted(names) if all(map(str.isascii, names)) else sorted(names, key=order_of)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _status(level: _OpenDirectory, key: str, name: str, variants: Variants) -> os.stat_result | None:
    try:
        return os.stat(level.directory + name)
    except OSError as error:
        if error.errno not in MISSING_ERRNOS:
            raise
        found = find_object(level.directory + key, variants)  # replaced under another encoding, or removed
        return None if found is None else found[0]
