"""`cloudfiles cp` and `mv`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, TypeVar

import click

from cloudfiles.cli.copy_plan import Copying, Pair, plan, retried
from cloudfiles.cli.operands import STANDARD, below, operand
from cloudfiles.cli.outcome import Outcome
from cloudfiles.cli.pictures import Pictures
from cloudfiles.cli.progress_bar import TransferBar, transfer_bar
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import print_line
from cloudfiles.cli.transfer_options import (
    ENCODINGS,
    compression_option,
    exclude_option,
    include_option,
    limit_rate_option,
    log_option,
    progress_option,
)
from cloudfiles.content_encoding import stored_encoding
from cloudfiles.exceptions import CloudFilesError, InvalidInputError
from cloudfiles.transfer.compare import when
from cloudfiles.transfer.key_filter import key_filter
from cloudfiles.transfer.result import TransferResult

F = TypeVar("F", bound=Callable[..., Any])

_CHUNK = 5000
"""Objects that are looked up at the destination at once."""

_SHARED = (
    include_option,
    exclude_option,
    click.option("--dry-run", is_flag=True, help="Print what would be done."),
    click.option("-n", "--no-clobber", is_flag=True, help="Leave out objects that exist at the destination."),
    click.option("--if-newer", "-u", "--update", is_flag=True,
                 help="Leave out objects whose copy at the destination is not older."),
    progress_option,
    limit_rate_option,
    click.option("--flight-time", is_flag=True, help="Save a chart of when each object was transferred."),
    click.option("--io-rate", is_flag=True, help="Save a chart of the bytes per second of this transfer."),
    click.option("--machine-io-rate", is_flag=True,
                 help="Save a chart of the bytes per second of this machine's network."),
    click.option("--machine-io-rate-buffer-sec", type=click.IntRange(min=1), default=600, hidden=True),
    log_option,
    click.option("-b", "--block-size", type=int, hidden=True),
    click.option("--part-bytes", type=click.IntRange(min=1), default=None, hidden=True),
)


def _shared_options(command: F) -> F:
    for option in reversed(_SHARED):
        command = option(command)
    return command


@dataclass(frozen=True)
class Choice:
    """Which objects are copied, and how much is shown."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    dry_run: bool
    no_clobber: bool
    if_newer: bool
    progress: bool | None
    log: str | None
    pictures: Pictures


@click.command()
@click.argument("sources", nargs=-1)
@click.argument("destination", required=False)
@click.option("-r", "--recursive", is_flag=True, help="Copy directories.")
@click.option("--retry", "retried_log", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
              help="Copy the objects that failed according to the log FILE, instead of SOURCES.")
@compression_option
@click.option("--content-type", help="The content type of the copies.")
@click.option("--cache-control", help="The Cache-Control of the copies.")
@click.option("--storage-class", help="The storage class of the copies.")
@click.option("--resumable", is_flag=True, help="Skip what the destination has, and resume large objects that an "
                                                "earlier run left incomplete.")
@_shared_options
@store_options
def cp(stores: Stores, sources: tuple[str, ...], destination: str | None, recursive: bool, retried_log: str | None,
       compression: str, content_type: str | None, cache_control: str | None, storage_class: str | None,
       resumable: bool, limit_rate: int | None, part_bytes: int | None, **choice: Any) -> int:
    """Copy SOURCES to DESTINATION. Each can be local or in any store.

    The source `-` reads paths from standard input; the destination `-` prints contents. Directories need -r: they are
    copied into DESTINATION if that is an existing directory or ends with '/'; otherwise DESTINATION becomes the copy.
    Each object appears at its destination complete or not at all.
    """
    if (not sources) == (retried_log is None) or (retried_log is not None and destination is not None):
        raise click.UsageError("expected SOURCES and a DESTINATION, or --retry FILE")
    if destination == STANDARD:
        from cloudfiles.cli.content_commands import cat

        return int(click.get_current_context().invoke(cat, paths=sources, byte_range=None) or 0)
    reencode = ENCODINGS.get(compression, compression)
    stored_encoding(reencode)  # raises for an unknown one, before anything is done
    options: dict[str, Any] = {
        "reencode": reencode, "content_type": content_type, "cache_control": cache_control,
        "storage_class": storage_class, "resumable": resumable, "max_rate": limit_rate}
    targets = _targets(stores, part_bytes)
    if retried_log is not None:
        planned = retried(stores, targets, retried_log)
    else:
        assert destination is not None
        planned = plan(stores, targets, sources, destination, recursive=recursive)

    def copy(copying: Copying, pairs: Iterable[Pair], bar: TransferBar) -> TransferResult:
        return copying.source.transfer_to(
            copying.target, ((pair.source, pair.target) for pair in pairs), progress=bar.counter, raise_errors=False,
            on_outcome=bar.note, **options)

    return _run(planned, _choice(**choice), copy, "copy")


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("destination")
@_shared_options
@store_options
def mv(stores: Stores, sources: tuple[str, ...], destination: str, limit_rate: int | None, part_bytes: int | None,
       **choice: Any) -> int:
    """Move SOURCES, objects and directories, to DESTINATION, by the rules of `cp -r`.

    Within a file system they are renamed; elsewhere an object is deleted only when its copy has been verified.
    """
    def move(copying: Copying, pairs: Iterable[Pair], bar: TransferBar) -> TransferResult:
        return copying.source.moves(copying.target, ((pair.source, pair.target) for pair in pairs),
                                    progress=bar.counter, raise_errors=False, max_rate=limit_rate,
                                    on_outcome=bar.note)

    def move_all(copying: Copying, pairs: Iterable[Pair], bar: TransferBar) -> TransferResult:
        if not copying.directory:
            return move(copying, pairs, bar)
        above = operand(copying.directory, globs=False)
        here = stores.open(above.directory)._store.here()
        if here.is_below_symlink(f"{above.name}/*"):
            raise InvalidInputError(f"{copying.text} is a symlink to a directory, whose files would be removed from "
                                    "there (not moved)")
        result = move(copying, pairs, bar)
        if not (result.errors or choice["include"] or choice["exclude"]):
            here.remove_empty_directory(above.name, [f"{above.name}/{link}" for link in copying.skipped])
        return result

    return _run(plan(stores, _targets(stores, part_bytes), sources, destination, recursive=True), _choice(**choice),
                move_all, "move")


