"""The group of all commands, and the exit status of each of their outcomes."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

import cloudfiles

_COMMANDS = {
    "ls": ("listing_commands:ls", "List objects."),
    "cp": ("cp:cp", "Copy objects between any two stores."),
    "mv": ("cp:mv", "Move objects: copy, verify, delete."),
    "sync": ("sync:sync", "Copy what is missing or has changed in a directory."),
    "rm": ("changing_commands:rm", "Delete objects."),
    "cat": ("content_commands:cat", "Print the contents of objects."),
    "put": ("content_commands:put", "Write standard input to an object."),
    "head": ("stat:head", "Show the metadata of objects."),
    "stat": ("stat:stat", "Show the metadata of objects as a table."),
    "du": ("du:du", "Show the sizes of objects and directories."),
    "find": ("listing_commands:find", "Search for objects by name, size and age."),
    "tree": ("tree:tree", "Show directories as a tree."),
    "touch": ("changing_commands:touch", "Create empty objects."),
    "mkdir": ("changing_commands:mkdir", "Create directories."),
    "cleanup": ("cleanup:cleanup", "Remove temporary files and incomplete uploads that killed programs have left."),
    "verify": ("sync:verify", "Compare the objects of two directories."),
    "presign": ("stat:presign", "Print URLs that give access without credentials."),
    "xfer": ("xfer:xfer", "Run transfers that can be interrupted and resumed."),
    "alias": ("alias:alias", "Manage short names for endpoints."),
    "explain-auth": ("explain_auth:explain_auth", "Show where credentials come from."),
    "bench": ("bench:bench", "Measure the speed of a store."),
    "watch": ("watch:watch", "Watch the network traffic of this machine."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
    "license": ("license:license", "Print the license."),
}
"""Module and function of each command, and what the list of commands says of it. Importing a command takes time, so
this list is printed without doing so."""

_FIRST = """\
Copy, list and check objects on S3, Google Cloud Storage, Azure, HDFS, web servers and local disks.

  cloudfiles ls s3://bucket/dir/            what is there
  cloudfiles cp -r s3://bucket/dir/ data/   copy a directory, in either direction
  cloudfiles sync data/ gs://bucket/data/   copy only what has changed
  cloudfiles du -sh s3://bucket/dir/        how large it is
  cloudfiles explain-auth s3://bucket/      which credentials are used

All commands: cloudfiles --help
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def __init__(self, *args: object, lazy: Mapping[str, tuple[str, str]], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def summary(self, name: str) -> str:
        """What the list of commands says of one."""
        return self._lazy[name][1]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, name = self._lazy[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"cloudfiles.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._lazy.items()])


@click.group("cloudfiles", cls=LazyGroup, lazy=_COMMANDS, invoke_without_command=True,
             context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cloudfiles.__version__, message="%(version)s")
@click.option("-p", "--processes", "--parallel", "processes", type=int, default=1, metavar="N",
              help="Number of processes; 0: one for each core.  [default: 1]")
@click.option("-v", "--verbose", "--debug", "debug", is_flag=True, help="Show the traceback of errors.")
@click.pass_context
def commands(ctx: click.Context, processes: int, debug: bool) -> None:
    """Copy, list and check objects in cloud storage and HDFS, on web servers and on local disks."""
    ctx.params["processes"] = processes if processes > 0 else os.cpu_count() or 1
    if ctx.invoked_subcommand is None:
        click.echo(_FIRST, nl=False)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `cloudfiles.cli.main`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    from cloudfiles.cli.outcome import FAILED, INTERRUPTED, one_line, status_of

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files can be any bytes
    try:
        status = commands.main(given, prog_name="cloudfiles", standalone_mode=False)
        _flush()
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
        if _debug(given):
            traceback.print_exc()
        return _fail(one_line(error), status_of(error))
    return int(status or 0)


def _debug(arguments: Sequence[str]) -> bool:
    """Whether `--debug` or `-v` precedes the command."""
    before = []
    for argument in arguments:
        if argument in _COMMANDS:
            break
        before.append(argument)
    return not {"-v", "--verbose", "--debug"}.isdisjoint(before)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _fail(message: str, status: int) -> int:
    try:
        _flush()
    except BrokenPipeError:
        sys.stdout = None
    click.echo("cloudfiles: " + " ".join(message.split()), err=True)
    return status
