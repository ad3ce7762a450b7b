"""`cloudfiles tree`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.listing import Found, contents, entries
from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.progress_bar import counted, progress_of
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import print_line, shown_size

_Directory: TypeAlias = "dict[str, Found | _Directory]"
"""What is in a directory: the objects by name, and the directories by name, which ends with '/'."""


@click.command()
@click.argument("paths", nargs=-1)
@click.option("-L", "--level", type=click.IntRange(min=1), help="Descend only this many directories.")
@click.option("-h", "--human-readable", "human", is_flag=True, help="Show the size of each object.")
@store_options
def tree(stores: Stores, paths: tuple[str, ...], level: int | None, human: bool) -> int:
    """Show the directories PATHS, by default the current one, as trees.

    Without --level, everything below them is listed before the first line is printed.
    """
    outcome = Outcome()
    for one in stores.operands(paths or (".",)):
        with failing(outcome, one.text):
            is_whole = level is None and not stores.open(one.cloudpath)._store.is_local
            top = _whole(stores, one) if is_whole else _by_levels(stores, one, level)
            print_line(one.text)
            counts = [0, 0]
            _print(top, "", human, counts)
            directories = "directory" if counts[0] == 1 else "directories"
            print_line(f"\n{counts[0]} {directories}, {counts[1]} object{'s' * (counts[1] != 1)}")
            outcome.add(one.text)
    return outcome.status


def _whole(stores: Stores, one: Operand) -> _Directory:
    """Everything below a directory: one request lists a thousand keys, of any number of directories."""
    top: _Directory = {}
    with progress_of("Listing", None) as bar:
        for found in counted(contents(stores, one), bar):
            *directories, name = found.key.split("/")
            into = top
            for each in directories:
                into = _entered(into, each + "/")
            if name:  # a key that ends with '/' marks its directory
                into[name] = found
    return top


def _entered(directory: _Directory, name: str) -> _Directory:
    inner = directory.setdefault(name, {})
    assert isinstance(inner, dict)
    return inner


def _by_levels(stores: Stores, one: Operand, level: int | None) -> _Directory:
    """What is below a directory, down to `level`, with empty directories."""
    cf = stores.open(one.cloudpath)
    return _level(cf, contents(stores, one, flat=True), "", level)


def _level(cf: CloudFiles, found: Iterable[Found], prefix: str, level: int | None) -> _Directory:
    directory: _Directory = {}
    for one in found:
        name = one.key.removeprefix(prefix)
        if not name:
            continue  # the object that marks this directory
        if not one.is_directory:
            directory[name] = one
        elif level == 1:
            directory[name] = {}
        else:
            below = entries(cf, one.key, flat=True)
            directory[name] = _level(cf, below, one.key, None if level is None else level - 1)
    return directory


def _print(directory: _Directory, indent: str, human: bool, counts: list[int]) -> None:
    """counts: of directories and objects, which are added to."""
    names = sorted(directory)
    for name in names:
        one, is_last = directory[name], name == names[-1]
        size = f"  ({shown_size(one.size, True)})" if human and isinstance(one, Found) else ""
        print_line(f"{indent}{'└── ' if is_last else '├── '}{name}{size}")
        counts[isinstance(one, Found)] += 1
        if isinstance(one, dict):
            _print(one, indent + ("    " if is_last else "│   "), human, counts)
