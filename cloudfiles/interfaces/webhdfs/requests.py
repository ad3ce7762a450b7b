"""One operation on one path: sent to the active NameNode, which redirects to a DataNode where content is involved.

A redirect holds for one attempt. After a failure the NameNode is asked again: it may name another DataNode. The body of
a write is sent to the DataNode only. Instead of a redirect (307), servers may answer with the URL in a JSON document
(`noredirect=true` of Hadoop 3), and gateways redirect to themselves.

Source: Hadoop documentation, "WebHDFS REST API" (Create and Write to a File, Open and Read a File).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, unquote, urlencode

from cloudfiles.exceptions import CloudFilesError, InvalidPathError, ProtocolError, ServerError
from cloudfiles.interfaces.documents import parse_json
from cloudfiles.interfaces.redirects import destination
from cloudfiles.interfaces.store_requests import WriteRequest
from cloudfiles.interfaces.webhdfs.endpoint import API, Cluster, Dialect
from cloudfiles.interfaces.webhdfs.errors import STANDBY, is_stale, remote_exception
from cloudfiles.interfaces.webhdfs.names import quote_path
from cloudfiles.interfaces.webhdfs.protocol import WebHdfsProtocol
from cloudfiles.transport.request import Body, Origin, Response, RetryRequest
from cloudfiles.transport.web_page import is_web_page, unreadable

if TYPE_CHECKING:
    from cloudfiles.transport.wire import Head

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 307, 308})
_QUERY_SAFE = "/:@,=~+;&!$'()*?[]%"


class _Redirect(NamedTuple):
    """Where the next attempt goes. attempt: the number of retries by which it is known."""

    origin: Origin
    target: str
    attempt: int


class Operation(WriteRequest):
    """An operation on a path; returns the response.

    Args:
        path: absolute, not encoded.
        key: the key, for error messages.
        content: sent to where the NameNode redirects to.
        exchanges_content: it reads or writes content, so a redirect is expected.
    """

    __slots__ = ("_content", "_corrections", "_first", "_hops", "_is_idempotent", "_op", "_parameters", "_path",
                 "_redirect", "_renewed", "dialect", "exchanges_content")

    def __init__(self, protocol: WebHdfsProtocol, dialect: Dialect, method: str, op: str, path: str,
                 key: str | None = None, parameters: Mapping[str, str] | None = None, content: Body = b"", *,
                 exchanges_content: bool = False, idempotent: bool = True) -> None:
        self.dialect = dialect
        self.exchanges_content = exchanges_content
        self._op = op
        self._path = path
        self._parameters = {**(parameters or {}), **dialect.parameters.get(op, {})}
        self._redirect: _Redirect | None = None
        self._hops = 0  # redirects in a row
        self._corrections = 0  # retries that were no failures
        self._first = protocol.cluster.active
        self._renewed = False
        headers = {"accept": "*/*", "user-agent": "cloudfiles"}
        if method != "GET":
            # Hadoop can require it ("Cross-Site Request Forgery Prevention").
            headers["x-xsrf-header"] = "cloudfiles"
        if exchanges_content and method != "GET":
            headers["content-type"] = "application/octet-stream"  # HttpFS rejects any other
        super().__init__(protocol.cluster.origin, method, "", headers, content, protocol=protocol,
                         idempotent=idempotent, path=key)

    # ---- where it is sent to

    @property
    def is_redirected(self) -> bool:
        """Whether the current attempt goes to where the NameNode has redirected."""
        return self._redirect is not None and self._redirect.attempt == self.retries

    @property
    def has_sent_content(self) -> bool:
        """Whether the content, or a part of it, may have been sent."""
        return self._redirect is not None or not self.dialect.two_steps

    @property
    def origin(self) -> Origin:
        if self._redirect is not None and self._redirect.attempt == self.retries:
            return self._redirect.origin
        return self._cluster.origins[self._server]

    @origin.setter
    def origin(self, origin: Origin) -> None:
        """Set by the base class; the origin follows from the cluster and its redirects."""

    @property
    def target(self) -> str:
        if self._redirect is not None and self._redirect.attempt == self.retries:
            return self._redirect.target
        query = urlencode({"op": self._op, **self.parameters()}, quote_via=quote, safe="/")
        return f"{self._cluster.base}{quote_path(self._path)}?{query}"

    @target.setter
    def target(self, target: str) -> None:
        """Set by the base class."""

    @property
    def body(self) -> Body:
        return self._content if self.is_redirected or not self.dialect.two_steps else b""

    @body.setter
    def body(self, body: Body) -> None:
        self._content = body

    @property
    def idempotent(self) -> bool:
        return self._is_idempotent or not self.is_redirected  # a NameNode that redirects has done nothing

    @idempotent.setter
    def idempotent(self, idempotent: bool) -> None:
        self._is_idempotent = idempotent

    @property
    def operation(self) -> str:
        return "LIST" if self._op.startswith("LISTSTATUS") else self.method

    def parameters(self) -> Mapping[str, str]:
        """The parameters of the operation besides its name and the user."""
        return self._parameters

    @property
    def _cluster(self) -> Cluster:
        return cast("WebHdfsProtocol", self.protocol).cluster

    @property
    def _server(self) -> int:
        """The NameNode to ask: the next one after each failure."""
        return (self._first + max(0, self.retries - self._corrections)) % len(self._cluster.origins)

    # ---- responses

    def accept(self, response: Response) -> Any:
        if not 200 <= response.status < 300:
            raise self.to_error(response)
        if is_web_page(response):
            raise unreadable(f"the response to {self._op}", response, "is a web page", self.path)
        if self._content_is_due(response):
            raise ProtocolError(f"the server has executed {self._op} without asking for the content", path=self.path)
        self._answered()
        return self.result(response)

    def result(self, response: Response) -> Any:
        """The result of a successful response."""
        return response

    def _content_is_due(self, response: Response) -> bool:
        """Whether the content has not been sent. Raises RetryRequest if the response says where to send it."""
        if not self.exchanges_content or self.method == "GET" or self.is_redirected or not self.dialect.two_steps:
            return False
        location = _location_in_document(response)
        if location:
            self._answered()
            raise self._follow(location, response)
        return bool(len(self._content))

    def _answered(self) -> None:
        if not self.is_redirected:
            self._cluster.active = self._server

    def to_error(self, response: Response) -> Exception:
        if response.status in _REDIRECTS and "location" in response.headers:
            self._answered()
            location = response.headers["location"].encode("latin-1").decode("utf-8", "replace")
            return self._follow(location, response)
        error = super().to_error(response)
        if isinstance(error, CloudFilesError) and self._correct(response):
            return self._repeat(error)
        return error

    def _correct(self, response: Response) -> bool:
        """Whether another NameNode or other credentials may help."""
        if self.is_redirected:
            return False
        if remote_exception(response).name == STANDBY:
            # Each NameNode is asked once at once, and then in turn after a backoff.
            self._first += 1
            return self._corrections < len(self._cluster.origins) - 1
        if is_stale(response) and not self._renewed:
            self._renewed = True
            return cast("WebHdfsProtocol", self.protocol).renew_credentials(self.signed)
        return False

    def _repeat(self, error: CloudFilesError) -> RetryRequest:
        self._corrections += 1
        return RetryRequest(error)

    def _follow(self, location: str, response: Response) -> Exception:
        """Make the next attempt there. The address is a claim of the server: it is checked."""
        if self.is_redirected and self._hops >= MAX_REDIRECTS:
            return ServerError(f"more than {MAX_REDIRECTS} redirects, the last one to {_shown(location)}",
                               status=response.status, path=self.path)
        try:
            origin, target = _destination(self.origin, self.target, location, self._path)
        except InvalidPathError as error:
            return ServerError(f"the server redirects to an invalid URL: {error}", status=response.status,
                               path=self.path)
        if self.origin.scheme == "https" and origin.scheme != "https":
            return ServerError(f"the server redirects from HTTPS to {_shown(location)}, which is not encrypted: "
                               "this is not followed", status=response.status, path=self.path)
        if "webhdfs" not in target.partition("?")[0].lower():
            return ServerError(f"the server redirects to {_shown(location)}, which is not WebHDFS: a page to sign in, "
                               "perhaps", status=response.status, path=self.path)
        self.rejections += 1  # nothing was executed
        self._hops = self._hops + 1 if self.is_redirected else 1
        self._redirect = _Redirect(origin, target, self.retries + 1)
        return self._repeat(ServerError(f"redirected to {_shown(location)}", path=self.path))


class DocumentOperation(Operation):
    """An operation whose result is a field of a JSON document. A missing path gives None."""

    __slots__ = ("field",)

    field: str

    def accept(self, response: Response) -> Any:
        if self.protocol.is_missing(response) or (
                response.status == 403 and remote_exception(response).is_not_a_directory):
            self._answered()
            return None
        return super().accept(response)

    def _content_is_due(self, response: Response) -> bool:
        if not self.is_redirected and self.exchanges_content:
            location = _location_in_document(response)
            if location:
                raise self._follow(location, response)
        return False

    def result(self, response: Response) -> Any:
        what = f"the response to {self._op}"
        document = parse_json(response, what, self.path)
        value = document.get(self.field)
        if value is None:
            raise unreadable(what, response, f"has no {self.field!r}", self.path)
        return value

    def max_body_size(self, head: Head) -> int | None:
        """A directory is listed in one document, whatever its size."""
        return None if head.status < 300 and self.operation == "LIST" else super().max_body_size(head)


def _location_in_document(response: Response) -> str | None:
    """The URL in a response with `noredirect=true`."""
    if response.content[:1] != b"{" or len(response.content) > 65536:
        return None
    try:
        location = json.loads(response.content).get("Location")
    except (ValueError, AttributeError, RecursionError):
        return None
    return location if isinstance(location, str) else None


def _destination(origin: Origin, target: str, location: str, path: str) -> tuple[Origin, str]:
    """The target of a redirect of a request for `path`. Raises InvalidPathError for schemes other than http and https.

    The path is encoded anew: DataNodes take "+" for a space, and NameNodes compose letters (NFC) that are decomposed
    in the name.
    """
    there, named, query = destination(origin, target, location)
    named = unquote(named)
    if not named.isascii() and _composed(named) == _composed(API + path):
        named = API + path
    return there, quote_path(named) + quote(query, safe=_QUERY_SAFE)


def _composed(text: str) -> str:
    from unicodedata import normalize

    return normalize("NFC", text)


def _shown(location: str) -> str:
    """A URL for messages, without its query, which may contain tokens."""
    path, mark, _ = location[:300].partition("?")
    return f"{path}{mark and '?...'}"

