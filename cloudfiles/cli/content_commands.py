"""`cloudfiles cat` and `put`: the ends of a pipe."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TypeVar

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.listing import objects
from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.compression import decoder, decompress
from cloudfiles.exceptions import MissingObjectError
from cloudfiles.interfaces.base import object_changed
from cloudfiles.interfaces.part_writer import PART_BYTES

T = TypeVar("T")

_RANGE = re.compile(r"([0-9]*)-([0-9]*)")


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("-r", "--range", "byte_range", metavar="START-END", help="Only these bytes: START-END (END is not "
                                                                       "included), START- or -LAST.")
@store_options
def cat(stores: Stores, paths: tuple[str, ...], byte_range: str | None) -> int:
    """Print the contents of the objects PATHS, decompressed, one after the other."""
    start, end = _parsed_range(byte_range)
    outcome = Outcome()
    for one in stores.operands(paths):
        with failing(outcome, one.text):
            for cf, key in _objects(stores, one):
                if byte_range is None:
                    _print_whole(cf, key, one.text)
                else:
                    _print(_existing(cf.get({"path": key, "start": start, "end": end}), one.text))
                outcome.add(one.text)
    return outcome.status


def _objects(stores: Stores, one: Operand) -> Iterable[tuple[CloudFiles, str]]:
    if one.is_pattern:
        return ((found.cf, found.key) for found in objects(stores, [one], recursive=False))
    return [(stores.open(one.directory), one.name)]


def _parsed_range(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        raise click.UsageError(f"--range: expected START-END, START- or -LAST, got {text!r}")
    if not match[1]:
        return -int(match[2]), None
    start, end = int(match[1]), int(match[2]) if match[2] else None
    if end is not None and end < start:
        raise click.UsageError(f"--range: {text} ends before it starts")
    return start, end


def _print_whole(cf: CloudFiles, key: str, text: str) -> None:
    """Print an object, a large one in pieces. text: the operand."""
    interface = cf._store.here()
    stored = _existing(interface.get_bounded(key, PART_BYTES), text)
    if stored.content is not None:
        _print(decompress(stored.content, stored.encoding, key))
        return
    decoded = decoder(stored.encoding, key)
    read = interface.stream_to(key, lambda piece: _print(decoded.update(piece)))
    if read is None or read.encoding != stored.encoding:
        raise object_changed(key)
    decoded.finish()


def _existing(found: T | None, text: str) -> T:
    if found is None:
        raise MissingObjectError(f"{text}: no such object")
    return found


def _print(content: bytes | memoryview | bytearray) -> None:
    sys.stdout.buffer.write(content)


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
