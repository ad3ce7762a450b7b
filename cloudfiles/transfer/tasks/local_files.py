"""Local files under exactly their own names, as one side of a transfer.

`file://` shows an encoding as a suffix, so that there `a` and `a.gz` are one object. Here they are two files: what is
downloaded lies under the name that was asked for, and replaces no other file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.copying import FilePartWriter
from cloudfiles.interfaces.file.errors import NOWHERE, Reporting, special_file
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.interfaces.file.io import check_content, etag_of, sync_directory, write_new
from cloudfiles.interfaces.file.names import is_temporary, order_of, temporary_name
from cloudfiles.interfaces.local import http_date
from cloudfiles.interfaces.moving import PartWriter
from cloudfiles.runtime.cancellation import publishing, writing
from cloudfiles.store import Store
from cloudfiles.types import Content, ListEntry, ListPage, StoredObject, StoreOptions, WriteOptions

if TYPE_CHECKING:
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.base import Runtime


class PlainFiles(FileInterface):
    """As `file://`, but that a name's suffix means nothing."""

    folds_suffixes: ClassVar[bool] = False

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        stored = super().get(key, start, end)
        return None if stored is None or stored.encoding else stored

    def _find(self, key: str) -> tuple[os.stat_result, str] | None:
        path = self._path(key)
        with Reporting(self._store, key):
            try:
                status = os.stat(path)
            except OSError as error:
                if error.errno in NOWHERE:
                    return None
                raise
            if stat.S_ISDIR(status.st_mode):
                return None
            if not stat.S_ISREG(status.st_mode):
                raise special_file(status.st_mode)
            return status, ""

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        path = self._path(key)
        check_content(content)
        temporary = os.path.join(os.path.dirname(path), temporary_name())
        with Reporting(self._store, key, path), writing():
            try:
                etag = write_new(temporary, content, self.durable)
                with publishing():
                    os.replace(temporary, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
            return etag

    def copies_from(self, source: Interface) -> bool:
        return False

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        path = self._path(key)
        reporting = Reporting(self._store, key, path)
        with reporting:
            return _PlainPartWriter(path, size, WriteOptions(), state, self.durable, reporting)


class _PlainPartWriter(FilePartWriter):
    def finish(self) -> str | None:
        with self._reporting:
            if self._durable:
                os.fsync(self._descriptor)
            etag = etag_of(os.fstat(self._descriptor))
            with publishing():
                os.replace(self._temporary, self._path)
            if self._durable:
                sync_directory(os.path.dirname(self._path))
        self.leave()
        return etag


class MappedFiles(PlainFiles):
    """Files that lie anywhere, under the keys that a mapping gives them. To be read only."""

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime,
                 places: Mapping[str, str]) -> None:
        super().__init__(location, options, runtime)
        self._places = places

    def _path(self, key: str) -> str:
        try:
            return self._places[key]
        except KeyError:
            raise InvalidPathError("no local file goes by this name", path=key) from None

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """All of them at once, in key order."""
        keys = sorted((key for key in self._places if key.startswith(prefix)), key=order_of)
        found = ((key, self._find(key)) for key in keys)
        return ListPage([_entry(key, place[0]) for key, place in found if place is not None], [])


def _entry(key: str, status: os.stat_result) -> ListEntry:
    return ListEntry(key, status.st_size, etag_of(status), http_date(int(status.st_mtime)))


class LocalStore(Store):
    """A local directory as one side of a transfer.

    Args:
        directory: an absolute local path. Nothing outside of it is written.
        places: local paths by key, for files that are only read.
        width: workers of a batch.
    """

    def __init__(self, directory: str, places: Mapping[str, str] | None = None, width: int = 20) -> None:
        super().__init__("file:///", width=width)
        self.location = self.location._replace(path=directory)
        self._make: Callable[[Runtime], Interface] = lambda runtime: (
            PlainFiles(self.location, self.options, runtime) if places is None
            else MappedFiles(self.location, self.options, runtime, places))

    def interface(self, runtime: Runtime) -> Interface:
        if runtime not in self._interfaces:
            self._interfaces[runtime] = self._make(runtime)
        return self._interfaces[runtime]


def walk_files(directory: str) -> Iterator[tuple[str, str]]:
    """The name (relative, with '/') and the path of each file below a directory. Symlinks are not followed, at any
    depth: they are left out.

    Raises AuthorizationError or FileSystemError where a directory cannot be read.
    """
    with Reporting(f"file://{directory}", ""):
        for parent, directories, names in os.walk(directory, onerror=_raise):
            directories.sort()
            for name in sorted(names):
                path = os.path.join(parent, name)
                if not os.path.islink(path) and not is_temporary(name):
                    yield os.path.relpath(path, directory).replace(os.sep, "/"), path


def _raise(error: OSError) -> NoReturn:
    raise error
