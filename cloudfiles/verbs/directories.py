"""The verbs of `CloudFiles` that mean directories: `run1` is what is in `run1/`, and never `run10`.

Those of the same names in the file system and on the command line do the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import is_path
from cloudfiles.interfaces.base import Interface
from cloudfiles.parallel import Parallel
from cloudfiles.progress import Progress
from cloudfiles.verbs.batches import keys
from cloudfiles.verbs.writing import WritingVerbs


class DirectoryVerbs(WritingVerbs):
    """What `CloudFiles` inherits them from.

    A path is that of an object or of a directory, with or without a '/' behind it; '' is the whole store. With the '/'
    it is only the directory. What is not there gives nothing, as elsewhere.
    """

    def ls(self, path: str = "", *, size: bool = False) -> Iterator[Any]:
        """What is directly in a directory: keys, and directories ending in '/'. Of an object, its key.

        size: give `(path, bytes)`; None for a directory.
        """
        return _shown(_below(self._store.here(), path, flat=True), size)

    def find(self, path: str = "", *, size: bool = False) -> Iterator[Any]:
        """The keys of all objects in a directory and in those below it. Of an object, its key.

        size: give `(path, bytes)`.
        """
        return _shown(_below(self._store.here(), path, flat=False), size)

    def du(self, paths: Any = "") -> dict[str, int]:
        """`{'N': objects, 'num_bytes': their stored bytes}` of a directory or an object, or of several together."""
        here, sizes = self._store.here(), {"N": 0, "num_bytes": 0}
        for path in _each(paths):
            for key, size in _below(here, path, flat=False):
                sizes["N"] += 1
                sizes["num_bytes"] += (here.size(key) or 0) if size is None else size
        return sizes

    def rm(self, paths: Any, recursive: bool = False, *, progress: Progress = None,
           parallel: Parallel | None = None) -> int:
        """Remove objects and, with `recursive`, directories with all that is in them; gives how many objects.

        What is not there is no error. Where directories exist by themselves, as on `file://`, they are removed too,
        and so are symlinks, but nothing that symlinks to directories lead to.

        Raises:
            InvalidInputError: a path is '': to remove everything, say `cf.delete(cf.list())`; or it ends with '/' and
                `recursive` was not given. Nothing was removed.
            Others: as `delete`.
        """
        chosen = [_removable(path, recursive) for path in _each(paths)]
        if not recursive:
            return self.delete(chosen, progress=progress, parallel=parallel)
        here = self._store.here()
        found = (key for path in chosen for key, _ in _below(here, path, flat=False)
                 if not here.is_below_symlink(key, path.rstrip("/").rpartition("/")[0]))
        count = self.delete(found, progress=progress, parallel=parallel)
        for path in chosen:
            here.remove_empty_directory(path.removesuffix("/"))
        return count


def _each(paths: Any) -> Iterable[str]:
    return keys([paths] if is_path(paths) else paths)


def _removable(path: str, recursive: bool) -> str:
    if not path:
        raise InvalidInputError("an empty path would remove all objects; to do that, use cf.delete(cf.list())")
    if path.endswith("/") and not recursive:
        raise InvalidInputError("expected the key of an object, or recursive=True for a path that ends with "
                                "'/'", path=path)
    return path


def _below(interface: Interface, path: str, flat: bool) -> Iterator[tuple[str, int | None]]:
    """Keys and sizes of the object `path` and of what is in the directory `path`; directories, where `flat`."""
    directory = path if path.endswith("/") or not path else path + "/"
    if directory != path and interface.exists(path):
        yield path, interface.size(path)
    for page in interface.pages(directory, flat=flat):
        found: list[tuple[str, int | None]] = [(entry.key, entry.size) for entry in page.entries]
        yield from sorted(found + [(prefix, None) for prefix in page.prefixes]) if page.prefixes else found


def _shown(found: Iterator[tuple[str, int | None]], size: bool) -> Iterator[Any]:
    return found if size else (path for path, _ in found)
