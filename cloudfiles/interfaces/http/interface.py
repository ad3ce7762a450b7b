"""Any web server: `http://`, `https://`, and `middleauth+https://`, `ngauth+https://` with a bearer token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudfiles import integrity
from cloudfiles.credentials.http_auth import CaveCredentials, HttpCredentials
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidInputError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.inputs import ascii_header
from cloudfiles.interfaces.http.listing import DirectoryLister, Link, parse_index
from cloudfiles.interfaces.http.protocol import NotAnObjectError, WebProtocol
from cloudfiles.interfaces.http.requests import (
    IndexPageRequest,
    WebBoundedRead,
    WebDelete,
    WebHead,
    WebPartRead,
    WebProbe,
    WebPut,
    WebRead,
)
from cloudfiles.interfaces.http.urls import WebAddress, quote_key
from cloudfiles.interfaces.http_store import HeaderStore, ReadArguments
from cloudfiles.interfaces.object_read import size_of
from cloudfiles.interfaces.sized_body import body_of
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.paths import ExtractedPath
from cloudfiles.protocols import PROTOCOLS
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.client import Client, client_for
from cloudfiles.transport.request import Body, FileBody, Origin, Request
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions

_NO_HEAD = frozenset({400, 405, 501})
"""Statuses of servers that reject the method HEAD."""

_NO_WRITE = frozenset({405, 501})


class HttpInterface(HeaderStore):
    """The objects below one URL.

    The cloudpath is a URL as typed (`https://host/a%20b`); a query in it is sent with every key. Keys are opaque: `?`,
    `#`, `%` and spaces in a key are encoded, so that the server receives the characters of the key. The key '' is the
    URL itself. A segment '.' or '..' raises InvalidPathError.

    Redirects are followed, without credentials if they lead to another origin. If the server redirects to the same
    path with a slash and returns an HTML page, the key is a directory, and missing as an object. 404 and 410 mean
    missing; 401 and 403 are AuthorizationErrors. If a server rejects HEAD, `exists`, `head` and `size` request the
    first byte with GET instead.

    `put` and `delete` work with servers that accept PUT and DELETE (WebDAV, presigned URLs). Listings are read from
    the index pages of nginx, Apache, Caddy, lighttpd, rclone and Python. Such a page may omit files (hidden ones, for
    example), so `lists_in_key_order` is False: a key that is not listed may exist.
    """

    traits = StoreTraits(keeps_metadata=False)
    read_request = WebRead
    part_request = WebPartRead
    bounded_read_request = WebBoundedRead

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime, *,
                 client: Client | None = None) -> None:
        if options.request_payer is not None:
            raise InvalidInputError("request_payer= is supported for S3 and Google Cloud Storage only")
        self._address = WebAddress(location)
        self._runtime = runtime
        self._client = client or client_for(runtime, options)
        self._credentials = _credentials(location.protocol, self._address, options)
        self._headers = {"accept": "*/*", "accept-encoding": _accept_encoding(self._address),
                         "user-agent": "cloudfiles"}
        self._takes_head = True

    def __repr__(self) -> str:
        return f"HttpInterface({str(self._address)!r})"

    @property
    def origin(self) -> Origin | None:
        return self._address.origin

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        return self._credentials.explain()

    # ---- reading

    def _read_arguments(self, key: str, start: int | None = None, end: int | None = None) -> ReadArguments:
        protocol, target = self._protocol(key)
        return self._address.origin, target, dict(self._headers), protocol, key

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        try:
            return super().get(key, start, end)
        except NotAnObjectError:
            return None

    def size(self, key: str) -> int | None:
        headers = self._head(key)
        if headers is not None and "content-length" not in headers:
            headers = self._probe(key)
        return None if headers is None else size_of(headers, key)

    def _head(self, key: str) -> dict[str, str] | None:
        """The headers of an object, by HEAD, or by GET if the server rejects HEAD. None if it is missing."""
        if not self._takes_head:
            return self._probe(key)
        protocol, target = self._protocol(key)
        try:
            headers: dict[str, str] | None = self._send(
                WebHead(self._address.origin, "HEAD", target, dict(self._headers), protocol=protocol, path=key))
        except ServerError as error:
            if error.status not in _NO_HEAD:
                raise
        except AuthorizationError:
            # A presigned URL is signed for one method, usually GET.
            if not self._address.query:
                raise
        else:
            return headers
        headers = self._probe(key)
        self._takes_head = False
        return headers

    def _probe(self, key: str) -> dict[str, str] | None:
        protocol, target = self._protocol(key)
        headers: dict[str, str] | None = self._send(
            WebProbe(self._address.origin, target, dict(self._headers), protocol, key))
        return headers

    def supports_ranges(self, stored: StoredObject) -> bool:
        return (stored.headers or {}).get("accept-ranges", "").lower() == "bytes"

    def stream_to(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        return self.stream_in_one_request(key, take)

    # ---- writing

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        """See the contract. Raises UnsupportedOperationError if the server does not accept PUT."""
        if options.metadata or options.storage_class:
            raise UnsupportedOperationError("web servers do not support metadata or storage classes", path=key)
        with body_of(content) as body:
            return self._put(key, body, options)

    def _put(self, key: str, body: Body, options: WriteOptions) -> str | None:
        headers = {**self._headers, **_write_headers(options)}
        if not isinstance(body, FileBody):
            large = len(body) >= RUN_IN_THREAD_BYTES
            headers["content-md5"] = (self._runtime.run_in_thread(integrity.content_md5, body) if large
                                      else integrity.content_md5(body))
        protocol, target = self._protocol(key)
        request = WebPut(self._address.origin, target, headers, body, protocol, key)
        try:
            etag: str | None = self._write(request)
        except PreconditionFailedError:
            if request.may_have_acted and self._holds(key, body):
                return (self._head(key) or {}).get("etag")
            raise
        if request.page and etag is None and self.size(key) != len(body):
            raise ProtocolError(f"the server responded to the PUT with {request.page} and did not store the content",
                                path=key)
        return etag

    def _holds(self, key: str, body: Body) -> bool:
        """Whether the object has the expected content, byte by byte."""
        if self.size(key) != len(body):
            return False
        at = 0
        for piece in body.pieces() if isinstance(body, FileBody) else (body,):
            stored = self.get(key, at, at + len(piece))
            if stored is None or (len(piece) and stored.content != piece):
                return False
            at += len(piece)
        return True

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        """See the contract. The error is an UnsupportedOperationError if the server does not accept DELETE."""
        errors = {}
        for key in keys:
            try:
                protocol, target = self._protocol(key)
                # Depth 0 prevents WebDAV servers from removing a directory with its contents (RFC 4918 9.6.1).
                request = WebDelete(self._address.origin, target, {**self._headers, "depth": "0"}, protocol, key)
                self._write(request)
                if request.page and self._head(key) is not None:
                    raise ProtocolError(f"the server responded to the DELETE with {request.page} and still has the "
                                        "object",
                                        path=key)
            except CloudFilesError as error:
                errors[key] = error
        return errors

    def _write(self, request: Request) -> Any:
        try:
            return self._client.send(request)
        except ServerError as error:
            if error.status in _NO_WRITE:
                raise UnsupportedOperationError(f"{self._address.origin} does not support {request.method} here "
                                                f"(status {error.status}): it is read-only", path=request.path,
                                                attempts=error.attempts, elapsed=error.elapsed) from error
            raise

    # ---- listing

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """A page of the entries of the server's index pages, in key order.

        `token` is the last key of the page before; directories on the way to it are read again. Sizes are included if
        the index page states them exactly. Raises UnsupportedOperationError, which names the URL, if there is no index
        page. A directory counts as missing only if the index page of a parent does not contain it.
        """
        return DirectoryLister(self._links).page(prefix, flat, token or start_after or "", limit)

    def isdir(self, key: str) -> bool:
        """Whether the directory `key` has contents; without index pages, whether the server responds for it."""
        directory = key.rstrip("/") + "/" if key else ""
        try:
            page = self.list_page(directory, flat=True, limit=1)
        except UnsupportedOperationError:
            return self.exists(directory)
        return bool(page.entries or page.prefixes)

    def root_exists(self) -> bool | None:
        try:
            return self._links("") is not None
        except UnsupportedOperationError:
            return self.exists("") or None

    def _links(self, directory: str) -> list[Link] | None:
        """The entries of the index page of `directory` ('' or with a trailing '/'); None if it is missing."""
        path = self._address.directory + quote_key(directory)
        links = self._index(path)
        above = path
        while links is None and above != "/":
            # Servers without index pages answer 404 for every directory, so a parent has to confirm it.
            above = above[: above.rstrip("/").rfind("/") + 1]
            if self._index(above) is not None:
                return None
        if links is None:
            raise _no_index(f"{self._address.origin}{path}", "404, and no directory above it has an index either")
        return links

    def _index(self, path: str) -> list[Link] | None:
        """The links of the index page at `path`; None for 404."""
        url = f"{self._address.origin}{path}"
        protocol = WebProtocol(self._address.origin, path + self._address.query, self._credentials)
        request = IndexPageRequest(self._address.origin, "GET", path + self._address.query,
                                   {**self._headers, "accept": "text/html"}, protocol=protocol, path=path)
        response = self._send(request)
        if response is None:
            return None
        if response.status != 200:
            raise _no_index(url, str(response.status))
        page = (response.content, response.headers, request.target)
        large = len(response.content) >= RUN_IN_THREAD_BYTES
        links = self._runtime.run_in_thread(parse_index, *page) if large else parse_index(*page)
        if links is None:
            raise _no_index(url, f"a page of type {response.headers.get('content-type')}")
        return links

    # ---- requests

    def _protocol(self, key: str) -> tuple[WebProtocol, str]:
        target = self._address.target(key)
        return WebProtocol(self._address.origin, target, self._credentials), target

    def _send(self, request: Request) -> Any:
        try:
            return self._client.send(request)
        except NotAnObjectError:
            return None


def _credentials(protocol: str, address: WebAddress, options: StoreOptions) -> HttpCredentials:
    kind = HttpCredentials if protocol == PROTOCOLS[protocol].scheme else CaveCredentials
    return kind(address.origin.authority, options.secrets, userinfo=address.userinfo,
                anonymous=options.no_sign_request)


def _accept_encoding(address: WebAddress) -> str:
    """Headers that request the stored bytes, so that sizes, ranges and digests refer to them.

    Cloud Storage decompresses gzip objects for clients that do not accept gzip, and never compresses by itself
    ("Transcoding of gzip-compressed files").
    """
    google = address.origin.host == "storage.googleapis.com" or address.origin.host.endswith(".storage.googleapis.com")
    return "gzip" if google else "identity"


def _write_headers(options: WriteOptions) -> dict[str, str]:
    """Raises InvalidInputError for values that cannot be sent in a header."""
    given = {
        "content-type": options.content_type,
        "content-encoding": options.encoding,
        "cache-control": options.cache_control,
        "if-none-match": "*" if options.if_absent else None,
        "if-match": options.if_match,
    }
    return {name: ascii_header(name, value) for name, value in given.items() if value}


def _no_index(url: str, instead: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(
        f"{url} cannot be listed: expected a directory index, got {instead}. Web servers generate one with 'autoindex "
        "on' (nginx), 'Options +Indexes' (Apache), 'file_server browse' (Caddy)")
