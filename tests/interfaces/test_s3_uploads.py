"""`s3://`: objects in parts, and how uploads are checked; by a scripted server that also plays AWS."""

from __future__ import annotations

import hashlib
import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import CloudFilesError, ConnectionFailedError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.s3 import S3Interface
from cloudfiles.paths import extract
from cloudfiles.runtime.connect import AddressInfo
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.testing import (
    Fault,
    FlipBit,
    RecordedRequest,
    ResetBefore,
    Rule,
    S3Server,
    SetHeader,
    Stall,
    error_in_200,
    internal_error,
    redirect,
    s3_error,
    slow_down,
)
from cloudfiles.testing.s3_objects import checksum
from cloudfiles.transport.client import Client
from cloudfiles.types import StoreOptions, Tls, WriteOptions
from tests.contents import numbered
from tests.interfaces.s3_setup import IMPATIENT, Worker, close_opened, open_s3
from tests.internals import PART, SMALL_PARTS, Replace
from tests.selection import some

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
SECRET = "secretkey1234567"
BIG = numbered(PART * 5 // 2)  # three parts
PARTS = [BIG[:PART], BIG[PART:2 * PART], BIG[2 * PART:]]
BIG_ETAG = f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in PARTS)).hexdigest()}-3"'


@pytest.fixture(autouse=True)
def _as_new(internals: Replace) -> Iterator[None]:
    internals(bucket_regions={}, **SMALL_PARTS)
    yield
    close_opened()


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    fault_server.configure(secret_key=SECRET, min_part_size=PART * 5 // 8)
    return fault_server


@pytest.fixture
def s3(server: S3Server, green: bool) -> Worker:
    return open_s3(f"s3://{server.bucket}/", green, endpoint=server.url, secrets=server.secrets,
                   composite_upload_threshold=PART // 8)


def puts(server: S3Server) -> list[RecordedRequest]:
    return server.requests("PUT")


# ---- in parts


def test_parts_make_the_object(server: S3Server, s3: Worker) -> None:
    options = WriteOptions(content_type="text/plain", encoding="br", cache_control="no-store", metadata={"a": "b"})
    assert s3.put("big", BIG, options) == BIG_ETAG
    stored = server.get("big")
    assert stored is not None
    assert stored.content == BIG
    assert stored.headers == {"content-type": "text/plain", "content-encoding": "br", "cache-control": "no-store",
                              "x-amz-meta-a": "b"}
    assert server.uploads() == []
    assert s3.get("big").verified == "md5"


@pytest.mark.parametrize("fault", some(
    [slow_down(), internal_error(), ResetBefore(), ResetBefore(acted=True), s3_error(400, "RequestTimeout"),
     FlipBit(8 * 90)], [internal_error(), ResetBefore(acted=True), FlipBit(8 * 90)]))
@pytest.mark.parametrize("query", ["uploads=", "partNumber=2", "uploadId="])
def test_parts_survive_transient_errors(server: S3Server, s3: Worker, fault: Fault, query: str) -> None:
    server.script(Rule(fault, query=query))
    assert s3.put("big", BIG, PLAIN) == BIG_ETAG
    assert server.contents()["big"] == BIG


@pytest.mark.parametrize("fault", [error_in_200(), ResetBefore(), ResetBefore(acted=True), error_in_200(acted=True),
                                   internal_error(acted=True)])
def test_completions_are_repeated_and_believed_when_read(server: S3Server, s3: Worker, fault: Fault) -> None:
    server.script(Rule(fault, method="POST", query="uploadId="))
    assert s3.put("big", BIG, PLAIN) == BIG_ETAG
    assert server.contents()["big"] == BIG
    assert server.uploads() == []


def test_a_completion_lost_is_not_taken_for_another_object(server: S3Server, s3: Worker) -> None:
    server.put("big", bytes(len(BIG)))  # as large, and not ours
    server.script(Rule(ResetBefore(), method="POST", query="uploadId="),
                  Rule(s3_error(404, "NoSuchUpload"), method="POST", query="uploadId=", times=None))
    with pytest.raises(ServerError, match="NoSuchUpload"):
        s3.put("big", BIG, PLAIN)


@pytest.mark.parametrize("query", ["partNumber=2", "uploadId="])
def test_failures_leave_no_parts(server: S3Server, s3: Worker, query: str) -> None:
    method = "PUT" if query == "partNumber=2" else "POST"
    server.script(Rule(s3_error(403, "AccessDenied"), method=method, query=query, times=None))
    with pytest.raises(CloudFilesError, match="AccessDenied"):
        s3.put("big", BIG, PLAIN)
    assert server.uploads() == []
    assert server.contents() == {}


def test_a_file_that_fails_leaves_no_parts(server: S3Server, s3: Worker) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 2 * PART:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(CloudFilesError, match="cannot read the content"):
        s3.put("big", Failing(BIG), PLAIN)
    assert server.uploads() == []


def test_a_batch_given_up_leaves_no_parts(server: S3Server, s3: Worker) -> None:
    server.script(Rule(Stall(), query="partNumber=2", times=None))
    worker_group = s3.runtime.worker_group()
    worker_group.start(lambda: s3.interface.put("big", BIG, PLAIN) and None, 1)
    while len(puts(server)) < 3:
        worker_group.wait_caller(0.05)
    worker_group.cancel()
    while not worker_group.finished:
        worker_group.wait_caller(0.05)
    assert server.uploads() == []
    assert server.contents() == {}


def test_conditions_hold_for_objects_in_parts(server: S3Server, s3: Worker) -> None:
    etag = s3.put("big", BIG, WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        s3.put("big", BIG, WriteOptions(if_absent=True))
    s3.interface._bucket.honors_conditions = True
    with pytest.raises(PreconditionFailedError):
        s3.put("big", BIG[1:], WriteOptions(if_absent=True))
    assert server.uploads() == []
    assert s3.put("big", BIG, WriteOptions(if_match=etag))


def test_parts_are_read_as_they_are_sent(server: S3Server, s3: Worker, internals: Replace) -> None:
    internals(parts_memory=4 * PART)

    class Watched(io.BytesIO):
        ahead = 0

        def read(self, size: int | None = -1) -> bytes:
            done = sum(r.body_length for r in puts(server))
            Watched.ahead = max(Watched.ahead, self.tell() - done)
            return super().read(size)

    content = BIG * 5
    s3.put("big", Watched(content), PLAIN)
    assert server.contents()["big"] == content
    assert Watched.ahead <= 5 * PART


def test_a_server_that_counts_wrongly_is_found_out(server: S3Server, s3: Worker) -> None:
    server.script(Rule(SetHeader("ETag", '"0"'), method="PUT", times=None),
                  Rule(SetHeader("Content-Length", "7"), method="HEAD", times=None))
    with pytest.raises(CloudFilesError):
        s3.put("big", BIG, PLAIN)


# ---- digests of uploads


def test_md5_until_a_crc_is_known_to_be_checked(server: S3Server, s3: Worker) -> None:
    for key in ("a", "b", "c"):
        s3.put(key, b"content", PLAIN)
    first, *others = puts(server)
    assert first.header("content-md5") == checksum("md5", b"content")
    assert first.header("x-amz-checksum-crc32") == checksum("crc32", b"content")
    for request in others:  # over plain HTTP the signature has to speak for the body
        assert request.header("content-md5") is None
        assert request.header("x-amz-checksum-crc32") == checksum("crc32", b"content")
        assert request.header("x-amz-content-sha256") == hashlib.sha256(b"content").hexdigest()


def test_md5_where_no_crc_is_answered(server: S3Server, s3: Worker) -> None:
    server.script(Rule(SetHeader("x-amz-checksum-crc32", None), times=None))
    for key in ("a", "b"):
        s3.put(key, b"content", PLAIN)
    assert puts(server)[1].header("content-md5") == checksum("md5", b"content")
    assert puts(server)[1].header("x-amz-checksum-crc32") is None


def test_an_etag_of_other_content_is_not_believed(server: S3Server, s3: Worker) -> None:
    server.script(Rule(SetHeader("ETag", f'"{"0" * 32}"'), method="PUT"))
    s3.put("a", b"content", PLAIN)
    assert len(puts(server)) == 2


def test_over_tls_a_crc_will_do(tls_fault_server: S3Server, certificates: Any, green: bool) -> None:
    tls_fault_server.configure(secret_key=SECRET)
    s3 = open_s3(f"s3://{tls_fault_server.bucket}/", green, endpoint=tls_fault_server.url,
                 secrets=tls_fault_server.secrets, tls=Tls(ca_bundle=str(certificates.authority)))
    for key in ("a", "b"):
        s3.put(key, b"content", PLAIN)
    last = puts(tls_fault_server)[-1]
    assert last.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    assert last.header("x-amz-checksum-crc32") == checksum("crc32", b"content")
    assert last.header("content-md5") is None


# ---- AWS itself, as far as a scripted server can play it


class Elsewhere(ThreadRuntime):
    """Every host is the scripted server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.hosts: list[str] = []

    def resolve(self, host: str, port: int) -> list[AddressInfo]:
        self.hosts.append(host)
        return super().resolve("127.0.0.1", self.port)


@pytest.fixture
def aws(server: S3Server) -> Iterator[tuple[S3Interface, Elsewhere]]:
    runtime = Elsewhere(server.port)
    client = Client(runtime, Tls(), 5.0, 10.0, policy=IMPATIENT)
    options = StoreOptions(endpoint="http://s3.amazonaws.com", secrets=server.secrets,
                           composite_upload_threshold=PART // 8)
    yield S3Interface(extract(f"s3://{server.bucket}/a b/"), options, runtime, client=client), runtime
    client.close()


def test_aws_has_the_bucket_in_the_host(server: S3Server, aws: tuple[S3Interface, Elsewhere]) -> None:
    s3, runtime = aws
    s3.put("key", b"content", PLAIN)
    assert s3.get("key").verified == "crc32"  # type: ignore[union-attr]
    assert [entry.key for entry in s3.list_page().entries] == ["key"]
    assert s3.delete(["key", "other"]) == {}
    assert set(runtime.hosts) == {"bucket.s3.us-east-1.amazonaws.com"}
    assert puts(server)[0].target == "/a%20b/key"
    assert puts(server)[0].header("content-md5") is None


def test_another_region_is_another_host(server: S3Server, aws: tuple[S3Interface, Elsewhere]) -> None:
    s3, runtime = aws
    server.configure(bucket_regions={server.bucket: "eu-west-3"})
    assert s3.get("key") is None
    assert s3.exists("key") is False
    assert runtime.hosts == ["bucket.s3.us-east-1.amazonaws.com", "bucket.s3.eu-west-3.amazonaws.com"]
    assert s3.presign("key", 60, "GET").startswith("http://bucket.s3.eu-west-3.amazonaws.com/a%20b/key?")


@pytest.mark.parametrize("configured", [None, "eu-west-3"])
def test_a_url_is_presigned_for_the_right_region(server: S3Server, aws: tuple[S3Interface, Elsewhere],
                                                 configured: str | None) -> None:
    _, runtime = aws
    server.configure(bucket_regions={server.bucket: "eu-west-3"})
    secrets = {name: value for name, value in server.secrets.items() if "REGION" not in name}
    if configured:
        secrets["AWS_DEFAULT_REGION"] = configured
    client = Client(runtime, Tls(), 5.0, 10.0, policy=IMPATIENT)
    options = StoreOptions(endpoint="http://s3.amazonaws.com", secrets=secrets)
    s3 = S3Interface(extract("s3://bucket/"), options, runtime, client=client)
    url = s3.presign("key", 60, "GET")
    client.close()
    assert url.startswith("http://bucket.s3.eu-west-3.amazonaws.com/key?")
    assert "%2Feu-west-3%2Fs3%2Faws4_request" in url
    assert len(server.requests()) == (0 if configured else 2)


def test_temporary_redirects_are_followed_within_aws(server: S3Server, aws: tuple[S3Interface, Elsewhere]) -> None:
    s3, runtime = aws
    server.put("a b/key", b"content")
    server.script(Rule(redirect("http://bucket.s3-eu-west-3.amazonaws.com/a%20b/key")))
    assert s3.get("key").content == b"content"  # type: ignore[union-attr]
    assert runtime.hosts[-1] == "bucket.s3-eu-west-3.amazonaws.com"


def test_aws_checks_the_whole_of_the_parts(server: S3Server, aws: tuple[S3Interface, Elsewhere]) -> None:
    s3, _ = aws
    assert s3.put("big", BIG, PLAIN) == BIG_ETAG
    stored = server.get("a b/big")
    assert stored is not None
    assert stored.checksums == {"crc32": checksum("crc32", BIG)}
    assert s3.get("big").verified == "crc32"  # type: ignore[union-attr]
    complete = server.requests("POST")[-1]
    assert complete.header("x-amz-checksum-crc32") == checksum("crc32", BIG)
    assert complete.header("x-amz-mp-object-size") == str(len(BIG))


@pytest.mark.parametrize("fault", [ResetBefore(acted=True), error_in_200(acted=True)])
def test_aws_proves_a_lost_completion_by_crc(server: S3Server, aws: tuple[S3Interface, Elsewhere],
                                             fault: Fault) -> None:
    s3, _ = aws
    server.script(Rule(fault, method="POST", query="uploadId="))
    assert s3.put("big", BIG, PLAIN) == BIG_ETAG


def test_names_with_dots_stay_in_the_path(server: S3Server) -> None:
    server.make_bucket("with.dots")
    runtime = Elsewhere(server.port)
    client = Client(runtime, Tls(), 5.0, 10.0, policy=IMPATIENT)
    s3 = S3Interface(extract("s3://with.dots/"), StoreOptions(endpoint="http://s3.amazonaws.com",
                                                              secrets=server.secrets), runtime, client=client)
    s3.put("key", b"content", PLAIN)
    assert puts(server)[0].target == "/with.dots/key"
    assert runtime.hosts == ["s3.us-east-1.amazonaws.com"]
    client.close()


def test_a_server_that_is_gone_is_an_error(server: S3Server, green: bool) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    s3 = open_s3(f"s3://http://127.0.0.1:{port}/bucket/", green, secrets=server.secrets)
    with pytest.raises(ConnectionFailedError):
        s3.exists("key")
