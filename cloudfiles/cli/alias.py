"""`cloudfiles alias`: names for endpoints, kept in `aliases.json`."""

from __future__ import annotations

import click

from cloudfiles import paths
from cloudfiles.aliases import BUILT_IN, registry
from cloudfiles.exceptions import InvalidInputError


@click.group()
def alias() -> None:
    """Manage short names for endpoints.

    After `cloudfiles alias add lab s3://https://s3.example.org/`, lab://bucket/key is a cloudpath.
    """


@alias.command()
@click.argument("name")
@click.argument("host")
def add(name: str, host: str) -> None:
    """Make NAME://BUCKET/KEY short for HOST/BUCKET/KEY, in this and all later processes."""
    paths.add_persistent_alias(name.removesuffix("://"), host)


@alias.command("ls")
def list_aliases() -> None:
    """List all aliases."""
    paths.update_aliases_from_file()
    known = registry.known()
    for name, host in sorted(known.items()):
        kind = " (built in)" if BUILT_IN.get(name) == host else ""
        click.echo(f"{name + '://':15} -> {host}{kind}")


@alias.command()
@click.argument("name")
def rm(name: str) -> None:
    """Remove an alias that was added."""
    if not paths.remove_persistent_alias(name.removesuffix("://")):
        raise InvalidInputError(f"there is no alias {name!r}")
