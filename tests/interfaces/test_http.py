"""Web servers: scripted ones for redirects, credentials and lost answers, real ones for objects and index pages."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    AuthorizationError,
    CertificateError,
    CloudFilesError,
    ConfigurationError,
    InvalidInputError,
    InvalidPathError,
    MissingCredentialsError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.http.interface import HttpInterface
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import current_runtime, engine
from cloudfiles.testing import Fault, FlipBit, ResetBefore, Rule, S3Server, ShortBody, Status, error_in_200, redirect
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.transport.client import Client
from cloudfiles.types import ListPage, StoredObject, StoreOptions, Tls, WriteOptions
from tests.internals import Replace
from tests.servers.http_proxy import HttpProxy
from tests.servers.lies import Both, ShortUntilClose, WithBody, portal
from tests.servers.processes import Server
from tests.servers.tls import Certificates

T = TypeVar("T")
OBJECT = bytes(range(256)) * 8
PLAIN = WriteOptions()


class Web:
    """Makes interfaces of one runtime, whose retries do not wait, and runs calls where that runtime is at home."""

    def __init__(self, green: bool) -> None:
        self.runtime = engine().runtime if green else current_runtime(green=False)
        self._clients: list[Client] = []

    def at(self, url: str, **options: Any) -> Caller:
        stated = StoreOptions(**options)
        client = Client(self.runtime, stated.tls, 5.0, 5.0, policy=RetryPolicy(attempts=12, window=0.0))
        self._clients.append(client)
        return Caller(self, HttpInterface(extract(url), stated, self.runtime, client=client))

    def run(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """What `function` gives or raises in a worker of the runtime."""
        outcome: list[Any] = []

        def work() -> None:
            try:
                outcome.append((function(*args, **named), None))
            except Exception as error:
                outcome.append((None, error))

        worker_group = self.runtime.worker_group()
        worker_group.start(work, 1)
        while not worker_group.finished:
            worker_group.wait_caller(10)
        value, error = outcome[0]
        if error is not None:
            raise error
        result: T = value
        return result

    def close(self) -> None:
        for client in self._clients:
            self.run(client.close)


class Caller:
    """An interface whose methods run in a worker."""

    def __init__(self, web: Web, interface: HttpInterface) -> None:
        self._web = web
        self.interface = interface

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.interface, name)
        return lambda *args, **named: self._web.run(method, *args, **named)

    def content(self, key: str, *ends: int | None) -> bytes | None:
        stored: StoredObject | None = self.get(key, *ends)
        return None if stored is None else stored.content


@pytest.fixture
def web(green: bool) -> Iterator[Web]:
    web = Web(green)
    yield web
    web.close()


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    fault_server.put_page("dir/object", OBJECT)
    return fault_server


def elsewhere(server: S3Server) -> str:
    """The same server at another origin."""
    return server.url.replace("127.0.0.1", "localhost")


def seen(server: S3Server, header: str) -> list[str | None]:
    return [request.header(header) for request in server.requests()]


# ---- reading


@pytest.mark.parametrize(("start", "end", "requests"), [
    (None, None, 1), (0, None, 1), (0, 10, 1), (None, 10, 1), (5, 90, 1), (100, None, 1), (-5, None, 1),
    (-9999, None, 1), (2000, 9999, 1), (9999, None, 1), (9999, 99999, 1), (5, 5, 1), (0, 0, 1), (9, 3, 1),
    (-9, -3, 2), (None, -3, 2), (-9, 2045, 2), (3, -3, 2), (-3, -9, 1), (-9999, 5, 2), (5, -9999, 1),
])
def test_a_range_is_a_slice(web: Web, server: S3Server, start: int | None, end: int | None, requests: int) -> None:
    store = web.at(f"{server.url}/dir")
    assert store.content("object", start, end) == OBJECT[start:end]
    assert len(server.requests()) == requests
    assert store.content("missing", start, end) is None


def test_the_object_replaced_between_its_size_and_its_end(web: Web, server: S3Server) -> None:
    server.script(Rule(_ReplacedByShort(), method="HEAD"))
    assert web.at(f"{server.url}/dir").content("object", -4, -1) == b"abcdef"[-4:-1]


class _ReplacedByShort(Fault):
    def replacement(self) -> Any:
        from cloudfiles.testing.s3_objects import make_object

        return make_object(b"abcdef")


def test_stored_bytes_are_requested(web: Web, server: S3Server) -> None:
    server.put_page("dir/zipped", b"gzip'd", headers={"content-encoding": "gzip", "content-type": "text/x"})
    store = web.at(f"{server.url}/dir/")
    assert store.get("zipped").encoding == "gzip"
    assert store.head("zipped")["Content-Encoding"] == "gzip"
    assert store.head("zipped")["Content-Type"] == "text/x"
    assert store.head("zipped")["Content-Length"] == store.size("zipped") == 6
    assert set(seen(server, "accept-encoding")) == {"identity"}


def test_missing_is_404_and_410_and_nothing_else(web: Web, server: S3Server) -> None:
    store = web.at(server.url)
    for status in (404, 410):
        server.script(Rule(Status(status), times=None))
        assert (store.get("a"), store.head("a"), store.size("a"), store.exists("a")) == (None, None, None, False)
    for status in (401, 403):
        server.script(Rule(Status(status), times=None))
        for ask in (store.get, store.head, store.size, store.exists):
            with pytest.raises(AuthorizationError):
                ask("a")
    server.script(Rule(Status(418), times=None))
    with pytest.raises(ServerError, match="418"):
        store.exists("a")


KEYS = ["what?", "a?b=c", "frag#ment", "#", "100%", "a%20b", "%2F", "in side", "plus+plus", "a;b", "a&b", "a//b", "/x",
        "caf\u00e9", "\U0001f600", "new\nline", "inject\r\nX-Evil: 1", "[a]{b}|^`\"<>", "http://host/x", "user@host",
        "...", "trailing/", "\udcff"]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_keys_arrive_as_their_own_characters(web: Web, server: S3Server, key: str) -> None:
    server.put_page(f"dir/{key}", key.encode("utf-8", "surrogateescape"))
    assert web.at(f"{server.url}/dir").content(key) == key.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("key", ["..", ".", "a/../b", "./a", "a/."])
def test_dot_segments_are_refused(web: Web, server: S3Server, key: str) -> None:
    store = web.at(server.url)
    for ask in (store.get, store.exists, store.list_page):
        with pytest.raises(InvalidPathError, match="segment"):
            ask(key + "/x")
    assert server.requests() == []


@pytest.mark.parametrize(("path", "key", "target"), [
    ("", "k", "/k"), ("/", "k", "/k"), ("/a%20b", "k", "/a%20b/k"), ("/a b/", "k", "/a%20b/k"), ("/a", "", "/a"),
    ("/a/", "", "/a/"), ("/100%", "k", "/100%25/k"), ("/d?sig=a%2Fb&x=1", "k?", "/d/k%3F?sig=a%2Fb&x=1"),
    ("/d?sig=1", "", "/d?sig=1"), ("/caf\u00e9", "", "/caf%C3%A9"),
])
def test_the_cloudpath_is_a_url_as_typed(web: Web, server: S3Server, path: str, key: str, target: str) -> None:
    web.at(server.url + path).get(key)
    assert [request.target for request in server.requests()] == [target]


@pytest.mark.parametrize("url", ["http://host/a#b", "http://host/../a", "http://host/%2e%2e/a", "http://host:x/"])
def test_urls_that_cannot_be_kept(web: Web, url: str) -> None:
    with pytest.raises(CloudFilesError):
        web.at(url)


def test_options_that_cannot_work(web: Web) -> None:
    with pytest.raises(InvalidInputError):
        web.at("http://host/", request_payer="requester")


# ---- where HEAD is refused


@pytest.mark.parametrize("status", [400, 405, 501])
def test_where_head_is_refused_the_first_byte_is_requested(web: Web, server: S3Server, status: int) -> None:
    server.put_page("dir/empty", b"")
    server.script(Rule(Status(status), method="HEAD", times=None))
    store = web.at(f"{server.url}/dir")
    assert store.exists("object")
    assert store.size("object") == store.head("object")["Content-Length"] == len(OBJECT)
    assert (store.exists("empty"), store.size("empty")) == (True, 0)
    assert (store.exists("missing"), store.size("missing"), store.head("missing")) == (False, None, None)
    assert len(server.requests("HEAD")) == 1, "remembered"
    assert set(seen(server, "range")[1:]) == {"bytes=0-0"}


def test_a_url_signed_for_get(web: Web, server: S3Server) -> None:
    server.script(Rule(Status(403), method="HEAD", times=None))
    assert web.at(f"{server.url}/dir/object?Signature=x").size("") == len(OBJECT)
    with pytest.raises(AuthorizationError):
        web.at(f"{server.url}/dir/object").size("")
    server.script(Rule(Status(403), times=None))
    with pytest.raises(AuthorizationError):
        web.at(f"{server.url}/dir/object?Signature=x").exists("")


def test_a_size_that_head_does_not_tell(web: Web, server: S3Server) -> None:
    server.script(Rule(_Sizeless(), method="HEAD", times=None))
    store = web.at(f"{server.url}/dir")
    assert store.head("object")["Content-Length"] is None
    assert store.size("object") == len(OBJECT)


class _Sizeless(Fault):
    def deliver(self, answer: Any) -> Any:
        from cloudfiles.testing.server_faults import WireResponse

        return WireResponse(answer.head(framing=()))


# ---- redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/dir/object", "object", "../dir/object#part", "//HOST/dir/object"])
def test_redirects_are_followed(web: Web, server: S3Server, code: int, location: str) -> None:
    location = location.replace("HOST", elsewhere(server).removeprefix("http://"))
    server.script(Rule(redirect(location, code), key="dir/old", times=None))
    store = web.at(f"{server.url}/dir")
    assert store.content("old", 5, 50) == OBJECT[5:50]
    assert store.size("old") == len(OBJECT)
    assert [r.method for r in server.requests()] == ["GET", "GET", "HEAD", "HEAD"], "each call begins at the first URL"


def test_a_chain_and_a_circle(web: Web, server: S3Server) -> None:
    server.script(*(Rule(redirect(f"/{n + 1}"), key=str(n)) for n in range(9)), Rule(redirect("/dir/object"), key="9"))
    assert web.at(server.url).content("0") == OBJECT
    server.script(Rule(redirect("/b"), key="a", times=None), Rule(redirect("/a?token=hunter2"), key="b", times=None))
    with pytest.raises(ServerError, match="more than 10 redirects") as caught:
        web.at(server.url).get("a")
    assert f"{server.url}/b -> {server.url}/a?... -> " in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("location", ["ftp://host/x", "file:///etc/passwd", "http://[bad/"])
def test_a_redirect_to_nowhere(web: Web, server: S3Server, location: str) -> None:
    server.script(Rule(redirect(location), times=None))
    with pytest.raises(CloudFilesError):
        web.at(server.url).get("a")
    assert len(server.requests()) == 1


def test_a_redirect_without_a_location_is_an_error(web: Web, server: S3Server) -> None:
    server.script(Rule(Status(301)))
    with pytest.raises(ServerError, match="301"):
        web.at(server.url).get("a")


def test_a_broken_read_continues_at_the_redirects_end(web: Web, server: S3Server) -> None:
    server.script(Rule(redirect("/dir/object"), key="old"), Rule(ShortBody(1000)))
    assert web.at(server.url).content("old") == OBJECT
    assert [(r.key, r.header("range")) for r in server.requests()] == [
        ("old", None), ("dir/object", None), ("dir/object", "bytes=1000-")]


def test_an_expired_redirect_is_fetched_again(web: Web, server: S3Server) -> None:
    server.script(Rule(redirect("/expired"), key="old"), Rule(ResetBefore(), key="expired"),
                  Rule(Status(403), key="expired"), Rule(redirect("/dir/object"), key="old"))
    assert web.at(server.url).content("old") == OBJECT


def test_credentials_stay_with_their_origin(web: Web, server: S3Server, tls_fault_server: S3Server,
                                            certificates: Certificates) -> None:
    token = {"token": "hunter2"}
    options = {"secrets": token, "tls": Tls(ca_bundle=str(certificates.authority))}
    server.script(Rule(redirect(f"{elsewhere(server)}/dir/object"), key="other-host"),
                  Rule(redirect("/dir/object"), key="same"))
    store = web.at(server.url, **options)
    assert store.content("other-host") == store.content("same") == OBJECT
    assert seen(server, "authorization") == ["Bearer hunter2", None, "Bearer hunter2", "Bearer hunter2"]
    server.forget()
    tls_fault_server.script(Rule(redirect(f"{server.url}/dir/object")))
    assert web.at(tls_fault_server.url, **options).content("downgrade") == OBJECT
    assert seen(tls_fault_server, "authorization") == ["Bearer hunter2"]
    assert seen(server, "authorization") == [None]


def test_a_401_behind_a_redirect_says_what_to_do(web: Web, server: S3Server) -> None:
    server.script(Rule(redirect(f"{elsewhere(server)}/x"), key="a"), Rule(Status(401), key="x"))
    with pytest.raises(AuthorizationError, match="not sent to another origin"):
        web.at(server.url, secrets={"token": "hunter2"}).get("a")


def test_a_directory_is_no_object(web: Web, server: S3Server) -> None:
    server.put_page("sub/", b"<html>", headers={"content-type": "text/html"})
    server.put_page("api/", b"{}", headers={"content-type": "application/json"})
    server.script(Rule(redirect("/sub/"), key="sub", times=None), Rule(redirect("/api/"), key="api", times=None),
                  Rule(redirect("/file"), key="file/", times=None))
    store = web.at(server.url)
    assert (store.get("sub"), store.get("sub", 0, 1), store.size("sub")) == (None, None, None)
    assert not store.exists("sub")
    assert (store.get("file/"), store.exists("file/")) == (None, False)
    assert store.content("api") == b"{}"
    assert store.exists("api")
    with pytest.raises(UnsupportedOperationError, match="directory"):
        store.put("sub", b"", PLAIN)


# ---- credentials


def _wants(expected: str, sighting: IncomingRequest) -> Fault | None:
    if sighting.request.header("authorization") == expected:
        return None
    return Status(401, (("WWW-Authenticate", "Basic"),))


def wants_basic(sighting: IncomingRequest) -> Fault | None:
    return _wants("Basic " + base64.b64encode(b"me:hunter2").decode(), sighting)


def wants_token(sighting: IncomingRequest) -> Fault | None:
    return _wants("Bearer hunter2", sighting)


def test_user_and_password(web: Web, server: S3Server, home: Path) -> None:
    server.script(wants_basic)
    login = {"user": "me", "password": "hunter2"}
    with_login = server.url.replace("//", "//me:hunter2@")
    authority = server.url.removeprefix("http://")
    for url, secrets in ((server.url, login), (with_login, None), (server.url, {authority: login})):
        store = web.at(url, secrets=secrets)
        assert store.content("dir/object") == OBJECT
        assert "hunter2" not in repr(store.interface)
    with pytest.raises(AuthorizationError, match="the server rejected the credentials from the cloudpath") as caught:
        web.at(with_login.replace("me:", "you:")).get("a")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(AuthorizationError, match=r"no credentials were found.*http-secret\.json.*secrets"):
        web.at(server.url).get("a")
    with pytest.raises(AuthorizationError, match="no_sign_request"):
        web.at(with_login, no_sign_request=True).get("a")
    with pytest.raises(ConfigurationError):
        web.at(server.url, secrets={"AWS_ACCESS_KEY_ID": "x"}).get("a")


def test_a_rotated_file_is_read_again(web: Web, server: S3Server, home: Path) -> None:
    path = home / ".cloudfiles" / "secrets" / "http-secret.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"token": "old"}')
    store = web.at(server.url)
    assert store.content("dir/object") == OBJECT
    server.script(wants_token)
    path.write_text('{"token": "hunter2"}')
    assert store.content("dir/object") == OBJECT
    assert seen(server, "authorization") == ["Bearer old", "Bearer old", "Bearer hunter2"]
    path.write_text('{"token": "wrong"}')
    assert store.content("dir/object") == OBJECT, "looked at only when refused"


@pytest.mark.parametrize("protocol", ["middleauth+https", "ngauth+https"])
def test_a_bearer_token_or_nothing_is_sent(web: Web, tls_fault_server: S3Server, certificates: Certificates,
                                           home: Path, protocol: str) -> None:
    tls_fault_server.put_page("a", OBJECT)
    tls_fault_server.script(wants_token)
    store = web.at(tls_fault_server.url.replace("https", protocol), tls=Tls(ca_bundle=str(certificates.authority)))
    opened = tls_fault_server.connections()[0]
    for ask in (store.get, store.exists, store.list_page):
        with pytest.raises(MissingCredentialsError, match=r"127\.0\.0\.1:\d+-cave-secret\.json"):
            ask("a")
    assert tls_fault_server.connections()[0] == opened
    path = home / ".cloudfiles" / "secrets" / "127.0.0.1-cave-secret.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"token": "hunter2"}')
    assert store.content("a") == OBJECT


# ---- writing


@pytest.fixture
def writable(fault_server: S3Server) -> S3Server:
    fault_server.configure(read_only=False)
    return fault_server


def test_put_sends_what_the_object_is(web: Web, writable: S3Server) -> None:
    store = web.at(f"{writable.url}/dir")
    options = WriteOptions("text/x", "gzip", "no-cache")
    for content in (OBJECT, bytearray(OBJECT), memoryview(OBJECT), io.BytesIO(b"skipped" + OBJECT), OBJECT * 200):
        if isinstance(content, io.BytesIO):
            content.seek(7)
        etag = store.put("a b?", content, options)
        stored = writable.get("dir/a b?", bucket="")
        assert stored is not None
        assert stored.content in (OBJECT, OBJECT * 200)
        assert etag == f'"{stored.etag}"'
        assert stored.headers == {"content-type": "text/x", "content-encoding": "gzip", "cache-control": "no-cache"}
    assert [md5 is not None for md5 in seen(writable, "content-md5")] == [True, True, True, False, True]


def test_bytes_damaged_in_transit_are_sent_again(web: Web, writable: S3Server) -> None:
    writable.script(Rule(FlipBit(9), method="PUT"))
    web.at(writable.url).put("a", OBJECT, PLAIN)
    assert writable.contents(bucket="") == {"a": OBJECT}
    assert [r.status for r in writable.requests()] == [400, 200]


def test_conditional_puts(web: Web, writable: S3Server) -> None:
    store = web.at(writable.url)
    etag = store.put("a", b"one", WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"two", WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        store.put("a", b"two", WriteOptions(if_match='"other"'))
    assert store.put("a", b"two", WriteOptions(if_match=etag)) != etag
    assert len(writable.requests()) == 4, "no answer was lost, so nothing is looked at"


@pytest.mark.parametrize("content", [b"", OBJECT, io.BytesIO(OBJECT)], ids=["empty", "bytes", "file"])
def test_a_refusal_of_what_has_been_done_already(web: Web, writable: S3Server, content: Any) -> None:
    writable.script(Rule(ResetBefore(acted=True), method="PUT"))
    store = web.at(writable.url)
    assert store.put("a", content, WriteOptions(if_absent=True)) == store.head("a")["ETag"]


@pytest.mark.parametrize("other", [OBJECT[::-1], b"short"])
def test_a_refusal_because_of_somebody_else(web: Web, writable: S3Server, other: bytes) -> None:
    writable.put_page("a", other)
    writable.script(Rule(ResetBefore(), method="PUT"))
    with pytest.raises(PreconditionFailedError):
        web.at(writable.url).put("a", OBJECT, WriteOptions(if_absent=True))
    writable.script(Rule(redirect("/a"), key="b"))
    with pytest.raises(PreconditionFailedError):
        web.at(writable.url).put("b", OBJECT, WriteOptions(if_absent=True))


def test_a_put_is_redirected_with_its_body(web: Web, writable: S3Server) -> None:
    writable.script(Rule(redirect(f"{elsewhere(writable)}/there", 307), key="here", times=None),
                    Rule(redirect("/there", 303), key="see-other"))
    store = web.at(writable.url, secrets={"token": "t"})
    store.put("here", io.BytesIO(OBJECT), PLAIN)
    stored = writable.get("there", bucket="")
    assert stored is not None
    assert stored.content == OBJECT
    assert seen(writable, "authorization") == ["Bearer t", None]
    with pytest.raises(ServerError, match="303"):
        store.put("see-other", b"", PLAIN)


@pytest.mark.parametrize("code", [200, 201])
def test_a_captive_portal_page_is_no_stored_object(web: Web, writable: S3Server, code: int) -> None:
    store = web.at(f"{writable.url}/dir")
    writable.script(Rule(portal(code), method="PUT", times=None))
    with pytest.raises(ProtocolError, match="Sign in & go"):
        store.put("a", OBJECT, PLAIN)
    assert writable.get("dir/a", bucket="") is None


def test_a_page_may_say_that_an_object_was_stored(web: Web, writable: S3Server) -> None:
    """As Apache's WebDAV does."""
    store = web.at(f"{writable.url}/dir")
    created = Both(WithBody(b"<html><title>201 Created</title></html>", "text/html", ("ETag",)), Fault())
    writable.script(Rule(created, method="PUT"), Rule(created, method="DELETE"))
    assert store.put("a", OBJECT, PLAIN) is None
    assert store.content("a") == OBJECT
    assert store.delete(["a"]) == {}
    assert store.exists("a") is False


