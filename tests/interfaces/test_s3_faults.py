"""`s3://` on bad days: refusals that can be corrected, faults that pass, answers that lie."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.exceptions import (
    AuthorizationError,
    MD5IntegrityError,
    MissingCredentialsError,
    PreconditionFailedError,
    ServerError,
)
from cloudfiles.testing import (
    Fault,
    FlipBit,
    ResetBefore,
    ResetInBody,
    Rule,
    S3Server,
    ShortBody,
    error_in_200,
    internal_error,
    redirect,
    s3_error,
    slow_down,
    time_too_skewed,
    too_many_requests,
    wrong_region,
)
from cloudfiles.types import Clock, WriteOptions
from tests.interfaces.s3_setup import Worker, close_opened, open_s3
from tests.internals import Replace

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
SECRET = "secretkey1234567"
CONTENT = bytes(range(256)) * 300

Use = Callable[[Worker], object]
USES: dict[str, Use] = {
    "get": lambda s3: s3.get("key").content == CONTENT, "head": lambda s3: s3.head("key")["ETag"],
    "put": lambda s3: s3.put("new", CONTENT, PLAIN), "list": lambda s3: s3.list_page().entries[0].key == "key",
    "delete": lambda s3: s3.delete(["a", "b"]) == {}, "range": lambda s3: s3.get("key", 5, 9).content == CONTENT[5:9]}


@pytest.fixture(autouse=True)
def _as_new(internals: Replace) -> Iterator[None]:
    internals(bucket_regions={})
    yield
    close_opened()


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    """It verifies signatures, and holds 'key'."""
    fault_server.configure(secret_key=SECRET)
    fault_server.put("key", CONTENT)
    return fault_server


@pytest.fixture
def s3(server: S3Server, green: bool) -> Worker:
    return open_at(server, green)


def open_at(server: S3Server, green: bool, **options: Any) -> Worker:
    return open_s3(f"s3://{server.bucket}/", green, **{"endpoint": server.url, "secrets": server.secrets, **options})


def statuses(server: S3Server) -> list[int | None]:
    """Of all requests, 206 counted as 200."""
    return [200 if request.status == 206 else request.status for request in server.requests()]


# ---- what can be corrected


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_region_is_found(server: S3Server, s3: Worker, use: Use) -> None:
    server.configure(bucket_regions={server.bucket: "eu-central-1"})
    assert use(s3)
    assert statuses(server) == [400, 200]
    assert use(s3)
    assert statuses(server)[2:] == [200]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_region_of_a_bucket_is_remembered(server: S3Server, s3: Worker, green: bool, use: Use) -> None:
    server.configure(bucket_regions={server.bucket: "eu-central-1"})
    assert use(s3)
    server.forget()
    assert use(open_at(server, green))
    assert statuses(server) == [200]


def test_the_region_is_found_by_301(server: S3Server, s3: Worker) -> None:
    server.script(Rule(wrong_region("us-east-2", 301)))
    server.configure(bucket_regions={server.bucket: "us-east-2"})
    assert s3.get("key").content == CONTENT
    assert statuses(server) == [301, 200]


def test_a_server_that_contradicts_itself_ends_in_an_error(server: S3Server, s3: Worker) -> None:
    server.script(Rule(wrong_region("eu-west-1", 400), times=None))
    with pytest.raises(ServerError, match="AuthorizationHeaderMalformed"):
        s3.get("key")
    assert len(server.requests()) == 2


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("hours", [-5, 5])
def test_the_clock_is_learned(server: S3Server, s3: Worker, use: Use, hours: int) -> None:
    server.configure(clock_offset=hours * 3600.0)
    assert use(s3)
    assert use(s3)
    assert statuses(server) == [403, 200, 200]


def test_a_clock_that_is_right_is_not_to_blame(server: S3Server, s3: Worker) -> None:
    server.script(Rule(time_too_skewed(time.time()), times=None))
    with pytest.raises(AuthorizationError, match="clock"):
        s3.get("key")
    assert len(server.requests()) == 1


@pytest.fixture
def rotated(server: S3Server, green: bool, tmp_path: Path) -> Worker:
    """An interface that has read a token which is replaced in its file since, and refused by the server."""
    path = tmp_path / "secret.json"
    path.write_text(json.dumps({**server.secrets, "AWS_SESSION_TOKEN": "old"}))
    server.configure(session_token="old")
    worker = open_at(server, green, secrets=str(path))
    assert worker.exists("key")
    path.write_text(json.dumps({**server.secrets, "AWS_SESSION_TOKEN": "newer"}))
    server.forget()
    return worker


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_rotated_token_is_read_again(server: S3Server, rotated: Worker, use: Use) -> None:
    server.configure(session_token="newer")
    assert use(rotated)
    assert use(rotated)
    assert statuses(server) == [400, 200, 200]


def test_a_token_that_stays_refused_is_an_error(server: S3Server, rotated: Worker) -> None:
    server.configure(session_token="another")
    with pytest.raises(AuthorizationError, match="InvalidToken"):
        rotated.get("key")
    assert statuses(server) == [400, 400]


def test_redirects_are_not_followed_to_others(server: S3Server, s3: Worker) -> None:
    server.script(Rule(redirect("http://127.0.0.1:9/elsewhere"), times=None))
    with pytest.raises(ServerError, match="307"):
        s3.get("key")
    assert len(server.requests()) == 1


# ---- what passes


PASSING: list[Fault] = [slow_down(), internal_error(), too_many_requests(0), ResetBefore(),
                        s3_error(503, "ServiceUnavailable")]
PASSING_BY_CODE: list[Fault] = [s3_error(400, "RequestTimeout"), s3_error(409, "OperationAborted")]


@pytest.mark.parametrize(("name", "fault"), [
    *((name, fault) for name in USES for fault in PASSING),
    *((name, fault) for name in USES for fault in PASSING_BY_CODE if name != "head")])  # its refusals have no code
def test_passing_faults_pass(server: S3Server, s3: Worker, name: str, fault: Fault) -> None:
    server.script(Rule(fault))
    assert USES[name](s3)
    assert len(server.requests()) == 2


@pytest.mark.parametrize("fault", [FlipBit(77), ResetInBody(), ShortBody(), ResetInBody(after=3)])
def test_reads_come_out_right(server: S3Server, s3: Worker, fault: Fault) -> None:
    server.script(Rule(fault, times=2))
    got = s3.get("key")
    assert got.content == CONTENT
    assert got.verified == "md5"


def test_uploads_damaged_in_transit_are_repeated(server: S3Server, s3: Worker) -> None:
    server.script(Rule(FlipBit(8 * 90), method="PUT"))  # and one in the message of the refusal
    s3.put("new", CONTENT, PLAIN)
    assert server.contents()["new"] == CONTENT
    assert statuses(server) == [400, 200]


def test_an_object_that_stays_damaged_is_an_error(server: S3Server, s3: Worker) -> None:
    server.put("bad", b"content", etag="0" * 32)
    with pytest.raises(MD5IntegrityError):
        s3.get("bad")


def test_refusals_without_end_tell_their_history(server: S3Server, s3: Worker) -> None:
    server.script(Rule(slow_down(), times=None))
    with pytest.raises(ServerError) as raised:
        s3.get("key")
    assert raised.value.code == "SlowDown"
    assert raised.value.path == "key"
    assert len(raised.value.attempts) == len(server.requests()) > 5


# ---- what is an error at once


@pytest.mark.parametrize(("use", "methods"), [
    (USES["get"], ["GET"]), (USES["head"], ["HEAD", "GET"]), (lambda s3: s3.exists("key"), ["HEAD", "GET"])])
def test_forbidden_is_not_missing(server: S3Server, s3: Worker, use: Use, methods: list[str]) -> None:
    """A HEAD's error response has no error code: a GET of one byte tells it."""
    server.script(Rule(s3_error(403, "AccessDenied"), times=None))
    with pytest.raises(AuthorizationError, match=r"AccessDenied.*ListBucket"):
        use(s3)
    assert [request.method for request in server.requests()] == methods


