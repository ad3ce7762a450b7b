"""The methods of `CloudFileSystem` that copy and move files: each is one batch, whatever their number."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from glob import has_magic
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.local import LocalFileSystem, make_path_posix, trailing_sep
from fsspec.utils import check_contained, isfilelike, other_paths

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import DuplicatePathError, InvalidInputError, MissingObjectError
from cloudfiles.filesystem.contents import Contents, write_options
from cloudfiles.filesystem.errors import missing, translated
from cloudfiles.filesystem.names import Place
from cloudfiles.inputs import is_path
from cloudfiles.interfaces.part_writer import PART_BYTES

_COPY_OPTIONS = frozenset({"content_type", "cache_control", "storage_class"})
"""The options of a write that a transfer has as well."""


class Copying(Contents):
    """Methods that copy files within the file system, to and from local files, and that move them."""

    # ---- from and to local files

    def get(self, rpath: Any, lpath: Any, recursive: bool = False, callback: Any = DEFAULT_CALLBACK,
            maxdepth: int | None = None, **kwargs: Any) -> None:
        """Copy files to local ones.

        Args:
            rpath: a path, a glob, or a list of them.
            lpath: the local path; a directory if it exists as such, ends with '/', or there are several files. A list
                for a list of paths. For one file also an open binary file.
            recursive: copy directories, with everything in them.
            callback: an `fsspec.Callback`, told the number of files.
            maxdepth: the number of levels of directories to copy.
        """
        if isfilelike(lpath):
            self._read_into(rpath, lpath)
            return
        if isinstance(lpath, list) and isinstance(rpath, list):
            sources, targets = {self._name(path): "" for path in rpath}, [os.fspath(path) for path in lpath]
            names = [self._name(path) for path in rpath]
        else:
            sources = self._sources(rpath, recursive, maxdepth)
            names = list(sources)
            if not names:
                return
            local = make_path_posix(os.fspath(lpath)) if is_path(lpath) else lpath
            into = is_path(lpath) and (trailing_sep(os.fspath(lpath)) or LocalFileSystem().isdir(local))
            targets = _targets(rpath, names, local, into)
            if isinstance(local, str):
                check_contained(local, targets)
        pairs = [(name, target) for name, target in zip(names, targets, strict=True)]
        files = [pair for pair in pairs if sources[pair[0]] != "directory"]
        callback.set_size(len(files))
        for name, target in pairs:
            if sources[name] == "directory":
                os.makedirs(target, exist_ok=True)
        self._download(files, is_path(rpath), callback)

    def get_file(self, rpath: Any, lpath: Any, callback: Any = DEFAULT_CALLBACK, outfile: Any = None,
                 **kwargs: Any) -> None:
        """Copy one file to a local one; for a directory, create a local directory.

        callback: an `fsspec.Callback`, told the number of bytes when all of them are there.
        """
        if outfile is not None or isfilelike(lpath):
            _report_bytes(callback, self._read_into(rpath, lpath if outfile is None else outfile))
        elif self.isdir(rpath) and not self.isfile(rpath):
            os.makedirs(lpath, exist_ok=True)
        else:
            self._download([(self._name(rpath), os.fspath(lpath))], False, DEFAULT_CALLBACK)
            _report_bytes(callback, os.path.getsize(lpath))

    def _read_into(self, path: Any, target: Any) -> int:
        """Write the content of a file to an open one, in bounded memory; returns its size."""
        name = self._name(path)
        cf, key = self._names.locate(name)
        with translated(name):
            stored = cf._store.here().get_bounded(key, PART_BYTES) if key else None
            if stored is not None and stored.content is None:
                with cf.open(key, "rb", raw=True) as file:
                    shutil.copyfileobj(file, target, PART_BYTES)
                    return file.tell()
        if stored is None:
            raise self._why_missing(name)
        target.write(stored.content)
        return len(stored.content)

    def _download(self, pairs: list[tuple[str, str]], skips_directory: bool, callback: Any) -> None:
        local = CloudFiles("file:///", encoding_suffixes=False)
        _check_targets(os.path.abspath(target) for _, target in pairs)
        for place, numbers in self._numbers_by_place([name for name, _ in pairs]).items():
            wanted = [(place.key(pairs[number][0]), os.path.abspath(pairs[number][1]).lstrip("/"))
                      for number in numbers]
            self._transfer(place, local, wanted, skips_directory and len(pairs) == 1, callback=callback)

    def _transfer(self, place: Place, target: CloudFiles, pairs: list[tuple[str, str]], skips_directory: bool = False,
                  allow_missing: bool = False, callback: Any = DEFAULT_CALLBACK) -> None:
        """Copy objects. skips_directory: nothing is copied, and no error raised, for a single directory."""
        try:
            with translated(place.name(pairs[0][0]) if len(pairs) == 1 else ""):
                place.cf.transfer_to(target, pairs, allow_missing=allow_missing, raw=True,
                                     on_outcome=_counting(callback))
        except (MissingObjectError, FileNotFoundError, IsADirectoryError) as error:
            key = pairs[0][0] if len(pairs) == 1 else str(getattr(error, "path", None) or "")
            if skips_directory and (not key or place.cf.isdir(key)):
                return
            raise missing(place.name(key)) from error

    def put(self, lpath: Any, rpath: Any, recursive: bool = False, callback: Any = DEFAULT_CALLBACK,
            maxdepth: int | None = None, **kwargs: Any) -> None:
        """Copy local files to here: as `get`, in the other direction.

        mode: 'create' raises FileExistsError for the first target that exists already; the files are then copied one
        after the other.

        delimiter: accepted, as that of azure-datalake-store, also in place of `recursive`; it has no effect.
        """
        recursive = recursive is True
        kwargs.pop("delimiter", None)
        local_fs = LocalFileSystem()
        if isinstance(lpath, list) and isinstance(rpath, list):
            sources = [os.fspath(path) for path in lpath]
            targets = [self._name(path) for path in rpath]
        else:
            local = make_path_posix(os.fspath(lpath)) if is_path(lpath) else lpath
            sources = local_fs.expand_path(local, recursive=recursive, maxdepth=maxdepth)
            if is_path(lpath) and (not recursive or maxdepth is not None):
                sources = [path for path in sources if not (trailing_sep(path) or os.path.isdir(path))]
                if not sources:
                    return
            into = is_path(rpath) and (trailing_sep(os.fspath(rpath)) or self.isdir(rpath))
            remote = self._name(rpath) if is_path(rpath) else [self._name(path) for path in rpath]
            targets = _targets(lpath, sources, remote, into)
        pairs = [(source, self._name(target)) for source, target in zip(sources, targets, strict=True)]
        directories = [(source, target) for source, target in pairs if os.path.isdir(source)]
        for _, target in directories:
            self.makedirs(target, exist_ok=True)
        files = sorted(set(pairs) - set(directories))
        callback.set_size(len(files))
        if kwargs.pop("mode", "overwrite") != "create":
            self._upload(files, kwargs, callback)
            return
        for source, target in files:
            self.put_file(source, target, mode="create", **kwargs)
            callback.relative_update(1)

    def put_file(self, lpath: Any, rpath: Any, callback: Any = DEFAULT_CALLBACK, mode: str = "overwrite",
                 **kwargs: Any) -> None:
        """Copy one local file to here; for a directory, create a directory.

        callback: an `fsspec.Callback`, told the number of bytes when all of them are there.
        mode: 'create' raises FileExistsError if there is something at `rpath`.
        """
        if os.path.isdir(lpath):
            self.makedirs(rpath, exist_ok=True)
            return
        size = os.path.getsize(lpath)
        if mode == "create":
            with open(lpath, "rb") as file:
                self.pipe_file(rpath, file if size else b"", mode=mode, **kwargs)
        else:
            self._upload([(os.fspath(lpath), self._name(rpath))], kwargs, DEFAULT_CALLBACK)
        _report_bytes(callback, size)

    def _upload(self, pairs: list[tuple[str, str]], options: dict[str, Any], callback: Any) -> None:
        write_options(options)
        if self._intrans or options.keys() - _COPY_OPTIONS:
            self._write_files(pairs, options, callback)
            return
        local = CloudFiles("file:///", encoding_suffixes=False)
        targets = [name for _, name in pairs]
        try:
            for place, numbers in self._numbers_by_place(targets).items():
                wanted = [(os.path.abspath(pairs[number][0]).lstrip("/"), place.key(pairs[number][1]))
                          for number in numbers]
                with translated():
                    place.cf.transfer_from(local, wanted, on_outcome=_counting(callback), **options)
        finally:
            self._changed(targets)

    def _write_files(self, pairs: list[tuple[str, str]], options: dict[str, Any], callback: Any) -> None:
        """The same for options that are not those of a copy, and in a transaction: one file after the other."""
        for source, target in pairs:
            with open(source, "rb") as file:
                self._write({target: file if os.path.getsize(source) else b""}, **options)
            callback.relative_update(1)

    # ---- within the file system

    def copy(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None,
             on_error: str | None = None, **kwargs: Any) -> None:
        """Copy files within the file system: on the server where the stores can.

        Args:
            path1: a path, a glob, or a list of them.
            path2: a path; a directory if it exists as such, ends with '/', or there are several files. A list for a
                list of paths.
            recursive: copy directories, with everything in them.
            on_error: 'raise', or 'ignore' to skip missing files, which is the default with `recursive`.
        """
        allow_missing = (on_error or ("ignore" if recursive else "raise")) == "ignore"
        pairs, kinds = self._pairs(path1, path2, recursive, maxdepth)
        for source, target in pairs:
            if kinds[source] == "directory":
                self.makedirs(target, exist_ok=True)
        files = [pair for pair in pairs if kinds[pair[0]] != "directory"]
        self._copy(files, allow_missing, is_path(path1) and not recursive)

    def cp_file(self, path1: Any, path2: Any, **kwargs: Any) -> None:
        """Copy one file within the file system."""
        self._copy([(self._name(path1), self._name(path2))], False)

    def _copy(self, pairs: list[tuple[str, str]], allow_missing: bool, skips_directory: bool = False) -> None:
        try:
            for source, target, chosen in self._by_places(pairs):
                self._transfer(source, target.cf, chosen, skips_directory and len(pairs) == 1, allow_missing)
        finally:
            self._changed([target for _, target in pairs])

    def _by_places(self, pairs: list[tuple[str, str]]) -> Iterable[tuple[Place, Place, list[tuple[str, str]]]]:
        """The keys to copy, by their stores. Raises InvalidInputError if a file is both source and target, or the
        target of two: a transfer checks it as well, but not between buckets."""
        _check_targets(target for _, target in pairs)
        sources = {source for source, _ in pairs}
        groups: dict[tuple[Place, Place], list[tuple[str, str]]] = {}
        for source, target in pairs:
            if target in sources and target != source:
                raise InvalidInputError(f"{source!r} would replace this object, which is the source of another one; "
                                        "nothing was transferred", path=target)
            here, there = self._place(source), self._place(target)
            groups.setdefault((here, there), []).append((here.key(source), there.key(target)))
        return [(here, there, chosen) for (here, there), chosen in groups.items()]

    def _pairs(self, path1: Any, path2: Any, recursive: bool, maxdepth: int | None
               ) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """Sources and targets, and the type of each source."""
        if isinstance(path1, list) and isinstance(path2, list):
            names, targets = [self._name(path) for path in path1], [self._name(path) for path in path2]
            return list(zip(names, targets, strict=True)), dict.fromkeys(names, "")
        kinds = self._sources(path1, recursive, maxdepth)
        names = list(kinds)
        if not names:
            return [], kinds
        into = is_path(path2) and (trailing_sep(os.fspath(path2)) or self.isdir(path2))
        wanted = self._name(path2) if is_path(path2) else [self._name(path) for path in path2]
        targets = _targets(path1, names, wanted, into)
        return list(zip(names, map(self._name, targets), strict=True)), kinds

    def _sources(self, path: Any, recursive: bool, maxdepth: int | None) -> dict[str, str]:
        """What to copy, and the type of each. A glob copies no directories unless `recursive`, as in fsspec."""
        sources = self._expanded(path, recursive, maxdepth)
        if is_path(path) and (not recursive or maxdepth is not None):
            return {name: kind for name, kind in sources.items() if kind != "directory"}
        return sources

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any) -> None:
        """Move files within the file system: renamed where the store can, otherwise copied, verified and deleted.

        The arguments are those of `copy`. A directory is moved with everything in it, also without `recursive`. Raises
        InvalidInputError, before anything is moved, if files were found through a symlink to a directory: they would be
        removed from where it leads.
        """
        if is_path(path1) and is_path(path2) and (
                self._name(path1) == self._name(path2) or self._moved_directory(path1, path2, maxdepth)):
            return
        self._moved(path1, *self._pairs(path1, path2, recursive, maxdepth))

    def _moved(self, given: Any, pairs: list[tuple[str, str]], kinds: dict[str, str]) -> None:
        """given: the paths that the sources were found by."""
        self._check_symlinks([given] if is_path(given) else given, kinds)
        files = [pair for pair in pairs if kinds[pair[0]] != "directory"]
        try:
            for source, target, chosen in self._by_places(files):
                with translated(source.name(chosen[0][0]) if len(chosen) == 1 else ""):
                    source.cf.moves(target.cf, chosen)
        finally:
            self._changed([name for pair in pairs for name in pair])
        for name, kind in kinds.items():
            place = self._place(name)
            if kind == "directory" and place.key(name):
                place.cf._store.here().remove_empty_directory(place.key(name))

    def _check_symlinks(self, given: Iterable[Any], names: Iterable[str]) -> None:
        """Raise InvalidInputError if one of the names is below a symlink that the given paths do not name."""
        bases = {_literal_directory(self._name(path)) for path in given}
        for directory, name in {name.rpartition("/")[0]: name for name in names}.items():
            base = max((base for base in bases if name.startswith(base)), key=len, default="")
            place = self._place(name)
            above = place.key(name).removesuffix(name[len(base):]).rstrip("/")
            if place.cf._store.here().is_below_symlink(place.key(name), above):
                raise InvalidInputError(f"{directory} is, or is below, a symlink to a directory, whose files would be "
                                        "removed from there; nothing was moved", path=name)

    def _moved_directory(self, path1: Any, path2: Any, maxdepth: int | None) -> bool:
        """Move a directory to a new name, if that is what the paths mean: in one step where the store can."""
        source, target = self._name(path1), self._name(path2)
        if has_magic(source) or maxdepth is not None:
            return False
        place = self._place(source)
        with translated(source):
            if not place.key(source) or place.cf.exists(place.key(source)):
                return False
            if not place.cf.isdir(place.key(source)):
                raise missing(source)
            exists = self.exists(target)
            if exists and not trailing_sep(os.fspath(path1)) and self.isdir(target):
                target = f"{target}/{source.rpartition('/')[2]}"
                exists = self.exists(target)
            if exists or self._place(target) != place:
                self._moved(path1, *self._pairs(path1, path2, True, None))
            else:
                place.cf.rename(place.key(source) + "/", place.key(target))
                self._changed([source, target])
        return True


def _counting(callback: Any) -> Callable[[object], None] | None:
    """A function that counts a file in an fsspec callback; workers call it."""
    if callback is DEFAULT_CALLBACK:
        return None
    lock = threading.Lock()

    def count(_: object) -> None:
        with lock:
            callback.relative_update(1)

    return count


def _report_bytes(callback: Any, count: int) -> None:
    """Tell an fsspec callback that all bytes of a file were copied."""
    callback.set_size(count)
    callback.absolute_update(count)


def _check_targets(targets: Iterable[str]) -> None:
    """Raise DuplicatePathError if one is there twice."""
    seen: set[str] = set()
    for target in targets:
        if target in seen:
            raise DuplicatePathError("duplicate target path: two objects would be written to it; nothing was "
                                     "transferred", path=target)
        seen.add(target)


def _targets(path: Any, names: list[str], target: Any, into: bool) -> list[str]:
    """The target of each source, as `cp -r` has them.

    Args:
        path: the sources as they were given.
        into: whether the target is a directory, in which the last component of the source is kept.
    """
    if not is_path(path):
        nests = False
    elif has_magic(text := os.fspath(path)):
        nests = len(names) == 1
    else:
        nests = into and not trailing_sep(text)
    # fsspec takes for granted that there is a directory above each source.
    sources = [name if name.startswith("/") else f"/{name}" for name in names]
    found: list[str] = other_paths(sources, target, exists=nests, flatten=not is_path(path))
    return found


def _literal_directory(name: str) -> str:
    """The directory that a name or glob spells out, ending with '/'."""
    names = name.split("/")[:-1]
    literal = next((at for at, each in enumerate(names) if has_magic(each)), len(names))
    return "".join(f"{each}/" for each in names[:literal])