def test_a_captive_portal_page_is_no_deletion(web: Web, writable: S3Server) -> None:
    store = web.at(f"{writable.url}/dir")
    store.put("a", OBJECT, PLAIN)
    writable.script(Rule(portal(), method="DELETE", times=None))
    errors = store.delete(["a"])
    assert isinstance(errors["a"], ProtocolError)
    assert "Sign in & go" in str(errors["a"])


def test_an_error_in_the_success_of_a_write(web: Web, writable: S3Server) -> None:
    writable.script(Rule(error_in_200("AccessDenied"), times=None))
    store = web.at(f"{writable.url}/dir")
    with pytest.raises(ServerError, match="AccessDenied"):
        store.put("a", OBJECT, PLAIN)
    assert "AccessDenied" in str(store.delete(["a"])["a"])


def test_delete(web: Web, writable: S3Server) -> None:
    writable.put_page("a", OBJECT)
    store = web.at(writable.url)
    writable.script(Rule(Status(404), method="DELETE", skip=1))
    assert store.delete(["a", "b"]) == {}
    assert writable.contents(bucket="") == {}
    assert set(seen(writable, "depth")) == {"0"}
    writable.script(Rule(Status(207)), Rule(Status(403)))
    errors = store.delete(["a", "b", "c"])
    assert [(key, type(error)) for key, error in errors.items()] == [("a", ServerError), ("b", AuthorizationError)]


