"""`cloudfiles du`: the sizes of objects and directories."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from cloudfiles.cli.listing import Found, directory, entries, is_empty_directory, matches, missing
from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.progress_bar import counted, progress_of
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import human_size, print_json, print_line


@dataclass
class _Total:
    objects: int = 0
    bytes: int = 0
    by_extension: Counter[str] = field(default_factory=Counter)

    def add(self, found: Found, by_extension: bool) -> None:
        size = found.size if found.size is not None else found.cf.size(found.key) or 0
        self.objects += 1
        self.bytes += size
        if by_extension:
            self.by_extension[posixpath.splitext(found.key)[1]] += size

    def merge(self, other: _Total) -> None:
        self.objects += other.objects
        self.bytes += other.bytes
        self.by_extension.update(other.by_extension)


@click.command()
@click.argument("paths", nargs=-1)
@click.option("-s", "--summarize", is_flag=True, help="Print only the sum for each of PATHS.")
@click.option("-c", "--grand-total", is_flag=True, help="Print the sum of all PATHS.")
@click.option("-h", "--human-readable", "human", is_flag=True, help="Print sizes in KiB, MiB, ...")
@click.option("-N", "--count-files", is_flag=True, help="Print the number of objects.")
@click.option("-e", "--group-by-ext", is_flag=True, help="Print the size of each file extension.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each of PATHS, and for their sum.")
@store_options
def du(stores: Stores, paths: tuple[str, ...], summarize: bool, grand_total: bool, human: bool, count_files: bool,
       group_by_ext: bool, as_json: bool) -> int:
    """Show the stored bytes of the objects and directories PATHS, and of each object in them unless -s is given."""
    show = human_size if human else str
    outcome, total = Outcome(), _Total()
    for one in stores.operands(paths or ["."]):
        with failing(outcome, one.text):
            part = _Total()
            is_silent = summarize or as_json
            with progress_of("Listing", None if is_silent else False) as bar:
                for found in counted(_objects(stores, one), bar):
                    part.add(found, group_by_ext or as_json)
                    if not is_silent:
                        print_line(f"{show(found.size or 0)}\t{found.key}")
            total.merge(part)
            outcome.add(one.text)
            if as_json:
                print_json(path=one.cloudpath, objects=part.objects, bytes=part.bytes,
                           extensions=dict(part.by_extension))
            elif summarize:
                print_line(f"{show(part.bytes)}\t{one.text}" + (f"\t{part.objects} objects" if count_files else ""))
    _print_totals(total, show, grand_total, count_files, group_by_ext, as_json)
    return outcome.status


def _print_totals(total: _Total, show: object, grand_total: bool, count_files: bool, group_by_ext: bool,
                  as_json: bool) -> None:
    assert callable(show)
    if as_json:
        if grand_total:
            print_json(path=None, objects=total.objects, bytes=total.bytes, extensions=dict(total.by_extension))
        return
    if group_by_ext:
        print_line("\nUsage by file extension:")
        for extension, size in total.by_extension.most_common():
            print_line(f"{show(size)}\t{extension or '(none)'}")
    if count_files:
        print_line(f"{total.objects}\tfiles total")
    if grand_total:
        print_line(f"{show(total.bytes)}\tbytes total")


def _objects(stores: Stores, one: Operand) -> Iterator[Found]:
    """The object that an operand names, and what is in the directory of that name."""
    is_empty = True
    for found in _matching(stores, one) if one.is_pattern else _named(stores, one):
        is_empty = False
        yield found
    if is_empty and not is_empty_directory(stores, one):
        raise missing(one)


def _matching(stores: Stores, one: Operand) -> Iterator[Found]:
    return (found for found in matches(stores, one) if not found.is_directory)


def _named(stores: Stores, one: Operand) -> Iterator[Found]:
    if one.name and not one.ends_in_slash:
        cf = stores.open(one.directory)
        size = cf.size(one.name)
        if size is not None:
            yield Found(cf, one.name, size)
    yield from entries(directory(stores, one))
