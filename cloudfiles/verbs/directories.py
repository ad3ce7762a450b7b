"""The methods of `CloudFiles` that work on directories: `run1` includes what is in `run1/`, but not `run10`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

from cloudfiles.batch.lister import list_pages
from cloudfiles.batch.processes import Parallel
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import (
    DirectoryNotEmptyError,
    InvalidInputError,
    MissingObjectError,
    PreconditionFailedError,
)
from cloudfiles.inputs import as_path, is_path
from cloudfiles.lib import StrPath
from cloudfiles.progress import Progress
from cloudfiles.results import SizeSummary
from cloudfiles.verbs.batch_runner import keys
from cloudfiles.verbs.write import WriteVerbs

if TYPE_CHECKING:
    from cloudfiles.interfaces.base import Interface
    from cloudfiles.interfaces.capabilities import Directories


class DirectoryVerbs(WriteVerbs):
    """Methods of `CloudFiles` that operate on directories.

    A path is that of an object or of a directory, with or without a trailing '/'; '' is the whole store. With a
    trailing '/', it is the directory only. A path that does not exist gives no results.
    """

    @overload
    def ls(self, path: StrPath = "", *, size: Literal[False] = False) -> Iterator[str]: ...
    @overload
    def ls(self, path: StrPath = "", *, size: Literal[True]) -> Iterator[tuple[str, int | None]]: ...
    @overload
    def ls(self, path: StrPath = "", *, size: bool) -> Iterator[Any]: ...

    def ls(self, path: StrPath = "", *, size: bool = False) -> Iterator[Any]:
        """List the direct contents of a directory: keys, and directories that end with '/'. For an object, its key.

        size: yield `(path, bytes)`; None for a directory.
        """
        return _shown(_below(self._store, as_path(path), flat=True), size)

    @overload
    def find(self, path: StrPath = "", *, size: Literal[False] = False) -> Iterator[str]: ...
    @overload
    def find(self, path: StrPath = "", *, size: Literal[True]) -> Iterator[tuple[str, int | None]]: ...
    @overload
    def find(self, path: StrPath = "", *, size: bool) -> Iterator[Any]: ...

    def find(self, path: StrPath = "", *, size: bool = False) -> Iterator[Any]:
        """List the keys of all objects in a directory and its subdirectories. For an object, its key.

        size: yield `(path, bytes)`.
        """
        return _shown(_below(self._store, as_path(path), flat=False), size)

    def du(self, paths: StrPath | Iterable[StrPath] = "") -> SizeSummary:
        """Number and stored bytes of the objects in a directory, or of an object, or the sum over several of them.

        Returns `{'N': number of objects, 'num_bytes': their stored bytes}`.
        """
        here, sizes = self._store.here(), SizeSummary(N=0, num_bytes=0)
        for path in _each(paths):
            for key, size in _below(self._store, path, flat=False):
                sizes["N"] += 1
                sizes["num_bytes"] += (here.size(key) or 0) if size is None else size
        return sizes

    def rm(self, paths: StrPath | Iterable[StrPath], recursive: bool = False, *, progress: Progress = None,
           parallel: Parallel | None = None) -> int:
        """Delete objects and, with `recursive`, directories with everything in them; returns the number of objects.

        Paths that do not exist are ignored. Where directories exist on their own, as on `file://`, they are removed as
        well, and so are symlinks, but nothing in the directories that symlinks lead to.

        Raises:
            InvalidInputError: a path is '' (to delete everything, use `cf.delete(cf.list())`), or it ends with '/' and
                `recursive` was not given. Nothing was deleted.
            Others: as `delete`.
        """
        chosen = [_removable(path, recursive) for path in _each(paths)]
        if not recursive:
            return self.delete(chosen, progress=progress, parallel=parallel)
        here = self._store.here()
        found = (key for path in chosen for key, _ in _below(self._store, path, flat=False)
                 if not here.is_below_symlink(key, path.rstrip("/").rpartition("/")[0]))
        count = self.delete(found, progress=progress, parallel=parallel)
        for path in chosen:
            here.remove_empty_directory(path.removesuffix("/"))
        return count

    def mkdir(self, path: StrPath, *, exist_ok: bool = True) -> None:
        """Create a directory and those above it.

        Object stores have no directories of their own: one exists as soon as there is an object in it. There, this does
        nothing.

        Raises PreconditionFailedError if a file has this name or, without `exist_ok`, if the directory exists.
        """
        name = as_path(path).removesuffix("/")
        here = self._store.here()
        directories = _directories_of(here)
        if directories is not None:
            directories.mkdir(name, exist_ok=exist_ok)
        elif not exist_ok and here.isdir(name):
            raise PreconditionFailedError("the directory already exists", path=name, store=self._store.cloudpath)

    def rmdir(self, path: StrPath, *, recursive: bool = False) -> None:
        """Remove an empty directory or, with `recursive`, a directory with everything in it.

        Raises:
            InvalidInputError: the path is ''.
            MissingObjectError: (also a FileNotFoundError) there is no such directory; object stores have no empty ones.
            DirectoryNotEmptyError: it is not empty; nothing was removed.
            PreconditionFailedError: it is a file.
            Others: as `delete`. Of a tree, some objects may have been removed.
        """
        name = as_path(path).removesuffix("/")
        if not name:
            raise InvalidInputError("an empty path would remove everything; to do that, use cf.delete(cf.list())")
        here = self._store.here()
        directories = _directories_of(here)
        if directories is not None:
            directories.rmdir(name, recursive=recursive)
        elif not here.isdir(name):
            raise MissingObjectError("the directory does not exist", path=name, store=self._store.cloudpath)
        elif not recursive:
            raise DirectoryNotEmptyError("the directory is not empty", path=name, store=self._store.cloudpath)
        else:
            self.rm(f"{name}/", recursive=True)

    def rename(self, source: StrPath, target: StrPath, *, overwrite: bool = True) -> None:
        """Give an object, or a directory with everything in it, another path in this store.

        On file systems (`file://`, `webhdfs://`, `adl://`, Azure with a hierarchical namespace) this is one atomic
        step. In object stores the objects are copied on the server, compared with their copies, and then deleted: those
        of a directory only when all copies exist. If that is interrupted, no content is lost: the source is complete,
        or the target is.

        Args:
            source: an object or a directory; with a trailing '/', a directory only.
            target: its new path, never a directory to move into. Directories above it are created if necessary.
            overwrite: replace an existing object by an object, or an empty directory by a directory.

        Raises:
            InvalidInputError: a path is '', or `target` is `source` or is inside it; nothing was sent.
            AmbiguousPathError: `source` is both an object and a directory.
            MissingObjectError: (also a FileNotFoundError) the source does not exist.
            DirectoryNotEmptyError: the target is a directory with contents.
            PreconditionFailedError: the target exists and may not be replaced: `overwrite` is False, or one is an
                object and the other a directory.
            IntegrityError: a copy could not be verified; its source was not deleted.
        """
        from cloudfiles.transfer.rename import rename

        rename(self._store, as_path(source), as_path(target), overwrite=overwrite)


def _each(paths: Any) -> Iterable[str]:
    return keys([paths] if is_path(paths) else paths)


def _removable(path: str, recursive: bool) -> str:
    if not path:
        raise InvalidInputError("an empty path would remove all objects; to do that, use cf.delete(cf.list())")
    if path.endswith("/") and not recursive:
        raise InvalidInputError("expected the key of an object, or recursive=True for a path that ends with "
                                "'/'", path=path)
    return path


def _below(store: Store, path: str, flat: bool) -> Iterator[tuple[str, int | None]]:
    """Keys and sizes of the object `path` and the contents of the directory `path`, with directories if `flat`."""
    directory = path if path.endswith("/") or not path else path + "/"
    here = store.here()
    if directory != path and here.exists(path):
        yield path, here.size(path)
    for page in list_pages(store, directory, flat=flat):
        found: list[tuple[str, int | None]] = [(entry.key, entry.size) for entry in page.entries]
        yield from sorted(found + [(prefix, None) for prefix in page.prefixes]) if page.prefixes else found


def _shown(found: Iterator[tuple[str, int | None]], size: bool) -> Iterator[Any]:
    return found if size else (path for path, _ in found)


def _directories_of(interface: Interface) -> Directories | None:
    """Directories that exist on their own, if the store has them."""
    from cloudfiles.interfaces.capabilities import Directories  # here, as it takes 1 ms and few programs need it

    return interface.capability(Directories)
