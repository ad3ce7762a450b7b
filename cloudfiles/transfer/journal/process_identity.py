"""Identifies the process that holds a lease, and tells whether it is still alive."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress

from cloudfiles.interfaces.file.temporaries import process_mark
from cloudfiles.values import NamedTuple


class ProcessIdentity(NamedTuple):
    """Identifies a process to others on the same machine.

    Attributes:
        host: the machine.
        boot: an id of the current boot; '' if unknown.
        namespace: the namespace of process ids, as containers have their own; '' if unknown.
        pid: its id.
        began: the start time, which distinguishes it from a later process with the same id; '' if unknown.
        mark: a part of the names of its temporary files.
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
    """The current process."""
    return ProcessIdentity(socket.gethostname(), _boot(), _namespace(), os.getpid(), _state_of(os.getpid())[1],
                           process_mark())


def is_dead(process: ProcessIdentity) -> bool:
    """Whether it is certain that the process is gone. False if that cannot be determined from here."""
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
        pass  # it exists, and belongs to another user
    state, began = _state_of(process.pid)
    return state not in ("Z", "X") and began == process.began


def _state_of(pid: int) -> tuple[str, str]:
    """State and start time of a process, see proc_pid_stat(5); '' if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # the process name before it may contain anything
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
