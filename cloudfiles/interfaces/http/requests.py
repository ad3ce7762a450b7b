"""The requests to web servers, and how their responses are interpreted."""

from __future__ import annotations

import re
from typing import Any

from cloudfiles.byteranges import parse_content_range
from cloudfiles.exceptions import PreconditionFailedError, ProtocolError, ServerError
from cloudfiles.interfaces.bounded_read import BoundedRead
from cloudfiles.interfaces.http.listing import is_complete
from cloudfiles.interfaces.http.protocol import WebProtocol
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead
from cloudfiles.interfaces.part_read import PartRead
from cloudfiles.transport.request import Body, Origin, Request, Response
from cloudfiles.transport.web_page import is_html_type, is_web_page, summary
from cloudfiles.types import StoredObject

_CODE = re.compile(rb"<Code>\s*(\w+)")


def _shows_directory(request: Request, response: Response) -> bool:
    protocol = request.protocol
    return isinstance(protocol, WebProtocol) and protocol.shows_directory(response)


class WebRead(ObjectRead):
    """A GET of an object; the page of a directory is not an object."""

    __slots__ = ()

    def accept(self, response: Response) -> StoredObject | None:
        return None if _shows_directory(self, response) else super().accept(response)


class WebPartRead(PartRead, WebRead):
    """A GET of a part of an object, which is passed on as it arrives."""

    __slots__ = ()


class WebBoundedRead(BoundedRead, WebRead):
    """A GET that returns the object only if it is small; the page of a directory is not an object."""

    __slots__ = ()


class WebHead(ObjectHead):
    """A HEAD of an object; the page of a directory is not an object."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str] | None:
        return None if _shows_directory(self, response) else super().accept(response)


class WebProbe(Request):
    """A GET of the first byte instead of a HEAD: returns the headers, with the Content-Length of the whole object."""

    __slots__ = ()

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: WebProtocol, path: str) -> None:
        super().__init__(origin, "GET", target, {**headers, "range": "bytes=0-0"}, protocol=protocol, path=path)

    def accept(self, response: Response) -> dict[str, str] | None:
        if _shows_directory(self, response) or self.protocol.is_missing(response):
            return None
        if response.status not in (200, 206, 416):
            raise self.to_error(response)
        return {name: value for name, value in (response.headers | _length(response)).items() if value}


def _length(response: Response) -> dict[str, str]:
    """The size of the object as a Content-Length; '' if the response does not state it."""
    content_range = response.headers.get("content-range")
    if content_range is not None:
        size = parse_content_range(content_range).size
        return {"content-length": "" if size is None else str(size)}
    # Only an empty object has no first byte; a 200 contains the whole object.
    return {"content-length": {200: str(len(response.content)), 416: "0"}.get(response.status, "")}


def _check_no_error(request: Request, response: Response) -> None:
    """Raise ServerError for an error document in a successful response, as from S3 behind a presigned URL."""
    if response.status < 300 and b"<Error>" in response.content:
        found = _CODE.search(response.content)
        code = found[1].decode() if found else ""
        raise ServerError(f"the response to the {request.method} is an error document: {code or 'without a code'}",
                          status=response.status, code=code, path=request.path)


class WebPut(Request):
    """A PUT; returns the new ETag if the server reports it.

    Attributes:
        page: a description of the web page in a successful response; '' if there was none.
        may_have_acted: the condition was not met on a retry: an earlier attempt may have succeeded, and only its
            response was lost.
    """

    __slots__ = ("may_have_acted", "page")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], body: Body, protocol: WebProtocol,
                 path: str) -> None:
        super().__init__(origin, "PUT", target, headers, body, protocol=protocol, path=path)
        self.may_have_acted = False
        self.page = ""

    def accept(self, response: Response) -> str | None:
        _check_no_error(self, response)
        if 200 <= response.status < 300:
            self.page = summary(response.content) if is_web_page(response) else ""
            return response.headers.get("etag")
        protocol = self.protocol
        self.may_have_acted = isinstance(protocol, WebProtocol) and self.retries > protocol.corrected
        if response.status == 400 and b"BadDigest" in response.content:
            # S3 behind a presigned URL, if the bytes were damaged in transit: a retry may succeed.
            raise ServerError("the server received different bytes than were sent", status=400, code="BadDigest",
                              path=self.path, is_transient=True)
        if "if-match" in self.headers and protocol.is_missing(response):
            # S3 responds with this where RFC 9110 13.1.1 requires 412.
            raise PreconditionFailedError("the object is missing, so no ETag matches", path=self.path)
        raise self.to_error(response)


class WebDelete(Request):
    """A DELETE; the object may be missing.

    Attributes:
        page: a description of the web page in a successful response; '' if there was none.
    """

    __slots__ = ("page",)

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: WebProtocol, path: str) -> None:
        super().__init__(origin, "DELETE", target, headers, protocol=protocol, path=path)
        self.page = ""

    def accept(self, response: Response) -> None:
        if response.status == 207:
            # RFC 4918 9.6.1: some of several resources could not be removed.
            raise ServerError("the server removed only part of it (207)", status=207, path=self.path)
        _check_no_error(self, response)
        if 200 <= response.status < 300:
            self.page = summary(response.content) if is_web_page(response) else ""
            return
        if self.protocol.is_missing(response):
            return
        raise self.to_error(response)


class IndexPageRequest(Request):
    """A GET of the page of a directory; returns the response, also a 403; None if there is no such page."""

    __slots__ = ()

    operation = "LIST"

    def accept(self, response: Response) -> Any:
        if response.status == 200 and is_html_type(response.headers) and not is_complete(
                response.content, response.headers):
            raise ProtocolError(f"the index page may be truncated: it ends after {len(response.content)} bytes without "
                                "</html>, and has no Content-Length", path=self.path)
        if response.status in (200, 403):
            return response
        if self.protocol.is_missing(response):
            return None
        raise self.to_error(response)
