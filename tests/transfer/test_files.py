"""Single files down and up: by our own client, by a pool that is handed in, from and to any store."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
import pickle
import random
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
import urllib3

import cloudfiles
from cloudfiles import CloudFiles, download_file, download_fileobj, integrity, upload_file, upload_fileobj
from cloudfiles.exceptions import (
    ApiException,
    IntegrityError,
    InvalidInputError,
    MD5IntegrityError,
    ObjectChangedError,
    UnusableFileError,
)
from cloudfiles.files import ExchangeError, chunk_sources, chunked_download, file_download, file_upload
from cloudfiles.retry import RetryPolicy
from cloudfiles.testing import (
    FLAKY,
    FlipBit,
    IgnoreRange,
    RangeAs200,
    Replaced,
    ResetBefore,
    ResetInBody,
    ResetInUpload,
    Rule,
    S3Server,
    SetHeader,
    ShortBody,
    Stall,
    Status,
    internal_error,
    mix,
    redirect,
    slow_down,
    too_many_requests,
)
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Origin
from tests.concurrent_calls import ConcurrentCalls
from tests.internals import Replace
from tests.transfer.conftest import KINDS, Make

pytestmark = pytest.mark.one_runtime

CONTENT = os.urandom(100_000)
CHUNK = 16_384


class SpyPool(urllib3.PoolManager):
    """A pool that remembers what it was asked for, and does not wait between tries."""

    def __init__(self, retries: Any = None) -> None:
        super().__init__(retries=retries or urllib3.Retry(3, status_forcelist=[413, 429, 503], backoff_factor=0))
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        self.asked.append((method, url, dict(options.get("headers") or {})))
        return super().request(method, url, *args, **options)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three retries, without the waits between them."""
    for function in (file_download.source_of, file_upload.send):
        assert function.__defaults__ is not None
        *others, policy = function.__defaults__
        assert policy.attempts == 4
        monkeypatch.setattr(function, "__defaults__", (*others, RetryPolicy(attempts=4, window=0.0)))


@pytest.fixture(params=["own", "pool"])
def pool(request: pytest.FixtureRequest) -> SpyPool | None:
    return SpyPool() if request.param == "pool" else None


@pytest.fixture
def url(fault_server: S3Server) -> str:
    fault_server.put_page("dir/a file.bin", CONTENT)
    return f"{fault_server.url}/dir/a%20file.bin?token=1"


def left_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


# ---- downloads


def test_download(url: str, fault_server: S3Server, tmp_path: Path, pool: SpyPool | None) -> None:
    calls: list[tuple[int, int]] = []
    found = download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool,
                          callback_func=lambda done, total: calls.append((done, total)))
    assert found == (tmp_path / "here", 100_000)
    assert (tmp_path / "here").read_bytes() == CONTENT
    assert calls == [(min(n * CHUNK, 100_000), 100_000) for n in range(1, 8)]
    requests = fault_server.requests()
    assert [dict(r.headers)["range"] for r in requests[:2]] == ["bytes=0-16383", "bytes=16384-32767"]
    assert [r.method for r in requests] == ["GET"] * 7
    assert all("if-match" in dict(r.headers) for r in requests[1:])
    assert left_in(tmp_path) == ["here"]
    if pool is not None:
        assert [method for method, _, _ in pool.asked] == ["GET"] * 7


def test_into_a_directory(url: str, tmp_path: Path, pool: SpyPool | None) -> None:
    assert download_file(url, tmp_path, pool=pool) == (tmp_path / "a file.bin", 100_000)
    assert download_file(url, str(tmp_path), pool=pool)[0] == tmp_path / "a file.bin"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "..", "%2e%2e", "a%2F..%2F..%2Fevil", "%2Fetc%2Fevil", "b%5C..%5Cevil", "x%0Ay"])
def test_a_name_never_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    if name.endswith("evil"):
        assert file_download.target_of(f"http://host/dir/{name}", directory) == directory / "evil"
    else:
        with pytest.raises(InvalidInputError, match="does not end in a file name"):
            file_download.target_of(f"http://host/dir/{name}", directory)


def test_a_host_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        file_download.target_of("http://host", tmp_path)


