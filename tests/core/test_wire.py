"""Answers as bytes: however they are split, they are understood, refused, or known to be incomplete; never mistaken."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudfiles.exceptions import ConnectionFailedError, ProtocolError, RequestTimeoutError, TruncatedBodyError
from cloudfiles.runtime.contract import Stream
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.request import Request, Response
from cloudfiles.transport.response_reader import IncompleteBodyError
from cloudfiles.transport.wire import (
    CHUNKED,
    MAX_HEAD,
    UNTIL_CLOSE,
    ChunkedBody,
    Head,
    body_length,
    head_end,
    parse_head,
)
from tests.core.scripted import ORIGIN, ScriptedStream, answer, split

CUTS = st.lists(st.integers(0, 5000), max_size=30)
ERRORS = (ProtocolError, TruncatedBodyError, ConnectionFailedError, RequestTimeoutError)


def exchange(*pieces: bytes | OSError, method: str = "GET") -> tuple[Response, Connection]:
    connection = Connection(cast(Stream, ScriptedStream(*pieces)))
    return connection.exchange(b"head", Request(ORIGIN, method, "/")), connection


def fields(text: str) -> dict[str, str]:
    return parse_head(f"HTTP/1.1 200 OK\r\n{text}\r\n".encode("latin-1")).headers


def length_of(text: str, method: str = "GET", status: int = 200) -> int:
    return body_length(parse_head(f"HTTP/1.1 {status} OK\r\n{text}\r\n".encode("latin-1")), method)


# ---- heads


def test_fields() -> None:
    text = "Content-Length: 5\r\nX-A:\t padded \t\r\nx-a:again\r\nEmpty:\r\nColons: a:b:c\r\nX-Latin: caf\xe9\xa0\r\n"
    assert fields(text) == {"content-length": "5", "x-a": "padded, again", "empty": "", "colons": "a:b:c",
                            "x-latin": "caf\xe9\xa0"}


def test_folded_line_continues() -> None:
    assert fields("X-A: one\r\n two\r\n\tthree\r\nX-B: b\r\n") == {"x-a": "one two three", "x-b": "b"}


@pytest.mark.parametrize("text", [
    " folded first\r\n", "no colon here\r\n", "Bad Name: x\r\n", "Space : x\r\n", ": nameless\r\n", "\r\r\n",
    "\x00: x\r\n"])
def test_lines_that_are_no_fields(text: str) -> None:
    with pytest.raises(ProtocolError):
        fields(text)


@pytest.mark.parametrize("line", [
    "", "garbage", "\x16\x03\x01", "HTTP/2 200", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 999 Odd",
    "http/1.1 200 OK", "HTTP/1.1  200 OK", " HTTP/1.1 200 OK", "HTTP/1.1 200OK", "ICY 200 OK",
    "HTTP/1.1 \xb2\xb2\xb2 OK", "HTTP/1.2 200 OK"])
def test_garbage_status_lines(line: str) -> None:
    with pytest.raises(ProtocolError, match="status line"):
        parse_head(f"{line}\r\n\r\n".encode("latin-1"))


@pytest.mark.parametrize("line", ["HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 200 all is well"])
def test_status_lines(line: str) -> None:
    assert parse_head(f"{line}\r\n\r\n".encode()).status == 200


@pytest.mark.parametrize(("version", "connection", "stays"), [
    ("1.1", None, True), ("1.0", None, False), ("1.1", "close", False), ("1.0", "Keep-Alive", True),
    ("1.1", "Foo, CLOSE", False), ("1.1", "keep-alive", True), ("1.0", "close", False)])
def test_whether_the_connection_stays(version: str, connection: str | None, stays: bool) -> None:
    line = f"Connection: {connection}\r\n" if connection else ""
    assert parse_head(f"HTTP/{version} 200 OK\r\n{line}\r\n".encode()).keep_alive is stays


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"\n\n", b"\r\n\n\r\n", b"x\r\n\r\ny\n\nz"])
def test_the_first_empty_line_ends_the_head(end: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\nX: y" + end
    assert head_end(head + body, len(head + body)) == len(head)
    for searched in range(len(head)):
        known = head_end(head, searched) if searched else -1
        assert known == -1
        assert head_end(head + body, len(head + body), searched) == len(head)


def test_head_without_end() -> None:
    assert head_end(b"x" * (MAX_HEAD - 1), MAX_HEAD - 1) == -1
    with pytest.raises(ProtocolError, match=r"do(es)? not end within"):
        head_end(b"x" * MAX_HEAD, MAX_HEAD)
    with pytest.raises(ProtocolError, match="do not end"):  # received together with its end
        head_end(b"x" * MAX_HEAD + b"\n\r\n", MAX_HEAD + 3)


def test_a_line_of_blanks_is_read_in_linear_time() -> None:
    assert fields("X: a" + " " * 60_000 + "b\r\n")["x"].endswith("b")


# ---- how a body is framed


@pytest.mark.parametrize(("text", "length"), [
    ("Content-Length: 0\r\n", 0), ("Content-Length: 17\r\n", 17), ("Content-Length: 5, 5\r\n", 5),
    ("Content-Length: 5\r\nContent-Length: 5\r\n", 5), ("Transfer-Encoding: chunked\r\n", CHUNKED),
    ("Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n", CHUNKED), ("", UNTIL_CLOSE),
    ("Transfer-Encoding: identity\r\nContent-Length: 3\r\n", 3)])
def test_framing(text: str, length: int) -> None:
    assert length_of(text) == length


@pytest.mark.parametrize("text", [
    "Content-Length: \r\n", "Content-Length: -1\r\n", "Content-Length: +5\r\n", "Content-Length: 5 5\r\n",
    "Content-Length: 5, 6\r\n", "Content-Length: 0x10\r\n", "Content-Length: \xb2\r\n", "Content-Length: 1\r\n 0\r\n",
    f"Content-Length: {'9' * 5000}\r\n", "Content-Length: 5,\r\n", "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: xchunked\r\n"])
def test_framing_that_cannot_be_trusted(text: str) -> None:
    with pytest.raises(ProtocolError):
        length_of(text)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
def test_answers_without_a_body(method: str, status: int) -> None:
    assert length_of("Content-Length: 5\r\n", method, status) == 0
    assert length_of("Transfer-Encoding: chunked\r\n", method, status) == 0


# ---- chunks


def chunked(body: bytes, cuts: list[int], extension: str = "", trailers: str = "") -> bytes:
    chunks = b"".join(f"{len(c):x}{extension}\r\n".encode() + c + b"\r\n" for c in split(body, cuts))
    return chunks + f"0{extension}\r\n{trailers}\r\n".encode()


@given(st.binary(max_size=3000), CUTS, CUTS, st.sampled_from(["", ";a=b", " ; q=\"x\""]), st.binary(max_size=20))
def test_chunks_split_anyhow(body: bytes, cuts: list[int], splits: list[int], extension: str, rest: bytes) -> None:
    wire = chunked(body, cuts, extension, "X-Sum: abc\r\n")
    decoder = ChunkedBody()
    got = b"".join(piece for part in split(wire, splits) for piece in decoder.feed(part))
    assert (got, decoder.done, decoder.trailers, decoder.rest) == (body, True, {"x-sum": "abc"}, b"")
    decoder = ChunkedBody()
    assert b"".join(decoder.feed(wire + rest)) == body
    assert decoder.rest == rest


@given(st.binary(min_size=1, max_size=300), CUTS)
def test_cut_chunks_are_incomplete(body: bytes, cuts: list[int]) -> None:
    wire = chunked(body, cuts)
    for end in range(len(wire)):
        decoder = ChunkedBody()
        got = b"".join(decoder.feed(wire[:end]))
        assert body.startswith(got)
        assert not decoder.done
        with pytest.raises(TruncatedBodyError):
            decoder.finish()


@pytest.mark.parametrize("wire", [
    b"g\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"5 5\r\n", b"1" * 16 + b"\r\n", b"2\r\nabc\r\n", b"2\r\nab0\r\n\r\n",
    b"0\r\nno field\r\n\r\n", b"0\r\n folded\r\n\r\n", b"1" * (MAX_HEAD + 1), b"0\r\n" + b"X: y\r\n" * MAX_HEAD])
def test_bytes_that_are_no_chunks(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        ChunkedBody().feed(wire)


# ---- whole answers through a connection


WHOLE = [
    answer(200, b"content"), answer(200, b""), answer(206, b"\r\n\r\n\n\n"),
    b"HTTP/1.1 200 OK\ncontent-length: 9\n\nab\r\n\r\ncde",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + answer(200, b"late"),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"hello there", [3, 4, 9]),
]


@pytest.mark.parametrize("wire", WHOLE)
def test_every_split_gives_the_same(wire: bytes) -> None:
    whole, connection = exchange(wire)
    assert connection.reusable
    for at in range(1, len(wire)):
        response, _ = exchange(wire[:at], wire[at:])
        assert (response.status, response.headers, response.content) == (whole.status, whole.headers, whole.content)
    bytewise, connection = exchange(*split(wire, range(len(wire))))
    assert (bytewise.content, connection.reusable) == (whole.content, True)


@pytest.mark.parametrize("wire", WHOLE)
def test_every_cut_is_noticed(wire: bytes) -> None:
    for end in range(len(wire)):
        for last in ((), (ConnectionResetError(),), (TimeoutError(),)):
            with pytest.raises((*ERRORS, IncompleteBodyError)) as caught:
                exchange(wire[:end], *last)
            if isinstance(caught.value, IncompleteBodyError):
                whole, _ = exchange(wire)
                assert whole.content.startswith(caught.value.received)
                assert isinstance(caught.value.cause, ERRORS)


def test_bytes_behind_the_answer_end_the_connection() -> None:
    response, connection = exchange(answer(200, b"content") + b"more")
    assert (response.content, connection.reusable) == (b"content", False)
    response, connection = exchange(WHOLE[-1] + b"more")
    assert (response.content, connection.reusable) == (b"hello there", False)


def test_both_lengths_end_the_connection() -> None:
    wire = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"chunks", [2])
    response, connection = exchange(wire)
    assert (response.content, connection.reusable) == (b"chunks", False)


def test_until_close() -> None:
    response, connection = exchange(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def")
    assert (response.content, connection.reusable) == (b"abcdef", False)
    with pytest.raises(IncompleteBodyError) as caught:
        exchange(b"HTTP/1.0 200 OK\r\n\r\nabc", ConnectionResetError())
    assert caught.value.received == b"abc"


@pytest.mark.parametrize("wire", [answer(204), b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"])
def test_no_body_leaves_the_connection_usable(wire: bytes) -> None:
    response, connection = exchange(wire)
    assert (response.content, connection.reusable) == (b"", True)


def test_head_answer_has_no_body() -> None:
    response, connection = exchange(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", method="HEAD")
    assert (response.content, response.headers["content-length"], connection.reusable) == (b"", "5", True)


def test_trailers_add_digests_and_change_nothing() -> None:
    trailers = "x-amz-checksum-crc32c: abc\r\ncontent-encoding: gzip\r\netag: \"other\"\r\nx-seen: trailer\r\n"
    response, _ = exchange(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-seen: head\r\n\r\n"
                           + chunked(b"abc", [], trailers=trailers))
    assert response.headers == {"transfer-encoding": "chunked", "x-seen": "head", "x-amz-checksum-crc32c": "abc"}


def test_endless_heads_end() -> None:
    line = b"X-Filler: " + b"a" * 100 + b"\r\n"
    for filler in (line, b"a" * 100):
        with pytest.raises(ProtocolError, match=r"do(es)? not end within"):
            exchange(b"HTTP/1.1 200 OK\r\n", *[filler] * 2000)
    with pytest.raises(ProtocolError, match="interim"):
        exchange(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
    with pytest.raises(ProtocolError, match="switched"):
        exchange(b"HTTP/1.1 101 Switching\r\n\r\n")


def test_head_as_large_as_allowed() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: "
    wire = head + b"y" * (MAX_HEAD - len(head) - 4) + b"\r\n\r\n" + b"abc"
    assert exchange(wire)[0].content == b"abc"
    assert exchange(*split(wire, range(0, len(wire), 1000)))[0].content == b"abc"


def test_broken_chunks_give_nothing_to_resume_from() -> None:
    """Where the framing is wrong, what came before it is in doubt too."""
    with pytest.raises(ProtocolError):
        exchange(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n")


# ---- fuzzing


HEAD_PARTS = st.sampled_from([
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 206 Part", b"HTTP/1.1 204 None",
    b"\r\n", b"\n", b"\r", b" ", b":", b"content-length: 3\r\n", b"content-length: 10\r\n", b"Content-Length: 4, 4\r\n",
    b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b"\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\n",
    b"ffffffffffffffff\r\n", b"5;x=y\r\n", b"abc", b"hello", b"\x00", b"x-a: b\r\n", b"x-a: b\r\n c\r\n"])
WIRES = st.one_of(
    st.binary(max_size=200),
    st.lists(HEAD_PARTS, max_size=20).map(b"".join),
    st.tuples(st.sampled_from(WHOLE), st.integers(0, 400), st.binary(max_size=3)).map(
        lambda t: t[0][:t[1]] + t[2] + t[0][t[1] + 1:]))


@given(WIRES, CUTS, st.sampled_from(["GET", "HEAD"]))
@example(b"HTTP/1.1 200 OK\nA: b\n\nbody\r\n\r\nmore", [], "GET")
def test_any_bytes(wire: bytes, cuts: list[int], method: str) -> None:
    """Whatever comes, and however it is split: an answer or one of our errors, and the same for every split.

    An answer's content is bytes that came, in their order, as many as were announced.
    """
    def outcome(pieces: list[bytes]) -> object:
        try:
            response, _ = exchange(*pieces, method=method)
        except IncompleteBodyError as error:
            return type(error.cause), error.received
        except ERRORS as error:
            return type(error)
        if response.headers.get("content-length", "").isdigit() and "transfer-encoding" not in response.headers \
                and method == "GET" and response.status not in (204, 304):
            assert len(response.content) == int(response.headers["content-length"])
        if "transfer-encoding" not in response.headers:
            assert response.content in wire
        return response.status, response.headers, response.content

    assert outcome([wire]) == outcome(split(wire, cuts)) == outcome(split(wire, range(len(wire))))


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (304, "GET")])
def test_the_length_that_a_head_announces_is_checked(status: int, method: str) -> None:
    for wrong in ("abc", "-1", "1, 2", "", "1" * 30):
        with pytest.raises(ProtocolError, match="Content-Length"):
            body_length(Head(status, {"content-length": wrong}, keep_alive=True), method)
    head = Head(status, {"content-length": "5, 5"}, keep_alive=True)
    assert body_length(head, method) == 0
    assert head.headers["content-length"] == "5"
