"""The `cloudfiles` command. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: everything was done; 1: some objects failed; 2: usage error; 3: nothing was done, because no store could be
    reached or nothing was allowed; 130: interrupted. Errors are printed to standard error, one line each; `--debug`
    prints the traceback as well.

    Args:
        arguments: those after the program's name; None: `sys.argv[1:]`.
    """
    from cloudfiles.cli.group import run

    return run(arguments)