def test_archived_objects_say_how_to_restore_them(server: S3Server, s3: Worker) -> None:
    server.script(Rule(s3_error(403, "InvalidObjectState"), times=None))
    with pytest.raises(ServerError, match="restore"):
        s3.get("key")


def test_a_missing_bucket_is_looked_for_once(server: S3Server, s3: Worker) -> None:
    assert [s3.exists(name) for name in "abc"] == [False] * 3
    assert [request.key for request in server.requests()] == ["a", "", "b", "c"]


def test_wrong_keys_are_refused(server: S3Server, green: bool) -> None:
    wrong = {**server.secrets, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with pytest.raises(AuthorizationError, match="SignatureDoesNotMatch") as raised:
        open_at(server, green, secrets=wrong).get("key")
    assert "wrong" not in str(raised.value)


def test_no_credentials_no_request(server: S3Server, green: bool) -> None:
    with pytest.raises(MissingCredentialsError, match="no_sign_request=True"):
        open_at(server, green, secrets=None).get("key")
    assert server.requests() == []


# ---- conditional writes whose answer is lost


@pytest.mark.parametrize("trusted", [True, False])
def test_our_own_success_is_no_failed_condition(server: S3Server, s3: Worker, trusted: bool) -> None:
    s3.exists("key")
    s3.interface._bucket.honors_conditions = trusted
    server.script(Rule(ResetBefore(acted=True), method="PUT"))
    etag = s3.put("new", CONTENT, WriteOptions(if_absent=True))
    assert etag == f'"{server.get("new").etag}"'  # type: ignore[union-attr]
    server.script(Rule(ResetBefore(acted=True), method="PUT"))
    assert s3.put("new", b"other", WriteOptions(if_match=etag)) == f'"{server.get("new").etag}"'  # type: ignore[union-attr]


def test_the_success_of_another_is(server: S3Server, s3: Worker) -> None:
    s3.exists("key")
    s3.interface._bucket.honors_conditions = True
    server.script(Rule(ResetBefore(), method="PUT"))
    with pytest.raises(PreconditionFailedError):
        s3.put("key", b"mine", WriteOptions(if_absent=True))
    assert server.contents()["key"] == CONTENT


def test_a_first_refusal_needs_no_second_look(server: S3Server, s3: Worker) -> None:
    s3.exists("key")
    s3.interface._bucket.honors_conditions = True
    server.forget()
    server.script(Rule(slow_down(), method="PUT"))
    with pytest.raises(PreconditionFailedError):
        s3.put("key", CONTENT, WriteOptions(if_absent=True))
    assert statuses(server) == [503, 412]  # the first try surely did nothing: the object there is another's


def test_conflicts_of_conditional_writes_are_transient(server: S3Server, s3: Worker) -> None:
    server.script(Rule(s3_error(409, "ConditionalRequestConflict"), method="PUT"))
    assert s3.put("new", CONTENT, WriteOptions(if_absent=True))


# ---- bulk deletes


def test_errors_of_single_keys_are_read(server: S3Server, s3: Worker) -> None:
    server.put_many({"a": b"", "b": b"", "c": b""})
    server.configure(delete_errors={"b": "AccessDenied"})
    errors = s3.delete(["a", "b", "c", "never"])
    assert list(errors) == ["b"]
    assert isinstance(errors["b"], AuthorizationError)
    assert sorted(server.contents()) == ["b", "key"]


def test_permanent_errors_of_single_keys(server: S3Server, s3: Worker) -> None:
    server.put_many({"a": b"", "b": b""})
    server.configure(delete_errors={"b": "InternalError"})
    errors = s3.delete(["a", "b"])
    assert list(errors) == ["b"]
    assert len(server.requests()) > 5


def test_a_bulk_delete_that_breaks_off_reports_the_errors_of_its_last_response(server: S3Server, s3: Worker) -> None:
    server.put_many({"a": b"", "b": b""})
    server.configure(delete_errors={"b": "InternalError"})
    server.script(Rule(ResetBefore(), method="POST", skip=1, times=None))
    errors = s3.delete(["a", "b"])
    assert list(errors) == ["b"]
    assert isinstance(errors["b"], ServerError)


def test_an_error_inside_a_200_is_seen(server: S3Server, s3: Worker) -> None:
    server.put_many({"a": b"", "b": b""})
    server.script(Rule(error_in_200(), method="POST"))
    assert s3.delete(["a", "b"]) == {}
    assert list(server.contents()) == ["key"]


@pytest.mark.parametrize("fault", [s3_error(501, "NotImplemented"), s3_error(405, "MethodNotAllowed")])
def test_servers_without_bulk_deletes(server: S3Server, s3: Worker, fault: Fault) -> None:
    server.put_many({"a": b"", "b": b"", "c": b""})
    server.script(Rule(fault, method="POST", times=None))
    assert s3.delete(["a", "b"]) == {}
    assert s3.delete(["c", "key"]) == {}
    assert server.contents() == {}
    assert [request.method for request in server.requests()].count("POST") == 1


# ---- what is sent


def test_requests_of_anonymous_users_are_unsigned(fault_server: S3Server, green: bool) -> None:
    fault_server.put("key", CONTENT)
    s3 = open_at(fault_server, green, secrets=None, no_sign_request=True)
    assert s3.get("key").content == CONTENT
    assert s3.put("new", b"x", PLAIN)
    assert all(request.header("authorization") is None for request in fault_server.requests())
    assert "?" not in s3.presign("key", 60, "GET")


def test_requester_pays_is_sent_with_every_request(server: S3Server, green: bool) -> None:
    s3 = open_at(server, green, request_payer="requester", composite_upload_threshold=1000)
    for use in USES.values():
        assert use(s3)
    assert {request.header("x-amz-request-payer") for request in server.requests()} == {"requester"}


def test_times_are_those_of_the_given_clock(server: S3Server, green: bool) -> None:
    server.configure(clock_offset=-1e6)
    s3 = open_s3(f"s3://{server.bucket}/", green, endpoint=server.url, secrets=server.secrets,
                 clock=Clock(wall=lambda: time.time() - 1e6))
    assert s3.get("key").content == CONTENT
    assert statuses(server) == [200]


def test_objects_in_parts_are_verified_where_their_size_is_known(server: S3Server, s3: Worker) -> None:
    from cloudfiles.integrity import multipart_etag

    content = CONTENT * 150
    server.put("parts", content, etag=multipart_etag(content, 8 << 20))
    assert s3.get("parts").verified == "md5"
    server.put("odd", content, etag=multipart_etag(content, (5 << 20) + 1))
    assert s3.get("odd").verified == ""
    assert s3.get("odd").content == content


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
def test_checksums_are_requested_and_checked(server: S3Server, s3: Worker, algorithm: str) -> None:
    server.put("sum", CONTENT, checksums=[algorithm], etag="")
    assert s3.get("sum").verified == algorithm


def test_md5_is_not_read_from_the_etags_of_encrypted_objects(server: S3Server, s3: Worker) -> None:
    server.put("kms", CONTENT, etag="0" * 32, headers={"x-amz-server-side-encryption": "aws:kms"})
    got = s3.get("kms")
    assert got.content == CONTENT
    assert got.verified == ""
