"""`az://` against a scripted server, written from the vendor's documents: what azurite lacks, and bad days."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.credentials.azure import AzureProvider
from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    ConfigurationError,
    IntegrityError,
    InvalidInputError,
    MD5IntegrityError,
    MissingCredentialsError,
    ObjectChangedError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.runtime.contract import Runtime
from cloudfiles.testing import FLAKY, FlipBit, ResetInBody, ResetInHead, Rule, ShortBody, Status, mix
from cloudfiles.testing.s3_objects import checksum
from cloudfiles.transport.rate_limit.limiter import Limiter
from cloudfiles.types import Clock, WriteOptions
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.s3_setup import Worker, close_opened
from tests.internals import Replace
from tests.servers.azure_server import AzureServer

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
KEY = base64.b64encode(b"an account's key" * 4).decode()
CONTENT = bytes(range(256)) * 300


@pytest.fixture
def server(azure_server: AzureServer) -> Iterator[AzureServer]:
    azure_server.configure(key=KEY)
    yield azure_server
    close_opened()


def open_at(server: AzureServer, green: bool, path: str = "", **options: Any) -> Worker:
    return open_azure(f"az://{server.container}/{path}", green, **{
        "endpoint": server.endpoint, "secrets": {"account_name": "account", "account_key": KEY}, **options})


@pytest.fixture
def az(server: AzureServer, green: bool) -> Worker:
    return open_at(server, green)


def refused(status: int, code: str, **more: Any) -> Status:
    """A refusal whose code is in the header alone, as a HEAD's is."""
    return Status(status, (("x-ms-error-code", code),), **more)


# ---- refusals


