"""The local side of a bucket: which files, by which names, and how they are carried."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.bucket.progress import FileProgress
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.transfer.carrying.items import Item
from cloudfiles.transfer.carrying.result import TransferResult
from cloudfiles.transfer.carrying.route import CarryOptions
from cloudfiles.transfer.run import carry_all, plan_between
from cloudfiles.transfer.tasks.local_files import walk_files
from cloudfiles.transfer.tasks.watching import WatchedCarrier
from cloudfiles.types import ListEntry


class NoSuchDirectoryError(InvalidInputError, NotADirectoryError):
    """There is no local directory of this name."""


def carry(source: Store, target: Store, items: list[Item], options: CarryOptions,
           shown: FileProgress | None) -> TransferResult:
    """Carry objects from one store to the other."""
    plan, here, there = plan_between(source, target)
    watch = (lambda item, size: None) if shown is None else shown.watch
    return carry_all(WatchedCarrier(here, there, plan.runtime, options, watch), items, plan,
                     note=None if shown is None else shown.settle)


def below(store: Store, directory: str) -> Store:
    """The part of a store whose keys begin with `directory`, which ends in '/' or is ''."""
    if not directory:
        return store
    path = store.location.path or ""
    below = replace(store)
    below.location = store.location._replace(path=f"{path.rstrip('/')}/{directory}" if path else directory)
    return below


def local_place(remote: str, local: str | os.PathLike[str] | None) -> tuple[str, str, str]:
    """The name of the local file, and, to write it by, its directory (absolute) and its name there."""
    if local is None:
        return remote, os.getcwd(), remote
    given = os.fspath(local)
    if os.path.isdir(given) or given.endswith(("/", os.sep)):
        return os.path.join(given, remote.rpartition("/")[2]), os.path.abspath(given), remote.rpartition("/")[2]
    absolute = os.path.abspath(given)
    return given, os.path.dirname(absolute), os.path.basename(absolute)


def remote_name(path: Any) -> str:
    """The name for a local file of this path."""
    if not isinstance(path, str):
        raise InvalidInputError("the open file has no name; pass remote=")
    drive, rest = os.path.splitdrive(os.path.normpath(path))
    name = rest.replace(os.sep, "/")
    return name.rpartition("/")[2] if drive or name.startswith(("/", "../")) else name


def tree(local: str | os.PathLike[str], remote: str, follow_external: bool) -> tuple[dict[str, str], list[str]]:
    """The files of a local directory, by the names that they get below `remote`, and the symlinks that were skipped."""
    directory = os.path.abspath(os.fspath(local))
    if not os.path.isdir(directory):
        raise NoSuchDirectoryError("the local directory does not exist", path=os.fspath(local))
    beginning = f"{remote.rstrip('/')}/" if remote else ""
    skipped: list[str] = []
    files = {beginning + name: path for name, path in walk_files(directory, skipped, follow_external)}
    return files, [beginning + name for name in skipped]


def is_marker(entry: ListEntry) -> bool:
    """Whether it is an empty object that stands for a directory, as consoles of object stores make them."""
    return entry.key.endswith("/") and not entry.size
