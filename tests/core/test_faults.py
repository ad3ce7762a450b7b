"""A bad day of a flaky network and a busy store: all comes out right."""

from __future__ import annotations

import hashlib
import pickle
import random
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudfiles.exceptions as exceptions
from cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    Attempt,
    CloudFilesError,
    ConnectionFailedError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    redact,
)
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import close_engine
from cloudfiles.testing import (
    FLAKY,
    FlipBit,
    Replaced,
    ResetBefore,
    ResetInBody,
    ResetInUpload,
    Rule,
    S3Server,
    ShortBody,
    Stall,
    expired_token,
    mix,
    slow_down,
)
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.transport.client import close_clients, limiter_of
from cloudfiles.transport.request import Origin
from tests.internals import Replace


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    yield
    close_clients()
    close_engine()


def content(index: int) -> bytes:
    return random.Random(index).randbytes(4096)


@pytest.fixture(scope="module")
def contents(full: bool) -> dict[str, bytes]:
    return {f"key/{index:04}": content(index) for index in range(2000 if full else 800)}


def differing(got: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """The keys whose contents differ: short enough to be shown."""
    return sorted(key for key in got.keys() | wanted.keys() if got.get(key) != wanted.get(key))


def store(server: S3Server, green: bool, path: str = "", **options: Any) -> CloudFiles:
    return CloudFiles(f"s3://{server.url}/bucket/{path}", secrets=server.secrets, green=green, **options)


def web(server: S3Server, green: bool, **options: Any) -> CloudFiles:
    return CloudFiles(f"{server.url}/bucket/", green=green, **options)


def test_many_gets(fault_server: S3Server, green: bool, contents: dict[str, bytes]) -> None:
    fault_server.put_many(contents)
    fault_server.script(mix(7, FLAKY))
    got = store(fault_server, green).get(list(contents), return_dict=True)
    assert differing(got, contents) == []
    assert len(fault_server.requests()) > 1.1 * len(contents)
    assert limiter_of(Origin.of(fault_server.url)).rate is None  # a few refusals of a hundred brake nobody


@pytest.mark.one_runtime
def test_many_gets_of_a_web_server(fault_server: S3Server, green: bool, contents: dict[str, bytes]) -> None:
    fault_server.put_many(contents)
    # A web server offers no digest: a flipped bit nobody can see.
    fault_server.script(mix(8, {fault: share for fault, share in FLAKY.items() if not isinstance(fault, FlipBit)}))
    got = {r["path"]: r["content"] for r in web(fault_server, green).stream(iter(contents))}
    assert differing(got, contents) == []


@pytest.mark.one_runtime
def test_many_puts(fault_server: S3Server, green: bool, contents: dict[str, bytes]) -> None:
    fault_server.script(mix(9, FLAKY))
    assert store(fault_server, green).puts(iter(contents.items())) == len(contents)
    assert differing(fault_server.contents(), contents) == []


def test_exists_list_and_delete(fault_server: S3Server, green: bool, contents: dict[str, bytes]) -> None:
    fault_server.put_many(contents)
    fault_server.script(mix(10, FLAKY))
    cf = store(fault_server, green)
    absent = {"key/none": False, "zzz": False}
    assert cf.exists([*contents, *absent]) == {**dict.fromkeys(contents, True), **absent}
    assert cf.size(list(contents)) == dict.fromkeys(contents, 4096)
    assert list(cf.list()) == sorted(contents)
    assert cf.delete(list(contents)[:600]) == 600
    assert differing(fault_server.contents(), dict(list(contents.items())[600:])) == []


def test_even_more_faults(fault_server: S3Server, green: bool, contents: dict[str, bytes]) -> None:
    some = dict(list(contents.items())[:300])
    fault_server.put_many(some)
    fault_server.script(mix(11, {fault: 2 * share for fault, share in FLAKY.items()}))
    assert store(fault_server, green).get(list(some), return_dict=True) == some


def test_a_stalled_answer_costs_its_timeout_and_not_the_batch(fault_server: S3Server, green: bool,
                                                              contents: dict[str, bytes]) -> None:
    some = dict(list(contents.items())[:200])
    fault_server.put_many(some)
    fault_server.script(Rule(Stall(), key="key/0003"), Rule(Stall(100), key="key/0010"))
    # Longer than any other response takes on a busy machine.
    assert store(fault_server, green, read_timeout=1.5, hedge=False).get(list(some), return_dict=True) == some
    assert len(fault_server.requests(key="key/0003")) == 2


def test_a_server_that_only_stalls(fault_server: S3Server, green: bool, internals: Replace) -> None:
    internals(retry_policy=lambda: RetryPolicy(attempts=2, window=0.0))
    fault_server.put("a", b"content")
    fault_server.script(Rule(Stall(), times=None))
    with pytest.raises(RequestTimeoutError, match="did not respond for too long") as caught:
        store(fault_server, green, read_timeout=0.21).get(["a"])
    assert len(caught.value.attempts) == 2
    assert isinstance(caught.value, TimeoutError)


def test_stalls_over_tls(tls_fault_server: S3Server, green: bool, certificates: Any) -> None:
    tls_fault_server.put("a", b"content" * 1000)
    tls_fault_server.put("b", b"content" * 1000)
    tls_fault_server.script(Rule(Stall(), key="a"), Rule(Stall(3000), key="b"))
    cf = store(tls_fault_server, green, read_timeout=0.32, ca_bundle=str(certificates.authority))
    assert cf.get(["a", "b"], return_dict=True) == {"a": b"content" * 1000, "b": b"content" * 1000}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_response_that_was_not_requested(scheme: str, green: bool, certificates: Any) -> None:
    """It is not taken for the response to the next request (RFC 9112 9.2)."""
    received, sent_again = threading.Event(), threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                path = line.split()[1]
                while self.rfile.readline() != b"\r\n":
                    pass
                response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path)
                self.wfile.write(response)
                if path == b"/a" and received.wait(30):
                    self.wfile.write(response)
                    sent_again.set()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if scheme == "https":
            server.socket = certificates.server_context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            cf = CloudFiles(f"{scheme}://127.0.0.1:{server.server_address[1]}/", green=green,
                            ca_bundle=str(certificates.authority))
            assert cf.get("a") == b"/a"
            received.set()
            assert sent_again.wait(30)
            assert cf.get("b") == b"/b"
        finally:
            close_clients()
            server.shutdown()


