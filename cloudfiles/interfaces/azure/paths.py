"""Paths of Data Lake Gen2: requests of accounts with a hierarchical namespace.

Source: Data Lake Storage Gen2 REST reference, "Path - Create", "Path - Update", "Path - Delete", "Path - Get
Properties", "Filesystem - Get Properties", "Status and error codes"; Azure Storage REST reference, "Get Account
Information".
"""

from __future__ import annotations

from cloudfiles.credentials.signing.url_encoding import format_query
from cloudfiles.exceptions import (
    AuthorizationError,
    DirectoryNotEmptyError,
    MissingObjectError,
    ProtocolError,
    ServerError,
)
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.paging import MAX_EMPTY_PAGES
from cloudfiles.interfaces.store_requests import WriteRequest
from cloudfiles.transport.request import Origin, Request, Response

_hierarchical: dict[tuple[Origin, str], bool] = {}  # (origin, account) -> whether it has a hierarchical namespace


def is_hierarchical(container: AzureContainer) -> bool:
    """Query the account on first use. Raises AuthorizationError if this cannot be determined."""
    account = container.origin, container.endpoint.account
    if account not in _hierarchical:
        _hierarchical[account] = _ask(container)
    return _hierarchical[account]


def forget_namespaces() -> None:
    """Forget the answers; for tests."""
    _hierarchical.clear()


def _ask(container: AzureContainer) -> bool:
    credentials = container.protocol.credentials()
    if credentials is not None and credentials.token is None:
        try:
            return _tells(container, container.origin, {"restype": "account", "comp": "properties"},
                          "x-ms-is-hns-enabled")
        except AuthorizationError:
            pass  # a SAS for blobs only
    return _tells(container, container.endpoint.dfs_origin, {"resource": "filesystem"}, "x-ms-namespace-enabled")


def _tells(container: AzureContainer, origin: Origin, query: dict[str, str], name: str) -> bool:
    """The value of the response header, which emulators, having no hierarchical namespace, do not send."""
    headers: dict[str, str] = container.client.send(
        _Properties(origin, "HEAD", container.container_target(query), {}, protocol=container.protocol))
    return headers.get(name, "").lower() == "true"


class _Properties(Request):
    """Returns the response headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if response.status == 200:
            return response.headers
        raise self.to_error(response)


class MissingPathError(MissingObjectError, ServerError):
    """A 404 for a path."""


class PathNotEmptyError(DirectoryNotEmptyError, ServerError):
    """A 409 for a directory."""


_NOT_EMPTY = ("DirectoryNotEmpty", "DestinationPathAlreadyExists")
_NO_CONTAINER = ("FilesystemNotFound", "ContainerNotFound", "ResourceNotFound")


class DfsRequest(WriteRequest):
    """A request to the dfs endpoint. Returns the response's headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if 200 <= response.status < 300:
            return response.headers
        error = self.to_error(response)
        raise _of_path(error) if isinstance(error, ServerError) else error


def _of_path(error: ServerError) -> ServerError:
    """The error by its meaning for a path."""
    kind = type(error)
    if error.code in _NOT_EMPTY:
        kind = PathNotEmptyError
    elif error.status == 404 and error.code not in _NO_CONTAINER:
        kind = MissingPathError
    return error if kind is type(error) else kind(error.args[0], status=error.status, code=error.code, path=error.path)


class DfsPaths:
    """Requests for the paths of one container below one path. '' is the path itself."""

    def __init__(self, container: AzureContainer) -> None:
        self._container = container

    def _target(self, path: str) -> str:
        """The target of a path; the root of a container is a second slash."""
        if path:
            return self._container.target(path)
        return self._container.base.rstrip("/") if self._container.root else f"{self._container.base}/"

    def _request(self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None,
                 body: bytes = b"") -> DfsRequest:
        target = self._target(path) + (f"?{format_query(query)}" if query else "")
        return DfsRequest(self._container.endpoint.dfs_origin, method, target, headers or {}, body,
                          protocol=self._container.protocol, path=path or None)

    def _send(self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None,
              body: bytes = b"") -> dict[str, str]:
        answer: dict[str, str] = self._container.client.send(self._request(method, path, query, headers, body))
        return answer

    def _follow(self, request: DfsRequest) -> None:
        """Send a request, and continue it if the response says that it is not complete."""
        target = request.target
        answer = self._container.client.send(request)
        before, repeated = "", 0
        while answer.get("x-ms-continuation"):
            token = answer["x-ms-continuation"]
            # The server makes progress between requests, so a token may repeat, but not forever.
            before, repeated = token, repeated + 1 if token == before else 0
            if repeated >= MAX_EMPTY_PAGES:
                raise ProtocolError(f"the {request.method} request does not end: the server repeats the continuation "
                                    f"token {token[:100]!r}", path=request.path)
            request.target = f"{target}&{format_query({'continuation': token})}"
            answer = self._container.client.send(request)

    def _properties(self, path: str) -> dict[str, str]:
        return self._send("HEAD", path, {"action": "getStatus"})
