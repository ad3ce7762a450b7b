"""Everything that is read from a server is bounded, and what is beyond it is an error of its own."""

from __future__ import annotations

import gzip
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, DecompressionError, ProtocolError, ServerError, TooLargeError
from cloudfiles.interfaces.documents import parse_xml
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.interfaces.s3.protocol import ErrorDocument, parse_error_document
from cloudfiles.retry import RetryPolicy
from cloudfiles.testing import Fault, Rule, S3Server, Status
from cloudfiles.testing.http_messages import ServerResponse
from cloudfiles.testing.server_faults import ConnectionEnd, WireResponse
from cloudfiles.transport.body_buffers import BufferFullError, GrowingBuffer
from cloudfiles.transport.request import ANSWER_BYTES, ERROR_BYTES, PLAIN, Request, Response
from tests.core.programs import run_program
from tests.core.scripted import ORIGIN, ScriptedStream, answer, scripted_client
from tests.internals import Replace

ONCE = RetryPolicy(attempts=1)


class Endless(ScriptedStream):
    """A head, and then the same bytes over and over."""

    def __init__(self, head: str, body: bytes) -> None:
        super().__init__()
        self._pieces: Iterator[Any] = itertools.chain([head.encode() + b"\r\n"], itertools.repeat(body * 100))
        self.given = 0

    def receive_into(self, buffer: memoryview) -> int:
        count = super().receive_into(buffer)
        self.given += count
        return count


def endless(framing: str, status: int = 200) -> Endless:
    chunked = framing == "chunked"
    return Endless(f"HTTP/1.1 {status} Words\r\n" + ("transfer-encoding: chunked\r\n" if chunked else ""),
                   b"40\r\n" + b"x" * 64 + b"\r\n" if chunked else b"x" * 64)


FRAMINGS = pytest.mark.parametrize("framing", ["chunked", "until close"])


@FRAMINGS
def test_an_object_that_never_ends(framing: str, internals: Replace) -> None:
    internals(unannounced_bytes=200_000)
    stream = endless(framing)
    client, dialer, _ = scripted_client(stream)
    with pytest.raises(TooLargeError, match="key: the response does not end; at most 200000 bytes are read"):
        client.send(ObjectRead(ORIGIN, "/", {}, PLAIN, "key"))
    assert dialer.dialed == 1  # it would not end the next time either
    assert stream.closed
    assert stream.given < 400_000


@FRAMINGS
def test_an_answer_that_never_ends(framing: str, internals: Replace) -> None:
    internals(response_bytes=100_000)
    client, dialer, _ = scripted_client(endless(framing))
    with pytest.raises(TooLargeError):
        client.send(Request(ORIGIN, "GET", "/"))
    assert dialer.dialed == 1


@FRAMINGS
@pytest.mark.parametrize(("status", "error"), [(403, AuthorizationError), (503, ServerError)])
def test_an_error_that_never_ends(framing: str, status: int, error: type[Exception]) -> None:
    """The status says enough; the rest is not waited for."""
    stream = endless(framing, status)
    client, _, _ = scripted_client(stream, policy=ONCE)
    with pytest.raises(error, match=f"the server responded with {status}"):
        client.send(Request(ORIGIN, "GET", "/"))
    assert stream.given < 2 * ERROR_BYTES
    assert stream.closed


@pytest.mark.parametrize("length", [10 ** 17, 10 ** 15])
def test_an_object_larger_than_memory(length: int) -> None:
    stream = ScriptedStream(f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nabc".encode())
    client, dialer, _ = scripted_client(stream)
    with pytest.raises(TooLargeError, match=f"does not fit into memory .Content-Length: {length}"):
        client.send(ObjectRead(ORIGIN, "/", {}, PLAIN, "key"))
    assert dialer.dialed == 1
    assert stream.closed


def test_an_answer_larger_than_any() -> None:
    stream = ScriptedStream(f"HTTP/1.1 200 OK\r\ncontent-length: {ANSWER_BYTES + 1}\r\n\r\nabc".encode())
    client, _, _ = scripted_client(stream)
    with pytest.raises(TooLargeError, match=f"the response has {ANSWER_BYTES + 1} bytes"):
        client.send(Request(ORIGIN, "GET", "/"))


def test_a_large_error_is_read_as_far_as_it_matters() -> None:
    page = b"<html>" + b"x" * (2 * ERROR_BYTES)
    stream = ScriptedStream(answer(403, page))
    client, _, _ = scripted_client(stream, policy=ONCE)
    with pytest.raises(AuthorizationError):
        client.send(Request(ORIGIN, "GET", "/"))
    assert stream.closed


def test_a_part_that_is_much_longer_than_was_requested() -> None:
    length = ANSWER_BYTES + 1
    stream = ScriptedStream(f"HTTP/1.1 206 OK\r\ncontent-range: bytes 0-{length - 1}/{length}\r\n"
                            f"content-length: {length}\r\n\r\nabc".encode())
    client, _, _ = scripted_client(stream)
    with pytest.raises(TooLargeError):
        client.send(ObjectRead(ORIGIN, "/", {}, PLAIN, "key", 0, 10))


def test_small_pieces_take_no_more_memory_than_large_ones() -> None:
    memory = GrowingBuffer(100_000)
    for _ in range(100_000):
        memory.add(b"x")
    assert sys.getsizeof(memory._file) < 250_000
    with pytest.raises(BufferFullError):
        memory.add(b"x")
    assert len(memory.content()) == 100_000


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "x" * 10}">' for n in range(12))
    return f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><ListBucketResult>&a11;</ListBucketResult>'.encode()


