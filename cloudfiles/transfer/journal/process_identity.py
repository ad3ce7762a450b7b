"""Which process holds a lease, and whether it still lives."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

from cloudfiles.interfaces.file.names import process_mark


class ProcessIdentity(NamedTuple):
    """A process as another one on the same machine can find it.

    Attributes:
        host: the machine.
        boot: the machine's present run; '' where the system tells none.
        namespace: within which process ids are unique: containers have their own; '' where the system tells none.
        pid: its id.
        began: when it was started, which tells it from a later one of the same id; '' where the system tells none.
        mark: what its temporary files have in their names.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    began: str
    mark: str

    def dump(self) -> str:
        return json.dumps(self)

    @classmethod
    def load(cls, text: str) -> ProcessIdentity:
        return cls(*json.loads(text))


def this_process() -> ProcessIdentity:
    """The process that asks."""
    return ProcessIdentity(socket.gethostname(), _boot(), _namespace(), os.getpid(), _state_of(os.getpid())[1],
                       process_mark())


def is_dead(process: ProcessIdentity) -> bool:
    """Whether it surely does not run any more. False where that cannot be told from here."""
    here = this_process()
    if process.host != here.host:
        return False
    if process.boot != here.boot:
        return bool(process.boot and here.boot)
    if process.namespace != here.namespace or sys.platform == "win32":
        return False
    return not _runs(process)


def _runs(process: ProcessIdentity) -> bool:
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it runs, and is another user's
    state, began = _state_of(process.pid)
    return state not in ("Z", "X") and began == process.began


def _state_of(pid: int) -> tuple[str, str]:
    """State and time of start of a process, proc_pid_stat(5); '' for each where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # the name before may hold anything
        return fields[0].decode(), fields[19].decode()
    except (OSError, IndexError):
        return "", ""


def _boot() -> str:
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""
