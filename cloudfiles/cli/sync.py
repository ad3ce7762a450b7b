"""`cloudfiles sync` and `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.operands import below
from cloudfiles.cli.outcome import DONE, FAILED, Outcome
from cloudfiles.cli.progress_bar import progress_of, transfer_bar
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import human_size, json_lines_option, print_json, print_line
from cloudfiles.cli.transfer_options import (
    exclude_option,
    include_option,
    limit_rate_option,
    log_option,
    progress_option,
)

if TYPE_CHECKING:
    from cloudfiles.transfer.sync import SyncResult


@click.command()
@click.argument("source")
@click.argument("destination")
@click.option("--delete", is_flag=True, help="Delete objects that exist only at DESTINATION.")
@click.option("--max-delete", type=click.IntRange(min=0), default=1000, show_default=True, metavar="N",
              help="Do nothing at all if more objects than this would be deleted.")
@click.option("--compare", type=click.Choice(["auto", "size", "time", "digest"]), default="auto", show_default=True,
              help="How changed objects are found.")
@include_option
@exclude_option
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be done.")
@json_lines_option
@progress_option
@limit_rate_option
@log_option
@store_options
def sync(stores: Stores, source: str, destination: str, delete: bool, max_delete: int, compare: str,
         include: tuple[str, ...], exclude: tuple[str, ...], dry_run: bool, as_json: bool, progress: bool | None,
         limit_rate: int | None, log: str | None) -> int:
    """Copy what is missing or has changed from the directory SOURCE to the directory DESTINATION.

    The contents of SOURCE are copied into DESTINATION, with or without a '/' at the end, so that the command can be
    repeated. Nothing is deleted unless --delete is given and all copies have succeeded.
    """
    ours, theirs = _store(stores, source), _store(stores, destination)
    outcome = Outcome(log)
    with outcome, transfer_bar("sync", progress, outcome) as bar:
        bar.begin(ours.cloudpath, theirs.cloudpath)
        try:
            result = ours.sync_to(theirs, delete, compare, list(include) or None, list(exclude) or None, dry_run,
                                  max_delete, bar.counter, raise_errors=False, max_rate=limit_rate,
                                  on_outcome=bar.note)
        except KeyboardInterrupt:
            return outcome.interrupted("sync", "repeat the command")
        for key, failure in result.transfer.errors.items():
            outcome.fail(below(ours.cloudpath, key), failure, target=below(theirs.cloudpath, key))
    _show_result(result, dry_run, as_json)
    outcome.skipped += sum(result.same.values())
    return outcome.status


def _show_result(result: SyncResult, dry_run: bool, as_json: bool) -> None:
    for action, key, reason in result.actions:
        if as_json:
            print_json(action=action, path=key, reason=reason)
        else:
            print_line(f"{action} {key}  ({reason})")
    for link in result.skipped_symlinks:
        click.echo(f"cloudfiles: skipped the symlink {link}, which leads out of the directory or to nothing", err=True)
    same, failed = sum(result.same.values()), len(result.transfer.errors)
    if as_json:
        print_json(copied=result.copied, same=same, deleted=result.deleted, failed=failed, bytes=result.transfer.bytes)
    elif not dry_run:
        click.echo(f"{result.copied} copied ({human_size(result.transfer.bytes)}), {same} up to date, "
                   f"{result.deleted} deleted" + (f", {failed} failed" if failed else ""), err=True)


def _store(stores: Stores, text: str) -> CloudFiles:
    one = stores.operand(text)
    if one.is_pattern:
        raise click.UsageError(f"{text}: expected a directory, got a glob; use --include")
    return stores.open(one.cloudpath)


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--read", "--md5", "read", is_flag=True, help="Read both objects where no digest is stored.")
@click.option("-m", "--only-matching", is_flag=True, help="Only check objects that exist at both.")
@click.option("-v", "--verbose", is_flag=True, help="Print how the objects differ.")
@json_lines_option
@progress_option
@click.option("--multipart-threshold", hidden=True)
@click.option("--part-size", hidden=True)
@store_options
def verify(stores: Stores, source: str, target: str, read: bool, only_matching: bool, verbose: bool, as_json: bool,
           progress: bool | None, multipart_threshold: str | None, part_size: str | None) -> int:
    """Compare the objects of the directory SOURCE with those of TARGET, by size, then by digest.

    The exit status is 0 if all of them are proven to be equal. Objects that exist only at TARGET are ignored.
    """
    ours, theirs = _store(stores, source), _store(stores, target)
    with progress_of("Verifying", progress) as bar:
        result = ours.verify(theirs, None, read, bar)
    missing = [] if only_matching else result.missing
    differing = [*result.different, *missing, *result.unverifiable]
    for one in differing:
        if as_json:
            print_json(path=one.path, verdict=one.verdict, cause=one.cause)
        else:
            print_line(f"{one.verdict}: {one.path}" + (f": {one.cause}" if verbose else ""))
    if as_json:
        print_json(same=result.same, different=len(result.different), missing=len(missing),
                   unverifiable=len(result.unverifiable))
    else:
        print_line(f"{result.same} equal, {len(result.different)} different, {len(missing)} missing, "
                   f"{len(result.unverifiable)} unverifiable" + (" (--read compares these by their contents)"
                                                                 if result.unverifiable and not read else ""))
    return FAILED if differing else DONE
