"""What every request to a bucket needs: its location, its protocol, the client, and the targets.

Source: Cloud Storage JSON API reference; "Encoding URI path parts" in its request endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudfiles.credentials.signing.sigv4 import format_query, quote_key
from cloudfiles.exceptions import AuthorizationError, InvalidPathError
from cloudfiles.interfaces.bucket_exists import BucketExistsRequest
from cloudfiles.interfaces.gs.endpoint import Endpoint
from cloudfiles.interfaces.gs.protocol import GsProtocol
from cloudfiles.interfaces.gs.requests import JsonRequest
from cloudfiles.runtime.base import Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Body


@dataclass(slots=True)
class GsBucket:
    """A bucket below one path.

    Attributes:
        name: the bucket's.
        root: what an object's name has before a key of the interface.
        user_project: who pays for the requests, None for the bucket's owner.
        composable: whether uploads may be composed of parts, None for not found out yet.
        batch_deletes: whether the server takes several deletes in one request, as far as known.
    """

    client: Client
    runtime: Runtime
    protocol: GsProtocol
    endpoint: Endpoint
    name: str
    root: str
    user_project: str | None = None
    composable: bool | None = None
    batch_deletes: bool = True

    # ---- targets

    @property
    def bucket_target(self) -> str:
        return f"{self.endpoint.path}/storage/v1/b/{quote_key(self.name)}"

    @property
    def upload_target(self) -> str:
        return f"{self.endpoint.path}/upload/storage/v1/b/{quote_key(self.name)}/o"

    def full_name(self, key: str) -> str:
        """The object's name. Raises InvalidPathError for a key that Cloud Storage cannot hold."""
        if not key:
            raise InvalidPathError("the key must not be empty")
        name = self.root + key
        if name in (".", ".."):  # in a URL's path they mean the bucket, to whoever resolves them on the way
            raise InvalidPathError(f"Cloud Storage does not allow objects named {name!r}")
        return name

    def target(self, name: str, operation: str = "", **query: str | None) -> str:
        """The target of an object of this full name, or of an operation on it."""
        return self.with_query(f"{self.bucket_target}/o/{quote_name(name)}{operation}", **query)

    def with_query(self, target: str, **query: str | None) -> str:
        """`target` with those of the parameters that are not None, and with who pays."""
        named = {name: value for name, value in query.items() if value is not None}
        if self.user_project is not None:
            named["userProject"] = self.user_project
        return f"{target}?{format_query(named)}" if named else target

    # ---- requests

    def ask(self, method: str, target: str, body: Body = b"", *, path: str | None = None) -> dict[str, Any] | None:
        """The JSON that a request is answered with; None where the object is missing."""
        found: dict[str, Any] | None = self.client.send(self.request(method, target, body, path=path))
        return found

    def request(self, method: str, target: str, body: Body = b"", *, path: str | None = None) -> JsonRequest:
        headers = {"content-type": "application/json"} if len(body) else {}
        return JsonRequest(self.endpoint.origin, method, target, headers, body, protocol=self.protocol, path=path)

    def exists(self) -> bool:
        """Whether the server has the bucket. One that these credentials may not look at is taken to be there."""
        target = self.with_query(self.bucket_target, fields="name")
        try:
            found: bool = self.client.send(
                BucketExistsRequest(self.endpoint.origin, "GET", target, protocol=self.protocol))
        except AuthorizationError:
            return True
        return found

    def resource(self, name: str, fields: str, path: str | None = None,
                 generation: str | None = None) -> dict[str, Any] | None:
        """What is known of the object of this full name; None where it is missing.

        Raises PreconditionFailedError where it has another generation than the one named.
        """
        return self.ask("GET", self.target(name, fields=fields, ifGenerationMatch=generation), path=path)


def quote_name(name: str) -> str:
    """An object's name as one segment of a URL's path."""
    return quote_key(name).replace("/", "%2F")
