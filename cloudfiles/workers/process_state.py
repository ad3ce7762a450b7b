"""The state of the parent that a worker process takes over before each task."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from cloudfiles import aliases
from cloudfiles.workers import messages


class ProcessState(NamedTuple):
    """Environment variables, working directory, import path and aliases."""

    environment: dict[str, str]
    directory: str | None
    path: list[str]
    aliases: dict[str, str]


def current_state() -> ProcessState:
    """The state of this process."""
    try:
        directory = os.getcwd()
    except OSError:  # it was removed
        directory = None
    return ProcessState(dict(os.environ), directory, import_path(directory), aliases.registry.added())


def apply_state(given: ProcessState) -> None:
    """In a worker: take over the state of the parent."""
    for name in set(os.environ) - set(given.environment):
        del os.environ[name]
    os.environ.update(given.environment)
    if given.directory is not None:
        with suppress(OSError):
            os.chdir(given.directory)
    sys.path[:] = given.path
    aliases.registry.replace_added(given.aliases)
    messages.forget_unpickled()


def import_path(directory: str | None) -> list[str]:
    """`sys.path`, with those directories last in which a file may shadow a module by accident.

    These are the working directory, which `python -m`, `python -c` and notebooks search first, and the directory of
    the script: files there are not necessarily meant to be imported.
    """
    doubtful = {"", directory, *_directories_of_main()}
    path = [entry for entry in sys.path if isinstance(entry, str)]
    standard = os.path.dirname(os.__file__)
    safe = [entry for entry in path if entry not in doubtful or entry == standard]
    last = [entry or directory for entry in path if entry not in safe]
    return [*safe, *dict.fromkeys(entry for entry in last if entry)]


def _directories_of_main() -> list[str]:
    """The directory of the script, or that in which `python -m` was started."""
    main: Any = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if not isinstance(file, str):
        return []
    directory = os.path.dirname(file)
    spec = getattr(main, "__spec__", None)
    if spec is None:
        return [directory, os.path.abspath(directory)]
    for _ in range(spec.name.count(".")):
        directory = os.path.dirname(directory)
    return [directory]
