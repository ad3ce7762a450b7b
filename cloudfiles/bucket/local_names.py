"""Names of local files for those of a bucket, and of a bucket's files for local ones."""

from __future__ import annotations

import os
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.transfer.local_files import walk_files
from cloudfiles.types import ListEntry


class NoSuchDirectoryError(InvalidInputError, NotADirectoryError):
    """The local directory does not exist."""


def local_target(remote: str, local: str | os.PathLike[str] | None) -> tuple[str, str, str]:
    """The local file's path as reported to the user, its absolute directory, and its name in that directory."""
    if local is None:
        return remote, os.getcwd(), remote
    given = os.fspath(local)
    if os.path.isdir(given) or given.endswith(("/", os.sep)):
        return os.path.join(given, remote.rpartition("/")[2]), os.path.abspath(given), remote.rpartition("/")[2]
    absolute = os.path.abspath(given)
    return given, os.path.dirname(absolute), os.path.basename(absolute)


def remote_name(path: Any) -> str:
    """The default name in the bucket for the local file `path`."""
    if not isinstance(path, str):
        raise InvalidInputError("the open file has no name; pass remote=")
    drive, rest = os.path.splitdrive(os.path.normpath(path))
    name = rest.replace(os.sep, "/")
    return name.rpartition("/")[2] if drive or name.startswith(("/", "../")) else name


def local_tree(local: str | os.PathLike[str], remote: str, follow_external: bool) -> tuple[dict[str, str], list[str]]:
    """The paths of all files in a local directory, by names below `remote`, and the symlinks that were skipped."""
    directory = os.path.abspath(os.fspath(local))
    if not os.path.isdir(directory):
        raise NoSuchDirectoryError("the local directory does not exist", path=os.fspath(local))
    beginning = f"{remote.rstrip('/')}/" if remote else ""
    skipped: list[str] = []
    files = {beginning + name: path for name, path in walk_files(directory, skipped, follow_external)}
    return files, [beginning + name for name in skipped]


def is_marker(entry: ListEntry) -> bool:
    """Whether the entry is an empty object that marks a directory, as created by the web consoles of object stores."""
    return entry.key.endswith("/") and not entry.size
