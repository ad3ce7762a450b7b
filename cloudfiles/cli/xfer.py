"""`cloudfiles xfer`: transfers with a journal, which survive kills."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cloudfiles import ResumableTransfer
from cloudfiles.cli.outcome import DONE, FAILED
from cloudfiles.cli.progress_bar import progress_of
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import json_lines_option, print_json
from cloudfiles.cli.transfer_options import ENCODINGS, compression_option, progress_option


@click.group()
def xfer() -> None:
    """Transfers that can be interrupted, killed and resumed, by any number of processes.

    \b
    cloudfiles xfer init SOURCE DESTINATION --db NAME.db   lists the objects
    cloudfiles xfer execute NAME.db                        transfers them; repeat it after a kill
    cloudfiles xfer status NAME.db                         shows what is done, and what failed
    cloudfiles xfer retry NAME.db                          tries failed objects again
    """


@xfer.command()
@click.argument("source")
@click.argument("destination")
@click.option("--db", required=True, type=click.Path(dir_okay=False), help="The journal, a SQLite file.")
@compression_option
@click.option("--txt", type=click.Path(exists=True, dir_okay=False), help="A file with the keys to transfer, one per "
                                                                          "line.")
@store_options
def init(stores: Stores, source: str, destination: str, db: str, compression: str, txt: str | None) -> int:
    """List the objects of the directory SOURCE in a new journal. Nothing is transferred yet."""
    transfer = ResumableTransfer(db)
    ours, theirs = (stores.open(stores.operand(text).cloudpath) for text in (source, destination))
    count = transfer.init(ours, theirs, None if txt is None else _lines(txt), ENCODINGS.get(compression, compression))
    click.echo(f"{count} objects to transfer; start with: cloudfiles xfer execute {db}", err=True)
    return DONE


def _lines(path: str) -> Iterator[str]:
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if key := line.rstrip("\r\n"):
                yield key


@xfer.command()
@click.argument("db", type=click.Path(dir_okay=False))
@progress_option
@click.option("--lease-msec", type=click.FloatRange(min=0), default=0.0, hidden=True)
@click.option("-b", "--block-size", type=click.IntRange(min=1), default=200, show_default=True,
              help="Number of objects that a process reserves at once.")
@click.option("--keep", is_flag=True, help="Keep the journal when everything is transferred.")
def execute(db: str, progress: bool | None, lease_msec: float, block_size: int, keep: bool) -> int:
    """Transfer the objects of the journal DB that are left. Any number of processes may do so at once.

    The journal is removed when nothing is left.
    """
    return _execute(db, progress, lease_msec, block_size, keep, failed=False)


@xfer.command()
@click.argument("db", type=click.Path(dir_okay=False))
@progress_option
@click.option("--keep", is_flag=True, help="Keep the journal when everything is transferred.")
def retry(db: str, progress: bool | None, keep: bool) -> int:
    """Transfer what is left, and the objects that failed before."""
    return _execute(db, progress, 0.0, 200, keep, failed=True)


def _execute(db: str, progress: bool | None, lease_msec: float, block_size: int, keep: bool, *, failed: bool) -> int:
    transfer = ResumableTransfer(db)
    with progress_of("Transferring", progress) as bar:
        report = transfer.execute(bar, block_size, lease_msec, failed=failed, raise_errors=False)
    click.echo(str(report), err=True)
    if report and not keep:
        transfer.close()
    elif not report:
        click.echo(f"cloudfiles: objects are left; repeat `cloudfiles xfer {'retry' if report.failed else 'execute'} "
                   f"{db}`", err=True)
    return DONE if report else FAILED


@xfer.command()
@click.argument("db", type=click.Path(dir_okay=False))
@click.option("--failures", is_flag=True, help="Print every object that failed, and why.")
@json_lines_option
def status(db: str, failures: bool, as_json: bool) -> int:
    """Show how far the transfer of the journal DB is."""
    transfer = ResumableTransfer(db)
    if failures:
        for failure in transfer.failures():
            if as_json:
                print_json(path=failure.path, cause=failure.cause)
            else:
                click.echo(f"{failure.path}: {failure.cause}")
        return DONE
    report = transfer.report()
    if as_json:
        print_json(**{name: getattr(report, name) for name in ("source", "target", "total", "done", "skipped", "failed",
                                                               "leased", "pending", "unverifiable", "bytes")})
    else:
        click.echo(str(report))
    return DONE