def _choice(*, block_size: int | None, flight_time: bool, io_rate: bool, machine_io_rate: bool,
            machine_io_rate_buffer_sec: int, **more: Any) -> Choice:
    return Choice(pictures=Pictures(flight_time, io_rate, machine_io_rate, machine_io_rate_buffer_sec), **more)


def _targets(stores: Stores, part_bytes: int | None) -> Stores:
    """Credentials apply to both sides, unsigned requests to the source only."""
    more = {} if part_bytes is None else {"composite_upload_threshold": part_bytes}
    return replace(stores, options={**stores.options, "no_sign_request": False, **more})


Transfer = Callable[[Copying, Iterable[Pair], TransferBar], TransferResult]


def _run(planned: Iterable[Copying], choice: Choice, transfer: Transfer, verb: str) -> int:
    outcome = Outcome(choice.log)
    shown = False if choice.dry_run else choice.progress
    with outcome, choice.pictures.drawn(outcome.say), transfer_bar(verb, shown, outcome) as bar:
        try:
            for copying in planned:
                _transfer_one(copying, choice, transfer, bar, outcome, verb)
        except KeyboardInterrupt:
            return outcome.interrupted(verb, "repeat the command with --if-newer, or use `cloudfiles sync`")
    return outcome.status


def _transfer_one(copying: Copying, choice: Choice, transfer: Transfer, bar: TransferBar, outcome: Outcome,
                  verb: str) -> None:
    pairs = _chosen(copying, choice, outcome)
    try:
        if choice.dry_run:
            for pair in pairs:
                print_line(f"{verb} {below(copying.source.cloudpath, pair.source)} "
                           f"{below(copying.target.cloudpath, pair.target)}")
            return
        bar.begin(copying.source.cloudpath, copying.target.cloudpath)
        first = list(islice(pairs, 1))  # an operand that stands for nothing is an error of its own
        result = transfer(copying, bar.counted(chain(first, pairs)), bar)
    except CloudFilesError as error:
        result = getattr(error, "result", TransferResult())
        outcome.fail(copying.text, error)
    choice.pictures.add(result)
    for key, failure in result.errors.items():
        outcome.fail(below(copying.source.cloudpath, key), failure, target=bar.target_of(key))
    for link in copying.skipped:
        outcome.skip(below(copying.source.cloudpath, link), "a symlink that leads out of the directory, or to nothing")


def _chosen(copying: Copying, choice: Choice, outcome: Outcome) -> Iterator[Pair]:
    """The pairs that pass the filters, looked up at the destination in chunks."""
    wanted = key_filter(list(choice.include) or None, list(choice.exclude) or None)
    pairs = (pair for pair in copying.pairs() if wanted(pair.source))
    if not (choice.no_clobber or choice.if_newer):
        yield from pairs
        return
    while chunk := list(islice(pairs, _CHUNK)):
        keys = [pair.target for pair in chunk]
        if choice.no_clobber:
            found = copying.target.exists(keys)
            kept = [pair for pair in chunk if not found[pair.target]]
        else:
            kept = _newer(copying, chunk)
        for pair in set(chunk) - set(kept):
            outcome.skip(below(copying.source.cloudpath, pair.source), "it exists at the destination")
        yield from kept


def _newer(copying: Copying, chunk: list[Pair]) -> list[Pair]:
    """The pairs whose source was modified after their target, or whose target is missing."""
    theirs = copying.target.head([pair.target for pair in chunk])
    unknown = [pair.source for pair in chunk if pair.modified is None]
    ours = copying.source.head(unknown) if unknown else {}

    def is_newer(pair: Pair) -> bool:
        fields = theirs[pair.target]
        if fields is None:
            return True
        head = ours.get(pair.source)
        changed = when(pair.modified or (head and head["Last-Modified"]))
        there = when(fields["Last-Modified"])
        return changed is None or there is None or int(changed) > int(there)

    return [pair for pair in chunk if is_newer(pair)]
