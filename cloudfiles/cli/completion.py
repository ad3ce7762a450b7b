"""`cloudfiles completion`: completion of commands and options in shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell. For bash, add `eval "$(cloudfiles completion bash)"` to ~/.bashrc."""
    from cloudfiles.cli.group import commands

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(commands, {}, "cloudfiles", "_CLOUDFILES_COMPLETE").source())
