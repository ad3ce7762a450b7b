"""A program that tests against `S3Server`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudfiles
from cloudfiles import CloudFiles
from cloudfiles.testing import (
    FLAKY,
    Fault,
    FlipBit,
    IncomingRequest,
    RecordedRequest,
    ResetInBody,
    Rule,
    S3Server,
    S3Settings,
    ServerResponse,
    StoredObject,
    mix,
    slow_down,
)

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    def assert_type(value: Any, kind: Any) -> Any:
        return value


@dataclass(frozen=True)
class Teapot(Fault):
    """A fault of one's own."""

    def alter(self, response: ServerResponse) -> ServerResponse:
        return ServerResponse(418, response.headers)


def every_second(incoming: IncomingRequest) -> Fault | None:
    return Teapot() if incoming.n % 2 else None


def add_rules(server: S3Server) -> None:
    """Not called: the server cannot import functions of the main program."""
    server.script(mix(7, FLAKY), Rule(FlipBit(), key="a"), every_second)
    server.fail(Teapot())


with S3Server() as server:
    assert_type(server, S3Server)
    assert_type(server.settings, S3Settings)
    cf = CloudFiles(server.cloudpath(), secrets=server.secrets)
    server.fail(slow_down(), method="PUT", times=2)
    server.fail(ResetInBody(3), key="a", skip=1, times=None)
    cf.put("a", b"content")
    assert_type(server.requests("PUT"), list[RecordedRequest])
    assert_type(server.requests()[0].status, int | None)
    assert_type(server.get("a"), StoredObject | None)
    assert_type(server.contents(), dict[str, bytes])
    server.script(mix(7, FLAKY), Rule(FlipBit(), key="a"))
    server.script()
    server.configure(page_size=10)
    assert_type(server.settings.page_size, int)

with cloudfiles.testing.S3Server() as server:
    server.put("b", b"1", checksums=["crc32"])
