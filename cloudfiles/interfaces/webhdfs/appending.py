"""Appending to files of HDFS, truncating them, and their times.

Source: Hadoop documentation, "WebHDFS REST API" (Append to a File, Truncate a File, Set Access or Modification Time).
"""

from __future__ import annotations

from cloudfiles.exceptions import PreconditionFailedError, ServerError, TransportError
from cloudfiles.interfaces.capabilities import Appending, Times, check_length, check_truncation, not_at_end
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace, read
from cloudfiles.interfaces.webhdfs.requests import Operation

_TRIES = 4

_RECOVERY = 120.0
"""Seconds in which the server truncates a block."""

_FIRST_LOOK, _LAST_LOOK = 0.05, 2.0  # seconds between two requests for the size; doubles each time


class HdfsAppending(Appending):
    """Appending to the files below one cloudpath: bytes are visible when `append` returns.

    HDFS allows one writer at a time. An append that breaks off may leave some of its bytes: they are removed, and
    appended again.
    """

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def create(self, path: str, *, if_absent: bool = False) -> None:
        target = self._files.path(path)
        present = self._files.status(target, path)
        if present is not None and present.is_directory:
            raise PreconditionFailedError("a directory has this name", path=path)
        request = self._operation("PUT", "CREATE", path, {"overwrite": "false" if if_absent else "true"})
        try:
            self._files.client.send(request)
        except PreconditionFailedError:
            # An earlier attempt may have succeeded, with its response lost.
            if present is not None or not request.may_have_acted or self._file(path).size:
                raise

    def append(self, path: str, position: int, content: bytes) -> None:
        where = {"offset": str(position)} if self._files.dialect.append_offset else {}
        for tries_left in reversed(range(_TRIES)):
            status = self._file(path)
            if status.size != position:
                raise not_at_end(path, status.size, position)
            if not content:
                return
            try:
                self._files.client.send(self._operation("POST", "APPEND", path, where, content))
            except TransportError:
                if self._has_appended(path, position, content):
                    return
                if not tries_left:
                    raise
            else:
                return

    def _has_appended(self, path: str, position: int, content: bytes) -> bool:
        """After a failure: whether all bytes were appended. Some of them are removed again."""
        status = self._file(path)
        if status.size == position:
            return False
        end = min(status.size, position + len(content))
        if status.size > position + len(content) or (
                read(self._files, path, position, end, status.etag, pin=True) != content[:end - position]):
            raise PreconditionFailedError("another client has appended to the file at the same time", path=path)
        if end == position + len(content):
            return True
        self.truncate(path, position)
        return False

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        status = self._file(path)
        check_length(path, status.size, length)
        return status.etag

    def truncate(self, path: str, size: int) -> None:
        status = self._file(path)
        check_truncation(path, status.size, size)
        if size < status.size:
            done = self._files.ask("TRUNCATE", "boolean", self._files.path(path), path, {"newlength": str(size)},
                                   method="POST")
            if done is not True:
                self._await_size(path, size)

    def _await_size(self, path: str, size: int) -> None:
        """Wait until the DataNodes have cut the last block: until then, readers see the old file."""
        clock, pause = self._files.client.clock.monotonic, _FIRST_LOOK
        end = clock() + _RECOVERY
        while self._file(path).size != size:
            if clock() >= end:
                raise ServerError(f"the server has not truncated the file within {_RECOVERY:.0f} seconds", path=path)
            self._files.runtime.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)

    def _file(self, path: str) -> FileStatus:
        found = self._files.required(path)
        if found.is_directory:
            raise PreconditionFailedError("this is a directory, not a file", path=path)
        return found

    def _operation(self, method: str, op: str, path: str, parameters: dict[str, str],
                   content: bytes = b"") -> Operation:
        return Operation(self._files.protocol, self._files.dialect, method, op, self._files.path(path), path,
                         parameters, content, exchanges_content=True, idempotent=method == "PUT")


class HdfsTimes(Times):
    """The times of files and directories below one cloudpath, in milliseconds."""

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def set_times(self, path: str, modified: float | None = None, accessed: float | None = None) -> None:
        self._files.required(path)
        times = {"modificationtime": modified, "accesstime": accessed}
        self._files.run("PUT", "SETTIMES", self._files.path(path), path, {
            name: "-1" if time is None else str(round(time * 1000)) for name, time in times.items()})
