"""`cloudfiles rm`, `touch` and `mkdir`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.listing import entries, matches, missing
from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.progress_bar import progress_of
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import print_line
from cloudfiles.cli.transfer_options import progress_option
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.transfer.key_filter import key_filter

Exists = Callable[[], Mapping[str, bool]]
"""Returns whether the objects exist that the operands name, by name."""


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Delete directories with everything in them.")
@click.option("--include", multiple=True, metavar="GLOB", help="Delete only keys that match.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Keep keys that match.")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be deleted.")
@click.option("-f", "--force", is_flag=True, help="Do not report paths that do not exist.")
@progress_option
@click.option("-b", "--block-size", type=int, hidden=True)
@store_options
def rm(stores: Stores, paths: tuple[str, ...], recursive: bool, include: tuple[str, ...], exclude: tuple[str, ...],
       dry_run: bool, force: bool, progress: bool | None, block_size: int | None) -> int:
    """Delete the objects PATHS. `-` reads paths from standard input."""
    outcome = Outcome()
    given = stores.operands(paths)
    if recursive and any(one.cloudpath == "file:///" for one in given):
        raise click.UsageError("/ is the root of the file system; it is not deleted")
    wanted = key_filter(list(include) or None, list(exclude) or None)
    for directory, several in _by_store(given):
        cf = stores.open(directory)
        with failing(outcome, directory):
            if dry_run:
                for key in _keys(stores, cf, several, recursive, force, outcome):
                    if wanted(key):
                        print_line(f"delete {cf.join(cf.cloudpath, key)}")
                continue
            with progress_of("Deleting", progress) as bar:
                keys = (key for key in _keys(stores, cf, several, recursive, force, outcome) if wanted(key))
                outcome.done += cf.delete(keys, progress=bar)
            if recursive:
                _remove_directories(cf, several)
    return outcome.status


def _by_store(given: Iterable[Operand]) -> Iterator[tuple[str, list[Operand]]]:
    """Operands by their directory."""
    groups: dict[str, list[Operand]] = {}
    for one in given:
        groups.setdefault(one.directory, []).append(one)
    return iter(groups.items())


def _keys(stores: Stores, cf: CloudFiles, several: list[Operand], recursive: bool, force: bool,
          outcome: Outcome) -> Iterator[str]:
    """The keys to delete; what is not there, or is a directory, is a failure of its own."""
    names = [one.name for one in several if not one.is_pattern and not one.ends_in_slash]
    is_one = recursive and len(several) == len(names) == 1  # one of several may be in another, and be deleted with it
    exists = _started(cf.exists, names) if is_one else partial(dict, cf.exists(names) if names else {})
    for one in several:
        is_empty = True
        with failing(outcome, one.text):
            for key in _keys_of(stores, cf, one, recursive, exists):
                is_empty = False
                yield key
            if is_empty and not force and not _is_directory(cf, one):
                raise missing(one)


def _keys_of(stores: Stores, cf: CloudFiles, one: Operand, recursive: bool, exists: Exists) -> Iterator[str]:
    if one.is_pattern:
        yield from (found.key for found in matches(stores, one, recursive=recursive) if not found.is_directory)
        return
    if recursive:
        here, above = cf._store.here(), one.name.rpartition("/")[0]
        prefix = f"{one.name}/" if one.name else ""
        yield from (found.key for found in entries(cf, prefix) if not here.is_below_symlink(found.key, above))
    if not one.ends_in_slash and exists().get(one.name):
        yield one.name
    elif not recursive and cf.isdir(one.name):
        raise InvalidInputError(f"{one.text} is a directory; use -r to delete it with everything in it")


def _started(function: Callable[[list[str]], Mapping[str, bool]], names: list[str]) -> Exists:
    """Call the function in a thread, while other requests are made; returns a function that waits for the result."""
    from concurrent.futures import Future  # here, as few commands need it

    found: Future[Mapping[str, bool]] = Future()

    def run() -> None:
        try:
            found.set_result(function(names))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found.result


def _is_directory(cf: CloudFiles, one: Operand) -> bool:
    return not one.is_pattern and cf.isdir(one.name)


def _remove_directories(cf: CloudFiles, several: list[Operand]) -> None:
    for one in several:
        if not one.is_pattern and one.name:
            cf._store.here().remove_empty_directory(one.name)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@progress_option
@store_options
def touch(stores: Stores, paths: tuple[str, ...], progress: bool | None) -> int:
    """Create empty objects at PATHS where none exist. `-` reads paths from standard input.

    On file systems, the modification time of existing files is set to now.
    """
    outcome = Outcome()
    for directory, several in _by_store(stores.operands(paths)):
        with failing(outcome, directory), progress_of("Touching", progress, len(several)) as bar:
            stores.open(directory, progress=bar).touch([one.name for one in several])
            outcome.done += len(several)
    return outcome.status


@click.command()
@click.argument("paths", nargs=-1, required=True)
@store_options
def mkdir(stores: Stores, paths: tuple[str, ...]) -> int:
    """Create the directories PATHS, and those above them, on file systems, in HDFS and in Azure Data Lake.

    Other object stores have no directories: one exists as soon as there is an object in it.
    """
    outcome = Outcome()
    for one in stores.operands(paths):
        with failing(outcome, one.text):
            cf = stores.open(one.cloudpath)
            cf.mkdir("")
            if not cf.isdir(""):
                print(f"cloudfiles: {one.text}: {cf.protocol}:// has no directories; nothing to create",
                      file=sys.stderr)
            outcome.add(one.text)
    return outcome.status
