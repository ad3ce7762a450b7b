"""What every request to a container needs: its location, its protocol, and the client."""

from __future__ import annotations

from dataclasses import dataclass

from cloudfiles.credentials.signing.sigv4 import format_query, quote_key
from cloudfiles.exceptions import AuthorizationError, InvalidPathError
from cloudfiles.interfaces.azure.endpoint import Endpoint
from cloudfiles.interfaces.azure.protocol import AzureProtocol
from cloudfiles.interfaces.bucket_exists import BucketExistsRequest
from cloudfiles.runtime.base import Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Origin


@dataclass(slots=True)
class AzureContainer:
    """A container below one path.

    Attributes:
        root: what a blob's name has before a key of the interface.
        base: the same as targets have it, the container's place included.
        crc64: whether CRC64s are exchanged with the server, and not md5s, where nothing is stored with them.
        batch_deletes: whether the server takes several deletes in one request, as far as known.
    """

    client: Client
    runtime: Runtime
    protocol: AzureProtocol
    root: str
    base: str
    origin: Origin
    crc64: bool = False
    batch_deletes: bool = True

    @property
    def endpoint(self) -> Endpoint:
        return self.protocol.endpoint

    def target(self, key: str) -> str:
        """Raises InvalidPathError for a key that Azure cannot hold."""
        if "." in key and not {".", ".."}.isdisjoint(key.split("/")):
            # Azure resolves them as a URL's: the request would reach another object, or another container.
            raise InvalidPathError(f"{key!r} has a segment '.' or '..', which blob names cannot contain")
        if "\\" in key:
            raise InvalidPathError(f"{key!r} contains a backslash, which Azure treats as a slash: it would be a "
                                   "different key")
        if not key:
            raise InvalidPathError("the key must not be empty")
        return self.base + quote_key(key)

    def exists(self) -> bool:
        """Whether the server has the container. One that these credentials may not look at is taken to be there."""
        target = self.container_target({"restype": "container"})
        try:
            found: bool = self.client.send(BucketExistsRequest(self.origin, "HEAD", target, protocol=self.protocol))
        except AuthorizationError:
            return True
        return found

    def query_target(self, key: str, query: dict[str, str]) -> str:
        """The target of an operation on a blob that a query names."""
        return f"{self.target(key)}?{format_query(query)}"

    def container_target(self, query: dict[str, str]) -> str:
        return f"{self.endpoint.container_target}?{format_query(query)}"
