"""File objects over servers that fail or lie, in processes that are killed, in threads, greenlets and forks."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, reset_connection_pools
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    ObjectChangedError,
    PreconditionFailedError,
    TransportError,
)
from cloudfiles.file_objects import read_ahead
from cloudfiles.file_objects.forward_reader import SingleRequestReader
from cloudfiles.testing import (
    FLAKY,
    CloseDelimited,
    Delay,
    IgnoreRange,
    RangeAs200,
    Replaced,
    ResetInUpload,
    Rule,
    S3Server,
    SetHeader,
    ShortBody,
    StoredObject,
    WrongContentRange,
    mix,
    s3_error,
    slow_down,
)
from tests.contents import MIB, numbered

CONTENT = numbered(400_000)


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.full), False], ids=["green", "threads"])
def cf(request: pytest.FixtureRequest, fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://{fault_server.bucket}/dir/", endpoint=fault_server.url, secrets=fault_server.secrets,
                      green=request.param)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("PART_BYTES", 16_384), ("_FIRST_LIMIT", 65_536), ("_LAST_LIMIT", 131_072)):
        monkeypatch.setattr(read_ahead, name, size)


def pieces_of(file: Any, size: int) -> Iterator[bytes]:
    return iter(lambda: file.read(size), b"")


# ---- reading


@pytest.mark.usefixtures("small_blocks")
def test_a_flaky_server_is_read_correctly(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = CONTENT
    fault_server.script(mix(7, FLAKY))
    with cf.open("key", blocksize=4096) as file:
        assert b"".join(pieces_of(file, 5000)) == CONTENT
        for at in range(390_000, 0, -45_001):
            file.seek(at)
            assert file.read(3000) == CONTENT[at:at + 3000]


@pytest.mark.usefixtures("small_blocks")
def test_requests_of_a_program_that_reads_in_order_grow(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = CONTENT
    fault_server.forget()
    with cf.open("key", blocksize=1024) as file:
        assert b"".join(pieces_of(file, 1000)) == CONTENT
    assert len(fault_server.requests("GET")) < 40  # 400 of the least size


@pytest.mark.usefixtures("small_blocks")
def test_a_program_that_jumps_gets_what_it_reads(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = CONTENT
    with cf.open("key", blocksize=1024) as file:
        fault_server.forget()
        for at in (300_000, 5, 200_000, 100_000):
            file.seek(at)
            assert file.read(500) == CONTENT[at:at + 500]
        ranges = [request.header("range") for request in fault_server.requests("GET")]
    assert ranges == [f"bytes={at}-{at + 1023}" for at in (300_000, 5, 200_000, 100_000)]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("skip", [0, 1, 3])
def test_an_object_that_is_replaced_while_it_is_read(cf: CloudFiles, fault_server: S3Server, skip: int) -> None:
    cf["key"] = CONTENT
    fault_server.script(Rule(Replaced(StoredObject(CONTENT[::-1], '"other"')), method="GET", skip=skip))
    with cf.open("key", blocksize=4096) as file:
        read = b""
        with pytest.raises(ObjectChangedError):
            for piece in pieces_of(file, 5000):
                read += piece
        assert CONTENT.startswith(read)
        with pytest.raises(ObjectChangedError):
            file.read()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("lie", [WrongContentRange(), IgnoreRange(), RangeAs200()], ids=lambda lie: type(lie).__name__)
def test_lies_about_ranges(cf: CloudFiles, fault_server: S3Server, lie: Any) -> None:
    cf["key"] = CONTENT
    fault_server.script(Rule(lie, method="GET", times=None))
    with cf.open("key", blocksize=4096) as file:
        try:
            assert b"".join(pieces_of(file, 5000)) == CONTENT
        except CloudFilesError:
            assert not isinstance(lie, IgnoreRange)  # the whole object, of which the range is taken


@pytest.mark.parametrize("fault", [SetHeader("ETag", None), SetHeader("ETag", 'W/"weak"')], ids=["none", "weak"])
def test_without_a_validator_one_request_is_read(cf: CloudFiles, fault_server: S3Server, fault: Any) -> None:
    cf["key"] = CONTENT
    fault_server.script(Rule(fault, times=None))
    with cf.open("key") as file:
        assert isinstance(file, SingleRequestReader)
        fault_server.forget()
        assert b"".join(pieces_of(file, 5000)) == CONTENT
        assert len(fault_server.requests("GET")) == 1
        file.seek(100)
        assert file.read(50) == CONTENT[100:150]
        file.seek(-50, 2)
        assert file.read() == CONTENT[-50:]


def test_a_body_that_is_cut_is_never_complete(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = CONTENT
    fault_server.script(Rule(SetHeader("ETag", None), method="HEAD", times=None),
                        Rule(ShortBody(300_000), method="GET", times=None))
    with cf.open("key") as file, pytest.raises(TransportError):
        b"".join(pieces_of(file, 5000))


def test_a_body_without_a_length(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = CONTENT
    fault_server.script(Rule(SetHeader("ETag", None), method="HEAD", times=None),
                        Rule(CloseDelimited(), method="GET", times=1))
    with cf.open("key") as file:
        assert b"".join(pieces_of(file, 5000)) == CONTENT


# ---- writing


def big_parts() -> Iterator[bytes]:
    content = numbered(18 * MIB)
    return (content[at:at + 700_000] for at in range(0, len(content), 700_000))


@pytest.mark.parametrize("fault", [slow_down(), ResetInUpload(100_000)], ids=["503", "reset"])
def test_failures_of_parts_are_repeated(cf: CloudFiles, fault_server: S3Server, fault: Any) -> None:
    fault_server.script(Rule(fault, method="PUT", times=2), Rule(slow_down(), method="POST", times=1))
    with cf.open("key", "wb") as file:
        file.writelines(big_parts())
    assert cf.get("key") == numbered(18 * MIB)


@pytest.mark.parametrize("query", ["partNumber=1", "partNumber=3", "uploads"])
def test_a_failure_is_raised_and_leaves_nothing(cf: CloudFiles, fault_server: S3Server, query: str) -> None:
    fault_server.script(Rule(s3_error(403, "AccessDenied"), query=query, times=None))
    with pytest.raises(AuthorizationError), cf.open("key", "wb") as file:
        file.writelines(big_parts())
    assert file.closed
    assert fault_server.uploads() == []
    assert cf.get("key") is None


def test_an_exception_aborts_the_upload(cf: CloudFiles, fault_server: S3Server) -> None:
    with pytest.raises(ZeroDivisionError), cf.open("key", "wb") as file:
        file.writelines(big_parts())
        raise ZeroDivisionError
    assert fault_server.uploads() == []
    assert cf.get("key") is None


def test_appending_to_a_large_object_that_is_replaced(cf: CloudFiles, fault_server: S3Server) -> None:
    cf["key"] = numbered(9 * MIB)
    with pytest.raises(PreconditionFailedError), cf.open("key", "ab") as file:
        file.write(b"more")
        cf["key"] = b"somebody else's"
    assert cf.get("key") == b"somebody else's"
    assert fault_server.uploads() == []
    cf["key"] = numbered(9 * MIB)
    with cf.open("key", "ab") as file:
        file.write(b"more")
    assert cf.get("key") == numbered(9 * MIB) + b"more"


def test_a_killed_process_publishes_nothing(fault_server: S3Server, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import json, os, signal, sys
        from cloudfiles import CloudFiles
        stores = [CloudFiles(path, **options) for path, options in json.loads(sys.argv[1])]
        files = [cf.open("key", "wb") for cf in stores]
        for file in files:
            for _ in range(40):
                file.write(bytes(700_000))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    import json

    stores: list[Any] = [(f"s3://{fault_server.bucket}/dir/", {"endpoint": fault_server.url,
                                                               "secrets": fault_server.secrets}),
                         (str(tmp_path / "store"), {})]
    killed = subprocess.run([sys.executable, "-c", script, json.dumps(stores)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    for path, options in stores:
        cf = CloudFiles(path, **options)
        assert list(cf.list()) == []
        assert cf.discard_partial("", older_than=-60) >= 1
        assert cf.discard_partial("", older_than=-60) == 0


@pytest.mark.parametrize("green", [True, False])
def test_a_program_that_ends_publishes_nothing(fault_server: S3Server, green: bool) -> None:
    script = textwrap.dedent(f"""
        from cloudfiles import CloudFiles
        cf = CloudFiles("s3://{fault_server.bucket}/dir/", endpoint={fault_server.url!r},
                        secrets={fault_server.secrets!r}, green={green})
        file = cf.open("key", "wb")
        for _ in range(20):
            file.write(bytes(1 << 20))
    """)
    done = subprocess.run([sys.executable, "-W", "always", "-c", script], capture_output=True, text=True, timeout=60,
                          check=True)
    assert "ResourceWarning" in done.stderr
    assert (fault_server.contents(), fault_server.uploads()) == ({}, [])


# ---- threads, forks, greenlets


@pytest.mark.usefixtures("small_blocks")
def test_threads_read_ranges_of_their_own(cf: CloudFiles) -> None:
    cf["key"] = CONTENT
    found: list[bytes] = []
    with cf.open("key", blocksize=1024) as file:
        threads = [threading.Thread(target=lambda: found.extend(pieces_of(file, 4000))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == sorted(CONTENT[at:at + 4000] for at in range(0, len(CONTENT), 4000))


def read_in_child(file: Any, results: Any) -> None:
    results.put(file.read(200_000))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_continues(cf: CloudFiles) -> None:
    cf["key"] = CONTENT
    context = multiprocessing.get_context("fork")
    with cf.open("key", blocksize=1024) as file:
        for _ in range(30):
            file.read(1000)
        results = context.Queue()
        child = context.Process(target=read_in_child, args=(file, results))
        child.start()
        assert results.get(timeout=30) == CONTENT[30_000:230_000]
        child.join()
        assert file.read(1000) == CONTENT[30_000:31_000]


@pytest.mark.parametrize("patched", [True, pytest.param(False, marks=pytest.mark.full)])
def test_greenlets_of_a_program_with_gevent(fault_server: S3Server, patched: bool) -> None:
    script = "from gevent import monkey; monkey.patch_all()\n" if patched else ""
    script += textwrap.dedent(f"""
        import gevent
        from cloudfiles import CloudFiles
        gevent.get_hub()
        cf = CloudFiles("s3://{fault_server.bucket}/dir/", endpoint={fault_server.url!r},
                        secrets={fault_server.secrets!r})
        content = bytes(range(256)) * 80_000
        def work(number):
            with cf.open(f"key{{number}}", "wb") as file:
                for at in range(0, len(content), 1_000_000):
                    file.write(content[at:at + 1_000_000])
            with cf.open(f"key{{number}}") as file:
                assert b"".join(iter(lambda: file.read(1_000_000), b"")) == content
        gevent.joinall([gevent.spawn(work, number) for number in range(4)], raise_error=True)
        with cf.open("key0") as file:
            def read():
                return list(iter(lambda: file.read(300_000), b""))
            parts = sum((one.get() for one in [gevent.spawn(read) for _ in range(3)]), [])
        assert sorted(parts) == sorted(content[at:at + 300_000] for at in range(0, len(content), 300_000))
        cf.open("key1").read(100)
        print("done")
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "done\n", done.stderr


def test_nothing_is_left(cf: CloudFiles, no_leaks: Callable[..., Any]) -> None:
    with cf.open("warm", "wb") as file:
        file.writelines(big_parts())
    assert cf.open("warm").read(20 * MIB)
    with no_leaks(release=reset_connection_pools):  # how many are kept depends on how long the requests took
        with cf.open("key", "wb") as file:
            file.writelines(big_parts())
        with cf.open("key") as file:
            file.read(3 * MIB)
            file.read(3 * MIB)


def test_an_upload_that_has_just_begun_is_aborted(cf: CloudFiles, fault_server: S3Server) -> None:
    """The program gives up while the server begins the upload, whose id only the response tells."""
    fault_server.script(Rule(Delay(0.2), method="POST", query="uploads"))
    before, _ = fault_server.connections()
    with pytest.raises(ZeroDivisionError), cf.open("key", "wb") as file:
        file.writelines(big_parts())
        ends = time.monotonic() + 30
        while fault_server.connections()[0] == before:
            assert time.monotonic() < ends
        raise ZeroDivisionError
    assert [request.method for request in fault_server.requests()][-1] == "DELETE"
    assert fault_server.uploads() == []
