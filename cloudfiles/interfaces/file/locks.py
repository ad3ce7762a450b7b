"""Optional advisory locks: one lock file per key in a separate directory, shared for reads, exclusive for writes.

They apply only to programs with the same lock directory. In addition to atomic replacement, writes wait for readers of
the old file, and conditional writes of several processes are atomic. They are `flock` locks, which are released when
their process ends, even if it is killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cloudfiles.exceptions import ConfigurationError, LockingError
from cloudfiles.lib import settings_dir, toabs
from cloudfiles.runtime.descriptors import open_into

_SUFFIX = ".lock"
_NAMED = 100  # bytes of a file's name in that of its lock
_FIRST_WAIT, _LONGEST_WAIT = 0.001, 0.05  # seconds
_BUSY = (errno.EAGAIN, errno.EACCES)


def lock_directory(given: str | None) -> str:
    """The given directory, else CLOUD_FILES_LOCK_DIR, else `locks` in the user's settings."""
    directory = given or os.environ.get("CLOUD_FILES_LOCK_DIR")
    return toabs(directory) if directory else os.path.join(settings_dir(), "locks")


class FileLocks:
    """The locks in one directory.

    Waiting is polling, not a blocking system call: a greenlet may wait for another one of the same thread.

    Args:
        directory: created if missing.
        sleep: how a worker waits.
        patience: seconds until LockingError.

    Raises:
        ConfigurationError: the directory cannot be written, or the system has no such locks.
    """

    def __init__(self, directory: str, sleep: Callable[[float], None], patience: float = 300.0) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("locking requires flock, which Windows does not have: do not set locking or "
                                     "lock_dir")
        self.directory = directory
        self._sleep = sleep
        self._patience = patience
        try:
            os.makedirs(directory, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"cannot create the lock directory {directory}: {error.strerror}") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigurationError(f"the lock directory {directory} is not writable: choose another one with "
                                     "lock_dir=")

    @contextmanager
    def held(self, path: str, exclusive: bool) -> Iterator[None]:
        """A block that holds the lock for the local path `path`. Raises LockingError."""
        lock_path = self._lock_path(path)
        opened: list[int] = []
        try:
            self._acquire(lock_path, path, exclusive, opened)
            yield
        finally:
            for descriptor in opened:
                os.close(descriptor)  # which releases it

    def _lock_path(self, path: str) -> str:
        """The lock file of a path. Its name begins with that of the file, so that one can see what is locked."""
        number = int.from_bytes(hashlib.blake2b(os.fsencode(path), digest_size=16).digest(), "big")
        name = os.fsdecode(os.fsencode(os.path.basename(path))[:_NAMED])
        return os.path.join(self.directory, f"{name}.{number}{_SUFFIX}")

    def _acquire(self, lock_path: str, path: str, exclusive: bool, opened: list[int]) -> None:
        waited, pause = 0.0, _FIRST_WAIT
        while True:
            try:
                if try_lock(lock_path, exclusive, opened):
                    return
            except OSError as error:
                raise LockingError(f"lock file {lock_path}: {error.strerror}", path=path) from error
            if waited >= self._patience:
                raise LockingError(f"still locked by another process after {waited:.0f} s (lock file "
                                   f"{lock_path})", path=path)
            self._sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_WAIT)


def try_lock(lock_path: str, exclusive: bool, opened: list[int]) -> bool:
    """Take the lock, which is held until the descriptor that is added to `opened` is closed. False if others hold it.

    See `open_into`: also if an error is raised, the caller closes what was added.
    """
    import fcntl

    descriptor = open_into(opened, lock_path, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if _is_at(descriptor, lock_path):
            return True
    opened.remove(descriptor)
    os.close(descriptor)
    return False


def _is_at(descriptor: int, lock_path: str) -> bool:
    """Whether the locked file still has that name: `clear_locks` may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(lock_path))
    except FileNotFoundError:
        return False


def clear_locks(directory: str) -> int:
    """Remove unused lock files in `directory`; returns their number. Raises LockingError."""
    removed = 0
    try:
        for name in os.listdir(directory):
            if name.endswith(_SUFFIX):
                removed += _remove_unless_held(os.path.join(directory, name))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise LockingError(f"cannot clear the lock directory {directory}: {error.strerror}") from error
    return removed


def _remove_unless_held(lock_path: str) -> bool:
    opened: list[int] = []
    try:
        if not try_lock(lock_path, exclusive=True, opened=opened):
            return False
        with suppress(FileNotFoundError):
            os.unlink(lock_path)
        return True
    finally:
        for descriptor in opened:
            os.close(descriptor)
