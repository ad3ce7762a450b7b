"""What every request to a bucket needs: its location, its protocol, the client, and the headers they share."""

from __future__ import annotations

from dataclasses import dataclass

from cloudfiles.credentials.signing.sigv4 import format_query, quote_key
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.s3.checksums import UploadChecks
from cloudfiles.interfaces.s3.protocol import S3Protocol
from cloudfiles.runtime.base import Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Origin


@dataclass(slots=True)
class S3Bucket:
    """A bucket below one path.

    Attributes:
        root: what a key of the bucket has before a key of the interface.
        base: the same as targets have it, the bucket's place included.
        headers: those of every request; to be copied.
        checks: how this server checks uploads.
        bulk_deletes: whether the server has a bulk delete, as far as known.
        honours_conditions: whether If-Match and If-None-Match are known to be heeded on writes.
    """

    client: Client
    runtime: Runtime
    protocol: S3Protocol
    checks: UploadChecks
    root: str
    base: str
    headers: dict[str, str]
    honors_conditions: bool
    bulk_deletes: bool = True

    @property
    def origin(self) -> Origin:
        """As known by now: a region learned later means another one."""
        return self.protocol.endpoint.origin

    def target(self, key: str) -> str:
        """Raises InvalidPathError for a key that S3 cannot hold."""
        if not key:
            raise InvalidPathError("the key must not be empty")
        return self.base + quote_key(key)

    def query_target(self, key: str, query: dict[str, str]) -> str:
        """The target of a subresource of an object, as of an upload."""
        return f"{self.target(key)}?{format_query(query)}"
