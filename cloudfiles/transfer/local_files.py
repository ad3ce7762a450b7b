"""Local files under exactly their own names, as one side of a transfer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cloudfiles.batch.store import Store
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.file_io import etag_of
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.key_order import order_of
from cloudfiles.transfer.items import listed_items
from cloudfiles.types import ListEntry, ListPage, StoreOptions

if TYPE_CHECKING:
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.contract import Runtime


class MappedFiles(FileInterface):
    """Local files anywhere, with keys from a mapping; read-only."""

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime,
                 paths: Mapping[str, str], skipped: Sequence[str]) -> None:
        super().__init__(location, options, runtime)
        self._paths = paths
        self._skipped = skipped

    def _path(self, key: str) -> str:
        try:
            return self._paths[key]
        except KeyError:
            raise InvalidPathError("no local file has this name", path=key) from None

    def exists(self, key: str) -> bool:
        return key in self._paths and super().exists(key)

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """All of them at once, in key order."""
        keys = sorted((key for key in self._paths if key.startswith(prefix)), key=order_of)
        found = ((key, self._find(key)) for key in keys)
        return ListPage([_entry(key, file[0]) for key, file in found if file is not None], [], None,
                        self._skipped)


def _entry(key: str, status: os.stat_result) -> ListEntry:
    return ListEntry(key, status.st_size, etag_of(status), http_date(int(status.st_mtime)))


class LocalStore(Store):
    """A local directory as one side of a transfer, with every file under its exact name.

    Args:
        directory: an absolute local path. Nothing is written outside of it.
        paths: local paths by key, for files that are only read.
        width: workers of a batch.
        follow_external: also symlinks that lead out of the directory are followed.
        skipped: symlinks that were not followed when `paths` were looked for.
    """

    def __init__(self, directory: str, paths: Mapping[str, str] | None = None, width: int | None = None, *,
                 follow_external: bool = False, skipped: Sequence[str] = ()) -> None:
        options = StoreOptions(encoding_suffixes=False, follow_external_symlinks=follow_external)
        super().__init__("file:///", options, width=width)
        self.location = self.location._replace(path=directory)
        self._paths = paths
        self._skipped = skipped

    def interface(self, runtime: Runtime) -> Interface:
        if runtime not in self._interfaces:
            self._interfaces[runtime] = (
                FileInterface(self.location, self.options, runtime) if self._paths is None
                else MappedFiles(self.location, self.options, runtime, self._paths, self._skipped))
        return self._interfaces[runtime]


def same_files(paths: Mapping[str, str]) -> Callable[[str, str], bool]:
    """Whether two keys of this mapping are the same local file."""
    return lambda one, other: os.path.realpath(paths[one]) == os.path.realpath(paths[other])


def walk_files(directory: str, skipped: list[str], follow_external: bool = False) -> Iterator[tuple[str, str]]:
    """The name (relative, with '/') and the path of each file below a directory, as `file://` lists them.

    skipped: collects the symlinks that are not followed.
    Raises AuthorizationError or FileSystemError if a directory cannot be read.
    """
    for item in listed_items(LocalStore(directory, follow_external=follow_external), skipped):
        yield item.source, os.path.join(directory, item.source.replace("/", os.sep))
