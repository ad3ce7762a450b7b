"""Files that one process at a time works with. Others can tell whether it still does: the system lets go of what a
process held, however it ended."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from cloudfiles.interfaces.file.locks import try_lock


class FileLock:
    """An advisory lock beside a file, `flock` on `PATH.lock`, of this object alone. Windows has none: all may hold it.

    Its methods raise OSError where the directory cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path + ".lock"
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Whether it is held from now on; False: another process, or another object here, holds it."""
        if sys.platform == "win32":
            return True
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._descriptor = try_lock(self.path, exclusive=True)
        return self._descriptor is not None

    def release(self) -> None:
        """Let go of it, where it is held, and leave no lock file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(self.path)
            os.close(descriptor)