def test_an_existing_file_is_replaced_whole_or_not_at_all(url: str, fault_server: S3Server, tmp_path: Path,
                                                          pool: SpyPool | None) -> None:
    target = tmp_path / "here"
    target.write_bytes(b"old")
    fault_server.script(Rule(Status(404), skip=2, times=None))
    with pytest.raises(ApiException):
        download_file(url, target, chunk_size=CHUNK, pool=pool)
    assert target.read_bytes() == b"old"
    assert left_in(tmp_path) == ["here"]
    fault_server.script()
    download_file(url, target, chunk_size=CHUNK, pool=pool)
    assert target.read_bytes() == CONTENT


def test_a_callback_that_fails_leaves_nothing(url: str, tmp_path: Path) -> None:
    def callback(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_file(url, tmp_path / "here", callback_func=callback)
    assert left_in(tmp_path) == []


def test_unexpected_answers(url: str, fault_server: S3Server, tmp_path: Path, pool: SpyPool | None) -> None:
    fault_server.script(Rule(Status(404, (("X-Why", "gone"), ("Content-Type", "text/plain")), b"no such file"),
                             times=None))
    with pytest.raises(ApiException) as caught:
        download_file(url, tmp_path / "here", pool=pool)
    error = caught.value
    assert (error.status, error.reason, error.body) == (404, "Not Found", b"no such file")
    assert error.headers["x-why"] == "gone"
    assert "token=1" not in str(error)
    assert left_in(tmp_path) == []
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.status, copy.headers, copy.body) == (error.status, error.headers, error.body)


@pytest.mark.parametrize("fault", [Status(403), Status(401), Status(500), Status(204), Status(410)])
def test_every_status_but_206_and_200_is_unexpected(url: str, fault_server: S3Server, tmp_path: Path, fault: Any,
                                                    pool: SpyPool | None) -> None:
    fault_server.script(Rule(fault, times=None))
    with pytest.raises(ApiException) as caught:
        download_file(url, tmp_path / "here", pool=pool)
    assert caught.value.status == fault.status


@pytest.mark.parametrize("fault", [IgnoreRange(), RangeAs200()], ids=["ignored", "wrong status"])
@pytest.mark.parametrize("size", [0, 1, CHUNK, 100_000])
def test_servers_without_ranges(fault_server: S3Server, tmp_path: Path, fault: Any, size: int,
                                pool: SpyPool | None) -> None:
    fault_server.put_page("file", CONTENT[:size])
    fault_server.script(Rule(fault, times=None))
    told: list[tuple[int, int]] = []
    path, count = download_file(f"{fault_server.url}/file", tmp_path / "here", chunk_size=CHUNK, pool=pool,
                                callback_func=lambda done, total: told.append((done, total)))
    assert (path.read_bytes(), count) == (CONTENT[:size], size)
    assert left_in(tmp_path) == ["here"]
    assert not size or told[-1] == (size, size)
    assert len(fault_server.requests()) <= 2


def test_a_server_that_ignores_ranges_from_some_time_on(url: str, fault_server: S3Server, tmp_path: Path,
                                                        pool: SpyPool | None) -> None:
    fault_server.script(Rule(IgnoreRange(), skip=2, times=None))
    assert download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool)[1] == 100_000
    assert (tmp_path / "here").read_bytes() == CONTENT


def test_a_whole_that_breaks_off_is_read_again(url: str, fault_server: S3Server, tmp_path: Path,
                                               pool: SpyPool | None) -> None:
    fault_server.script(Rule(IgnoreRange(), skip=0, times=1), Rule(ResetInBody(), times=1))
    assert download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool)[1] == 100_000
    assert (tmp_path / "here").read_bytes() == CONTENT


EMPTY = {"416": Status(416, (("Content-Range", "bytes */0"),)), "416 without a size": Status(416),
         "a range of nothing": Status(206, (("Content-Range", "bytes 0--1/0"),)), "200": Status(200)}


@pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY)
def test_empty_files(fault_server: S3Server, tmp_path: Path, answer: Any, pool: SpyPool | None) -> None:
    fault_server.put_page("file", b"")
    fault_server.script(Rule(answer, times=1))
    assert download_file(f"{fault_server.url}/file", tmp_path / "here", pool=pool) == (tmp_path / "here", 0)
    assert (tmp_path / "here").read_bytes() == b""


