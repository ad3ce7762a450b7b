"""Times of local files and directories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloudfiles.interfaces.capabilities import Times
from cloudfiles.runtime.cancellation import publishing

if TYPE_CHECKING:
    from cloudfiles.interfaces.file.interface import FileInterface


class FileTimes(Times):
    """The times below the root of an interface. The ETag of a file changes with its time."""

    def __init__(self, files: FileInterface) -> None:
        self._files = files

    def set_times(self, path: str, modified: float | None = None, accessed: float | None = None) -> None:
        with self._files.existing(path) as file:
            status = os.stat(file)
            times = [status.st_atime_ns if accessed is None else int(accessed * 1e9),
                     status.st_mtime_ns if modified is None else int(modified * 1e9)]
            with publishing():
                os.utime(file, ns=(times[0], times[1]))
