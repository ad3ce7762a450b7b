"""What all requests to web servers have in common: redirects, and credentials that are sent to one origin only."""

from __future__ import annotations

from cloudfiles.credentials.http_auth import HttpCredentials
from cloudfiles.exceptions import (
    AuthorizationError,
    InvalidPathError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.http.urls import quote_typed, shown
from cloudfiles.interfaces.redirects import destination
from cloudfiles.transport.request import (
    Origin,
    ProviderProtocol,
    Request,
    Response,
    format_head,
    status_error,
)

MAX_REDIRECTS = 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READS = frozenset({"GET", "HEAD"})


class NotAnObjectError(Exception):
    """A redirect shows that the server does not have this key. Never leaves the interface."""


class WebProtocol(ProviderProtocol):
    """Follows the redirects of one request (RFC 9110 15.4); a new instance is used for every request.

    Credentials belong to the origin of the cloudpath. They are added when a request to this origin is formatted, so no
    redirect can send them to another scheme, host or port.

    Attributes:
        corrected: how often the request was repeated for other reasons than a failure.
        gained_slash: a redirect only added a slash, so the response may be the page of a directory.
    """

    def __init__(self, origin: Origin, target: str, credentials: HttpCredentials) -> None:
        self.corrected = 0
        self.gained_slash = False
        self._home = origin
        self._target = target
        self._credentials = credentials
        self._authorization = credentials.get()
        self._renewed = False
        self._chain = [shown(origin, target)]

    def encode(self, request: Request, host: str, now: float) -> bytes:
        headers = request.headers
        if self._authorization is not None and request.origin == self._home:
            headers = {**headers, "authorization": self._authorization.value}
        return format_head(request.method, request.target, host, headers, request.body)

    def to_error(self, request: Request, response: Response) -> Exception:
        if response.status in _REDIRECTS and "location" in response.headers:
            redirect = self._redirect(request, response)
            if isinstance(redirect, Exception):
                return redirect
            chain = " -> ".join([*self._chain, shown(*redirect)])
            return ServerError(f"redirected ({response.status}): {chain}", path=request.path)
        if response.status == 401:
            return self._unauthorized(request, response)
        return status_error(response, path=request.path)

    def correct(self, request: Request, response: Response) -> bool:
        if response.status in _REDIRECTS and "location" in response.headers:
            redirect = self._redirect(request, response)
            return not isinstance(redirect, Exception) and self._follow(request, *redirect)
        if response.status == 401 and request.origin == self._home and not self._renewed:
            return self._renew_credentials()
        if response.status == 403 and len(self._chain) > 1 and request.retries > self.corrected:
            # After a failure: what the target of the redirect was signed with may have expired.
            del self._chain[1:]
            return self._send_again(request, self._home, self._target)
        return False

    def shows_directory(self, response: Response) -> bool:
        """Whether the response is the page of a directory that was requested without its slash."""
        return self.gained_slash and response.headers.get("content-type", "").startswith("text/html")

    # ---- redirects

    def _redirect(self, request: Request, response: Response) -> tuple[Origin, str] | Exception:
        """Where a redirect leads, or the error that it is."""
        try:
            origin, target = _destination(request, response.headers["location"])
        except InvalidPathError as error:
            return ServerError(f"the server redirects to an invalid URL: {error}", status=response.status)
        if len(self._chain) > MAX_REDIRECTS:
            chain = " -> ".join([*self._chain, shown(origin, target)])
            return ServerError(f"more than {MAX_REDIRECTS} redirects: {chain}", status=response.status)
        if _changes_slash_only(request, origin, target):
            before, after = _path(request.target), _path(target)
            if request.method not in _READS:
                return UnsupportedOperationError(f"{shown(request.origin, before)} is a directory, or a file instead "
                                                 f"of one: the server redirects to {after}", path=request.path)
            if len(after) < len(before):
                return NotAnObjectError()
        if response.status == 303 and request.method not in _READS:
            return status_error(response, path=request.path)
        return origin, target

    def _follow(self, request: Request, origin: Origin, target: str) -> bool:
        self._chain.append(shown(origin, target))
        self.gained_slash |= _changes_slash_only(request, origin, target)
        return self._send_again(request, origin, target)

    def _send_again(self, request: Request, origin: Origin, target: str) -> bool:
        request.origin, request.target = origin, target
        self.corrected += 1
        return True

    # ---- credentials

    def _renew_credentials(self) -> bool:
        self._renewed = True
        fresh = self._credentials.renew(self._authorization)
        if fresh is None:
            return False
        self._authorization = fresh
        self.corrected += 1
        return True

    def _unauthorized(self, request: Request, response: Response) -> AuthorizationError:
        refused = status_error(response, path=request.path)
        if request.origin != self._home:
            return AuthorizationError(
                f"{refused} ({' -> '.join(self._chain)}): credentials are not sent to another origin after a redirect: "
                f"use {request.origin} in the cloudpath", path=request.path)
        if self._authorization is None:
            return AuthorizationError(f"{refused}: no credentials were found: searched {self._credentials.searched}",
                                      path=request.path)
        return AuthorizationError(f"{refused}: the server rejected the credentials from {self._authorization.source}",
                                  path=request.path)


def _path(target: str) -> str:
    return target.partition("?")[0]


def _changes_slash_only(request: Request, origin: Origin, target: str) -> bool:
    """Whether a redirect does nothing but add or remove a slash at the end of the path."""
    before, after = _path(request.target), _path(target)
    return origin == request.origin and before != after and before.rstrip("/") == after.rstrip("/")


def _destination(request: Request, location: str) -> tuple[Origin, str]:
    """The target of a Location header. Raises InvalidPathError for schemes other than http and https."""
    # Header values are decoded as Latin-1, but servers send unescaped UTF-8.
    location = location.encode("latin-1").decode("utf-8", "surrogateescape")
    origin, path, query = destination(request.origin, request.target, location)
    return origin, (quote_typed(path) or "/") + quote_typed(query)
