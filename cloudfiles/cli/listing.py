"""The objects and directories that the operands of a command stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudfiles import CloudFiles
from cloudfiles.batch.lister import list_pages
from cloudfiles.cli.globs import compiled, literal_prefix
from cloudfiles.cli.operands import Operand, below
from cloudfiles.cli.store_options import Stores
from cloudfiles.exceptions import MissingObjectError
from cloudfiles.types import ListEntry


class Found(NamedTuple):
    """An object or a directory (whose key ends with '/') in `cf`.

    Attributes:
        size: in stored bytes; None for a directory, or if it is unknown.
        modified: when it was last modified, as the listing says it; None if it is unknown.
    """

    cf: CloudFiles
    key: str
    size: int | None = None
    modified: str | None = None
    etag: str | None = None

    @property
    def cloudpath(self) -> str:
        return below(self.cf.cloudpath, self.key)

    @property
    def is_directory(self) -> bool:
        return self.key.endswith("/") and self.size is None


def entries(cf: CloudFiles, prefix: str = "", *, flat: bool = False, skipped: list[str] | None = None
            ) -> Iterator[Found]:
    """All objects whose keys start with `prefix`, and the directories if `flat`, in key order within each page.

    skipped: collects the symlinks that the listing skips.
    """
    for page in list_pages(cf._store, prefix, flat=flat):
        if skipped is not None:
            skipped += page.skipped_symlinks
        found: Iterable[ListEntry] = page.entries
        if page.prefixes:
            found = sorted([*page.entries, *map(ListEntry, page.prefixes)])
        for entry in found:
            yield Found(cf, entry.key, entry.size, entry.last_modified, entry.etag)


def matches(stores: Stores, operand: Operand, *, recursive: bool = True) -> Iterator[Found]:
    """The objects that match the glob of an operand, and the directories unless `recursive`.

    With `recursive`, directories that match are searched as well.
    """
    cf, pattern = stores.open(operand.directory), operand.name.removesuffix("/")
    match = compiled(pattern).fullmatch
    flat = "/" not in pattern and "**" not in pattern and not recursive
    for found in entries(cf, literal_prefix(pattern), flat=flat):
        if _matches(match, found.key, recursive):
            yield found


def _matches(match: object, key: str, recursive: bool) -> bool:
    assert callable(match)
    name = key.removesuffix("/")
    if match(name):
        return True
    return recursive and any(match(name[:at]) for at, character in enumerate(name) if character == "/")


def contents(stores: Stores, operand: Operand, *, flat: bool = False) -> Iterator[Found]:
    """What is in a directory. Raises MissingObjectError if there is none."""
    is_empty = True
    for found in entries(stores.open(operand.cloudpath), flat=flat):
        is_empty = False
        yield found
    if is_empty and not is_empty_directory(stores, operand):
        raise missing(operand)


def is_empty_directory(stores: Stores, operand: Operand) -> bool:
    """Whether an operand without contents is known to be a directory."""
    return not operand.is_pattern and stores.open(operand.cloudpath)._store.here().root_exists() is True


def directory(stores: Stores, operand: Operand) -> CloudFiles:
    """The store whose root is the directory that an operand names."""
    return stores.open(operand.cloudpath)


def objects(stores: Stores, given: Iterable[Operand], *, recursive: bool) -> Iterator[Found]:
    """The objects of all operands: objects themselves, matches of globs and, if `recursive`, the contents of
    directories. Raises MissingObjectError for an operand that stands for nothing."""
    for operand in given:
        is_empty = True
        for found in _objects_of(stores, operand, recursive):
            is_empty = False
            if not found.is_directory:
                yield found
        if is_empty:
            raise missing(operand)


def _objects_of(stores: Stores, operand: Operand, recursive: bool) -> Iterator[Found]:
    if operand.is_pattern:
        yield from matches(stores, operand, recursive=recursive)
        return
    if not operand.ends_in_slash:
        cf = stores.open(operand.directory)
        if (head := cf.head(operand.name)) is not None:
            yield Found(cf, operand.name, head["Content-Length"], head["Last-Modified"], head["ETag"])
    if recursive:
        yield from entries(directory(stores, operand))


def missing(operand: Operand) -> MissingObjectError:
    """The error for an operand that stands for nothing."""
    what = "nothing matches" if operand.is_pattern else "no such object or directory"
    return MissingObjectError(f"{operand.text}: {what}")
