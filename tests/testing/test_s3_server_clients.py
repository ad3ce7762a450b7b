"""`S3Server` as a user's tests start it: the public names, CloudFiles and boto3 as clients, its process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidInputError,
    MissingExtraError,
    PreconditionFailedError,
)
from cloudfiles.testing import ResetInBody, S3Server, ShortBody, Status, slow_down
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.testing.server_faults import Fault
from tests.conformance.nasty_keys import NASTY_KEYS


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    return fault_server


@pytest.fixture
def cf(server: S3Server, green: bool) -> CloudFiles:
    return CloudFiles(server.cloudpath(), secrets=server.secrets, green=green)


# ---- clients


def test_what_is_put_comes_back(cf: CloudFiles, server: S3Server) -> None:
    files = {f"a/{n}": os.urandom(n) for n in (0, 1, 4096, 300_000)}
    cf.puts(files.items())
    assert cf.get([*files, "missing"], return_dict=True) == {**files, "missing": None}
    assert cf.exists([*files, "missing"]) == {**dict.fromkeys(files, True), "missing": False}
    assert server.contents() == files
    assert server.get("missing") is None


def test_headers_are_kept(cf: CloudFiles) -> None:
    cf.put("a.txt", b"text" * 100, compress="gzip", cache_control="no-cache", metadata={"by": "me"})
    head = cf.head("a.txt")
    assert (head["Content-Type"], head["Content-Encoding"], head["Cache-Control"]) == ("text/plain", "gzip", "no-cache")
    assert cf.get("a.txt") == b"text" * 100


def test_listing_in_pages(cf: CloudFiles, server: S3Server) -> None:
    server.configure(page_size=7)
    paths = sorted(f"{directory}/{n:02d}" for directory in ("a", "b") for n in range(12))
    cf.puts([(path, b"") for path in [*paths, "b/11/x", "c", "z"]])
    assert list(cf.list()) == [*paths, "b/11/x", "c", "z"]
    assert list(cf.list(prefix="b/1")) == ["b/10", "b/11", "b/11/x"]
    assert list(cf.list(flat=True)) == ["a/", "b/", "c", "z"]
    assert cf.delete(paths) == 24
    assert list(cf.list()) == ["b/11/x", "c", "z"]


def test_common_prefixes_across_pages(cf: CloudFiles, server: S3Server) -> None:
    server.configure(page_size=3)
    cf.puts([(f"{n}/{name}", b"") for n in range(7) for name in "xy"] + [("6a", b"")])
    assert list(cf.list(flat=True)) == [*(f"{n}/" for n in range(7)), "6a"]


def test_conditions(cf: CloudFiles) -> None:
    cf.put("a", b"1", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        cf.put("a", b"2", if_absent=True)
    cf.put("a", b"2", if_match=cf.head("a")["ETag"])
    assert cf.get("a") == b"2"


def test_parts(server: S3Server) -> None:
    content = os.urandom(11 << 20)
    cf = CloudFiles(server.cloudpath(), secrets=server.secrets, composite_upload_threshold=6 << 20)
    cf.put("large", content)
    assert cf.get("large") == content
    assert cf.head("large")["ETag"].strip('"').endswith("-2")


def test_nasty_keys(cf: CloudFiles) -> None:
    keys = [nasty.key for nasty in NASTY_KEYS]
    cf.puts([(key, key.encode("utf-8", "surrogatepass")) for key in keys])
    assert sorted(cf.list()) == sorted(keys)
    for found in cf.get(keys):
        assert found["content"] == found["path"].encode("utf-8", "surrogatepass")
    cf.delete(keys)
    assert list(cf.list()) == []


def test_signed_requests_create_buckets_where_this_is_configured(server: S3Server) -> None:
    with pytest.raises(CloudFilesError):
        CloudFiles(server.cloudpath("other/"), secrets=server.secrets).put("a", b"1")
    server.configure(create_buckets=True)
    CloudFiles(server.cloudpath("other/"), secrets=server.secrets).put("a", b"1")
    assert server.contents(bucket="other") == {"a": b"1"}


def test_a_wrong_secret_key_is_refused(server: S3Server) -> None:
    server.configure(secret_key="theirs")
    CloudFiles(server.cloudpath(), secrets=server.secrets).put("a", b"1")
    with pytest.raises(AuthorizationError):
        CloudFiles(server.cloudpath(), secrets={**server.secrets, "AWS_SECRET_ACCESS_KEY": "mine"}).get("a")


def test_signatures_are_not_verified_without_botocore(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudfiles.testing.s3_server.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cloudfiles\[s3\]'"):
        server.configure(secret_key="theirs")
    server.configure(secret_key=None)


def test_boto3_lists_what_it_put(server: S3Server) -> None:
    boto3: Any = pytest.importorskip("boto3")
    secrets = server.secrets
    client = boto3.client("s3", endpoint_url=server.url, aws_access_key_id=secrets["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=secrets["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    try:
        client.put_object(Bucket="bucket", Key="ä b+c", Body=b"content", Metadata={"by": "boto"})
        found = client.get_object(Bucket="bucket", Key="ä b+c")
        assert (found["Body"].read(), found["Metadata"]) == (b"content", {"by": "boto"})
        assert [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket")["Contents"]] == ["ä b+c"]
        client.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "ä b+c"}]})
        assert client.list_objects_v2(Bucket="bucket")["KeyCount"] == 0
    finally:
        client.close()


# ---- faults and the record


def test_faults_are_added_one_after_the_other(cf: CloudFiles, server: S3Server) -> None:
    server.put("a", bytes(1000))
    server.fail(slow_down(), method="GET", times=2)
    server.fail(ShortBody(100), key="a")
    assert cf.get("a") == bytes(1000)
    assert [request.fault for request in server.requests("GET", "a")][:3] == ["Status", "Status", "ShortBody"]
    assert [request.status for request in server.requests("GET", "a")][:2] == [503, 503]


def test_a_script_replaces_the_faults(cf: CloudFiles, server: S3Server) -> None:
    server.put("a", b"1")
    server.fail(Status(403))
    server.script()
    assert cf.get("a") == b"1"


def fail_every_second(incoming: IncomingRequest) -> Fault | None:
    print("what a rule prints does not disturb the server")
    return ResetInBody() if incoming.n % 2 else None


def test_rules_are_functions_of_an_importable_module(cf: CloudFiles, server: S3Server) -> None:
    server.put_many({str(n): bytes(100) for n in range(20)})
    server.script(fail_every_second)
    assert all(found["content"] == bytes(100) for found in cf.get(map(str, range(20))))
    assert {request.fault for request in server.requests()} == {"", "ResetInBody"}


def test_an_unimportable_rule_is_an_error(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="expected Rule"):
        server.script(lambda incoming: None)
    vanished = types.ModuleType("vanished")
    exec("def rule(incoming): return None", vars(vanished))
    monkeypatch.setitem(sys.modules, "vanished", vanished)
    with pytest.raises(InvalidInputError, match="No module named 'vanished'"):
        server.script(vanished.rule)
    assert server.requests() == []


def test_nothing_is_recorded_where_this_is_configured(cf: CloudFiles, server: S3Server) -> None:
    server.configure(record=False)
    cf.put("a", b"1")
    assert server.requests() == []
    server.reset()
    cf.put("a", b"1")
    assert [(request.method, request.body_length) for request in server.requests()] == [("PUT", 1)]


# ---- the process


def _connect(url: str) -> None:
    socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10).close()


def test_the_server_ends_with_its_block() -> None:
    with S3Server() as server:
        _connect(server.url)
    with pytest.raises(ConnectionRefusedError):
        _connect(server.url)


def test_the_server_ends_with_its_parent() -> None:
    """Killed, the parent closes nothing itself; the system does."""
    script = ("import os, signal\nfrom cloudfiles.testing import S3Server\n"
              "with S3Server() as server:\n    print(server.url, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)")
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    # The server has inherited the pipe of standard error, which was read to its end: the server has ended.
    assert ended.returncode != 0
    with pytest.raises(ConnectionRefusedError):
        _connect(ended.stdout.decode().strip())


def test_a_server_that_was_killed_is_reported() -> None:
    with S3Server() as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(CloudFilesError, match="the server process ended with status -9"):
            server.requests()


def test_ctrl_c_does_not_end_the_server() -> None:
    with S3Server() as server:
        server.put("a", b"1")
        os.kill(server.pid, signal.SIGINT)
        assert server.contents() == {"a": b"1"}


def test_the_working_directory_has_a_package_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cloudfiles.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    with S3Server() as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_importing_cloudfiles_does_not_import_it() -> None:
    program = "import sys, cloudfiles; cloudfiles.CloudFiles; print([m for m in sys.modules if '.testing' in m])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