def test_server_busy_is_passing(server: AzureServer, az: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed: list[object] = []
    monkeypatch.setattr(Limiter, "refused", lambda self, *times: slowed.append(times))
    server.put_blob("key", CONTENT)
    server.script(Rule(refused(503, "ServerBusy"), times=2), Rule(refused(500, "OperationTimedOut"), times=1))
    assert az.get("key").content == CONTENT
    assert len(slowed) == 2  # a brake for all workers of the process; a time-out says nothing of too many requests
    assert [request.status for request in server.requests()] == [503, 503, 500, 200]


@pytest.mark.parametrize(("status", "code", "kind", "match"), [
    (404, "ContainerNotFound", ServerError, "the container 'container' does not exist"),
    (404, "ResourceNotFound", ServerError, "the resource does not exist"),
    (409, "ContainerBeingDeleted", ServerError, "is being deleted"),
    (409, "BlobArchived", ServerError, "must be rehydrated"),
    (409, "PublicAccessNotPermitted", ServerError, "does not allow anonymous reads"),
    (412, "LeaseIdMissing", ServerError, "lease"),
    (412, "ConditionNotMet", PreconditionFailedError, "ConditionNotMet"),
    (403, "AuthorizationPermissionMismatch", AuthorizationError, "role or SAS"),
    (403, "AuthenticationFailed", AuthorizationError, "AuthenticationFailed"),
    (404, "", ServerError, "the container 'container' does not exist")])
def test_refusals_are_never_missing_objects(server: AzureServer, az: Worker, status: int, code: str,
                                            kind: type[Exception], match: str) -> None:
    server.put_blob("key", CONTENT)
    server.script(Rule(refused(status, code), times=None))
    for use in (lambda: az.get("key"), lambda: az.head("key"), lambda: az.get("key", 3, 5)):
        with pytest.raises(kind, match=match):
            use()


@pytest.mark.parametrize(("status", "code", "words", "signed"), [
    (404, "ResourceNotFound", "not public", False), (403, "AuthorizationPermissionMismatch", "role or SAS", True),
    (403, "AuthorizationSourceIPMismatch", "role or SAS", None)])
def test_hints_stand_where_they_apply(server: AzureServer, green: bool, status: int, code: str, words: str,
                                      signed: bool | None) -> None:
    server.configure(key=None)
    server.script(Rule(refused(status, code), times=None))
    for az, is_signed in ((open_at(server, green), True),
                          (open_at(server, green, secrets=None, no_sign_request=True), False)):
        with pytest.raises(CloudFilesError, match=code) as raised:
            az.get("key")
        assert (words in str(raised.value)) is (signed is is_signed)


def test_an_archived_blob_is_a_clear_error(server: AzureServer, az: Worker) -> None:
    az.put("key", CONTENT, WriteOptions(storage_class="archive"))
    assert az.head("key")["Storage-Class"] == "Archive"
    with pytest.raises(ServerError, match="rehydrated") as raised:
        az.get("key")
    assert raised.value.code == "BlobArchived"


def test_the_servers_clock_is_learned(server: AzureServer, green: bool) -> None:
    server.put_blob("key", CONTENT)
    server.configure(clock_offset=-7200.0)
    az = open_at(server, green)
    assert az.get("key").content == CONTENT
    assert [request.status for request in server.requests()] == [403, 200]
    server.forget()
    assert az.get("key").content == CONTENT
    assert az.delete(["a", "b"]) == {}  # the signatures inside go by that clock too
    assert [request.status for request in server.requests()] == [200, 202]


def test_a_rotated_key_is_found(server: AzureServer, green: bool) -> None:
    server.put_blob("key", CONTENT)
    found = iter([AzureCredentials("account", b"old"), AzureCredentials("account", base64.b64decode(KEY))])
    provider = AzureProvider(environ={}, account="account", chain=lambda: next(found))
    az = open_azure(f"az://{server.container}/", green, endpoint=server.endpoint, provider=provider)
    assert az.get("key").content == CONTENT
    assert [request.status for request in server.requests()] == [403, 200]


# ---- tokens


class Tokens:
    """A chain of tokens; the last one is good."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.calls = 0

    def __call__(self) -> AzureCredentials:
        self.calls += 1
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        return AzureCredentials(token=token, expiry=time.time() + 3600)


def open_by_token(server: AzureServer, green: bool, chain: Tokens, **options: Any) -> Worker:
    return open_azure(f"az://{server.container}/", green, endpoint=server.endpoint, **options,
                      provider=AzureProvider(environ={}, account="account", chain=chain))


def test_an_expired_token_is_renewed_once(server: AzureServer, green: bool) -> None:
    server.configure(token="good")
    server.put_blob("key", CONTENT)
    chain = Tokens("expired", "good")
    az = open_by_token(server, green, chain)
    assert az.get("key").content == CONTENT
    az.put("other", b"x", PLAIN)
    assert az.delete(["other", "key"]) == {}
    assert chain.calls == 2


def test_a_token_that_stays_refused(server: AzureServer, green: bool) -> None:
    server.configure(token="good")
    az = open_by_token(server, green, Tokens("bad"))
    with pytest.raises(AuthorizationError, match="InvalidAuthenticationInfo") as raised:
        az.get("key")
    assert "bad" not in str(raised.value)


def test_a_token_is_not_sent_in_the_clear(green: bool) -> None:
    az = open_azure("az://container/", green, endpoint="http://storage.invalid/account",
                    provider=AzureProvider(environ={}, account="account", chain=Tokens("t")))
    with pytest.raises(ConfigurationError, match="HTTPS"):
        az.get("key")


@pytest.mark.parametrize("credentials", [AzureCredentials(token="t"), AzureCredentials(sas="sv=1&sig=x")])
def test_neither_token_nor_sas_go_where_only_the_cloudpath_says(green: bool, credentials: AzureCredentials) -> None:
    for cloudpath in ("abfss://container@elsewhere.invalid/x", "az://https://elsewhere.invalid/container/x"):
        az = open_azure(cloudpath, green,
                        provider=AzureProvider(environ={}, account="account", chain=lambda: credentials))
        with pytest.raises(ConfigurationError, match="is not an Azure endpoint"):
            az.get("key")


def test_a_token_presigns_by_a_delegation_key(server: AzureServer, green: bool) -> None:
    server.configure(token="good")
    az = open_by_token(server, green, Tokens("good"), clock=Clock(wall=lambda: 1_800_000_000.0))
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(az.presign("a b", 60, "GET")).query))
    assert (query["skoid"], query["sktid"], query["sp"], query["sr"]) == ("oid", "tid", "r", "b")
    with pytest.raises(InvalidInputError, match="7 days"):
        az.presign("a b", 8 * 24 * 3600, "GET")


def test_no_credentials(server: AzureServer, green: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> AzureCredentials:
        raise AuthorizationError("azure-identity found no token: nobody is signed in")

    az = open_azure("az://container/", green, endpoint=server.endpoint,
                    provider=AzureProvider("container", environ={}, chain=nothing))
    with pytest.raises(MissingCredentialsError, match=r"azure-secret.json.*environment.*nobody is signed in"):
        az.get("key")


# ---- writes whose answer was lost


@pytest.mark.parametrize("threshold", [1 << 30, 1000])
@pytest.mark.parametrize("options", [WriteOptions(if_absent=True), PLAIN])
def test_a_write_whose_answer_was_lost(server: AzureServer, green: bool, threshold: int, options: WriteOptions) -> None:
    az = open_at(server, green, composite_upload_threshold=threshold)
    last = Rule(ResetInHead(), method="PUT", query="blocklist" if threshold == 1000 else None)
    server.script(last)
    assert az.put("key", CONTENT, options) == server.path("key").etag  # type: ignore[union-attr]
    assert az.get("key").content == CONTENT


def test_somebody_elses_blob_is_not_ours(server: AzureServer, az: Worker) -> None:
    server.put_blob("key", b"somebody's")
    server.script(Rule(Status(500), method="PUT"))
    with pytest.raises(PreconditionFailedError):
        az.put("key", CONTENT, WriteOptions(if_absent=True))
    assert az.get("key").content == b"somebody's"


def test_uploads_that_are_damaged_in_transit(server: AzureServer, az: Worker) -> None:
    server.script(Rule(refused(400, "Md5Mismatch"), method="PUT", times=2))
    az.put("key", CONTENT, PLAIN)
    assert az.get("key").content == CONTENT
    server.script(Rule(refused(400, "Md5Mismatch"), method="PUT", times=None))
    with pytest.raises(MD5IntegrityError):
        az.put("key", CONTENT, PLAIN)


def test_another_writer_commits_first(server: AzureServer, green: bool) -> None:
    az = open_at(server, green, composite_upload_threshold=1000)
    server.script(Rule(refused(400, "InvalidBlockList"), method="PUT", query="blocklist", times=None))
    with pytest.raises(ServerError, match="another client"):
        az.put("key", CONTENT, PLAIN)
    assert az.get("key") is None


# ---- CRC64, which is asked of Azure itself


@pytest.fixture
def crc64(server: AzureServer, green: bool) -> Worker:
    az = open_at(server, green, composite_upload_threshold=1000)
    az.exists("key")
    az.interface._container.crc64 = True
    return az


def test_ranges_are_checked(server: AzureServer, crc64: Worker) -> None:
    server.put_blob("key", CONTENT)
    got = crc64.get("key", 5, 5000)
    assert (got.content, got.verified) == (CONTENT[5:5000], "crc64nvme")
    assert crc64.get("key", 70_000, 10**6).content == CONTENT[70_000:]
    assert crc64.get("key", 5).verified == ""  # who knows how long it is
    server.script(Rule(ResetInBody(), times=1), Rule(FlipBit(5), times=1))
    assert crc64.get("key", 5, 5000).content == CONTENT[5:5000]
    server.script(Rule(FlipBit(5), times=None))
    with pytest.raises(IntegrityError, match="crc64"):
        crc64.get("key", 5, 5000)


def test_blocks_are_checked(server: AzureServer, crc64: Worker) -> None:
    crc64.put("key", CONTENT, PLAIN)
    assert crc64.get("key").content == CONTENT
    block, = [request for request in server.requests("PUT") if request.target.endswith("comp=block")]
    assert block.header("x-ms-content-crc64")
    assert block.header("content-md5") is None
    server.script(Rule(refused(400, "Crc64Mismatch"), method="PUT", times=2))
    crc64.put("key", CONTENT, PLAIN)


# ---- reads that break


def test_reads_continue_where_they_were(server: AzureServer, az: Worker) -> None:
    server.put_blob("key", CONTENT)
    server.script(Rule(ResetInBody(), times=1), Rule(ShortBody(), times=1))
    got = az.get("key")
    assert got.content == CONTENT
    assert got.verified == "md5"
    etag = server.path("key").etag  # type: ignore[union-attr]
    assert [request.header("if-match") for request in server.requests()][1:] == [etag] * 2


def test_damaged_reads_are_read_again(server: AzureServer, az: Worker) -> None:
    server.put_blob("key", CONTENT)
    server.script(Rule(FlipBit(5)))
    assert az.get("key").content == CONTENT
    server.script(Rule(FlipBit(5), times=None))
    with pytest.raises(MD5IntegrityError):
        az.get("key")


def test_many_reads_with_many_faults(server: AzureServer, green: bool, full: bool) -> None:
    contents = {f"k{i:04}": f"content {i} ".encode() * (i % 200) for i in range(500)}
    server.put_blobs(contents)
    server.script(mix(7, FLAKY))
    cf = CloudFiles(f"az://{server.container}/", endpoint=server.endpoint, green=green,
                    secrets={"account_name": "account", "account_key": KEY})
    keys = list(contents) * (4 if full else 2)
    found = cf.get(keys)
    assert [one["content"] for one in found] == [contents[key] for key in keys]
    assert all(one["error"] is None for one in found)


# ---- listing and deleting


def test_names_that_xml_cannot_represent(server: AzureServer, az: Worker) -> None:
    keys = ["ctrl\x01", "new\nline", "cr\rx", "a%20b", "plain"]
    server.put_blobs(dict.fromkeys(keys, b""))
    assert sorted(entry.key for entry in az.list_page().entries) == sorted(keys)


def test_directories_are_no_objects(server: AzureServer, az: Worker) -> None:
    server.configure(hierarchical=True)
    server.put_blob("dir", b"", directory=True)
    server.put_blob("dir/file", b"x")
    assert [entry.key for entry in az.list_page().entries] == ["dir/file"]
    assert not az.exists("dir")
    assert az.get("dir") is None
    assert az.isdir("dir")


def test_a_batch_is_repeated_for_transient_errors(server: AzureServer, az: Worker) -> None:
    server.put_blobs(dict.fromkeys("abc", b""))
    server.configure(batch_errors={"b": (409, "SnapshotsPresent"), "c": (403, "AuthorizationPermissionMismatch")})
    errors = az.delete(["a", "b", "c", "missing"])
    assert set(errors) == {"b", "c"}
    assert isinstance(errors["c"], AuthorizationError)
    server.configure(batch_errors={"b": (503, "ServerBusy")})
    errors = az.delete(["b", "missing"])
    assert errors["b"].code == "ServerBusy"
    assert len(server.requests("POST")) == 1 + az.interface._client.policy.attempts


def test_without_batches(server: AzureServer, az: Worker) -> None:
    server.put_blobs(dict.fromkeys("abc", b""))
    server.script(Rule(refused(501, "NotImplemented"), method="POST"))
    assert az.delete(["a", "b", "missing"]) == {}
    assert az.delete(["c", "missing"]) == {}
    assert len(server.requests("POST")) == 1


# ---- copies


def test_small_copies_take_one_request(server: AzureServer, az: Worker) -> None:
    server.put_blob("key", CONTENT, headers={"content-type": "text/x"})
    copied = az.copy_from(az.interface, "key", "copy", CopyOptions())
    assert copied == (len(CONTENT), server.path("copy").etag)  # type: ignore[union-attr]
    assert az.get("copy").content == CONTENT
    put, = server.requests("PUT")
    assert put.header("x-ms-requires-sync") == "true"
    assert "sig=" in (put.header("x-ms-copy-source") or "")


def test_copies_that_are_described_again_go_by_blocks(server: AzureServer, az: Worker,
                                                      internals: Replace) -> None:
    internals(azure_copy_part=30_000)
    server.put_blob("key", CONTENT, headers={"content-type": "text/x", "content-encoding": "gzip"})

    def change(options: WriteOptions) -> WriteOptions:
        return WriteOptions("text/new", options.encoding, metadata={"a": "b"})

    copied = az.copy_from(az.interface, "key", "copy", CopyOptions(change=change))
    assert copied.size == len(CONTENT)
    path = server.path("copy")
    assert path is not None
    assert path.content == CONTENT
    assert path.headers == {"content-type": "text/new", "content-encoding": "gzip", "x-ms-meta-a": "b",
                            "content-md5": checksum("md5", CONTENT)}
    assert sorted(r.header("x-ms-source-range") for r in server.requests("PUT") if r.target.endswith("comp=block")) == [
        "bytes=0-29999", "bytes=30000-59999", "bytes=60000-76799"]


def test_large_copies_go_by_blocks(server: AzureServer, az: Worker, internals: Replace) -> None:
    internals(azure_copy_at_once=1000)
    server.put_blob("key", CONTENT, headers={"content-type": "text/x", "x-ms-meta-a": "b"})
    az.copy_from(az.interface, "key", "copy", CopyOptions())
    assert server.path("copy").content == CONTENT  # type: ignore[union-attr]
    assert server.path("copy").headers == server.path("key").headers  # type: ignore[union-attr]


class SleeplessRuntime:
    """The runtime of one interface, which notes how long that sleeps. Other users of the runtime are not affected."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        if seconds:  # else it only asks whether it was cancelled
            self.slept.append(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)


@pytest.fixture
def pauses(server: AzureServer, az: Worker, monkeypatch: pytest.MonkeyPatch, internals: Replace) -> list[float]:
    """Copies are asynchronous: how long the interface would sleep between two looks at one."""
    internals(azure_copy_at_once=1000)
    server.configure(blocks_from_url=False)
    runtime = SleeplessRuntime(az.runtime)
    monkeypatch.setattr(az.interface, "_runtime", runtime)
    return runtime.slept


def test_polled_copies(server: AzureServer, az: Worker, pauses: list[float]) -> None:
    server.configure(copy_pending=9)
    server.put_blob("key", CONTENT)
    copied = az.copy_from(az.interface, "key", "copy", CopyOptions())
    assert copied.etag == server.path("copy").etag  # type: ignore[union-attr]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_polled_copy_that_fails_leaves_nothing(server: AzureServer, az: Worker, pauses: list[float]) -> None:
    server.configure(copy_pending=1, copy_ends="failed")
    server.put_blob("key", CONTENT)
    with pytest.raises(ServerError, match="finished with status 'failed': 500 InternalError"):
        az.copy_from(az.interface, "key", "copy", CopyOptions())
    assert server.path("copy") is None


def test_a_polled_copy_is_aborted_when_it_is_given_up(server: AzureServer, az: Worker, pauses: list[float]) -> None:
    server.configure(copy_pending=5)
    server.put_blob("key", CONTENT)
    server.script(Rule(refused(403, "AuthorizationPermissionMismatch"), method="HEAD", key="copy", times=None))
    with pytest.raises(AuthorizationError):
        az.copy_from(az.interface, "key", "copy", CopyOptions())
    assert server.path("copy").copy[1] == "aborted"  # type: ignore[union-attr,index]


def test_copies_without_blocks_are_not_described_again(server: AzureServer, az: Worker, pauses: list[float]) -> None:
    server.put_blob("key", CONTENT)
    with pytest.raises(UnsupportedOperationError, match="does not support copying blocks"):
        az.copy_from(az.interface, "key", "copy", CopyOptions(change=lambda options: options))


def test_only_the_state_that_is_meant_is_copied(server: AzureServer, az: Worker) -> None:
    etag = server.put_blob("key", CONTENT).etag
    assert az.copy_from(az.interface, "key", "copy", CopyOptions(etag=server.path("key").etag))  # type: ignore[union-attr]
    with pytest.raises(ObjectChangedError):
        az.copy_from(az.interface, "key", "copy", CopyOptions(etag='"0x1"'))
    server.script(Rule(refused(412, "SourceConditionNotMet"), method="PUT"))
    with pytest.raises(ObjectChangedError):
        az.copy_from(az.interface, "key", "copy", CopyOptions(etag=etag))
    assert az.copy_from(az.interface, "missing", "copy", CopyOptions()) is None


def test_a_202_is_read_before_it_is_believed(server: AzureServer, az: Worker) -> None:
    server.put_blob("key", CONTENT)
    server.script(Rule(Status(202, (("x-ms-copy-status", "failed"),)), method="PUT"))
    with pytest.raises(ServerError, match="failed"):
        az.copy_from(az.interface, "key", "copy", CopyOptions())
