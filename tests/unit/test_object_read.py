"""Reading one object over HTTP through every kind of break: what comes out is the object, a part of it, or an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles.exceptions import (
    IntegrityError,
    PreconditionFailedError,
    ProtocolError,
    TransportError,
    TruncatedBodyError,
)
from cloudfiles.integrity import content_md5
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead, head_from_headers
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.testing import (
    Chunked,
    CloseDelimited,
    CutChunked,
    Fault,
    FlipBit,
    IgnoreRange,
    ResetInBody,
    Rule,
    S3Server,
    SetHeader,
    ShortBody,
    WrongContentRange,
    internal_error,
)
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import PLAIN, Origin, Request, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject, Tls
from tests.selection import examples

OBJECT = bytes(range(256)) * 40
PAGE = "data/object"


@pytest.fixture
def client() -> Iterator[Client]:
    """Retries without a pause: the jitter draws 0."""
    client = Client(ThreadRuntime(), Tls(), 5.0, 5.0, policy=RetryPolicy(attempts=12, window=0.0))
    yield client
    client.close()


@pytest.fixture
def patient() -> Iterator[Client]:
    """As `client`, even where bodies end at the same byte again and again: drawn breaks do."""
    client = Client(ThreadRuntime(), Tls(), 5.0, 5.0,
                    policy=RetryPolicy(attempts=12, window=0.0, integrity_attempts=12))
    yield client
    client.close()


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    fault_server.put_page(PAGE, OBJECT)
    return fault_server


def read(client: Client, server: S3Server, start: int | None = None, end: int | None = None) -> StoredObject | None:
    found = client.send(ObjectRead(Origin.of(server.url), f"/{PAGE}", {}, PLAIN, PAGE, start, end))
    assert found is None or isinstance(found, StoredObject)
    return found


def content(stored: StoredObject | None) -> bytes:
    assert stored is not None
    assert isinstance(stored.content, bytes)
    return stored.content


def ranges(server: S3Server) -> list[str | None]:
    return [request.header("range") for request in server.requests("GET")]


RANGES = [(None, None), (0, 10), (5, 9000), (None, 7), (100, None), (-1, None), (-3000, None), (10239, 10240),
          (9000, 99999), (-99999, None)]


# ---- without a break


@pytest.mark.parametrize(("start", "end"), RANGES)
@pytest.mark.parametrize("fault", [None, IgnoreRange(), Chunked(), CloseDelimited()], ids=str)
def test_a_range_is_the_slice_of_the_object(client: Client, server: S3Server, start: int | None, end: int | None,
                                            fault: Fault | None) -> None:
    if fault is not None:
        server.script(Rule(fault))
    assert content(read(client, server, start, end)) == OBJECT[start:end]
    assert len(server.requests()) == 1


def test_past_the_end_is_empty_and_missing_is_none(client: Client, server: S3Server) -> None:
    assert content(read(client, server, len(OBJECT), None)) == b""
    assert content(read(client, server, 20_000, 20_001)) == b""
    server.reset()
    assert read(client, server) is None
    assert read(client, server, 20_000, 20_001) is None


def test_ranges_of_an_empty_object(client: Client, server: S3Server) -> None:
    server.put_page(PAGE, b"")
    assert [content(read(client, server, *r)) for r in [(None, None), (0, 5), (-5, None), (3, None)]] == [b""] * 4


def test_the_stored_encoding_and_the_digest_are_told(client: Client, server: S3Server) -> None:
    server.put_page(PAGE, OBJECT, headers={"content-encoding": "gzip", "x-goog-hash": f"md5={content_md5(OBJECT)}",
                                           "x-goog-stored-content-encoding": "gzip"})
    stored = read(client, server)
    assert stored is not None
    assert (stored.encoding, stored.verified) == ("gzip", "md5")
    part = read(client, server, 0, 5)
    assert part is not None
    assert (part.encoding, part.verified, part.content) == ("gzip", "", OBJECT[:5])


# ---- breaks inside the body


@pytest.mark.parametrize("fault", [ResetInBody(4000), ShortBody(4000), CutChunked()], ids=str)
@pytest.mark.parametrize(("start", "end"), RANGES)
def test_a_broken_read_resumes_where_it_was(client: Client, server: S3Server, fault: Fault, start: int | None,
                                            end: int | None) -> None:
    server.script(Rule(fault))
    assert content(read(client, server, start, end)) == OBJECT[start:end]


def test_the_rest_is_requested_by_range_and_etag(client: Client, server: S3Server) -> None:
    stored = server.put_page(PAGE, OBJECT)
    server.script(Rule(ShortBody(4000)), Rule(ShortBody(2000)))
    assert content(read(client, server)) == OBJECT
    assert ranges(server) == [None, "bytes=4000-", "bytes=6000-10239"]
    assert [r.header("if-match") for r in server.requests()] == [None, *[f'"{stored.etag}"'] * 2]


@pytest.mark.parametrize("etag", ["", "W/weak"])
def test_without_a_strong_etag_it_starts_again(client: Client, server: S3Server, etag: str) -> None:
    server.put_page(PAGE, OBJECT, etag="")
    server.script(Rule(ShortBody(4000)))
    if etag:
        server.script(Rule(_WeakAndShort()))
    assert content(read(client, server)) == OBJECT
    assert ranges(server) == [None, None]


class _WeakAndShort(ShortBody):
    def alter(self, answer: Any) -> Any:
        return SetHeader("ETag", 'W/"weak"').alter(answer)

    def deliver(self, answer: Any) -> Any:
        return super().deliver(self.alter(answer))


class _ShortAndReplaced(ShortBody):
    """Breaks off, and the object is another one from then on."""

    def replacement(self) -> Any:
        return make_object(OBJECT[::-1])


def test_an_object_replaced_inside_the_read_is_read_again(client: Client, server: S3Server) -> None:
    server.script(Rule(_ShortAndReplaced(4000)))
    assert content(read(client, server)) == OBJECT[::-1]
    assert [r.status for r in server.requests()] == [200, 412, 200]


def test_replaced_on_a_server_that_ignores_if_match(client: Client, server: S3Server) -> None:
    server.script(Rule(_ShortAndReplaced(4000)), Rule(_NoCondition()))
    assert content(read(client, server)) == OBJECT[::-1]
    assert [r.status for r in server.requests()] == [200, 206, 200]


class _NoCondition(Fault):
    def prepare(self, request: Any) -> Any:
        return replace(request, headers=tuple(h for h in request.headers if h[0] != "if-match"))


def test_replaced_and_shrunk_on_a_server_that_ignores_if_match(client: Client, server: S3Server) -> None:
    server.script(Rule(_ShortAndShrunk(4000)), Rule(_NoCondition()))
    assert content(read(client, server)) == b"short"


class _ShortAndShrunk(ShortBody):
    def replacement(self) -> Any:
        return make_object(b"short")


def test_a_resumed_read_answered_whole_is_whole(client: Client, server: S3Server) -> None:
    server.script(Rule(ShortBody(4000)), Rule(IgnoreRange()))
    assert content(read(client, server, 10, 9000)) == OBJECT[10:9000]


def test_a_bit_flipped_before_the_break_is_found_and_all_is_read_again(client: Client, server: S3Server) -> None:
    server.put_page(PAGE, OBJECT, headers={"content-md5": content_md5(OBJECT)})
    server.script(Rule(_FlippedAndShort(4000)))
    stored = read(client, server)
    assert content(stored) == OBJECT
    assert stored is not None
    assert stored.verified == "md5"
    assert [r.header("range") is None for r in server.requests()] == [True, False, True]


class _FlippedAndShort(ShortBody):
    def deliver(self, answer: Any) -> Any:
        return super().deliver(FlipBit(77).alter(answer))


def test_bytes_that_never_match_their_digest_are_an_error(client: Client, server: S3Server) -> None:
    server.put_page(PAGE, OBJECT, headers={"content-md5": content_md5(b"other")})
    with pytest.raises(IntegrityError) as caught:
        read(client, server)
    assert len(caught.value.attempts) == RetryPolicy().integrity_attempts


def test_a_server_error_between_the_parts(client: Client, server: S3Server) -> None:
    server.script(Rule(ShortBody(4000)), Rule(internal_error()), Rule(ResetInBody(1)))
    assert content(read(client, server)) == OBJECT


# ---- answers that contradict themselves or the request


@pytest.mark.parametrize("value", ["bytes 1-2/3", "bytes 11-20/10240", "bytes 10-30/10240", "bytes 10-12/10240",
                                   "bytes 10-19/", "items 10-19/10240", "bytes */10240", ""])
def test_a_wrong_content_range_is_never_believed(client: Client, server: S3Server, value: str) -> None:
    server.script(Rule(WrongContentRange(value), times=None))
    with pytest.raises((ProtocolError, TruncatedBodyError)):
        read(client, server, 10, 20)
    server.script(Rule(WrongContentRange(value)))
    assert content(read(client, server, 10, 20)) == OBJECT[10:20]


@pytest.mark.parametrize("value", ["bytes 0-4/10240", "bytes 10234-10238/10240", "bytes 10235-10239/10241"])
def test_a_suffix_has_to_end_where_the_object_does(client: Client, server: S3Server, value: str) -> None:
    server.script(Rule(WrongContentRange(value), times=None))
    with pytest.raises((ProtocolError, TruncatedBodyError)):
        read(client, server, -5)


def test_a_206_without_a_content_range_or_a_range(client: Client, server: S3Server) -> None:
    server.script(Rule(SetHeader("Content-Range", None), times=None))
    with pytest.raises(ProtocolError):
        read(client, server, 10, 20)
    with pytest.raises(ProtocolError):
        ask().accept(Response(206, {"content-range": "bytes 0-1/2"}, b"ab"))


def ask(start: int | None = None, end: int | None = None, **headers: str) -> ObjectRead:
    return ObjectRead(Origin("http", "h", 80), "/k", dict(headers), PLAIN, "k", start, end)


def test_a_200_with_a_content_range_is_a_part() -> None:
    stored = ask(1, 3).accept(Response(200, {"content-range": "bytes 1-2/4"}, b"bc"))
    assert content(stored) == b"bc"


def test_a_416_that_the_size_contradicts_is_no_empty_range() -> None:
    assert content(ask(5, 9).accept(Response(416, {"content-range": "bytes */5"}, b""))) == b""
    with pytest.raises(ProtocolError):
        ask(5, 9).accept(Response(416, {"content-range": "bytes */6"}, b""))
    with pytest.raises(ProtocolError):
        ask(-5).accept(Response(416, {"content-range": "bytes */6"}, b""))


def test_a_416_to_no_range_is_an_error() -> None:
    with pytest.raises(TransportError):
        ask().accept(Response(416, {}, b""))


def test_a_condition_passed_holds_for_the_whole_read() -> None:
    request = ask(1, 3, **{"if-match": '"a"'})
    request.on_incomplete_body(Head(206, {"content-range": "bytes 1-2/4", "etag": '"a"'}, True), b"b")
    with pytest.raises(PreconditionFailedError):
        request.accept(Response(412, {}, b""))
    assert request.headers["if-match"] == '"a"'


def test_a_last_part_of_unknown_size_has_to_fill_what_was_announced() -> None:
    request = ask()
    request.on_incomplete_body(Head(200, {"content-length": "6", "etag": '"a"'}, True), b"ab")
    with pytest.raises(TruncatedBodyError):
        request.accept(Response(206, {"content-range": "bytes 2-4/*", "etag": '"a"'}, b"cde"))


# ---- any breaks at all


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.lists(st.tuples(st.sampled_from([ResetInBody, ShortBody]), st.integers(0, 12_000)), max_size=8),
       start=st.one_of(st.none(), st.integers(0, 11_000), st.integers(-11_000, -1)),
       length=st.one_of(st.none(), st.integers(1, 11_000)), last=st.sampled_from([None, IgnoreRange(), Chunked()]))
def test_however_it_breaks_the_content_is_the_objects(patient: Client, server: S3Server, breaks: list[Any],
                                                      start: int | None, length: int | None,
                                                      last: Fault | None) -> None:
    end = None if length is None or (start or 0) < 0 else (start or 0) + length
    rules = [Rule(kind(after)) for kind, after in breaks]
    server.script(*rules, *([Rule(last)] if last else []))
    assert content(read(patient, server, start, end)) == OBJECT[start:end]


@settings(max_examples=examples(300), deadline=None)
@given(data=st.data(), size=st.integers(1, 40))
def test_any_split_of_parts_adds_up(data: st.DataObject, size: int) -> None:
    """Without a socket: the answers a right server gives, each cut anywhere."""
    body = bytes(range(size))
    start = data.draw(st.one_of(st.none(), st.integers(0, size - 1), st.integers(-size, -1)))
    request = ask(start)
    for _ in range(data.draw(st.integers(0, 6))):
        answer = _answer(request, body)
        cut = data.draw(st.integers(0, len(answer.content) - 1))
        request.on_incomplete_body(Head(answer.status, answer.headers, True), answer.content[:cut])
    assert content(request.accept(_answer(request, body))) == body[start:]


def _answer(request: Request, body: bytes) -> Response:
    asked = request.headers.get("range")
    headers = {"etag": '"e"'}
    if asked is None:
        return Response(200, headers | {"content-length": str(len(body))}, body)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    begin = int(first) if first else max(0, len(body) - int(last))
    end = min(int(last) + 1, len(body)) if first and last else len(body)
    return Response(206, headers | {"content-range": f"bytes {begin}-{end - 1}/{len(body)}"}, body[begin:end])


# ---- heads


def test_a_head_gives_the_headers_or_none(client: Client, server: S3Server) -> None:
    origin = Origin.of(server.url)
    headers = client.send(ObjectHead(origin, "HEAD", f"/{PAGE}"))
    assert head_from_headers(headers)["Content-Length"] == len(OBJECT)
    assert client.send(ObjectHead(origin, "HEAD", "/none")) is None
