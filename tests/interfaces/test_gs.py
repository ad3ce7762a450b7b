"""`gs://` against the scripted Cloud Storage: what Google documents, and what goes wrong on the way."""

from __future__ import annotations

import gzip
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.credentials.google import GoogleProvider
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    ConfigurationError,
    CRC32CIntegrityError,
    InvalidInputError,
    InvalidPathError,
    ObjectChangedError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.testing import FlipBit, Replaced, ResetBefore, ResetInBody, Rule, ShortBody, Status
from cloudfiles.testing.s3_objects import checksum, make_object
from cloudfiles.types import WriteOptions
from tests.interfaces.gs_setup import close_opened, concat, open_gs
from tests.interfaces.s3_setup import Worker
from tests.servers.gcs_server import GcsServer, backend_error, busy, json_error

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
CONTENT = bytes(range(256)) * 64


@pytest.fixture(autouse=True)
def _connections_closed() -> Iterator[None]:
    yield
    close_opened()


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> Worker:
    return open_gs(gcs_server, green)


def targets(server: GcsServer, method: str | None = None) -> list[str]:
    return [request.target for request in server.requests(method)]


# ---- one object


def test_an_upload_is_one_request_whose_digest_the_server_checks(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", CONTENT, PLAIN)
    gcs_server.script(Rule(FlipBit(3000), method="POST"))
    gs.put("key", CONTENT, PLAIN)  # sent again
    assert gs.get("key").content == CONTENT
    assert [request.status for request in gcs_server.requests("POST")] == [200, 400, 200]


def test_an_upload_that_is_damaged_each_time_is_given_up(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(FlipBit(3000), method="POST", times=None))
    with pytest.raises(CRC32CIntegrityError, match="different bytes than were sent"):
        gs.put("key", CONTENT, PLAIN)
    gcs_server.script()
    assert gs.get("key") is None


def test_options_are_stored(gs: Worker) -> None:
    gs.put("key", b"content", WriteOptions(
        content_type="text/plain", encoding="br", cache_control="no-store", storage_class="NEARLINE",
        metadata={"Color": "caf\u00e9"}, content_disposition="inline", content_language="de"))
    head = gs.head("key")
    assert (head["Content-Type"], head["Content-Encoding"], head["Cache-Control"], head["Storage-Class"]) == (
        "text/plain", "br", "no-store", "NEARLINE")
    assert (head["Content-Disposition"], head["Content-Language"], head["Content-Length"]) == ("inline", "de", 7)
    assert head["Last-Modified"].endswith(" GMT")
    assert head["Content-md5"] == checksum("md5", b"content")
    described = gs.describe("key")
    assert described.size == 7
    attributes = gs.write_options(described)
    assert attributes.metadata == {"Color": "caf\u00e9"}
    assert (attributes.content_type, attributes.encoding, attributes.cache_control) == ("text/plain", "br", "no-store")
    assert [digest.algorithm for digest in gs.digests(described)] == ["crc32c", "md5"]


@pytest.mark.parametrize("options", [
    WriteOptions(metadata={"": "x"}), WriteOptions(metadata={"a": "x\r\ny: z"}),
    WriteOptions(content_type="text/plain\n"), WriteOptions(cache_control=" edge"), WriteOptions(metadata={"a": 7})])  # type: ignore[dict-item]
def test_options_that_cannot_be_stored_are_refused(gs: Worker, gcs_server: GcsServer, options: WriteOptions) -> None:
    with pytest.raises(InvalidInputError):
        gs.put("key", b"content", options)
    assert gcs_server.requests() == []


def test_missing_objects_and_buckets(gs: Worker, gcs_server: GcsServer, green: bool) -> None:
    assert gs.get("missing") is gs.head("missing") is gs.size("missing") is gs.describe("missing") is None
    assert gs.exists("missing") is False
    assert not gs.isdir("missing")
    nowhere = open_gs(gcs_server, green, bucket="no-such-bucket")
    uses: list[Callable[[], object]] = [
        lambda: nowhere.head("key"), lambda: nowhere.exists("key"), nowhere.list_page,
        lambda: nowhere.put("key", b"", PLAIN), lambda: nowhere.get("key", -5, -3)]
    for use in uses:
        with pytest.raises(ServerError, match="the bucket 'no-such-bucket' does not exist") as raised:
            use()
        assert raised.value.code == "NoSuchBucket"
    with pytest.raises(InvalidPathError, match="empty"):
        gs.get("")


@pytest.mark.parametrize("key", [".", ".."])
def test_no_request_can_mean_the_bucket_in_place_of_a_key(gcs_server: GcsServer, green: bool, key: str) -> None:
    gs = open_gs(gcs_server, green, "")
    uses: list[Callable[[], object]] = [
        lambda: gs.get(key), lambda: gs.head(key), lambda: gs.delete([key]), lambda: gs.delete(["a", key]),
        lambda: gs.put(key, b"", PLAIN), lambda: gs.presign(key, 60, "GET")]
    for use in uses:
        with pytest.raises(InvalidPathError, match="does not allow objects named"):
            use()
    assert gcs_server.requests() == []
    gs.put("...", b"content", PLAIN)
    assert gs.get("...").content == b"content"


def test_touch_does_not_replace(gs: Worker, gcs_server: GcsServer) -> None:
    gs.touch("new")
    assert gs.get("new").content == b""
    gs.put("old", b"content", PLAIN)
    gs.touch("old")
    gcs_server.script(Rule(json_error(404, "notFound", "No such object: bucket/place/old"), method="GET"))
    gs.touch("old")  # was made between the look and the write
    assert gs.get("old").content == b"content"


# ---- stored encodings


def test_gzip_comes_as_stored_and_verified(gs: Worker, gcs_server: GcsServer) -> None:
    stored = gzip.compress(CONTENT, mtime=0)
    gs.put("key", stored, WriteOptions(encoding="gzip"))
    got = gs.get("key")
    assert (got.content, got.encoding, got.verified) == (stored, "gzip", "crc32c")
    assert gs.get("key", 5, 9).content == stored[5:9]
    assert gs.get("key", 5, 9).encoding == "gzip"
    assert {request.header("accept-encoding") for request in gcs_server.requests("GET")} == {"gzip"}


def test_an_object_that_is_decoded_in_transit_is_refused(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", gzip.compress(CONTENT), WriteOptions(encoding="gzip"))
    gcs_server.configure(transcodes=True)
    for range_ in ((), (3, 7)):
        with pytest.raises(ProtocolError, match="stored with the encoding gzip, but was sent with identity"):
            gs.get("key", *range_)


def test_an_object_that_is_compressed_in_transit_is_brought_back(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", CONTENT, PLAIN)
    gcs_server.configure(compresses=True)
    got = gs.get("key")
    assert (got.content, got.encoding, got.verified) == (CONTENT, "", "crc32c")


def test_damaged_reads_are_read_again(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", CONTENT, PLAIN)
    gcs_server.script(Rule(FlipBit(77), method="GET", times=2))
    assert gs.get("key").content == CONTENT
    gcs_server.script(Rule(FlipBit(77), method="GET", times=None))
    with pytest.raises(CRC32CIntegrityError):
        gs.get("key")


def test_composite_objects_are_verified_by_crc32c(gs: Worker) -> None:
    gs.put("a", b"first ", PLAIN)
    gs.put("b", b"second", PLAIN)
    etag = concat(gs, ["a", "b"], "c", WriteOptions(content_type="text/plain"))
    got = gs.get("c")
    assert (got.content, got.verified, got.etag) == (b"first second", "crc32c", etag)
    assert gs.head("c")["Content-md5"] is None
    assert gs.head("c")["Parts-Count"] == 2
    concat(gs, ["a", "b"] * 40, "d", PLAIN)
    assert gs.get("d").content == b"first second" * 40


def test_only_the_generation_that_was_found_is_composed(gs: Worker) -> None:
    gs.put("a", b"first ", PLAIN)
    found = ConcatSource("a", gs.describe("a"))
    for change in (lambda: gs.put("a", b"other", PLAIN), lambda: gs.delete(["a"])):
        change()
        with pytest.raises(ObjectChangedError):
            Worker(gs.capability(Concatenation), gs.runtime).concat([found], "c", PLAIN)
    assert not gs.exists("c")


# ---- generations


@pytest.mark.parametrize("fault", [ResetInBody(), ShortBody()], ids=["reset", "short"])
@pytest.mark.parametrize("range_", [(), (100, 9000), (-5000, None)], ids=["whole", "range", "suffix"])
def test_a_read_continues_pinned_by_its_generation(gs: Worker, gcs_server: GcsServer, fault: Any, range_: Any) -> None:
    gs.put("key", CONTENT, PLAIN)
    gcs_server.forget()
    gcs_server.script(Rule(fault, method="GET"))
    got = gs.get("key", *range_)
    assert got.content == CONTENT[slice(*range_)] if range_ else got.content == CONTENT
    first, second = gcs_server.requests("GET")
    assert "ifGenerationMatch" not in first.target
    assert f"ifGenerationMatch={gcs_server.generation('place/key')}" in second.target
    assert second.header("if-match") is None
    assert got.etag == gs.head("key")["ETag"]
    assert got.verified == ("" if range_ else "crc32c")


class ReplacedInside(ResetInBody):
    """The answer breaks off, and the object is another one afterwards."""

    def replacement(self) -> Any:
        return make_object(b"new" * 9000, etag="")


@pytest.mark.parametrize("range_", [(), (100, 9000)], ids=["whole", "range"])
def test_an_object_replaced_inside_a_read_is_read_again(gs: Worker, gcs_server: GcsServer, range_: Any) -> None:
    gs.put("key", CONTENT, PLAIN)
    gcs_server.script(Rule(ReplacedInside(), method="GET"))
    assert gs.get("key", *range_).content == (b"new" * 9000)[slice(*range_) if range_ else slice(None)]
    statuses = [r.status for r in gcs_server.requests("GET") if "alt=media" in r.target]
    assert statuses[-2:] == [412, 206 if range_ else 200]


def test_a_range_from_the_end_is_of_the_object_that_was_measured(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", b"0123456789", PLAIN)
    gcs_server.script(Rule(Replaced(make_object(b"abcdefghijkl", etag="")), method="GET"))
    assert gs.get("key", -5, -2).content == b"hij"
    gcs_server.script(Rule(Replaced(make_object(b"0123456789", etag="")), method="GET", query="fields", times=None))
    with pytest.raises(ObjectChangedError, match="replaced 4 times"):
        gs.get("key", -5, -2)


# ---- conditional writes


def test_replace_only_what_was_read(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", b"first", PLAIN)
    for key in ("key", "missing"):
        with pytest.raises(PreconditionFailedError, match="expected the ETag another"):
            gs.put(key, b"second", WriteOptions(if_match="another"))
    etag = gs.head("key")["ETag"]
    gcs_server.script(Rule(Replaced(make_object(b"theirs", etag="")), method="GET"))  # between the look and the write
    with pytest.raises(PreconditionFailedError):
        gs.put("key", b"second", WriteOptions(if_match=etag))
    assert gs.get("key").content == b"theirs"


def test_our_own_success_is_no_failed_condition(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(ResetBefore(acted=True), method="POST"))
    etag = gs.put("key", CONTENT, WriteOptions(if_absent=True))
    assert etag == gs.head("key")["ETag"]
    assert [r.status for r in gcs_server.requests("POST")][-1] == 412


def test_somebody_elses_object_is_a_failed_condition(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", b"theirs", PLAIN)
    gcs_server.script(Rule(json_error(404, "notFound", "No such object: x"), method="GET"),
                      Rule(ResetBefore(), method="POST"))
    with pytest.raises(PreconditionFailedError):
        gs.put("key", b"ours", WriteOptions(if_absent=True))


# ---- many objects


def test_pages(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.configure(page_size=3)
    keys = sorted(f"{name}{n}" for n in range(3) for name in ("a/", "b/c/", "d"))
    others = {"plac": b"", "place/": b"", "placf": b""}
    gcs_server.put_many({f"place/{key}": key.encode() for key in keys} | others)
    found, token, pages = [], None, 0
    while pages == 0 or token is not None:
        page = gs.list_page(token=token)
        found += page.entries
        token, pages = page.next_token, pages + 1
    assert [entry.key for entry in found] == keys
    assert pages == 4
    assert found[0].size == len(keys[0])
    assert [entry.key for entry in gs.list_page("b/").entries] == keys[3:6]
    assert [entry.key for entry in gs.list_page(start_after=keys[4]).entries] == keys[5:7]  # less keys[4]
    assert [entry.key for entry in gs.list_page(start_after=keys[4] + "!", limit=2).entries] == keys[5:7]
    assert len(gs.list_page(limit=1).entries) <= 1
    assert all("fields=" in target and "startOffset=place%2F" not in target for target in targets(gcs_server)[:4])


def test_batches_of_deletes(gs: Worker, gcs_server: GcsServer) -> None:
    keys = [f"key {n}&<%?" for n in range(99)]
    gcs_server.put_many({f"place/{key}": b"" for key in keys})
    gcs_server.forget()
    assert gs.delete([*keys[:-1], "never there"]) == {}
    assert list(gcs_server.contents()) == [f"place/{keys[-1]}"]
    assert targets(gcs_server) == ["/batch/storage/v1"]


def test_a_batch_that_fails_in_part_is_repeated_in_part(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.put_many({f"place/k{n}": b"" for n in range(5)})
    gcs_server.configure(delete_refusals={"place/k1": [(503, "backendError")] * 2,
                                          "place/k3": [(403, "forbidden")] * 20})
    errors = gs.delete([f"k{n}" for n in range(5)])
    assert list(errors) == ["k3"]
    assert isinstance(errors["k3"], AuthorizationError)
    assert errors["k3"].path == "k3"
    assert list(gcs_server.contents()) == ["place/k3"]
    first, second, third = (r.body_length for r in gcs_server.requests("POST"))
    assert first > second == third


def test_a_batch_that_never_succeeds_tells_what_is_left(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.put_many({"place/a": b"", "place/b": b""})
    gcs_server.configure(delete_refusals={"place/b": [(429, "rateLimitExceeded")] * 50})
    errors = gs.delete(["a", "b"])
    assert list(errors) == ["b"]
    assert isinstance(errors["b"], ServerError)
    assert list(gcs_server.contents()) == ["place/b"]


def test_a_batch_that_is_refused_is_an_error(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(json_error(403, "forbidden"), times=None))
    with pytest.raises(AuthorizationError):
        gs.delete(["a", "b"])
    assert isinstance(gs.delete(["a"])["a"], AuthorizationError)


# ---- copies


def test_copies_keep_all_attributes(gs: Worker, gcs_server: GcsServer, green: bool) -> None:
    gcs_server.configure(rewrite_bytes=5000)
    gs.put("source", CONTENT, WriteOptions(content_type="text/plain", encoding="br", metadata={"a": "b"}))
    there = open_gs(gcs_server, green, "elsewhere/")
    assert there.can_copy_from(gs.interface)
    copied = there.copy_from(gs.interface, "source", "copy", CopyOptions())
    assert copied.size == len(CONTENT)
    assert copied.etag == there.head("copy")["ETag"]
    assert there.get("copy").content == CONTENT
    assert there.describe("copy").headers["x-goog-meta-a"] == "b"
    tokens = [re.search(r"rewriteToken=(\w+)", target) for target in targets(gcs_server) if "rewriteTo" in target]
    assert len(tokens) == 4
    assert tokens[0] is None
    assert all(tokens[1:])
    assert there.copy_from(gs.interface, "missing", "copy", CopyOptions()) is None


def test_copies_are_changed_and_pinned(gs: Worker, gcs_server: GcsServer) -> None:
    etag = gs.put("source", CONTENT, WriteOptions(content_type="text/plain", metadata={"a": "b"}))

    def change(attributes: WriteOptions) -> WriteOptions:
        assert attributes.content_type == "text/plain"
        return WriteOptions(content_type="text/html", metadata=attributes.metadata)

    gs.copy_from(gs.interface, "source", "copy", CopyOptions(etag=etag, change=change))
    assert gs.head("copy")["Content-Type"] == "text/html"
    assert gs.describe("copy").headers["x-goog-meta-a"] == "b"
    with pytest.raises(ObjectChangedError):
        gs.copy_from(gs.interface, "source", "other", CopyOptions(etag="another"))
    gcs_server.script(Rule(Replaced(make_object(b"new", etag="")), method="GET"))
    with pytest.raises(ObjectChangedError):
        gs.copy_from(gs.interface, "source", "other", CopyOptions(etag=etag))
    assert gs.get("other") is None
    assert gs.copy_from(gs.interface, "missing", "copy", CopyOptions(etag=etag)) is None


# ---- who asks


def with_token(server: GcsServer, green: bool, *tokens: str) -> tuple[Worker, list[str]]:
    """An interface whose provider finds one token after the other."""
    given: list[str] = []
    left = list(tokens)

    class Provider(GoogleProvider):
        def _fetch(self) -> Any:
            given.append(left[0])
            found = GoogleProvider("", {"token": left[0]})._fetch()
            if len(left) > 1:
                del left[0]
            return found

    server.configure(token="good")
    return open_gs(server, green, provider=Provider()), given


def test_a_refused_token_is_renewed_once(gcs_server: GcsServer, green: bool) -> None:
    gs, given = with_token(gcs_server, green, "stale", "good")
    gs.put("key", CONTENT, PLAIN)
    assert gs.get("key").content == CONTENT
    assert given == ["stale", "good"]
    assert [r.status for r in gcs_server.requests()] == [401, 200, 200]


def test_a_token_that_stays_bad_is_an_error(gcs_server: GcsServer, green: bool) -> None:
    gs, given = with_token(gcs_server, green, "bad")
    with pytest.raises(AuthorizationError, match=r"Invalid Credentials.*no newer token could be obtained"):
        gs.get("key")
    assert given == ["bad", "bad"]
    assert len(gcs_server.requests()) == 1


def test_without_credentials_the_refusal_says_what_to_do(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.configure(token="good")
    uses: list[Callable[[], object]] = [lambda: gs.get("key"), lambda: gs.exists("key"), gs.list_page]
    for use in uses:
        with pytest.raises(AuthorizationError, match=r"had no credentials.*google-secret\.json"):
            use()


def test_secrets_are_sent_and_never_shown(gcs_server: GcsServer, green: bool) -> None:
    gcs_server.configure(token="t0k3n")
    gs = open_gs(gcs_server, green, secrets={"token": "t0k3n"})
    gs.put("key", b"content", PLAIN)
    assert "t0k3n" not in repr(gs.interface.provider)  # type: ignore[attr-defined]
    assert "t0k3n" not in str(gs.explain_credentials())
    gcs_server.configure(token="other")
    with pytest.raises(AuthorizationError) as raised:
        gs.get("key")
    assert "t0k3n" not in str(raised.value)


def test_tokens_do_not_go_over_the_open_net(green: bool) -> None:
    class Elsewhere:
        url = "http://storage.example.com"

    with pytest.raises(ConfigurationError, match="not HTTPS"):
        open_gs(Elsewhere(), green, secrets={"token": "t"})  # type: ignore[arg-type]


def test_requester_pays(gcs_server: GcsServer, green: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    gcs_server.configure(requester_pays=True)
    with pytest.raises(AuthorizationError, match="request_payer='requester'"):
        open_gs(gcs_server, green).list_page()
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
        open_gs(gcs_server, green, request_payer="requester").get("key")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    gs = open_gs(gcs_server, green, request_payer="requester")
    gs.put("key", CONTENT, PLAIN)
    assert gs.get("key").content == CONTENT
    assert gs.get("key", -5, -3).content == CONTENT[-5:-3]
    assert gs.list_page().entries
    gs.copy_from(gs.interface, "key", "copy", CopyOptions())
    assert gs.delete(["key", "copy"]) == {}


def test_public_buckets_are_read_over_https_without_credentials(gcs_server: GcsServer, green: bool) -> None:
    gcs_server.put("dir/a", CONTENT)
    cf = CloudFiles(f"gs://{gcs_server.url}/bucket/", secrets={"token": "t"}, use_https=True, green=green)
    assert list(cf.list()) == ["dir/a"]
    assert cf.get(["dir/a"])[0]["content"] == CONTENT
    assert pickle.loads(pickle.dumps(cf)).get("dir/a") == CONTENT
    assert {request.header("authorization") for request in gcs_server.requests()} == {None}
    public = CloudFiles("gs://bucket/", use_https=True)._store.here()
    assert str(public._origin) == "https://storage.googleapis.com"  # type: ignore[attr-defined]
    assert public.explain_credentials() == [("no_sign_request", "requests are not signed")]


# ---- refusals


@pytest.mark.parametrize("fault", [busy(), backend_error(), json_error(403, "userRateLimitExceeded"),
                                   json_error(500, "internalError"), Status(502), Status(408)],
                         ids=lambda fault: str(fault.code))
def test_passing_refusals_pass(gs: Worker, gcs_server: GcsServer, fault: Any) -> None:
    gcs_server.script(Rule(fault, times=2, each_key=True))
    gs.put("key", CONTENT, PLAIN)
    assert gs.get("key").content == CONTENT


def test_lasting_refusals_are_errors(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(json_error(403, "forbidden", "x does not have storage.objects.get access"), times=None))
    uses: list[Callable[[], object]] = [
        lambda: gs.get("key"), lambda: gs.put("key", b"", PLAIN), lambda: gs.exists("key")]
    for use in uses:
        with pytest.raises(AuthorizationError, match=r"storage\.objects"):
            use()
    gcs_server.script(Rule(Status(429, body=b"<html>"), times=None))
    with pytest.raises(ServerError) as raised:
        gs.get("key")
    assert raised.value.is_slow_down
    assert len(raised.value.attempts) == 12


def test_answers_that_are_invalid_are_errors(gs: Worker, gcs_server: GcsServer) -> None:
    for body in (b"{", b"[]"):
        gcs_server.script(Rule(Status(200, body=body), times=None))
        with pytest.raises(ProtocolError):
            gs.head("key")
    gcs_server.script(Rule(Status(200, body=b"{}"), times=None))
    with pytest.raises(ProtocolError, match="and no resource"):
        gs.put("key", b"", PLAIN)
    for headers in ((), (("content-type", "multipart/mixed; boundary=x"),)):
        gcs_server.script(Rule(Status(200, headers, b"--x\r\n\r\nnothing\r\n--x--"), times=None))
        with pytest.raises(CloudFilesError):
            gs.delete(["a", "b"])


# ---- presigned URLs


def test_what_cannot_be_presigned(gs: Worker, gcs_server: GcsServer, green: bool) -> None:
    for expires, method in ((0, "GET"), (604801, "GET"), (60, "POST")):
        with pytest.raises(InvalidInputError, match="presign"):
            gs.presign("key", expires, method)
    with pytest.raises(UnsupportedOperationError, match="service account key"):
        open_gs(gcs_server, green, secrets={"token": "t"}).presign("key", 60, "GET")
    assert gs.presign("a b", 60, "GET") == f"{gcs_server.url}/bucket/place/a%20b"


def test_each_call_is_one_request(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("dir/key", b"content", WriteOptions(content_type="text/plain"))
    [request] = gcs_server.requests()
    assert request.method == "POST"
    assert request.target.startswith("/upload/storage/v1/b/bucket/o?")
    assert "name=place%2Fdir%2Fkey" in request.target
    gs.get("dir/key")
    assert targets(gcs_server)[1] == "/storage/v1/b/bucket/o/place%2Fdir%2Fkey?alt=media"
