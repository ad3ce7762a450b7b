"""Bodies that end with the connection, or were framed anew, and are shorter than the listing or the HEAD said."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, ObjectChangedError, ProtocolError, TruncatedBodyError
from cloudfiles.testing import Fault, Rule, S3Server
from tests.internals import Replace
from tests.servers.lies import Shortened, ShortUntilClose, portal

pytestmark = pytest.mark.one_runtime

CONTENT = random.Random(4).randbytes(50_000)
INDEX = (b'<html><head><title>Index of /dir/</title></head><body><pre><a href="a">a</a>  20-Nov-2026 19:19  50000\n'
         b"</pre></body></html>")
HTML = {"content-type": "text/html"}
SHORT: list[Fault] = [ShortUntilClose(20_000), ShortUntilClose(20_000, "HTTP/1.0"), ShortUntilClose(0)]


@pytest.fixture(autouse=True)
def _impatient(internals: Replace) -> None:
    internals(retry_delay=lambda *_, **__: 0.0, retry_allows=lambda self, failures, *_: failures < 5)


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    """It lists and holds one object, which has no ETag that vouches for its content."""
    fault_server.put_page("dir/", INDEX, headers=HTML)
    fault_server.put_page("dir/a", CONTENT, etag="")
    fault_server.put("a", CONTENT, etag="opaque")
    return fault_server


def web(server: S3Server, green: bool) -> CloudFiles:
    return CloudFiles(f"{server.url}/dir/", green=green)


def s3(server: S3Server, green: bool) -> CloudFiles:
    return CloudFiles(f"s3://{server.bucket}/", green=green, endpoint=server.url, secrets=server.secrets)


Verb = Callable[[CloudFiles, CloudFiles], Any]
VERBS: dict[str, Verb] = {
    "transfer": lambda source, target: source.transfer_to(target),
    "sync": lambda source, target: source.sync_to(target),
    "by name": lambda source, target: source.transfer_to(target, paths=["a"]),
    "encoded": lambda source, target: source.transfer_to(target, reencode="gzip")}


@pytest.mark.parametrize("fault", [*SHORT, Shortened(20_000)])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("store", [web, s3])
@pytest.mark.parametrize("large", [False, True])
def test_a_short_body_is_not_transferred(server: S3Server, green: bool, fault: Fault, verb: Verb, large: bool,
                                         store: Callable[[S3Server, bool], CloudFiles], tmp_path: Path,
                                         internals: Replace) -> None:
    if isinstance(fault, Shortened) and verb is VERBS["by name"] and not large:
        return  # its length is announced, and nobody has told another one
    if large:
        internals(small_bytes=1000)
    server.script(Rule(fault, method="GET", key="dir/a" if store is web else "a", times=None))
    target = CloudFiles(f"file://{tmp_path}/")
    with pytest.raises(CloudFilesError) as raised:
        verb(store(server, green), target)
    causes = (TruncatedBodyError, ObjectChangedError)
    assert isinstance(raised.value, causes) or isinstance(raised.value.__cause__, causes), raised.value
    assert list(target) == []
    server.script()
    verb(store(server, green), target)
    assert target.get("a") == CONTENT


def test_one_short_body_is_read_again(server: S3Server, green: bool) -> None:
    target = CloudFiles(f"mem://short-{green}/")
    server.script(Rule(ShortUntilClose(20_000), method="GET", key="dir/a"))
    web(server, green).transfer_to(target)
    assert target.get("a") == CONTENT


def test_an_object_that_was_replaced_after_it_was_listed_is_copied(server: S3Server, green: bool) -> None:
    server.put_page("dir/a", CONTENT[:30_000], etag="")
    target = CloudFiles(f"mem://replaced-{green}/")
    web(server, green).transfer_to(target)
    assert target.get("a") == CONTENT[:30_000]


@pytest.mark.parametrize("large", [False, True])
def test_a_server_that_never_tells_a_size(server: S3Server, green: bool, large: bool,
                                          internals: Replace) -> None:
    """What nobody tells cannot be compared; what the index told can."""
    if large:
        internals(small_bytes=1000)
    target = CloudFiles(f"mem://sizeless-{green}-{large}/")
    server.script(_sizeless_head, Rule(ShortUntilClose(50_000), method="GET", key="dir/a", times=None))
    web(server, green).transfer_to(target, paths=["a"])
    assert target.get("a") == CONTENT
    server.script(_sizeless_head, Rule(ShortUntilClose(20_000), method="GET", key="dir/a", times=None))
    with pytest.raises(TruncatedBodyError, match="received 20000 bytes of an object that has 50000"):
        web(server, green).transfer_to(target)
    assert target.get("a") == CONTENT


def _sizeless_head(sighting: Any) -> Fault | None:
    return ShortUntilClose(0) if sighting.request.method == "HEAD" else None


@pytest.mark.parametrize("large", [False, True])
def test_an_object_in_s3_whose_size_is_not_told_is_no_empty_one(server: S3Server, green: bool, large: bool,
                                                                internals: Replace) -> None:
    if large:
        internals(small_bytes=1000)
    server.script(_sizeless_head)
    target = CloudFiles(f"mem://unsized-{green}-{large}/")
    s3(server, green).transfer_to(target, paths=["a"])
    assert target.get("a") == CONTENT
    with pytest.raises(CloudFilesError, match="does not report"):
        s3(server, green).size("a")
    with pytest.raises(CloudFilesError, match="does not report"):
        s3(server, green)._store.here().get("a", -7, -2)


@pytest.mark.parametrize("large", [False, True])
def test_a_captive_portal_page_is_not_transferred(server: S3Server, green: bool, large: bool,
                                                  internals: Replace) -> None:
    if large:
        internals(small_bytes=1000)
    server.put("a", CONTENT, etag="")
    server.script(Rule(portal(), method="GET", key="a", times=None))
    target = CloudFiles(f"mem://portal-{green}-{large}/")
    with pytest.raises(ProtocolError, match="something other than the store's response"):
        s3(server, green).transfer_to(target, paths=["a"])
    assert list(target) == []


@pytest.mark.parametrize("span", [(None, -10), (-20, -10), (10_000, None), (-5, None), (10_000, 40_000)])
@pytest.mark.parametrize("store", [web, s3])
def test_a_short_body_is_no_range(server: S3Server, green: bool, span: tuple[int | None, int | None],
                                  store: Callable[[S3Server, bool], CloudFiles]) -> None:
    key = "dir/a" if store is web else "a"
    server.script(_short_whole)
    start, end = span
    with pytest.raises(CloudFilesError, match=r"truncated|replaced"):
        store(server, green)._store.here().get("a", start, end)
    assert key in {request.key for request in server.requests()}


def _short_whole(sighting: Any) -> Fault | None:
    """The range is ignored, and the whole object cut short."""
    return _ShortWhole(20_000) if sighting.request.method == "GET" else None


class _ShortWhole(ShortUntilClose):
    def prepare(self, request: Any) -> Any:
        from dataclasses import replace

        return replace(request, headers=tuple(h for h in request.headers if h[0] != "range"))


def test_a_range_inside_a_body_that_is_cut_short_is_right(server: S3Server, green: bool) -> None:
    server.script(_short_whole)
    assert web(server, green)["a", 100:200] == CONTENT[100:200]
