"""Temporary files: their names, and the removal of those that killed processes have left."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Collection

from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS

# The name does not contain the key, which may be as long as a name can be.
_TEMPORARY = re.compile(r"\.cloudfiles-[0-9a-f]+-[0-9a-f]{16}-[0-9a-f]+\.tmp")
_process_token = os.urandom(8).hex()
_counter = itertools.count()
_mark = f"{os.getpid():x}-{_process_token}"


def _renew_mark() -> None:
    global _mark
    _mark = f"{os.getpid():x}-{_process_token}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_mark)


def process_mark() -> str:
    """The part that is unique to the names of temporary files of this process."""
    return _mark


def temporary_name() -> str:
    """A new name for a file that is being written. Listings skip it."""
    return f".cloudfiles-{_mark}-{next(_counter):x}.tmp"


def mark_of(name: str) -> str:
    """The mark of the process that has written a temporary file; '' for other files."""
    return name[len(".cloudfiles-"):].rpartition("-")[0] if is_temporary(name) else ""


def is_temporary(name: str) -> bool:
    return name.startswith(".cloudfiles-") and _TEMPORARY.fullmatch(name) is not None


def discard_temporaries(directory: str, before: float) -> int:
    """Remove temporary files below `directory` that were last written before this time; returns how many."""
    removed = 0
    for parent, _, names in os.walk(directory):
        for name in filter(is_temporary, names):
            try:
                status = os.lstat(os.path.join(parent, name))
                if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                    os.unlink(os.path.join(parent, name))
                    removed += 1
            except OSError as error:
                if error.errno not in MISSING_ERRNOS:
                    raise
    return removed


def discard_temporaries_of(processes: Collection[str], directories: Collection[str], kept: Collection[str]) -> int:
    """Remove the temporary files of these processes from the directories, except for those in `kept`."""
    removed = 0
    for directory in directories:
        try:
            names = [name for name in os.listdir(directory) if mark_of(name) in processes and name not in kept]
            for name in names:
                os.unlink(os.path.join(directory, name))
                removed += 1
        except OSError as error:
            if error.errno not in MISSING_ERRNOS:
                raise
    return removed
