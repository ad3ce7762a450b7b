"""Answers that are right HTTP and not true: parameters ignored, bodies shortened, somebody else's page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from cloudfiles.testing import Fault, ShortBody, Status, StoredObject
from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.testing.server_faults import ConnectionEnd, WireResponse, with_header

PORTAL = (b"<!DOCTYPE html><html><head><title>Sign in &amp; go</title><style>b{}</style></head>"
          b"<body><h1>Welcome to the guest network</h1><script>track()</script>Please accept.</body></html>")


def portal(code: int = 200, body: bytes = PORTAL, headers: Headers = ()) -> Status:
    """A page of somebody who answers in the server's place: a captive portal, a proxy, a load balancer."""
    return Status(code, (("Content-Type", "text/html; charset=utf-8"), *headers), body)


@dataclass(frozen=True)
class IgnoreQuery(Fault):
    """The server does not look at these parameters of the query."""

    names: tuple[str, ...]

    def prepare(self, request: ServerRequest) -> ServerRequest:
        path, mark, query = request.target.partition("?")
        kept = [pair for pair in query.split("&") if pair.partition("=")[0] not in self.names]
        return replace(request, target=path + mark + "&".join(kept))


@dataclass(frozen=True)
class SetQuery(Fault):
    """The server takes a parameter for another value."""

    name: str
    value: str

    def prepare(self, request: ServerRequest) -> ServerRequest:
        request = IgnoreQuery((self.name,)).prepare(request)
        separator = "&" if "?" in request.target else "?"
        return replace(request, target=f"{request.target}{separator}{self.name}={quote(self.value, safe='')}")


@dataclass(frozen=True)
class Reworded(Fault):
    """The answer's body with every match of a pattern replaced."""

    pattern: bytes
    by: bytes

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return replace(answer, body=re.sub(self.pattern, self.by, answer.body))


@dataclass(frozen=True)
class WithBody(Fault):
    """The request is carried out, and the answer has another body."""

    body: bytes
    content_type: str = "application/xml"
    without: tuple[str, ...] = ()  # headers that are left out

    def alter(self, answer: ServerResponse) -> ServerResponse:
        answer = with_header(replace(answer, body=self.body), "Content-Type", self.content_type)
        for name in self.without:
            answer = with_header(answer, name, None)
        return answer


@dataclass(frozen=True)
class ShortUntilClose(Fault):
    """No length is announced, and the connection closes after the first `keep` bytes of the body."""

    keep: int
    version: str = "HTTP/1.1"

    def deliver(self, answer: ServerResponse) -> WireResponse:
        head = answer.head(version=self.version, framing=(("Connection", "close"),))
        return WireResponse(head + answer.body[:self.keep], ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class Shortened(Fault):
    """The first `keep` bytes of the body with a Content-Length to match, as a proxy makes of a body that broke off."""

    keep: int

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return replace(answer, body=answer.body[:self.keep])


@dataclass(frozen=True)
class Both(Fault):
    """Two lies in one answer."""

    first: Fault
    second: Fault

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return self.second.prepare(self.first.prepare(request))

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return self.second.alter(self.first.alter(answer))


@dataclass(frozen=True)
class AsStatus(Fault):
    """The right answer with another status."""

    code: int

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return replace(answer, status=self.code, body=b"" if self.code == 204 else answer.body)


@dataclass(frozen=True)
class ShortThenReplaced(ShortBody):
    """A close inside the body, and then the object has other content."""

    content: bytes = b""

    def replacement(self) -> StoredObject:
        return make_object(self.content)


@dataclass(frozen=True)
class IgnoreConditions(Fault):
    """The server does not look at If-Match."""

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, headers=tuple(header for header in request.headers if header[0] != "if-match"))
