"""The embedded object server, by our own client and by boto3."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudfiles import CloudFiles
from cloudfiles.cli.embedded import SECRETS, object_server
from cloudfiles.exceptions import PreconditionFailedError
from tests.conformance.nasty_keys import NASTY_KEYS


def test_what_is_put_comes_back(cf: CloudFiles) -> None:
    files = {f"a/{n}": os.urandom(n) for n in (0, 1, 4096, 300_000)}
    cf.puts(files.items())
    assert cf.get([*files, "missing"], return_dict=True) == {**files, "missing": None}
    assert cf.exists([*files, "missing"]) == {**dict.fromkeys(files, True), "missing": False}
    assert cf.size(list(files)) == {path: len(content) for path, content in files.items()}


def test_headers_are_kept(cf: CloudFiles) -> None:
    cf.put("a.txt", b"text" * 100, compress="gzip", cache_control="no-cache", metadata={"by": "me"})
    head = cf.head("a.txt")
    assert (head["Content-Type"], head["Content-Encoding"], head["Cache-Control"]) == ("text/plain", "gzip", "no-cache")
    assert cf.get("a.txt") == b"text" * 100


@pytest.mark.parametrize(("wanted", "content"), [
    (slice(2, 5), b"234"), (slice(-3, None), b"789"), (slice(7, None), b"789"), (slice(0, 100), b"0123456789"),
    (slice(20, 30), b""), (slice(-20, None), b"0123456789"),
])
def test_ranges(cf: CloudFiles, wanted: slice, content: bytes) -> None:
    cf["digits"] = b"0123456789"
    assert cf["digits", wanted] == content


def test_listing_goes_on_over_pages(cf: CloudFiles) -> None:
    paths = sorted(f"{directory}/{n:04d}" for directory in ("a", "b") for n in range(1200))
    cf.puts([(path, b"") for path in [*paths, "c", "z"]])
    assert list(cf.list()) == [*paths, "c", "z"]
    assert list(cf.list(prefix="b/11")) == [f"b/11{n:02d}" for n in range(100)]
    assert list(cf.list(flat=True)) == ["a/", "b/", "c", "z"]
    assert all(cf.exists(paths).values())
    assert cf.delete(paths) == 2400
    assert list(cf.list()) == ["c", "z"]


def test_pages_of_a_flat_listing_do_not_repeat_a_directory(cf: CloudFiles) -> None:
    cf.puts([(f"{n:04d}/x", b"") for n in range(1001)] + [("1000/y", b""), ("1000a", b"")])
    assert list(cf.list(flat=True)) == [*(f"{n:04d}/" for n in range(1001)), "1000a"]


def test_conditions(cf: CloudFiles) -> None:
    cf.put("a", b"1", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        cf.put("a", b"2", if_absent=True)
    cf.put("a", b"2", if_match=cf.head("a")["ETag"])
    with pytest.raises(PreconditionFailedError):
        cf.put("a", b"3", if_match='"0"')
    assert cf.get("a") == b"2"


def test_parts(embedded: str) -> None:
    content = os.urandom(11 << 20)
    cf = CloudFiles(f"s3://{embedded}/parts/", secrets=SECRETS, composite_upload_threshold=6 << 20)
    cf.put("large", content)
    assert cf.get("large") == content
    assert "-" in cf.head("large")["ETag"]


def test_nasty_keys(cf: CloudFiles) -> None:
    keys = [nasty.key for nasty in NASTY_KEYS]
    for key in keys:
        cf.put(key, key.encode("utf-8", "surrogatepass"))
    assert sorted(cf.list()) == sorted(keys)
    for found in cf.get(keys):
        assert found["content"] == found["path"].encode("utf-8", "surrogatepass")
    cf.delete(keys)
    assert list(cf.list()) == []


def _ask(url: str, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def test_a_wrong_digest_is_refused(embedded: str) -> None:
    assert _ask(embedded, "PUT", "/b/k", b"x", Content_MD5="AAAAAAAAAAAAAAAAAAAAAA==")[0] == 400
    assert _ask(embedded, "PUT", "/b/k", b"x", x_amz_checksum_crc32="AAAAAA==")[0] == 400
    assert _ask(embedded, "GET", "/b/k")[0] == 404


@pytest.mark.parametrize(("method", "target", "status"), [
    ("GET", "/b/none", 404), ("POST", "/b/none", 405), ("PUT", "/b/k?uploadId=none&partNumber=1", 404),
    ("HEAD", "/b", 200), ("DELETE", "/b/none", 204),
])
def test_other_requests(embedded: str, method: str, target: str, status: int) -> None:
    assert _ask(embedded, method, target)[0] == status


def test_head_tells_the_length_and_sends_no_body(embedded: str) -> None:
    _ask(embedded, "PUT", "/b/k", b"12345")
    status, headers, body = _ask(embedded, "HEAD", "/b/k")
    assert (status, headers["Content-Length"], body) == (200, "5", b"")
    assert headers["ETag"] == f'"{hashlib.md5(b"12345").hexdigest()}"'


def test_boto3_gets_along_with_it(embedded: str) -> None:
    boto3: Any = pytest.importorskip("boto3")
    from botocore.config import Config

    client = boto3.client("s3", endpoint_url=embedded, aws_access_key_id="k", aws_secret_access_key="s",
                          region_name="us-east-1", config=Config(
                              s3={"addressing_style": "path"}, request_checksum_calculation="when_required"))
    try:
        client.put_object(Bucket="boto", Key="ä b+c", Body=b"content", Metadata={"by": "boto"})
        answer = client.get_object(Bucket="boto", Key="ä b+c")
        assert (answer["Body"].read(), answer["Metadata"]) == (b"content", {"by": "boto"})
        assert [entry["Key"] for entry in client.list_objects_v2(Bucket="boto")["Contents"]] == ["ä b+c"]
        client.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": "ä b+c"}]})
        assert client.list_objects_v2(Bucket="boto")["KeyCount"] == 0
    finally:
        client.close()


def test_the_server_ends_with_its_block() -> None:
    with object_server() as url:
        assert _ask(url, "HEAD", "/b")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        _ask(url, "HEAD", "/b")


def test_the_server_ends_with_its_parent() -> None:
    """Killed, the parent closes nothing by itself; the system does."""
    script = ("import os, signal\nfrom cloudfiles.cli.embedded import object_server\n"
              "with object_server() as url:\n    print(url, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)")
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    # The server has inherited the pipe of standard error: it was read to its end, so the server is gone.
    assert ended.returncode != 0
    with pytest.raises(ConnectionRefusedError):
        _ask(ended.stdout.decode().strip(), "HEAD", "/b")


def test_the_working_directory_has_a_package_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cloudfiles.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    with object_server() as url:
        assert url.startswith("http://127.0.0.1:")
