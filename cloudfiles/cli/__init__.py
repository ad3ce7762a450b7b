"""The `cloudfiles` command. Each group of commands is a module of its own, loaded when it is called."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` where no arguments are given); gives the exit status.

    0: done; 1: it failed; 2: it was called wrongly; 130: it was interrupted. What went wrong is one line on
    standard error; `-v` shows the traceback.
    """
    from cloudfiles.cli.group import run

    return run(arguments)
