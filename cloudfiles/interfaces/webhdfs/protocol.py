"""What all requests to one cluster have in common: the user, and the interpretation of errors."""

from __future__ import annotations

from typing import Any, Protocol

from cloudfiles.credentials.hadoop import HadoopCredentials
from cloudfiles.interfaces.webhdfs.endpoint import Cluster
from cloudfiles.interfaces.webhdfs.errors import build_error, is_missing
from cloudfiles.transport.request import ProviderProtocol, Request, Response, format_head


class UserProvider(Protocol):
    """A CredentialProvider whose credentials have a `query` and an `authorization`."""

    get: Any

    @property
    def searched(self) -> str:
        """The sources that are searched, in words."""

    def refresh(self, rejected: Any) -> Any:
        """As `CredentialProvider.refresh`."""

    def explain(self) -> list[Any]:
        """As `CredentialProvider.explain`."""


class WebHdfsProtocol(ProviderProtocol):
    """The protocol of one cluster.

    A NameNode receives who the user is. It puts what a DataNode needs to know into the URL to which it redirects: a
    DataNode is sent nothing else, in particular no Authorization header.
    """

    def __init__(self, cluster: Cluster, provider: UserProvider) -> None:
        self.cluster = cluster
        self._provider = provider

    def encode(self, request: Request, host: str, now: float) -> bytes:
        target, headers = request.target, request.headers
        credentials = request.signed = self._provider.get()
        if credentials is not None and request.origin in self.cluster.origins:
            if not getattr(request, "is_redirected", False) and credentials.query:
                target += f"&{credentials.query}"
            if credentials.authorization is not None:
                headers = {**headers, "authorization": credentials.authorization}
        return format_head(request.method, target, host, headers, request.body)

    def to_error(self, request: Request, response: Response) -> Exception:
        return build_error(response, request.path, self._provider.searched)

    def is_missing(self, response: Response) -> bool:
        return is_missing(response)

    def renew_credentials(self, rejected: HadoopCredentials | None) -> bool:
        """Search all sources again. Returns whether there are other credentials than the `rejected` ones."""
        return rejected is not None and self._provider.refresh(rejected) != rejected
