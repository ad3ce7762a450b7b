"""Where `cp` and `mv` copy each object to.

- The destination is a directory if it ends with '/', if a directory of that name exists, or if a glob or the paths of
  standard input are copied.
- An object is copied into a directory under its own name, otherwise to the destination itself.
- A directory (with -r) is copied into a directory that exists, or whose name ends with '/', under its own name:
  `cp -r a b` gives `b/a/x`. Otherwise the destination becomes the copy: `b/x`. A '/' at the end of the source changes
  nothing; the contents of a bucket, of `.` and of `..` are copied without a name of their own.
- What a glob matches keeps its path below the last directory that is written out before the glob: `cp 'a/**' b` gives
  `b/sub/y` for `a/sub/y`. `*` does not match '/', and directories that match are left out unless -r is given.
- Paths of standard input keep their path below the last directory that all of them have in common.
- Several sources need a directory as the destination.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import click

from cloudfiles import CloudFiles, paths
from cloudfiles.addresses import split_object
from cloudfiles.cli.listing import directory, entries, matches, missing
from cloudfiles.cli.operands import STANDARD, Operand, below, from_input
from cloudfiles.cli.store_options import Stores
from cloudfiles.exceptions import AuthorizationError, InvalidInputError, UnsupportedOperationError


class Pair(NamedTuple):
    """One object to copy: its key at the source, and its key at the destination."""

    source: str
    target: str
    size: int | None = None
    modified: str | None = None


@dataclass
class Copying:
    """The objects that one source operand stands for.

    Attributes:
        text: the operand.
        source, target: the stores that the keys of `pairs` are relative to.
        pairs: yields them; raises CloudFilesError when the operand stands for nothing.
        directory: the cloudpath of the directory that is copied with everything in it; '' for anything else.
        skipped: the symlinks that `pairs` has left out so far.
    """

    text: str
    source: CloudFiles
    target: CloudFiles
    pairs: Callable[[], Iterator[Pair]]
    directory: str = ""
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Target:
    stores: Stores
    operand: Operand
    is_directory: bool

    def directory(self, name: str = "") -> CloudFiles:
        """The store at a directory below it."""
        path = self.operand.cloudpath
        return self.stores.open(below(path, name) if name else path)

    def object(self, name: str) -> tuple[CloudFiles, str]:
        """Where a single object of this name goes."""
        if self.is_directory:
            return self.directory(), name
        return self.stores.open(self.operand.directory), self.operand.name


def plan(stores: Stores, targets: Stores, sources: Sequence[str], destination: str, *,
         recursive: bool) -> Iterator[Copying]:
    """The copies that a command stands for. Raises click.UsageError before anything is read."""
    one = stores.operand(destination)
    if one.is_pattern:
        raise click.UsageError(f"{destination}: a destination cannot contain a glob")
    reads_input = STANDARD in sources
    given = [stores.operand(text) for text in sources if text != STANDARD]
    target = _Target(targets, one, one.ends_in_slash or _is_directory(targets, one))
    if len(given) + reads_input > 1 and not target.is_directory:
        raise click.UsageError(f"{destination}: the destination of several sources has to be a directory: let it end "
                               "with '/'")
    return _planned(stores, given, target, recursive, reads_input)


def _planned(stores: Stores, given: Sequence[Operand], target: _Target, recursive: bool,
             reads_input: bool) -> Iterator[Copying]:
    for one in given:
        if one.is_pattern:
            yield _glob(stores, one, target, recursive)
        elif recursive and _is_directory(stores, one):
            yield _directory(stores, one, target)
        else:
            yield _object(stores, one, target)
    if reads_input:
        yield from _listed_on_input(stores, target)


def _is_directory(stores: Stores, one: Operand) -> bool:
    """Whether there is such a directory. A store that does not let us list has none that we know of."""
    try:
        return directory(stores, one)._store.here().root_exists() is True
    except (AuthorizationError, UnsupportedOperationError):
        return False


def _directory(stores: Stores, one: Operand, target: _Target) -> Copying:
    from cloudfiles.transfer.sync import check_disjoint  # here, as single files need no listings to be compared

    source = directory(stores, one)
    into = target.directory(one.basename if target.is_directory else "")
    skipped: list[str] = []

    def pairs() -> Iterator[Pair]:
        check_disjoint(source._store, into._store)
        for found in entries(source, skipped=skipped):
            yield Pair(found.key, found.key, found.size, found.modified)

    return Copying(one.text, source, into, pairs, one.cloudpath if one.name else "", skipped)


def _object(stores: Stores, one: Operand, target: _Target) -> Copying:
    source = stores.open(one.directory)
    if not one.name:
        raise InvalidInputError(f"{one.text} is a directory (not copied); use -r to copy it")
    into, key = target.object(one.basename)

    def pairs() -> Iterator[Pair]:
        if one.ends_in_slash or not source.exists(one.name):
            if source.isdir(one.name):
                raise InvalidInputError(f"{one.text} is a directory (not copied); use -r to copy it")
            raise missing(one)
        yield Pair(one.name, key)

    return Copying(one.text, source, into, pairs)


def _glob(stores: Stores, one: Operand, target: _Target, recursive: bool) -> Copying:
    def pairs() -> Iterator[Pair]:
        is_empty = True
        for found in matches(stores, one, recursive=recursive):
            is_empty = False
            if not found.is_directory:
                yield Pair(found.key, found.key, found.size, found.modified)
        if is_empty:
            raise missing(one)

    return Copying(one.text, stores.open(one.directory), target.directory(), pairs)


def _listed_on_input(stores: Stores, target: _Target) -> Iterator[Copying]:
    """The paths of standard input, together for each store."""
    groups: dict[str, list[Operand]] = {}
    for one in from_input():
        groups.setdefault(_bucket(one), []).append(one)
    for bucket, several in groups.items():
        keys = [one.cloudpath.removeprefix(bucket).lstrip("/") for one in several]
        common = posixpath.commonpath([posixpath.dirname(key) for key in keys]) if keys else ""
        cut = len(common) + 1 if common else 0
        pairs = [Pair(key, key[cut:]) for key in keys]
        yield Copying(f"{STANDARD} ({bucket})", stores.open(bucket), target.directory(), pairs.__iter__)


def _bucket(one: Operand) -> str:
    """The cloudpath that all keys of the operand's store are below."""
    extracted = paths.extract(one.directory)
    if extracted.protocol == "file":
        return "file:///"
    path = extracted.path or ""
    return one.directory[:one.directory.rindex(path)] if path else one.directory


# ---- the failures of an earlier run


def retried(stores: Stores, targets: Stores, log: str) -> Iterator[Copying]:
    """The copies that failed according to a log, and have not succeeded since, together for each pair of directories.

    Raises click.UsageError if the file is not a log.
    """
    failed: dict[str, str] = {}
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                path, status, target = entry["path"], entry["status"], entry.get("target")
            except (ValueError, KeyError, TypeError) as error:
                raise click.UsageError(f"{log} is not a log of cp: {line.strip()[:80]!r}") from error
            failed.pop(path, None)
            if status == "failed" and target:
                failed[path] = target
    groups: dict[tuple[str, str], list[Pair]] = {}
    for path, target in failed.items():
        (source, key), (into, name) = split_object(path), split_object(target)
        groups.setdefault((source, into), []).append(Pair(key, name))
    for (source, into), pairs in groups.items():
        yield Copying(source, stores.open(source), targets.open(into), pairs.__iter__)
