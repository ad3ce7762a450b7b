"""Appending where the server copies what is there already: what it sees, and what is done if it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError
from cloudfiles.testing import Rule, Status
from tests.contents import numbered
from tests.facade.capability_stores import open_store

pytestmark = pytest.mark.one_runtime

LARGE = numbered(9 << 20)
COPY = {"s3": "partNumber", "az": "comp=block"}


@pytest.fixture(params=["s3", "gs", "az"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def cf(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    cf = open_store(kind, request, tmp_path)
    cf["key"] = LARGE
    return cf


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest, cf: CloudFiles) -> Any:
    server = request.getfixturevalue({"s3": "fault_server", "gs": "gcs_server", "az": "azure_server"}[kind])
    server.forget()
    return server


@pytest.fixture
def left(kind: str, cf: CloudFiles, server: Any) -> Callable[[], list[str]]:
    """Unfinished uploads, and objects besides the one that is appended to."""
    def left() -> list[str]:
        others = [key for key in cf.list() if key != "key"]
        if kind == "s3":
            return others + [str(upload) for upload in server.uploads()]
        if kind == "gs":
            return others + [name for name in server.contents() if name.startswith("cloudfiles-upload-parts/")]
        return others

    return left


def sent(server: Any) -> int:
    return sum(request.body_length for request in server.requests())


def received(server: Any) -> list[str]:
    """The requests for contents."""
    return [request.target for request in server.requests("GET") if request.header("range")]


@pytest.mark.parametrize("size", [1, 10_000_000])
def test_the_content_is_not_read(cf: CloudFiles, server: Any, left: Callable[[], list[str]], size: int) -> None:
    more = numbered(size)
    with cf.open("key", "ab") as file:
        file.write(more)
    assert sent(server) < size + 10_000
    assert received(server) == []
    assert cf.get("key") == LARGE + more
    assert left() == []


def test_an_object_that_is_replaced_meanwhile(cf: CloudFiles, server: Any, left: Callable[[], list[str]]) -> None:
    late = cf.open("key", "ab", blocksize=1000)
    late.write(b"x" * 5000)
    first = cf.open("key", "ab")
    with cf.open("key", "ab") as other:
        other.write(b"theirs")
    for file in (late, first):
        with pytest.raises(PreconditionFailedError):
            file.write(b"x")
            file.close()
    assert cf.get("key") == LARGE + b"theirs"
    assert left() == []


def test_an_exception_changes_nothing(cf: CloudFiles, server: Any, left: Callable[[], list[str]]) -> None:
    with pytest.raises(ZeroDivisionError), cf.open("key", "ab", blocksize=1000) as file:
        file.write(b"x" * 5000)
        raise ZeroDivisionError
    assert cf.get("key") == LARGE
    assert left() == []


@pytest.mark.parametrize("size", [1, 20_000_000])
def test_a_server_that_does_not_copy(kind: str, cf: CloudFiles, server: Any, left: Callable[[], list[str]],
                                     size: int) -> None:
    if kind == "gs":
        server.configure(permissions=())  # so that it must not hold parts
    else:
        server.script(Rule(Status(501), method="PUT", query=COPY[kind], times=1))
    more = numbered(size)
    with cf.open("key", "ab", blocksize=1 << 20) as file:
        for at in range(0, size, 1 << 20):
            file.write(more[at:at + (1 << 20)])
    assert cf.get("key") == LARGE + more
    assert left() == []


def test_a_failure_is_raised(kind: str, cf: CloudFiles, server: Any, left: Callable[[], list[str]]) -> None:
    """The last step fails, for good."""
    if kind == "gs":
        server.script(Rule(Status(400), method="POST", key="root/key", times=None))
    else:
        method, query = ("POST", "uploadId") if kind == "s3" else ("PUT", "comp=blocklist")
        server.script(Rule(Status(400), method=method, query=query, times=None))
    with pytest.raises(CloudFilesError), cf.open("key", "ab") as file:
        file.write(b"x")
    server.script()
    assert cf.get("key") == LARGE
    assert left() == []
