"""What the parts of `CloudFileSystem` have in common: the stores behind its names, and the cache of its listings."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from fsspec import AbstractFileSystem

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.filesystem.errors import unsupported
from cloudfiles.filesystem.listings import Info
from cloudfiles.filesystem.names import Names, Place


class FileSystemBase(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The base class of the parts of `CloudFileSystem`.

    Attributes:
        dircache: the listings of directories, by name; empty unless `use_listings_cache` was given.
    """

    root_marker = ""
    cachable = True

    _names: Names

    def _start(self, names: Names, cache_options: dict[str, Any]) -> None:
        super().__init__(**cache_options)
        self._names = names
        self.root_marker = names.root_marker
        self._changes = 0  # so that a listing that began before a change is not cached after it
        self._cache_lock = threading.Lock()

    # ---- names. fsspec calls the first two on classes as well, see `CloudFileSystem`.

    def _name(self, path: Any) -> str:
        return self._names.name(path)

    def _place(self, name: str) -> Place:
        return self._names.place(name)

    def _located(self, path: Any) -> tuple[str, CloudFiles, str]:
        """The name of a path, its store and its key."""
        name = self._names.name(path)
        return name, *self._names.locate(name)

    def _check_version(self, options: Mapping[str, Any]) -> None:
        """Raise UnsupportedOperationError for an option that asks for a version of an object: it would be another one
        that is returned."""
        for name in ("version_id", "version", "generation", "snapshot"):
            if options.get(name) is not None:
                raise unsupported(self.protocol[-1], f"{name}=", "only the current versions of objects are accessed")

    # ---- the cache of listings

    def _cached_listing(self, name: str) -> list[Info] | None:
        """The direct contents of a directory; None if they are not cached."""
        found: list[Info] | None = self.dircache[name] if name in self.dircache else None  # noqa: SIM401 -- no dict
        return found

    def _cached_info(self, name: str) -> Info | None:
        """The info of a path whose parent directory is cached; None if it is not, or does not have it."""
        if not self.dircache.use_listings_cache:
            return None
        for info in self._cached_listing(self._names.parent(name)) or ():
            if info["name"] == name:
                return dict(info)
        return None

    def _cache_listing(self, name: str, listing: list[Info], changes: int) -> None:
        """changes: `_changes` before the listing was requested."""
        with self._cache_lock:
            if changes == self._changes:
                self.dircache[name] = [dict(info) for info in listing]

    def invalidate_cache(self, path: Any = None) -> None:
        """Forget cached listings: all, or those of a path, of everything below it, and of the directories above it."""
        super().invalidate_cache(path)
        self._changes += 1
        if not self.dircache.use_listings_cache:
            return
        if path is None:
            self.dircache.clear()
        else:
            self._forget([self._name(path)])

    def _changed(self, names: Iterable[str]) -> None:
        """Forget what is cached about names that were written or removed."""
        self._changes += 1
        if self.dircache.use_listings_cache:
            self._forget(names)

    def _forget(self, names: Iterable[str]) -> None:
        with self._cache_lock:
            self._changes += 1
            above: set[str] = set()
            for name in names:
                above.add(name)
                while name and name not in ("/", self.root_marker):
                    name = self._names.parent(name)
                    if name in above:
                        break
                    above.add(name)
            roots = tuple(name + "/" for name in names if name)
            for cached in list(self.dircache):
                if cached in above or cached.startswith(roots) or "" in names:
                    self.dircache._cache.pop(cached, None)