@pytest.mark.parametrize("body", [bomb(), b"\xff\xfe" + bomb().decode().encode("utf-16-le"),
                                  gzip.compress(b"<x/>", mtime=0)], ids=["entities", "UTF-16", "gzip"])
def test_a_document_that_unfolds(fault_server: S3Server, body: bytes) -> None:
    """Neither entities nor a Content-Encoding are undone in what is no object."""
    fault_server.script(Rule(Status(200, (("Content-Encoding", "gzip"),), body), times=None))
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets)
    with pytest.raises(ProtocolError, match="is not valid XML"):
        parse_xml(Response(200, {}, body), "the listing")
    assert parse_error_document(body.replace(b"ListBucketResult", b"Error")) == ErrorDocument()
    with pytest.raises(ProtocolError):
        list(cf.list())


# ---- max_decoded_size


@dataclass(frozen=True)
class EndlessChunks(Fault):
    """The object, chunked, over and over."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        chunk = b"%x\r\n%s\r\n" % (len(answer.body), answer.body)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return WireResponse(head, ConnectionEnd.CLOSE, endless=chunk)


def test_an_endless_object_of_a_server(fault_server: S3Server, green: bool) -> None:
    fault_server.put("a", b"x" * 10_000)
    fault_server.script(Rule(EndlessChunks(), key="a", times=None))
    cf = CloudFiles(f"{fault_server.url}/bucket/", green=green)
    for paths in ("a", ["a"]):
        with pytest.raises(DecompressionError, match="max_decoded_size"):
            cf.get(paths, max_decoded_size=100_000)
    assert cf.get(["a"], max_decoded_size=100_000, raise_errors=False)[0]["content"] is None


# ---- local files


@pytest.mark.parametrize("how", ["download_file", "aio", "fileobj", "transfer"])
def test_a_full_disk(fault_server: S3Server, tmp_path: Path, how: str) -> None:
    """The limit of a file's size stands in for that of the disk."""
    fault_server.put("a", bytes(300_000))
    url = f"{fault_server.url}/bucket/a"
    call = {
        "download_file": f"cloudfiles.download_file({url!r}, target / 'a')",
        "aio": f"asyncio.run(cloudfiles.aio.download_file({url!r}, target / 'a'))",
        "fileobj": f"cloudfiles.download_fileobj({url!r}, open(os.devnull.replace('null', 'full'), 'wb', 0))",
        "transfer": f"cloudfiles.CloudFiles({url[:-1]!r}).transfer_to(f'file://{tmp_path}/target', ['a'])",
    }[how]
    target = tmp_path / "target"
    target.mkdir()
    assert run_program(f"""
        import asyncio, os, pathlib, resource, cloudfiles, cloudfiles.aio
        from cloudfiles.exceptions import CloudFilesError
        target = pathlib.Path({str(target)!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            {call}
        except CloudFilesError as error:
            print(type(error).__name__, isinstance(error, OSError), error.errno)
    """).split()[0] in ("FileSystemError", "LocalFileError")
    assert list(target.iterdir()) == []


# ---- the end of a program


@pytest.mark.parametrize("how", ["True", "False"])
def test_daemon_threads_end_in_silence_with_their_program(how: str) -> None:
    run_program(f"""
        import asyncio, socket, threading
        from cloudfiles import AsyncCloudFiles, CloudFiles
        keys = [str(number) for number in range(50)]
        accepted = []
        for verb in (
                lambda cf: cf.get(keys), lambda cf: list(cf.stream(iter(keys))), lambda cf: cf.get("0"),
                lambda cf: list(cf.list()), lambda cf: cf.get(keys, parallel=2),
                lambda cf: asyncio.run(AsyncCloudFiles(cf.cloudpath).get(keys)),
                lambda cf: cf.transfer_to("mem://x", keys)):
            server = socket.create_server(("127.0.0.1", 0))
            cf = CloudFiles("http://127.0.0.1:%d/" % server.getsockname()[1], green={how})
            threading.Thread(target=verb, args=[cf], daemon=True).start()
            accepted.append((server, server.accept()))  # it is in the midst of it
    """)
