"""Expiry of files of Data Lake Gen2.

Source: Azure Storage REST reference, "Set Blob Expiry".
"""

from __future__ import annotations

from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.azure.paths import DfsPaths, DfsRequest
from cloudfiles.interfaces.capabilities import Expiry


class AzureExpiry(DfsPaths, Expiry):
    """Files of a container that the service deletes."""

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Delete a file `at` a time (seconds since the epoch), or `after` a number of seconds; or never."""
        headers = {"x-ms-expiry-option": "NeverExpire"}
        if after is not None:
            headers = {"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": str(int(after * 1000))}
        elif at is not None:
            headers = {"x-ms-expiry-option": "Absolute", "x-ms-expiry-time": http_date(int(at))}
        container = self._container
        container.client.send(DfsRequest(container.origin, "PUT", container.query_target(path, {"comp": "expiry"}),
                                         headers, protocol=container.protocol, path=path))
