"""`cloudfiles license`."""

from __future__ import annotations

from importlib.metadata import files

import click


@click.command()
def license() -> None:
    """Print the license."""
    for path in files("cloudfiles") or []:
        if path.name == "LICENSE":
            click.echo(path.read_text(encoding="utf-8"), nl=False)
            return
    click.echo("BSD 3-Clause License")
