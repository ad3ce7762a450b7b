"""The methods of `CloudFileSystem` that remove files: each is one batch, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfiles.filesystem.copying import Copying
from cloudfiles.filesystem.errors import is_a_directory, missing, translated
from cloudfiles.filesystem.names import Place


class Removing(Copying):
    """Methods that remove files and directories."""

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files and, with `recursive`, directories with everything in them.

        Args:
            path: a path, a glob, or a list of them.
            maxdepth: remove only the files of so many levels.

        Raises:
            FileNotFoundError: there is nothing at a path.
            IsADirectoryError: a path is a directory, and `recursive` was not given. Nothing was removed.
        """
        kinds = self._expanded(path, False, maxdepth)
        try:
            for place, names in self._names.by_place(kinds).items():
                with translated():
                    self._remove(place, names, recursive, maxdepth)
        finally:
            self._changed(kinds)

    def _remove(self, place: Place, names: Sequence[str], recursive: bool, maxdepth: int | None) -> None:
        keys = [place.key(name) for name in names]
        there = place.cf.exists([key for key in keys if key])
        directories = [key for key in keys if not there.get(key)]
        for key in directories:
            if key and not place.cf.isdir(key):
                raise missing(place.name(key))
            if not recursive:
                raise is_a_directory(place.name(key))
        if maxdepth is not None and recursive:
            place.cf.delete([place.key(name) for key in keys
                             for name, entry in self._found(place.name(key), maxdepth, False) if entry is not None])
        elif not recursive:
            place.cf.delete(keys)
        elif "" in keys:
            place.cf.delete(place.cf.list())
        else:
            place.cf.rm(keys, recursive=True)

    def rm_file(self, path: Any) -> None:
        """Remove one file. Raises FileNotFoundError, or IsADirectoryError."""
        name = self._name(path)
        try:
            with translated(name):
                self._remove(self._place(name), [name], False, None)
        finally:
            self._changed([name])

    def _rm(self, path: Any) -> None:
        self.rm_file(path)