def test_an_empty_file_of_a_real_server(http_server: Any, tmp_path: Path, pool: SpyPool | None) -> None:
    (http_server.root / "empty").write_bytes(b"")
    assert download_file(f"{http_server.url}/empty", tmp_path / "here", pool=pool)[1] == 0
    assert (tmp_path / "here").read_bytes() == b""


@pytest.mark.parametrize("fault", [slow_down(), too_many_requests(0), Status(413, (("Retry-After", "0"),)),
                                   ResetBefore(), ResetInBody(), ShortBody()])
def test_transient_errors_are_retried(url: str, fault_server: S3Server, tmp_path: Path, fault: Any,
                                      pool: SpyPool | None) -> None:
    fault_server.script(Rule(fault, skip=2, times=3))
    assert download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool)[1] == 100_000
    assert (tmp_path / "here").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [slow_down(), Status(413), ResetBefore(), Stall()])
def test_a_permanent_error_is_an_http_error(url: str, fault_server: S3Server, tmp_path: Path, fault: Any,
                                            pool: SpyPool | None) -> None:
    fault_server.script(Rule(fault, times=None))
    with pytest.raises(urllib3.exceptions.HTTPError):
        download_file(url, tmp_path / "here", pool=pool, timeout=0.2 if isinstance(fault, Stall) else 60.0)
    deadline = time.monotonic() + 30
    while (count := len(fault_server.requests())) < 4:  # the last one may have timed out before the server read it
        assert time.monotonic() < deadline, count
        time.sleep(0.01)
    assert count == 4
    assert left_in(tmp_path) == []


def test_a_refusal_that_the_pool_does_not_retry_is_an_http_error(url: str, fault_server: S3Server,
                                                                 tmp_path: Path) -> None:
    fault_server.script(Rule(slow_down(), times=None))
    with pytest.raises(ExchangeError, match="503"):
        download_file(url, tmp_path / "here", pool=SpyPool(urllib3.Retry(0, raise_on_status=False)))


def test_a_closed_port(tmp_path: Path) -> None:
    with pytest.raises(urllib3.exceptions.HTTPError) as caught:
        download_file("http://127.0.0.1:1/x", tmp_path / "here")
    assert isinstance(caught.value, ExchangeError)
    assert len(caught.value.attempts) == 4


