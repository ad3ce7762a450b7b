"""`cloudfiles cleanup`."""

from __future__ import annotations

from typing import Any

import click

from cloudfiles.cli.listing import missing
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.sizes import parse_duration
from cloudfiles.cli.store_options import Stores, store_options


class _Age(click.ParamType[Any]):
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--older-than", type=_Age(), default="1d", show_default=True, metavar="AGE",
              help="Keep what was begun later: 900 or 900s, 15m, 12h, 7d, 2w. Choose a time longer than any write "
                   "that may be in progress.")
@store_options
def cleanup(stores: Stores, paths: tuple[str, ...], older_than: float) -> int:
    """Remove what killed programs have left in the directories PATHS: temporary files and incomplete uploads.

    These are not objects, and are never listed. Incomplete uploads take space that is paid for. `-` reads paths from
    standard input.
    """
    outcome = Outcome()
    for one in stores.operands(paths):
        with failing(outcome, one.text):
            cf = stores.open(one.cloudpath)
            count = cf.discard_partial(older_than=older_than)
            if not count and cf.protocol == "file" and not cf.isdir(""):
                raise missing(one)
            outcome.add(one.text)
            click.echo(f"{one.text}: removed {count} temporary file{'s' * (count != 1)}" if cf.protocol == "file" else
                       f"{one.text}: removed {count} incomplete upload{'s' * (count != 1)}", err=True)
    return outcome.status
