"""Appending to files of Data Lake Gen2.

Source: Data Lake Storage Gen2 REST reference, "Path - Create", "Path - Update" (append, flush).
"""

from __future__ import annotations

from cloudfiles import integrity
from cloudfiles.interfaces.azure.paths import DfsPaths
from cloudfiles.interfaces.capabilities import Appending


class AzureAppending(DfsPaths, Appending):
    """Appending to the files of a container: bytes are staged, and visible after `flush`."""

    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file to append to. With `if_absent`, raises PreconditionFailedError if it exists."""
        self._send("PUT", path, {"resource": "file"}, {"if-none-match": "*"} if if_absent else {})

    def append(self, path: str, position: int, content: bytes) -> None:
        """Upload bytes for `position`; repeating this is harmless. They are not visible before `flush`."""
        self._send("PATCH", path, {"action": "append", "position": str(position)},
                   {"content-md5": integrity.content_md5(content)}, content)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Commit everything that was appended to the file, which then has `length` bytes. Returns the ETag.

        close: report in the events of the file that it is complete. If bytes are missing, a ServerError is raised and
        the file is unchanged.
        """
        query = {"action": "flush", "position": str(length), "close": "true" if close else "false"}
        return self._send("PATCH", path, query).get("etag")
