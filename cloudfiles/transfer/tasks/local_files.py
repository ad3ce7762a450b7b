"""Local files under exactly their own names, as one side of a transfer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.errors import Reporting
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.interfaces.file.io import etag_of
from cloudfiles.interfaces.file.names import is_temporary, order_of
from cloudfiles.interfaces.local import http_date
from cloudfiles.store import Store
from cloudfiles.types import ListEntry, ListPage, StoreOptions

if TYPE_CHECKING:
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.base import Runtime


class MappedFiles(FileInterface):
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
    """A local directory as one side of a transfer, every file under its own name.

    Args:
        directory: an absolute local path. Nothing outside of it is written.
        places: local paths by key, for files that are only read.
        width: workers of a batch.
    """

    def __init__(self, directory: str, places: Mapping[str, str] | None = None, width: int = 20) -> None:
        super().__init__("file:///", StoreOptions(encoding_suffixes=False), width=width)
        self.location = self.location._replace(path=directory)
        self._places = places

    def interface(self, runtime: Runtime) -> Interface:
        if runtime not in self._interfaces:
            self._interfaces[runtime] = (
                FileInterface(self.location, self.options, runtime) if self._places is None
                else MappedFiles(self.location, self.options, runtime, self._places))
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
