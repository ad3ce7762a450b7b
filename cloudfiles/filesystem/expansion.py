"""The paths of a call, with globs and directories expanded, as the names of files and directories."""

from __future__ import annotations

from glob import has_magic
from typing import Any

from cloudfiles.filesystem.errors import missing
from cloudfiles.filesystem.lookups import Lookups
from cloudfiles.inputs import is_path


class Expansion(Lookups):
    """How calls on several paths find out which files they mean, with few requests."""

    def _expanded(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> dict[str, str]:
        """The type of each name that a path or several stand for: 'file', 'directory', or '' if it was not looked up.

        Globs give what they match; with `recursive`, directories give everything in them as well. A path without
        wildcards is not looked up unless `recursive`: it may be missing.

        Raises FileNotFoundError if there is nothing.
        """
        found: dict[str, str] = {}
        for one in [path] if is_path(path) else path:
            name = self._name(one)
            if has_magic(name):
                matches = {match: info["type"] for match, info in self.glob(one, maxdepth, detail=True).items()}
                found.update(matches)
                if recursive and (maxdepth is None or maxdepth > 1):
                    below = None if maxdepth is None else maxdepth - 1
                    for match, kind in matches.items():
                        if kind == "directory":
                            found.update(self._types(match, below))
            elif recursive:
                found.update(self._types(name, maxdepth))
            else:
                found.setdefault(name, "")
        if not found:
            raise missing(str(path))
        return dict(sorted(found.items()))

    def _types(self, name: str, maxdepth: int | None) -> dict[str, str]:
        return {each: "directory" if entry is None else "file" for each, entry in self._found(name, maxdepth, True)}

    def expand_path(self, path: Any, recursive: bool = False, maxdepth: int | None = None,
                    assume_literal: bool = False, **kwargs: Any) -> list[str]:
        """The names of all files and directories that a path or several stand for, sorted: see `glob` and `find`.

        assume_literal: wildcards are part of the names. Raises FileNotFoundError if there is nothing.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        if not assume_literal:
            return list(self._expanded(path, recursive, maxdepth))
        names = [self._name(one) for one in ([path] if is_path(path) else path)]
        found = {name for name in names if not recursive}
        found.update(each for name in names if recursive for each in self._types(name, maxdepth))
        if not found:
            raise missing(str(path))
        return sorted(found)