def test_a_body_that_breaks_off_is_resumed(url: str, fault_server: S3Server, tmp_path: Path) -> None:
    fault_server.script(Rule(ResetInBody(10_000), times=2))
    download_file(url, tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == CONTENT
    assert [dict(r.headers)["range"] for r in fault_server.requests()][1:] == ["bytes=10000-99999", "bytes=20000-99999"]


LARGE = random.Random(1).randbytes(9 << 20)
STEP = 1 << 20
ORIGIN = Origin("http", "nowhere.invalid", 80)


@pytest.fixture(params=[False, True], ids=["fast", "slow"])
def slow(request: pytest.FixtureRequest, internals: Replace) -> bool:
    """Whether every connection is held to be slow; what is large is smaller here."""
    internals(chunked_download_remaining=2 << 20, chunked_download_in_memory=4 << 20)
    internals(chunked_download_fast=math.inf if request.param else 0)
    return bool(request.param)


@pytest.fixture
def large(fault_server: S3Server) -> str:
    fault_server.put_page("large", LARGE)
    return f"{fault_server.url}/large"


def starts(server: S3Server) -> list[int]:
    return [int(dict(r.headers)["range"][6:].split("-")[0]) // STEP for r in server.requests()]


def test_what_comes_slowly_is_read_by_several_connections(large: str, fault_server: S3Server, tmp_path: Path,
                                                          pool: SpyPool | None, slow: bool) -> None:
    calls: list[int] = []
    before, _ = fault_server.connections()
    assert download_file(large, tmp_path / "x", STEP, pool=pool, callback_func=lambda done, _: calls.append(done))[1] \
        == len(LARGE)
    assert (tmp_path / "x").read_bytes() == LARGE
    assert calls == [STEP * n for n in range(1, 10)]
    assert sorted(starts(fault_server)) == list(range(9))
    assert all("if-match" in dict(r.headers) for r in fault_server.requests()[1:])
    opened = fault_server.connections()[0] - before
    assert opened <= 5 if slow and pool is None else opened <= 1


@pytest.mark.parametrize(("chunk", "seconds", "etag", "several", "count"), [
    (16 << 20, 1, '"x"', True, 4), (1 << 20, 1, '"x"', True, 64), (100 << 20, 1, '"x"', True, 1),
    (16 << 20, 0, '"x"', True, 1), (16 << 20, 1, "", True, 1), (16 << 20, 1, 'W/"x"', True, 1),
    (16 << 20, 1, '"x"', False, 1)])
def test_so_many_chunks_are_read_side_by_side(chunk: int, seconds: float, etag: str, several: bool,
                                              count: int) -> None:
    source: Any = types.SimpleNamespace(origin=ORIGIN if several else None)
    download = chunked_download.Download(chunk)
    assert download.spans(source) == [(0, chunk)]
    first = chunk_sources.Chunk(bytes(chunk), 200 << 20, etag, {})
    download.note_speed([first], seconds)
    download.take(first)
    spans = download.spans(source)
    assert spans == [(start, start + chunk) for start in range(chunk, chunk * (count + 1), chunk)]
    assert count * chunk <= max(chunk, 64 << 20)


def test_more_chunks_are_read_at_once_than_a_fixed_number() -> None:
    """As many as the controller allows: 20 at a server of which nothing is known."""
    reads = ConcurrentCalls(gevent.sleep)

    class Source:
        origin = ORIGIN

        def read(self, start: int, end: int, etag: str) -> chunk_sources.Chunk:
            with reads.call(until=20):
                return chunk_sources.Chunk(b"x", 40, '"x"', {})

    source: Any = Source()
    assert len(file_download.read_chunks(source, [(n, n + 1) for n in range(40)], '"x"')) == 40
    assert reads.most == 20


def test_what_is_not_pinned_is_read_by_one_request(fault_server: S3Server, tmp_path: Path, slow: bool) -> None:
    fault_server.put_page("large", LARGE, etag="")
    download_file(f"{fault_server.url}/large", tmp_path / "x", STEP)
    assert [dict(r.headers).get("range") for r in fault_server.requests()] == [f"bytes=0-{STEP - 1}", None]
    assert (tmp_path / "x").read_bytes() == LARGE


def test_several_connections_meet_faults_and_replacements(large: str, fault_server: S3Server, tmp_path: Path,
                                                          slow: bool) -> None:
    new = LARGE[::-1]
    fault_server.script(Rule(slow_down(), skip=1, times=2), Rule(ResetInBody(70_000), skip=2, times=2),
                        Rule(Replaced(make_object(new)), skip=7))
    assert download_file(large, tmp_path / "x", STEP)[1] == len(new)
    assert (tmp_path / "x").read_bytes() == new
    fault_server.script(Rule(Status(403), skip=3, times=None))
    with pytest.raises(ApiException):
        download_file(large, tmp_path / "y", STEP)
    assert left_in(tmp_path) == ["x"]


def test_redirects(fault_server: S3Server, tmp_path: Path, pool: SpyPool | None) -> None:
    fault_server.put_page("there", CONTENT)
    fault_server.put_page("here", b"")
    fault_server.script(Rule(redirect("/there"), key="here", times=None))
    download_file(f"{fault_server.url}/here", tmp_path / "x", chunk_size=CHUNK, pool=pool)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_an_object_replaced_meanwhile_is_read_again(url: str, fault_server: S3Server, tmp_path: Path,
                                                    pool: SpyPool | None) -> None:
    new = os.urandom(90_000)
    fault_server.script(Rule(Replaced(make_object(new)), skip=2))
    calls: list[int] = []
    found = download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool,
                          callback_func=lambda done, _: calls.append(done))
    assert found[1] == 90_000
    assert (tmp_path / "here").read_bytes() == new
    assert calls[3] == CHUNK  # it began anew


def test_an_object_replaced_where_the_server_has_no_etags(fault_server: S3Server, tmp_path: Path,
                                                          pool: SpyPool | None) -> None:
    fault_server.put_page("x", CONTENT, etag="")
    new = make_object(os.urandom(90_000), etag="")
    fault_server.script(Rule(Replaced(new)))
    download_file(f"{fault_server.url}/x", tmp_path / "here", chunk_size=CHUNK, pool=pool)
    assert (tmp_path / "here").read_bytes() == new.content


def versions(sighting: Any) -> Any:
    """Another object after every answer."""
    return Replaced(make_object(b"%05d" % sighting.n * 20_000))


def test_an_object_that_never_stays_the_same(url: str, fault_server: S3Server, tmp_path: Path,
                                             pool: SpyPool | None) -> None:
    fault_server.script(versions)
    with pytest.raises(ObjectChangedError):
        download_file(url, tmp_path / "here", chunk_size=CHUNK, pool=pool)
    assert left_in(tmp_path) == []


def test_a_digest_of_the_whole_is_checked(fault_server: S3Server, tmp_path: Path, pool: SpyPool | None) -> None:
    crc = base64.b64encode(integrity.hasher("crc32c").digest()).decode()
    fault_server.put_page("x", CONTENT)
    right = integrity.checksum_header("crc32c", CONTENT)[1]
    fault_server.script(Rule(SetHeader("x-goog-hash", f"crc32c={right}"), times=None))
    download_file(f"{fault_server.url}/x", tmp_path / "here", chunk_size=CHUNK, pool=pool)
    fault_server.script(Rule(SetHeader("x-goog-hash", f"crc32c={crc}"), times=None))
    with pytest.raises(IntegrityError):
        download_file(f"{fault_server.url}/x", tmp_path / "there", chunk_size=CHUNK, pool=pool)
    assert left_in(tmp_path) == ["here"]


def test_damage_is_repaired(fault_server: S3Server, tmp_path: Path, pool: SpyPool | None) -> None:
    fault_server.put_page("x", CONTENT)
    digest = integrity.checksum_header("crc32c", CONTENT)[1]
    flipped = Rule(FlipBit(5), skip=3)
    fault_server.put_page("x", CONTENT, headers={"x-goog-hash": f"crc32c={digest}"})
    fault_server.script(flipped)
    download_file(f"{fault_server.url}/x", tmp_path / "here", chunk_size=CHUNK, pool=pool)
    assert (tmp_path / "here").read_bytes() == CONTENT


def test_many_faults(fault_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"f{n}": os.urandom(20_000 + n) for n in range(20)}
    for name, content in contents.items():
        digest = integrity.checksum_header("crc32c", content)[1]
        fault_server.put_page(name, content, headers={"x-goog-hash": f"crc32c={digest}"})
    fault_server.script(mix(3, FLAKY))
    monkeypatch.setattr(file_download.source_of, "__defaults__", (None, None, RetryPolicy(attempts=30, window=0.0)))
    for name, content in contents.items():
        download_file(f"{fault_server.url}/{name}", tmp_path, chunk_size=6_000)
        assert (tmp_path / name).read_bytes() == content


def test_into_an_open_file(url: str, fault_server: S3Server, pool: SpyPool | None) -> None:
    file = io.BytesIO(b"head")
    file.seek(4)
    fault_server.script(Rule(Replaced(make_object(CONTENT[:50_000])), skip=2))
    assert download_fileobj(url, file, chunk_size=CHUNK, pool=pool) == 50_000
    assert file.getvalue() == b"head" + CONTENT[:50_000]


class Pipe(io.RawIOBase):
    """A file that only goes forward."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += bytes(data)
        return len(data)


def test_into_a_pipe(url: str, fault_server: S3Server) -> None:
    pipe: Any = Pipe()
    assert download_fileobj(url, pipe, chunk_size=CHUNK) == 100_000
    assert pipe.content == CONTENT
    fault_server.forget()
    fault_server.script(Rule(Replaced(make_object(b"new" * 10_000)), skip=2))
    with pytest.raises(ObjectChangedError):
        download_fileobj(url, Pipe(), chunk_size=CHUNK)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [5, 2.5, urllib3.Timeout(connect=1, read=2), urllib3.Timeout(3), None])
def test_timeouts(url: str, tmp_path: Path, timeout: Any, pool: SpyPool | None) -> None:
    assert download_file(url, tmp_path / "here", timeout=timeout, pool=pool)[1] == 100_000


@pytest.mark.parametrize("verb", ["download", "upload"])
def test_a_total_timeout_is_for_a_request_with_its_retries(verb: str, url: str, fault_server: S3Server,
                                                           tmp_path: Path) -> None:
    fault_server.script(Rule(Stall(), times=None))
    (tmp_path / "source").write_bytes(b"content")
    total = urllib3.Timeout(total=0.2, connect=5)
    with pytest.raises(ExchangeError, match="total timeout") as caught:
        if verb == "download":
            download_file(url, tmp_path / "here", timeout=total)
        else:
            upload_file(f"{fault_server.url}/bucket/up", tmp_path / "source", timeout=total)
    assert isinstance(caught.value, urllib3.exceptions.HTTPError)
    assert len(caught.value.attempts) == 1
    assert left_in(tmp_path) == ["source"]


def test_a_total_timeout_of_a_file_read_by_one_request(url: str, fault_server: S3Server, tmp_path: Path) -> None:
    fault_server.script(Rule(IgnoreRange(), times=1), Rule(Stall(), times=None))
    with pytest.raises(ExchangeError, match="total timeout"):
        download_file(url, tmp_path / "here", timeout=urllib3.Timeout(total=0.2))
    assert left_in(tmp_path) == []


def test_each_chunk_has_its_own_time(url: str, fault_server: S3Server, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []
    real = Client.send

    def send(client: Client, request: Any) -> Any:
        deadlines.append(request.deadline)
        return real(client, request)

    monkeypatch.setattr(Client, "send", send)
    download_file(url, tmp_path / "here", chunk_size=CHUNK, timeout=urllib3.Timeout(total=60))
    assert len(set(deadlines)) == -(-100_000 // CHUNK)
    deadlines.clear()
    download_file(url, tmp_path / "here", timeout=60.0)
    assert deadlines == [None]


def test_wrong_arguments(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        download_file(url, tmp_path / "here", chunk_size=0)
    with pytest.raises(InvalidInputError):
        download_file(url, tmp_path / "here", timeout=-1)
    with pytest.raises(InvalidInputError, match="pool"):
        download_file("mem://bucket/x", tmp_path / "here", pool=SpyPool())
    with pytest.raises(FileNotFoundError):
        download_file(url, tmp_path / "nowhere" / "here")
    assert left_in(tmp_path) == []


# ---- uploads


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_upload(fault_server: S3Server, source: Path, pool: SpyPool | None) -> None:
    calls: list[tuple[int, int]] = []
    sent = upload_file(f"{fault_server.url}/bucket/up", source, chunk_size=CHUNK, pool=pool,
                       headers={"X-Amz-Meta-A": "b"}, md5=hashlib.md5(CONTENT).digest(),
                       callback_func=lambda *call: calls.append(call))
    assert sent == 100_000
    stored = fault_server.get("up")
    assert stored is not None
    assert stored.content == CONTENT
    request, = fault_server.requests("PUT")
    headers = dict(request.headers)
    assert headers["content-md5"] == base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    assert headers["content-length"] == "100000"
    assert headers["x-amz-meta-a"] == "b"
    assert "content-type" not in headers
    assert calls[-1] == (100_000, 100_000)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert len(calls) == 7
    assert pool is None or [method for method, _, _ in pool.asked] == ["PUT"]


def test_an_upload_is_tried_again_from_its_beginning(fault_server: S3Server, source: Path,
                                                     pool: SpyPool | None) -> None:
    fault_server.script(Rule(slow_down(), times=2))
    assert upload_file(f"{fault_server.url}/bucket/up", source, pool=pool) == 100_000
    stored = fault_server.get("up")
    assert stored is not None
    assert stored.content == CONTENT


def test_an_upload_that_breaks_off(fault_server: S3Server, source: Path) -> None:
    fault_server.script(Rule(ResetInUpload(5_000), times=2))
    assert upload_file(f"{fault_server.url}/bucket/up", source, chunk_size=CHUNK) == 100_000
    stored = fault_server.get("up")
    assert stored is not None
    assert stored.content == CONTENT


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500])
def test_an_upload_refused(fault_server: S3Server, source: Path, status: int, pool: SpyPool | None) -> None:
    fault_server.script(Rule(Status(status, (), b"why"), times=None))
    with pytest.raises(ApiException) as caught:
        upload_file(f"{fault_server.url}/bucket/up", source, pool=pool)
    assert (caught.value.status, caught.value.body) == (status, b"why")


def test_an_upload_refused_for_now(fault_server: S3Server, source: Path, pool: SpyPool | None) -> None:
    fault_server.script(Rule(slow_down(), times=None))
    with pytest.raises(urllib3.exceptions.HTTPError):
        upload_file(f"{fault_server.url}/bucket/up", source, pool=pool)
    assert len(fault_server.requests()) == 4


def test_another_md5_is_refused(fault_server: S3Server, source: Path, pool: SpyPool | None) -> None:
    with pytest.raises(ApiException) as caught:
        upload_file(f"{fault_server.url}/bucket/up", source, md5=b"0" * 16, pool=pool)
    assert caught.value.status == 400
    assert fault_server.get("up") is None


BAD_FILES: list[Callable[[], Any]] = [lambda: io.BytesIO(b""), lambda: io.StringIO("text"), Pipe, lambda: b"bytes",
                                      object]


@pytest.mark.parametrize("make", BAD_FILES)
def test_unusable_files(fault_server: S3Server, make: Callable[[], Any]) -> None:
    with pytest.raises(IOError) as caught:
        upload_fileobj(f"{fault_server.url}/bucket/up", make())
    assert isinstance(caught.value, UnusableFileError)
    assert not fault_server.requests()


def test_files_that_are_not_there(fault_server: S3Server, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(IOError):
            upload_file(f"{fault_server.url}/bucket/up", path)


def test_an_open_file_is_sent_from_its_beginning(fault_server: S3Server, pool: SpyPool | None) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(5)
    assert upload_fileobj(f"{fault_server.url}/bucket/up", file, pool=pool) == 10
    stored = fault_server.get("up")
    assert stored is not None
    assert stored.content == b"0123456789"


def test_wrong_upload_arguments(fault_server: S3Server, source: Path) -> None:
    with pytest.raises(InvalidInputError):
        upload_file(f"{fault_server.url}/bucket/up", source, md5=b"short")
    with pytest.raises(InvalidInputError):
        upload_file(f"{fault_server.url}/bucket/up", source, headers={"x": "a\r\nb: c"})
    with pytest.raises(InvalidInputError):
        upload_file("mem://bucket/up", source, headers={"x-other": "1"})


# ---- other stores


@pytest.mark.parametrize("kind", [*KINDS, "web"])
def test_any_cloudpath(known: Make, kind: str, source: Path, tmp_path: Path) -> None:
    store = known(kind).cloudpath
    is_web = kind == "web"
    name = "a_b" if is_web else "a b%20c"
    up: list[Any] = []
    down: list[Any] = []
    assert upload_file(store + name, source, chunk_size=CHUNK, md5=hashlib.md5(CONTENT).digest(),
                       callback_func=lambda *call: up.append(call), headers={"Content-Type": "a/b"}) == 100_000
    assert CloudFiles(store).get(name) == CONTENT
    target = tmp_path / "down"
    target.mkdir()
    found = download_file(store + name, target, chunk_size=CHUNK, callback_func=lambda *call: down.append(call))
    assert found == (target / name, 100_000)
    assert found[0].read_bytes() == CONTENT
    assert up[-1] == down[-1] == (100_000, 100_000)
    assert len(down) == 7
    with pytest.raises(ApiException) as caught:
        download_file(store + "none", target)
    assert caught.value.status == 404
    assert left_in(target) == [name]
    with pytest.raises(ApiException if is_web else MD5IntegrityError):
        upload_file(store + "b", source, md5=b"0" * 16)
    assert CloudFiles(store).get("b") is None
    CloudFiles(store).put("empty", b"")
    assert download_file(store + "empty", target)[1] == 0


@pytest.mark.parametrize("kind", [*KINDS, "web"])
def test_open_files_of_any_cloudpath(known: Make, kind: str, tmp_path: Path) -> None:
    store = known(kind).cloudpath
    assert upload_fileobj(store + "x", io.BytesIO(CONTENT), CHUNK) == 100_000
    file = io.BytesIO()
    assert download_fileobj(store + "x", file, CHUNK) == 100_000
    assert file.getvalue() == CONTENT


def test_names() -> None:
    assert cloudfiles.download_file is file_download.download_file
    assert cloudfiles.files.upload_file is file_upload.upload_file
    assert cloudfiles.aio.files.upload_file is not file_upload.upload_file


def test_a_retried_500_is_an_api_exception(url: str, fault_server: S3Server, tmp_path: Path) -> None:
    fault_server.script(Rule(internal_error(), times=2))
    download_file(url, tmp_path / "here")
    fault_server.script(Rule(internal_error(), times=None))
    with pytest.raises(ApiException) as caught:
        download_file(url, tmp_path / "here")
    assert (caught.value.status, len(caught.value.attempts)) == (500, 4)
