"""The methods of `CloudFileSystem` that look for files: info, exists, ls, find, walk, glob, du."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from glob import has_magic
from typing import Any

from fsspec.utils import tokenize

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import ServerError
from cloudfiles.filesystem.base import FileSystemBase
from cloudfiles.filesystem.errors import missing, translated, unsupported
from cloudfiles.filesystem.globs import glob_entries
from cloudfiles.filesystem.listings import (
    Entry,
    Info,
    are_directories,
    contents,
    directory_info,
    entry_info,
    head_info,
    tree,
)
from cloudfiles.inputs import is_path
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.types import ListEntry


class Lookups(FileSystemBase):
    """Methods that ask the store, and change nothing."""

    # ---- one path

    def info(self, path: Any, **kwargs: Any) -> Info:
        """The properties of a file or directory.

        Returns a dict: 'name'; 'type', 'file' or 'directory'; 'size' in stored bytes, 0 for a directory; and of files
        'ETag' and 'last_modified' (a `datetime` in UTC), or None if the store does not report them.

        Raises FileNotFoundError, or PermissionError. Takes one request for a file, and one more otherwise.
        """
        self._check_version(kwargs)
        name = self._name(path)
        found = self._info_or_none(name)
        if found is None:
            raise missing(name)
        return found

    def _info_or_none(self, name: str) -> Info | None:
        cached = self._cached_info(name)
        if cached is not None:
            return cached
        if name in ("", self.root_marker):
            return directory_info(name)
        cf, key = self._names.locate(name)
        with translated(name):
            head = cf.head(key) if key else None
            if head is not None:
                return head_info(name, head)
            return directory_info(name) if self._is_directory(cf, key) else None

    def _is_directory(self, cf: CloudFiles, key: str) -> bool:
        """Whether there is a directory; of a bucket, whether it exists, be it empty."""
        try:
            return cf.isdir(key) or not key
        except ServerError as error:
            if not key and error.status == 404:
                return False
            raise

    def exists(self, path: Any, **kwargs: Any) -> Any:
        """Whether there is a file or directory: a bool, or for several paths `{path: bool}`.

        A failure is raised, and never means that the path does not exist.
        """
        self._check_version(kwargs)
        if is_path(path):
            return self._info_or_none(self._name(path)) is not None
        return self._exist(list(path))

    def _exist(self, paths: list[Any]) -> dict[Any, bool]:
        names = {path: self._name(path) for path in paths}
        found: dict[str, bool] = {}
        for place, group in self._names.by_place(names.values()).items():
            with translated():
                keys = [place.key(name) for name in group]
                there = place.cf.exists([key for key in keys if key])
                missing_keys = [key for key in keys if key and not there[key]]
                there.update(zip(missing_keys, are_directories(place, missing_keys), strict=True))
                found.update((name, there.get(place.key(name), True)) for name in group)
        return {path: found[name] for path, name in names.items()}

    def isdir(self, path: Any) -> bool:
        """Whether there is a directory; in object stores, that is any object below it."""
        name = self._name(path)
        known = self._known_type(name)
        if known is not None:
            return known == "directory"
        cf, key = self._names.locate(name)
        with translated(name):
            return self._is_directory(cf, key)

    def isfile(self, path: Any) -> bool:
        """Whether there is a file."""
        name = self._name(path)
        known = self._known_type(name)
        if known is not None:
            return known == "file"
        cf, key = self._names.locate(name)
        with translated(name):
            return bool(key) and cf.exists(key)

    def _known_type(self, name: str) -> str | None:
        """'file' or 'directory', if that is known without a request."""
        cached = self._cached_info(name)
        if cached is not None:
            known: str = cached["type"]
            return known
        return "directory" if name in ("", self.root_marker) else None

    def size(self, path: Any) -> int | None:
        """The size of a file in stored bytes."""
        size: int | None = self.info(path)["size"]
        return size

    def sizes(self, paths: Iterable[Any]) -> list[int | None]:
        """The sizes of several files, asked for in one batch. Raises FileNotFoundError."""
        names = [self._name(path) for path in paths]
        found: dict[str, int | None] = {}
        for place, group in self._names.by_place(names).items():
            with translated():
                sizes = place.cf.size([place.key(name) for name in group])
            found.update((name, sizes[place.key(name)]) for name in group)
        return [self.size(name) if found[name] is None else found[name] for name in names]

    def checksum(self, path: Any) -> int:
        """A number that changes with the content of a file: made of its size, ETag and time of modification."""
        return int(self.ukey(path), 16)

    def ukey(self, path: Any) -> str:
        """A text that changes with the content of a file: made of its size, ETag and time of modification."""
        info = self.info(path)
        key: str = tokenize(*(info.get(field) for field in ("name", "type", "size", "ETag", "last_modified")))
        return key

    def modified(self, path: Any) -> datetime:
        """When a file was last modified, in UTC. Raises UnsupportedOperationError if the store does not say it."""
        return self._time(path, "last_modified")

    def created(self, path: Any) -> datetime:
        """When a file was created, in UTC. Raises UnsupportedOperationError if the store does not say it."""
        return self._time(path, "created")

    def _time(self, path: Any, field: str) -> datetime:
        info = self.info(path)
        if not isinstance(info.get(field), datetime):
            raise unsupported(self._place(info["name"]).cf.protocol, field,
                              f"the store does not report it of this {info['type']}")
        time: datetime = info[field]
        return time

    # ---- directories

    def _has_directories(self, name: str) -> bool:
        """Whether directories exist on their own in the store, rather than while there is something in them."""
        return self._place(name).cf._store.here().capability(Directories) is not None

    def ls(self, path: Any = "", detail: bool = True, **kwargs: Any) -> list[Any]:
        """The direct contents of a directory, sorted; of a file, the file itself.

        Args:
            detail: return infos, see `info`; False: names.
            refresh: request the listing even if it is cached.

        Raises FileNotFoundError.
        """
        name = self._name(path)
        listing = None if kwargs.get("refresh") else self._cached_listing(name)
        if listing is None:
            listing = self._listed(name)
        return [dict(info) for info in listing] if detail else [info["name"] for info in listing]

    def _listed(self, name: str) -> list[Info]:
        changes = self._changes
        place = self._place(name)
        try:
            with translated(name):
                exists, entries = contents(place, place.key(name))
        except ServerError as error:
            if error.status == 404 and not place.key(name):
                raise missing(name) from error  # the bucket
            raise
        if not exists:
            info = self._info_or_none(name)
            if info is None:
                raise missing(name)
            if info["type"] == "file":
                return [info]
        listing = [entry_info(entry) for entry in entries]
        self._cache_listing(name, listing, changes)
        return listing

    def find(self, path: Any, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False,
             **kwargs: Any) -> Any:
        """All files in a directory and its subdirectories, sorted by name; of a file, the file itself.

        A path that does not exist gives nothing. Cached listings are not used.

        Args:
            maxdepth: the number of levels; None for all.
            withdirs: list directories too, and the directory itself unless `prefix` is given.
            detail: return `{name: info}`; False: a list of names.
            prefix: what the names begin with, relative to the directory.
        """
        _check_depth(maxdepth)
        found = dict(self._found(self._name(path), maxdepth, withdirs, kwargs.get("prefix") or ""))
        names = sorted(found)
        return {name: entry_info((name, found[name])) for name in names} if detail else names

    def _found(self, name: str, maxdepth: int | None, withdirs: bool, beginning: str = "") -> Iterator[Entry]:
        place = self._place(name)
        is_empty = True
        with translated(name):
            for entry in tree(place, place.key(name), beginning, maxdepth, withdirs and self._has_directories(name)):
                if is_empty and withdirs and not beginning and name != self.root_marker:
                    yield name, None
                is_empty = False
                if withdirs or entry[1] is not None:
                    yield entry
        if is_empty and not beginning:
            yield from self._found_alone(name, withdirs)

    def _found_alone(self, name: str, withdirs: bool) -> Iterator[Entry]:
        """A file, or an empty directory."""
        cf, key = self._names.locate(name)
        if not key:
            return
        with translated(name):
            head = cf.head(key)
            if head is not None:
                yield name, ListEntry(key, head["Content-Length"], head["ETag"], head["Last-Modified"])
            elif withdirs and cf.isdir(key):
                yield name, None

    def walk(self, path: Any = "", maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit",
             **kwargs: Any) -> Any:
        """Iterate over the directories below a path: `(name, [directories], [files])`, as `os.walk`.

        Args:
            maxdepth: the number of levels; None for all.
            topdown: a directory comes before its subdirectories, and removing some from the list leaves them out.
            on_error: 'omit' or 'raise' a path that does not exist, or a function that is called with the OSError.
                A directory that cannot be listed is an error in any case.
            detail: yield dicts of infos instead of lists.
            details: return a list of all files instead, of their infos if True, as azure-datalake-store does.
        """
        if "details" in kwargs or isinstance(maxdepth, bool):
            details = kwargs.get("details", maxdepth)
            return list(self.find(path, detail=True).values()) if details else self.find(path)
        return super().walk(path, maxdepth, topdown, on_error, **kwargs)

    def glob(self, path: Any, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """The names that match a pattern, sorted: `*`, `?` and `[abc]` within one level, `**` for any number of levels.

        A pattern that ends with '/' matches directories only. Only what the pattern can match is listed. A literal
        `*`, `?` or `[` in a name is written `[*]`, `[?]`, `[[]`.

        Args:
            maxdepth: the number of levels that the first `**` may span.
            detail: return `{name: info}`; False: a list of names.
            details: return a list of infos.
            withdirs: False leaves out directories.
        """
        if isinstance(maxdepth, bool):  # azure-datalake-store has `details` in this place
            maxdepth, kwargs["details"] = None, maxdepth
        if kwargs.pop("details", False):
            return list(self.glob(path, maxdepth, **{**kwargs, "detail": True}).values())
        _check_depth(maxdepth)
        only_directories = str(path).endswith("/")
        name = self._name(path)
        if not has_magic(name):
            info = self._info_or_none(name)
            found = {} if info is None else {name: info}
        else:
            with translated(name):
                matches = dict(glob_entries(self._place(name), name, maxdepth=maxdepth,
                                            only_directories=only_directories))
            withdirs = kwargs.get("withdirs", True)
            names = sorted(match for match, entry in matches.items() if withdirs or entry is not None)
            if not kwargs.get("detail"):
                return names
            found = {match: entry_info((match, matches[match])) for match in names}
        return found if kwargs.get("detail") else list(found)

    def du(self, path: Any = "", total: bool = True, maxdepth: int | None = None, withdirs: bool = False, *,
           deep: bool | None = None, **kwargs: Any) -> Any:
        """The stored bytes of the files in a directory and its subdirectories: their sum, or `{name: size}`.

        Args:
            total: return the sum; False: a dict.
            maxdepth: the number of levels; None for all.
            withdirs: include directories, of size 0.
            deep: False for the files in the directory itself only, as `maxdepth=1`.
        """
        if isinstance(maxdepth, bool):  # azure-datalake-store has `deep` in this place
            maxdepth, deep = None, maxdepth
        if deep is False:
            maxdepth = 1
        _check_depth(maxdepth)
        sizes = {name: 0 if entry is None else entry.size
                 for name, entry in self._found(self._name(path), maxdepth, withdirs)}
        unknown = [name for name, size in sizes.items() if size is None]
        sizes.update(zip(unknown, self.sizes(unknown), strict=True))
        return sum(size or 0 for size in sizes.values()) if total else dict(sorted(sizes.items()))


def _check_depth(maxdepth: int | None) -> None:
    if maxdepth is not None and maxdepth < 1:
        raise ValueError("maxdepth must be at least 1")