def test_where_nothing_can_be_written(web: Web, server: S3Server) -> None:
    store = web.at(server.url)
    with pytest.raises(UnsupportedOperationError, match="does not support PUT"):
        store.put("a", OBJECT, PLAIN)
    assert isinstance(store.delete(["a"])["a"], UnsupportedOperationError)
    for options in (WriteOptions(metadata={"a": "b"}), WriteOptions(storage_class="cold")):
        with pytest.raises(UnsupportedOperationError, match="metadata"):
            store.put("a", OBJECT, options)


# ---- index pages


INDEX = b"<title>Index of /</title><a href='f'>f</a><a href='sub/'>sub/</a>"
AS_HTML = {"content-type": "text/html"}


def test_what_cannot_be_listed(web: Web, server: S3Server) -> None:
    store = web.at(f"{server.url}/dir")
    for fault, said in [(Status(200, (("Content-Type", "text/html"),), b"<h1>Welcome</h1>"), "text/html"),
                        (Status(200, (("Content-Type", "application/json"),), b"[]"), "application/json"),
                        (Status(403), "403"), (Status(404), "404")]:
        server.script(Rule(fault, times=None))
        with pytest.raises(UnsupportedOperationError, match=f"{server.url}/dir/sub/ cannot be listed.*{said}"):
            store.list_page("sub/")
    server.script(Rule(Status(401), times=None))
    with pytest.raises(AuthorizationError):
        store.list_page()


