"""Starts worker processes: new interpreters that do not import the user's `__main__`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

import cloudfiles
from cloudfiles.exceptions import WorkerError
from cloudfiles.workers.process_state import ProcessState

_PIPE_BYTES = 256 * 1024
"""Not more, as Linux limits the pipes of a user to 64 MiB in total, and further ones get almost nothing."""

_MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(16 << 20)}
"""For the C library: a worker keeps the memory of one task's contents for the next, which saves page faults (16 for
64 KiB). The variables are not passed on to programs that it starts."""

# The path is set before anything is imported: with `-c` the working directory stands first in it. This package is
# loaded from its very file, so that it is the same as in this process, even if another one has its name.
_BOOT = """\
import sys
sys.path[:] = {path!r}
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("cloudfiles", {file!r}, submodule_search_locations={places!r})
sys.modules["cloudfiles"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from {main} import main
main({argument!r})
"""


def boot_code(path: list[str], main: str, argument: object) -> str:
    """Source for `python -c` that calls `main(argument)` of the module `main`, with this very package and `path`."""
    return _BOOT.format(path=path, file=os.path.abspath(cloudfiles.__file__),
                        places=[os.path.abspath(place) for place in cloudfiles.__path__], main=main, argument=argument)


def start(state: ProcessState, memory: tuple[int, int] | None) -> subprocess.Popen[bytes]:
    """Start a worker that reads requests from its standard input and writes replies to its standard output.

    It has a session of its own: on Ctrl-C in a terminal, this process cancels its tasks.
    memory: descriptors that it inherits, of the memory for tasks and for results.

    Raises WorkerError if there is no interpreter, or no process can be started.
    """
    if getattr(sys, "frozen", False) or not sys.executable:
        raise WorkerError("parallel= starts Python interpreters, but sys.executable is not set; use parallel=1 or pass "
                          "a concurrent.futures.Executor")
    boot = boot_code(state.path, "cloudfiles.workers.main", memory)
    # The same flags that multiprocessing passes on: -O, -W, -X, -I and so on.
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    try:
        child = subprocess.Popen([sys.executable, *flags, "-c", boot], bufsize=0, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, start_new_session=True,
                                 pass_fds=memory or (), env={**_MALLOC, **os.environ})
    except OSError as error:
        raise WorkerError(f"cannot start a worker process for parallel=: {error}") from error
    _widen(child.stdin)
    return child


def _widen(pipe: Any) -> None:
    """Increase the capacity of the pipe, if the system can, so that large contents need fewer context switches."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
