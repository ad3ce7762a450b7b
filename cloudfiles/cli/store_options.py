"""The options that all commands share: how stores are reached, and by how many workers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.operands import Operand, operand, operands

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--endpoint", metavar="URL", help="URL of the service, if it is not the provider's own."),
    click.option("--no-sign-request", "--no-auth", is_flag=True, help="Send unsigned requests, for public buckets."),
    click.option("--request-payer", type=click.Choice(["requester"]),
                 help="Accept the charges for a requester-pays bucket."),
    click.option("--secrets", type=click.Path(exists=True, dir_okay=False), help="A JSON file with credentials."),
    click.option("--num-threads", type=click.IntRange(min=0), metavar="N",
                 help="Number of concurrent workers [default: found while the command runs]."),
    click.option("--green/--no-green", default=None,
                 help="Use green threads or OS threads [default: depends on the protocol]."),
    click.option("--no-glob", is_flag=True, help="Take `*`, `?` and `[` in paths literally."),
)


@dataclass(frozen=True)
class Stores:
    """Opens stores with the options of the command line.

    Attributes:
        globs: whether `*`, `?` and `[` in paths are globs.
    """

    options: dict[str, Any]
    globs: bool = True

    def operand(self, text: str) -> Operand:
        """A path of the command line."""
        return operand(text, globs=self.globs)

    def operands(self, given: Sequence[str]) -> list[Operand]:
        """The paths of the command line."""
        return operands(given, globs=self.globs)

    def open(self, cloudpath: str, **more: Any) -> CloudFiles:
        """A store, without any I/O. more: options of `CloudFiles` of this command."""
        return CloudFiles(cloudpath, **{**self.options, **more})


def store_options(command: F) -> F:
    """Add the options to a command, which receives `stores` in their place."""
    @functools.wraps(command)
    @click.pass_context
    def with_stores(ctx: click.Context, /, endpoint: str | None, no_sign_request: bool, request_payer: str | None,
                    secrets: str | None, num_threads: int | None, green: bool | None, no_glob: bool,
                    **arguments: Any) -> Any:
        processes = ctx.find_root().params.get("processes", 1)
        stores = Stores({"endpoint": endpoint, "no_sign_request": no_sign_request, "request_payer": request_payer,
                         "secrets": secrets, "num_threads": num_threads, "green": green, "parallel": processes},
                        globs=not no_glob)
        return command(stores=stores, **arguments)

    decorated: Any = with_stores
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    result: F = decorated
    return result
