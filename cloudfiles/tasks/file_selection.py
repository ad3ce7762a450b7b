"""The files that a path, directory or glob selects, locally and in a store."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidInputError, MissingObjectError
from cloudfiles.interfaces.file.symlinks import Symlinks
from cloudfiles.transfer.local_files import walk_files

_MAGIC = re.compile(r"[*?[]")


class Selection(NamedTuple):
    """The files that a path selects.

    Attributes:
        files: (key or local path, name relative to the selected directory, size in bytes or None), by name.
        is_single: the path is that of a single file.
        skipped: symlinks that were not followed.
    """

    files: list[tuple[str, str, int | None]]
    is_single: bool
    skipped: Sequence[str] = ()


def select_remote(cf: CloudFiles, path: str) -> Selection:
    """The object with this key, otherwise all objects below this directory, otherwise all that match the glob.

    Raises MissingObjectError if there is none, InvalidInputError for `**`.
    """
    path = path.lstrip("/")
    if path and not path.endswith("/"):
        size = cf.size(path)
        if size is not None:
            return Selection([(path, path.rpartition("/")[2], size)], True)
    _check_glob(path)
    magic = _MAGIC.search(path)
    beginning = path[:magic.start()] if magic else path and path.rstrip("/") + "/"
    cut = len(_fixed_directory(beginning, "/"))
    found = [(key, key[cut:], size) for key, size in cf.list(beginning, size=True)
             if key[cut:] and not key.endswith("/") and (not magic or _matches(key, path))]
    if not found:
        raise MissingObjectError("no file has this name, is below it or matches it", path=path,
                                 store=cf.cloudpath)
    return Selection(found, False)


def select_local(path: str, follow_external: bool) -> Selection:
    """The same for local files. Symlinks that lead out of the directory are skipped unless `follow_external`."""
    skipped: list[str] = []
    if os.path.isfile(path):
        return Selection([(os.path.abspath(path), os.path.basename(path), os.path.getsize(path))], True)
    if os.path.isdir(path):
        found = [(file, name) for name, file in walk_files(os.path.abspath(path), skipped, follow_external)]
    else:
        _check_glob(path)
        above = _fixed_directory(path, os.sep)
        links = Symlinks(os.path.join(os.path.abspath(above), ""), follow_external)
        found = []
        for file in filter(os.path.isfile, sorted(glob.glob(path))):
            name = file[len(above):].replace(os.sep, "/")
            if links.is_followed(file):
                found.append((os.path.abspath(file), name))
            else:
                links.skip(name)
        skipped = links.take_new()
        links.report()
    if not found:
        raise MissingObjectError("no file has this name, is below it or matches it", path=path)
    return Selection([(file, name, os.path.getsize(file)) for file, name in found], False, skipped)


def _check_glob(path: str) -> None:
    if "**" in path:
        raise InvalidInputError(f"recursive globs (**) are not supported: {path!r}; a directory includes everything "
                                "below it")


def _fixed_directory(path: str, separator: str) -> str:
    """The directory that contains all matches, with a trailing separator, or ''."""
    magic = _MAGIC.search(path)
    return path[:path.rfind(separator, 0, magic.start() if magic else None) + 1]


def _matches(key: str, pattern: str) -> bool:
    """Whether a glob, whose wildcards do not match separators, matches the key.

    >>> _matches("a/b.txt", "a/*.txt"), _matches("a/b/c.txt", "a/*.txt")
    (True, False)
    """
    names, patterns = key.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))
