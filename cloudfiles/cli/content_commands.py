"""`cloudfiles cat` and `put`: the ends of a pipe."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import click

from cloudfiles import CloudFiles
from cloudfiles.batch.fanout import collect
from cloudfiles.cli.listing import objects
from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.encoding_streams import decoder
from cloudfiles.exceptions import CloudFilesError, MissingObjectError
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.types import StoredObject

_AT_ONCE = 256
"""Objects that are fetched at the same time, and printed in order."""

_MEMORY = 256 << 20
"""Stored bytes of these together; larger objects are read while they are printed, one after the other."""

_Fetched = StoredObject | Exception | None

_RANGE = re.compile(r"([0-9]*)-([0-9]*)")


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("-r", "--range", "byte_range", metavar="START-END", help="Only these bytes: START-END (END is not "
                                                                       "included), START- or -LAST.")
@store_options
def cat(stores: Stores, paths: tuple[str, ...], byte_range: str | None) -> int:
    """Print the contents of the objects PATHS, decompressed, one after the other."""
    bounds = _parsed_range(byte_range)
    outcome = Outcome()
    for cf, several in _batches(_objects(stores, stores.operands(paths), outcome)):
        for (key, text), fetched in zip(several, _fetched(cf, [key for key, _ in several], bounds), strict=True):
            with failing(outcome, text):
                _print_object(cf, key, text, fetched)
                outcome.add(text)
    return outcome.status


def _objects(stores: Stores, given: Iterable[Operand], outcome: Outcome) -> Iterator[tuple[CloudFiles, str, str]]:
    """The store and the key of each object, and the operand that it belongs to."""
    opened: dict[str, CloudFiles] = {}
    for one in given:
        if not one.is_pattern:
            if one.directory not in opened:
                opened[one.directory] = stores.open(one.directory)
            yield opened[one.directory], one.name, one.text
            continue
        with failing(outcome, one.text):
            for found in objects(stores, [one], recursive=False):
                yield found.cf, found.key, found.cloudpath


def _batches(found: Iterable[tuple[CloudFiles, str, str]]) -> Iterator[tuple[CloudFiles, list[tuple[str, str]]]]:
    """Neighboring objects of one store together, as (key, operand)."""
    for _, group in groupby(found, key=lambda one: one[0]):
        while batch := list(islice(group, _AT_ONCE)):
            yield batch[0][0], [(key, text) for _, key, text in batch]


def _fetched(cf: CloudFiles, keys: list[str], bounds: tuple[int, int | None] | None) -> list[_Fetched]:
    """Each object as it is stored, without its content if it is too large for that, or an error."""
    if bounds is not None:
        start, end = bounds
        found = cf.get([{"path": key, "start": start, "end": end} for key in keys], raise_errors=False)
        return [each["error"] or (None if each["content"] is None else StoredObject(each["content"])) for each in found]
    plan, interface = cf._store.plan(count=len(keys))
    most = min(PART_BYTES, _MEMORY // len(keys))

    def fetch(key: str) -> _Fetched:
        try:
            return interface.get_bounded(key, most)
        except CloudFilesError as error:
            return error

    return collect(fetch, keys, plan)


def _parsed_range(text: str | None) -> tuple[int, int | None] | None:
    if text is None:
        return None
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise click.UsageError(f"--range: expected START-END, START- or -LAST, got {text!r}")
    if not match[1]:
        return -int(match[2]), None
    start, end = int(match[1]), int(match[2]) if match[2] else None
    if end is not None and end < start:
        raise click.UsageError(f"--range: {text} ends before it starts")
    return start, end


def _print_object(cf: CloudFiles, key: str, text: str, fetched: _Fetched) -> None:
    """Print an object, a large one in pieces. text: the operand."""
    if isinstance(fetched, Exception):
        raise fetched
    if fetched is None:
        raise MissingObjectError(f"{text}: no such object")
    if fetched.content is None:
        with cf.open(key) as file:
            shutil.copyfileobj(file, sys.stdout.buffer, PART_BYTES)
        return
    decoded = decoder(fetched.encoding, key)
    sys.stdout.buffer.writelines(decoded.pieces(fetched.content))
    decoded.finish()


@click.command()
@click.argument("cloudpath")
@click.option("-c", "--compression", "--compress", "encoding", help="Compress: gzip, br, zstd, xz, bz2.")
@click.option("--content-type", help="The content type of the object.")
@click.option("--cache-control", help="The Cache-Control of the object.")
@click.option("--storage-class", help="The storage class of the object.")
@click.option("-n", "--no-clobber", is_flag=True, help="Fail if the object exists.")
@store_options
def put(stores: Stores, cloudpath: str, encoding: str | None, content_type: str | None, cache_control: str | None,
        storage_class: str | None, no_clobber: bool) -> int:
    """Write standard input to the object CLOUDPATH. It appears when the input has ended, complete or not at all."""
    one = stores.operand(cloudpath)
    if one.ends_in_slash or not one.name:
        raise click.UsageError(f"{cloudpath}: expected the path of an object, got that of a directory")
    cf = stores.open(one.directory)
    cf.put(one.name, sys.stdin.buffer, compress=encoding, content_type=content_type, cache_control=cache_control,
           storage_class=storage_class, if_absent=no_clobber)
    return 0