@pytest.mark.parametrize("scheme", ["s3", "http"])
def test_a_body_that_breaks_again_and_again(fault_server: S3Server, green: bool, scheme: str,
                                            internals: Replace) -> None:
    """Every try brings 6% of it: that is progress, and no failure, however few failures are allowed."""
    internals(retry_policy=lambda: RetryPolicy(attempts=2, window=0.0))
    body = random.Random(1).randbytes(1_000_000)
    fault_server.put("a", body)
    fault_server.script(Rule(ResetInBody(60_000), times=16))
    open_it = {"s3": store, "http": web}[scheme]
    assert open_it(fault_server, green, read_timeout=9.06).get("a") == body
    assert len(fault_server.requests()) == 17


# ---- what cannot pass


QUICK = RetryPolicy(window=0.001, cap=0.01, unanswered_budget=0.5)
"""Hundreds of times as patient with servers that have answered."""


def assert_given_up_sooner(error: TransportError) -> None:
    """No attempt followed one that had failed after the budget, however long each of them takes on a busy machine."""
    assert all(attempt.elapsed <= QUICK.unanswered_budget for attempt in error.attempts[:-1])


@pytest.fixture
def plain_server() -> Iterator[int]:
    """The port of a web server that answers 400 to whatever is no HTTP, as real ones do."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1):
                self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_no_tls_on_the_port_is_an_error_at_once(plain_server: int, green: bool) -> None:
    with pytest.raises(ConnectionFailedError, match="no TLS connection") as caught:
        CloudFiles(f"https://127.0.0.1:{plain_server}/bucket/", green=green).get("a")
    assert caught.value.is_permanent
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("kind", ["tls on a plain url", "no client certificate"])
def test_a_server_that_closes_without_a_response_is_given_up_sooner(
        kind: str, tls_fault_server: S3Server, mtls_fault_server: S3Server, green: bool, certificates: Any,
        monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    internals(retry_policy=lambda: QUICK, limiters={})
    close_clients()
    options: dict[str, Any] = {"green": green, "read_timeout": 9.07 + green}
    url = tls_fault_server.url.replace("https://", "http://")
    if kind == "no client certificate":
        url, options["ca_bundle"] = mtls_fault_server.url, str(certificates.authority)
    with pytest.raises(TransportError) as caught:
        CloudFiles(f"{url}/bucket/", **options).get("a")
    assert_given_up_sooner(caught.value)


def test_a_port_that_refuses_may_be_the_wrong_one(green: bool, internals: Replace) -> None:
    internals(retry_policy=lambda: QUICK)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        port = unused.getsockname()[1]
        with pytest.raises(ConnectionFailedError) as caught:
            CloudFiles(f"http://127.0.0.1:{port}/", green=green, read_timeout=9.08).get("a")
    assert caught.value.is_unreachable
    assert len(caught.value.attempts) > 1
    assert_given_up_sooner(caught.value)


def test_an_object_replaced_inside_a_read(fault_server: S3Server, green: bool) -> None:
    """What comes out is the one or the other, and never a part of each."""
    old, new = random.Random(1).randbytes(300_000), random.Random(2).randbytes(300_000)
    fault_server.put("a", old)

    fault_server.script(Rule(ReplacedShort(make_object(new)), times=1))
    assert store(fault_server, green).get(["a"])[0]["content"] == new


class ReplacedShort(Replaced, ShortBody):  # type: ignore[misc]
    """The answer breaks off, and before the rest is asked for the object is another one."""

    def __init__(self, stored: Any) -> None:
        object.__setattr__(self, "stored", stored)
        object.__setattr__(self, "after", 100_000)

    def deliver(self, answer: Any) -> Any:
        return ShortBody.deliver(self, answer)


def test_an_expired_token_is_an_error_of_its_own(fault_server: S3Server, green: bool) -> None:
    fault_server.put("a", b"content")
    fault_server.script(Rule(expired_token(), times=None))
    with pytest.raises(CloudFilesError, match="xpired"):
        store(fault_server, green).get(["a"])


@pytest.mark.parametrize("fault", [ResetInUpload(0), ResetInUpload(100_000), slow_down(early=True), ResetBefore(),
                                   ResetBefore(acted=True)])
def test_big_bodies_that_meet_a_fault(fault_server: S3Server, green: bool, tmp_path: Path, fault: Any) -> None:
    body = random.Random(1).randbytes(5_000_000)
    (tmp_path / "file").write_bytes(body)
    fault_server.script(Rule(fault, method="PUT", times=2))
    with open(tmp_path / "file", "rb") as file:
        store(fault_server, green).puts([("a", file), ("b", body)])
    assert fault_server.contents() == {"a": body, "b": body}


def test_any_memory(fault_server: S3Server, green: bool) -> None:
    import array
    numbers = memoryview(array.array("q", range(5000)))
    for cf in (store(fault_server, green), web(fault_server, green)):
        cf.puts([("a", numbers), ("b", numbers[::2])])
        assert fault_server.contents() == {"a": numbers.tobytes(), "b": numbers[::2].tobytes()}
        fault_server.reset()
        fault_server.drop_connections()


# ---- errors


CLASSES = [c for c in vars(exceptions).values() if isinstance(c, type) and issubclass(c, CloudFilesError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_errors_pickle_with_all_they_know(cls: type[CloudFilesError]) -> None:
    attempts = (Attempt("one", 0.1, 0.2), Attempt("two", 1))
    error = cls("what happened", path="key", store="s3://bucket/", attempts=attempts, elapsed=1.5)
    if isinstance(error, ServerError):
        error.status, error.code, error.retry_after, error.is_slow_down = 503, "SlowDown", 2.0, True
    if isinstance(error, exceptions.ConnectionFailedError):
        error.nothing_sent = True
    if isinstance(error, exceptions.LocalFileError):
        error.errno = 28
        assert pickle.loads(pickle.dumps(error)).errno == 28
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is cls
        assert (str(copy), copy.args) == (str(error), error.args)
        for name in (*vars(error), "path", "store", "attempts", "elapsed"):
            assert getattr(copy, name) == getattr(error, name), name
        assert pickle.dumps(pickle.loads(pickle.dumps(copy)))


SECRETS = [
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=SECRET&x=1", "x?X-Amz-Credential=SECRET%2F2026&y",
    "?AWSAccessKeyId=SECRET",
    "https://s.blob.core.windows.net/c/k?sv=1&sig=SECRET", "?access_token=SECRET", "https://user:SECRET@host/path",
    "http://me@corp:SECRET@proxy:3128", "Authorization: Bearer SECRET", "{'authorization': 'AWS4-HMAC-SHA256 SECRET'}",
    "x-amz-security-token: SECRET", "X-Amz-Security-Token=SECRET", "Proxy-Authorization: Basic SECRET",
    "Cookie: a=SECRET",
    "https://SECRET@host/path", "('http://SECRET@host',)", "https://h/d?key=SECRET&a=1", "http://h/?a=1&auth=SECRET",
    "?api-key=SECRET", "s3://https://u:SECRET@h/b/k",
    "X-Goog-Signature=SECRET", "https://:SECRET@host/", '"Authorization": "Bearer SECRET"', "password=SECRET"]


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("cls", [CloudFilesError, TransportError, exceptions.MissingExtraError, RequestTimeoutError])
def test_no_secret_in_any_form_of_an_error(text: str, cls: type[CloudFilesError]) -> None:
    assert "SECRET" not in redact(text)
    error = cls(f"failed: {text}", path=text, store=text, attempts=(Attempt(redact(text), 0.0),) * 2)
    for form in (str(error), repr(error), pickle.dumps(error).decode("latin-1"), str(error.args)):
        assert "SECRET" not in form


@pytest.mark.parametrize("text", ["key with sig in it", "s3://bucket/signature/x", "https://host:8080/a@b", "a=b&c=d",
                                  "token of appreciation", "abfss://container@account.dfs.core.windows.net/k",
                                  "no key=1 here", "gs://b/k@h", "C:/Users/x@y", "design=1"])
def test_innocent_text_stays(text: str) -> None:
    assert redact(text) == text


def test_hashes_of_the_contents_differ(contents: dict[str, bytes]) -> None:
    """The test would not notice swapped answers otherwise."""
    assert len({hashlib.md5(c).digest() for c in contents.values()}) == len(contents)
