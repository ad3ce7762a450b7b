"""The group of all commands, and the exit status of each of their outcomes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

import cloudfiles

_COMMANDS = {
    "bench": "cloudfiles.cli.bench:bench",
    "explain-auth": "cloudfiles.cli.explain_auth:explain_auth",
}
"""Module and function of each command."""

FAILED, INTERRUPTED = 1, 130


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group("cloudfiles", cls=_LazyGroup, invoke_without_command=True,
             context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cloudfiles.__version__, message="%(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of errors.")
@click.pass_context
def commands(ctx: click.Context, verbose: bool) -> None:
    """Batches of get, put, exists, list and delete on cloud storage and local files."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `cloudfiles.cli.main`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = commands.main(given, prog_name="cloudfiles", standalone_mode=False)
    except click.UsageError as error:
        return _fail(error.format_message(), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), FAILED)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = None  # the reader has ended: do not fail again at exit
        return FAILED
    except Exception as error:
        if _verbose(given):
            traceback.print_exc()
        return _fail(str(error) or type(error).__name__, FAILED)
    return int(status or 0)


def _verbose(arguments: Sequence[str]) -> bool:
    """Whether `-v` precedes the command."""
    options = [argument for argument in arguments[:1] if argument.startswith("-")]
    return "-v" in options or "--verbose" in options


def _fail(message: str, status: int) -> int:
    click.echo("cloudfiles: " + " ".join(message.split()), err=True)
    return status
