"""Renames objects and directories within a store: in one step on file systems, elsewhere by copying and deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cloudfiles.batch.fanout import collect
from cloudfiles.batch.lister import list_pages
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import (
    AmbiguousPathError,
    CloudFilesError,
    DirectoryNotEmptyError,
    InvalidInputError,
    MissingObjectError,
    PreconditionFailedError,
)
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.transfer.copier import Copier
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.move import Mover, move_objects
from cloudfiles.values import NamedTuple


def rename(store: Store, source: str, target: str, *, overwrite: bool) -> None:
    """See `CloudFiles.rename`."""
    directory_only = source.endswith("/")
    source, target = _checked(source, target)
    directories = store.here().capability(Directories)
    try:
        if directories is None:
            _rename_in_object_store(store, source, target, directory_only, overwrite)
        elif directory_only and not directories.isdir(source):
            raise MissingObjectError("there is no such directory", path=source)
        else:
            directories.rename(source, target, overwrite=overwrite)
    except CloudFilesError as error:
        error.store = error.store or store.cloudpath
        raise


def _checked(source: str, target: str) -> tuple[str, str]:
    """Both without a '/' at the end. Raises InvalidInputError."""
    source, target = source.removesuffix("/"), target.removesuffix("/")
    if not source or not target:
        raise InvalidInputError("rename: a path is empty; the cloudpath itself cannot be renamed")
    if source == target:
        raise InvalidInputError("rename: source and target are the same", path=source)
    if target.startswith(f"{source}/"):
        raise InvalidInputError(f"rename: the target {target!r} is inside the source", path=source)
    return source, target


class _Found(NamedTuple):
    """What exists."""

    source_object: bool
    source_directory: bool
    target_object: bool
    target_directory: bool


def _look(store: Store, source: str, target: str) -> _Found:
    """All at once, in one round trip."""
    plan, here, _ = plan_between(store, store)
    found = [False] * 4
    questions: list[Callable[[], bool]] = [
        lambda: here.exists(source), lambda: here.isdir(source),
        lambda: here.exists(target), lambda: here.isdir(target)]

    def ask(number: int) -> None:
        found[number] = questions[number]()

    collect(ask, range(4), plan)
    return _Found(*found)


def _rename_in_object_store(store: Store, source: str, target: str, directory_only: bool, overwrite: bool) -> None:
    found = _look(store, source, target)
    is_object = found.source_object and not directory_only
    if is_object and found.source_directory:
        raise AmbiguousPathError(f"there is an object and a directory of this name; '{source}/' is the directory, and "
                                 "moves() moves the object", path=source)
    if not is_object and not found.source_directory:
        raise MissingObjectError("there is no such object or directory", path=source)
    if is_object and found.target_directory:
        raise PreconditionFailedError("a directory has this name", path=target)
    if found.target_object and not (is_object and overwrite):
        raise PreconditionFailedError("the object already exists", path=target)
    if is_object:
        move_objects(store, store, [(source, target)])
    elif found.target_directory:
        raise DirectoryNotEmptyError("the directory is not empty; if an earlier rename was interrupted, continue it "
                                     "with moves()", path=target)
    else:
        _rename_tree(store, f"{source}/", f"{target}/")


def _rename_tree(store: Store, source: str, target: str) -> None:
    """Copy everything; when all copies exist, compare each with its source and delete the source."""
    plan, here, there = plan_between(store, store)
    mover = Mover(Copier(here, there, plan))
    copied: list[Item] = []

    def copy(item: Item) -> None:
        if not there.rename_from(here, item.source, item.target):
            mover.copy(item)
            copied.append(item)

    try:
        collect(copy, _below(store, source, target), plan)
    except CloudFilesError as error:
        error.args = (f"{error.args[0]} (the source is complete; {len(copied)} objects were copied to {target!r})",)
        raise
    collect(mover.remove_source, copied, plan)


def _below(store: Store, source: str, target: str) -> Iterator[Item]:
    for page in list_pages(store, source):
        for entry in page.entries:
            yield Item(entry.key, target + entry.key[len(source):], entry.size)