def test_a_missing_directory_is_empty_where_one_above_has_an_index(web: Web, server: S3Server) -> None:
    server.put_page("dir/", INDEX, headers=AS_HTML)
    store = web.at(f"{server.url}/dir/none/below")
    assert store.list_page("x/") == ListPage([], [], None)
    assert [r.key for r in server.requests()] == ["dir/none/below/x/", "dir/none/below/", "dir/none/", "dir/"]


def test_a_directory_inside_that_has_no_index_is_not_left_out(web: Web, server: S3Server) -> None:
    server.put_page("dir/", INDEX, headers=AS_HTML)
    server.put_page("dir/sub/", b"<h1>Welcome</h1>", headers=AS_HTML)
    store = web.at(f"{server.url}/dir")
    assert store.list_page(flat=True).prefixes == ["sub/"]
    with pytest.raises(UnsupportedOperationError, match="sub/ cannot be listed"):
        store.list_page()


LONG = (b"<html><head><title>Index of /dir/</title></head><body><pre>"
        + b"".join(b'<a href="%03d">%03d</a>  20-Nov-2026 19:19  1\n' % (n, n) for n in range(100))
        + b"</pre></body></html>")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_an_index_that_may_be_cut_short_is_an_error(web: Web, server: S3Server, version: str) -> None:
    server.put_page("dir/", LONG, headers=AS_HTML)
    store = web.at(f"{server.url}/dir")
    for keep in (len(LONG) // 2, len(LONG) - 20, 70, 0):
        server.script(Rule(ShortUntilClose(keep, version), times=None))
        with pytest.raises(ProtocolError, match="may be truncated"):
            store.list_page()
    server.script(Rule(ShortUntilClose(len(LONG) // 2, version), times=1))
    assert len(store.list_page().entries) == 100  # it is asked for again
    server.script(Rule(ShortUntilClose(len(LONG), version), times=None))
    assert len(store.list_page().entries) == 100


def test_an_index_cut_short_above_a_missing_directory_proves_nothing(web: Web, server: S3Server) -> None:
    server.put_page("dir/", LONG, headers=AS_HTML)
    server.script(Rule(ShortUntilClose(len(LONG) // 2), key="dir/", times=None))
    with pytest.raises(ProtocolError, match="may be truncated"):
        web.at(f"{server.url}/dir/gone").list_page()


@pytest.mark.parametrize("green", [True, False])
def test_a_sync_deletes_nothing_by_an_index_cut_short(server: S3Server, green: bool,
                                                      internals: Replace) -> None:
    internals(retry_delay=lambda *_, **__: 0.0, retry_allows=lambda self, failures, *_: failures < 5)
    server.put_page("dir/", LONG, headers=AS_HTML)
    server.script(Rule(ShortUntilClose(len(LONG) // 2), key="dir/", times=None))
    target = CloudFiles(f"mem://cut-{green}/")
    target.puts((f"{number:03}", b"x") for number in range(100))
    with pytest.raises(ProtocolError):
        CloudFiles(f"{server.url}/dir/", green=green).sync_to(target, delete=True)
    assert len(list(target)) == 100


def test_isdir_without_an_index(web: Web, server: S3Server) -> None:
    server.put_page("site/", b"<h1>Welcome</h1>", headers=AS_HTML)
    store = web.at(server.url)
    assert (store.isdir("site"), store.isdir("none")) == (True, False)


def test_a_query_goes_along_with_a_listing(web: Web, server: S3Server) -> None:
    server.put_page("dir/", INDEX.replace(b"sub/", b"g"), headers=AS_HTML)
    page = web.at(f"{server.url}/dir?token=t").list_page()
    assert [entry.key for entry in page.entries] == ["f", "g"]
    assert [r.target for r in server.requests()] == ["/dir/?token=t"]


# ---- real servers

FILES = {"a.txt": b"hello", "sub/deep/z": b"abc", "sub/y": b"", "in side/caf\u00e9 & <co>+%20?#;'": b"x", "a:b": b"xy",
         "n" * 120: b"long", "sub.txt": b"", "Case": b"1", "case": b"2"}


@pytest.fixture
def site(http_server: Server) -> Iterator[Server]:
    assert http_server.root is not None
    for key, content in FILES.items():
        path = http_server.root / "site" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    yield http_server
    shutil.rmtree(http_server.root / "site")


def test_real_objects(web: Web, site: Server) -> None:
    store = web.at(f"{site.url}/site")
    for key, content in FILES.items():
        assert store.content(key) == content
        assert store.size(key) == len(content)
        assert store.content(key, 1, 3) == content[1:3]
        assert store.content(key, -2) == content[-2:]
        assert store.content(key, -2, -1) == content[-2:-1]
    for key in ("none", "sub", "a.txt/", "sub/none"):
        assert (store.get(key), store.exists(key)) == (None, False)
    with pytest.raises(CloudFilesError):
        store.put("new", b"", PLAIN)


def test_real_index_pages(web: Web, site: Server) -> None:
    store = web.at(f"{site.url}/site/")
    page = store.list_page()
    assert {entry.key: entry.size for entry in page.entries} == {key: len(content) for key, content in FILES.items()}
    assert [entry.key for entry in page.entries] == sorted(FILES, key=str.encode)
    assert [entry.key for entry in store.list_page("sub").entries] == ["sub.txt", "sub/deep/z", "sub/y"]
    flat = store.list_page("s", flat=True)
    assert ([entry.key for entry in flat.entries], flat.prefixes) == (["sub.txt"], ["sub/"])
    assert store.list_page("none/") == store.list_page("a.txt/") == ListPage([], [], None)
    assert [store.isdir(key) for key in ("", "sub", "sub/", "in side", "a.txt", "none")] == [True] * 4 + [False] * 2


# ---- TLS


def test_certificates(web: Web, tls_fault_server: S3Server, certificates: Certificates,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    tls_fault_server.put_page("a", OBJECT)
    url = tls_fault_server.url
    assert web.at(url, tls=Tls(ca_bundle=str(certificates.authority))).content("a") == OBJECT
    for tls in (Tls(), Tls(ca_bundle=str(certificates.stranger))):
        with pytest.raises(CertificateError) as caught:
            web.at(url, tls=tls).get("a")
        assert len(caught.value.attempts) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    assert web.at(url).content("a") == OBJECT
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        web.at(url, tls=Tls(ca_bundle="/none.pem")).get("a")


def test_a_client_certificate(web: Web, mtls_fault_server: S3Server, certificates: Certificates) -> None:
    mtls_fault_server.put_page("a", OBJECT)
    bundle = str(certificates.authority)
    store = web.at(mtls_fault_server.url, tls=Tls(ca_bundle=bundle, client_cert=str(certificates.client)))
    assert store.content("a") == OBJECT
    with pytest.raises(CloudFilesError):
        web.at(mtls_fault_server.url, tls=Tls(ca_bundle=bundle)).get("a")


# ---- proxies


def test_a_proxy_for_plain_requests(web: Web, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpProxy("me", "p@ss") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("p@ss", "p%40ss"))
        assert web.at(server.url).content("dir/object", 5, 9) == OBJECT[5:9]
        (request,) = proxy.seen()
        assert (request.method, request.target, request.status) == ("GET", f"{server.url}/dir/object", 200)
        assert seen(server, "proxy-authorization") == [None]
        monkeypatch.setenv("http_proxy", proxy.url.replace("p@ss", "wrong"))
        with pytest.raises(AuthorizationError, match="407"):
            web.at(server.url).get("dir/object")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert web.at(server.url).content("dir/object") == OBJECT
        assert len(proxy.seen()) == 2


def test_a_tunnel_through_a_proxy(web: Web, tls_fault_server: S3Server, certificates: Certificates,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    tls_fault_server.put_page("a", OBJECT)
    tls = Tls(ca_bundle=str(certificates.authority))
    with HttpProxy("me", "secret") as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        store = web.at(tls_fault_server.url, tls=tls)
        assert store.content("a") == store.content("a") == OBJECT
        (request,) = proxy.seen()
        assert (request.method, request.target) == ("CONNECT", tls_fault_server.url.removeprefix("https://"))
        monkeypatch.setenv("https_proxy", proxy.url.replace("secret", "wrong"))
        with pytest.raises(AuthorizationError, match="proxy requires credentials"):
            web.at(tls_fault_server.url, tls=tls).get("a")
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(CertificateError):
            web.at(tls_fault_server.url, tls=Tls(ca_bundle=str(certificates.stranger))).get("a")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert web.at(tls_fault_server.url, tls=tls).content("a") == OBJECT
        assert len(proxy.seen()) == 3


def test_a_proxy_that_is_not_there(web: Web, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(CloudFilesError, match="through the proxy"):
        web.at(server.url).get("a")
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="socks5"):
        web.at(server.url).get("a")
