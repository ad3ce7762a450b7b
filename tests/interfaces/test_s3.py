"""`s3://` against real servers: rclone, which verifies signatures and digests, and moto, which knows the most of S3."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError
from cloudfiles.types import WriteOptions
from tests.interfaces.s3_setup import Worker, close_opened, open_s3
from tests.servers.processes import RunningS3Server

PLAIN = WriteOptions()
MIB = 1 << 20

_buckets: dict[int, str] = {}


@pytest.fixture(autouse=True)
def _connections_closed() -> Iterator[None]:
    yield
    close_opened()


def bucket_of(server: RunningS3Server) -> str:
    if server.pid not in _buckets:
        _buckets[server.pid] = server.make_bucket()
    return _buckets[server.pid]


def open_at(server: RunningS3Server, green: bool, **options: Any) -> Worker:
    """An empty place on `server`."""
    return open_s3(f"s3://{server.url}/{bucket_of(server)}/{uuid.uuid4().hex[:8]}/", green, secrets=server.secrets,
                   **options)


@pytest.fixture
def s3(s3_server: RunningS3Server, green: bool) -> Worker:
    return open_at(s3_server, green)


@pytest.fixture
def moto(moto_s3: RunningS3Server, green: bool) -> Worker:
    return open_at(moto_s3, green)


# ---- one object


@pytest.mark.parametrize("key", ["a//b", "/leading", "a/../b", "./x", "trailing/", "ctrl\x01", " edge ", "cr\rx"])
def test_keys_that_only_object_stores_hold(moto: Worker, key: str) -> None:
    moto.put(key, b"content", PLAIN)
    moto.put("other", b"other", PLAIN)
    assert moto.get(key).content == b"content"
    assert sorted(entry.key for entry in moto.list_page().entries) == sorted([key, "other"])
    assert moto.delete([key, "not there"]) == {}
    assert [entry.key for entry in moto.list_page().entries] == ["other"]


def test_heads(moto: Worker) -> None:
    moto.put("key", b"content", WriteOptions(content_type="text/plain", encoding="br", cache_control="no-store",
                                             storage_class="STANDARD_IA", metadata={"Color": "red"}))
    head = moto.head("key")
    assert head["Content-Length"] == 7
    assert head["Content-Type"] == "text/plain"
    assert head["Content-Encoding"] == "br"
    assert head["Cache-Control"] == "no-store"
    assert head["Storage-Class"] == "STANDARD_IA"
    assert head["ETag"] == f'"{hashlib.md5(b"content").hexdigest()}"'
    assert moto.size("key") == 7


def test_metadata_is_kept(moto_s3: RunningS3Server, green: bool) -> None:
    s3 = open_at(moto_s3, green)
    s3.put("key", b"content", WriteOptions(metadata={"Color": "red", "n": "7"}))
    client = moto_s3.client()
    head = client.head_object(Bucket=bucket_of(moto_s3), Key=s3.interface._root + "key")
    client.close()
    assert head["Metadata"] == {"color": "red", "n": "7"}


# ---- conditional writes


def test_a_server_that_heeds_conditions_is_soon_trusted(moto: Worker) -> None:
    moto.put("key", b"first", PLAIN)
    moto.interface._bucket.honors_conditions = True
    with pytest.raises(PreconditionFailedError):
        moto.put("key", b"second", WriteOptions(if_absent=True))
    assert moto.get("key").content == b"first"


@pytest.mark.parametrize("options", [
    WriteOptions(metadata={"a b": "x"}), WriteOptions(metadata={"a": "caf\u00e9"})])
def test_headers_that_cannot_be_sent_are_refused(s3: Worker, options: WriteOptions) -> None:
    with pytest.raises(InvalidInputError):
        s3.put("key", b"content", options)
    assert s3.get("key") is None


# ---- many objects


def test_pages(s3: Worker) -> None:
    keys = sorted(f"{name}{n}" for n in range(3) for name in ("a/", "b/c/", "d"))
    for key in keys:
        s3.put(key, key.encode(), PLAIN)
    found, token = [], None
    while True:
        page = s3.list_page(token=token, limit=2)
        found += page.entries
        token = page.next_token
        if token is None:
            break
    assert [entry.key for entry in found] == keys
    assert found[0].size == len(keys[0])
    assert found[0].etag == f'"{hashlib.md5(keys[0].encode()).hexdigest()}"'
    assert [entry.key for entry in s3.list_page("b/").entries] == keys[3:6]
    assert [entry.key for entry in s3.list_page(start_after=keys[4]).entries] == keys[5:]


def old_pages(s3: Worker, **how: Any) -> list[str]:
    """Everything, listed by ListObjects in pages of two."""
    names, token = [], "marker:"
    while token is not None:
        page = s3.list_page(token=token, limit=2, **how)
        assert page.next_token is None or page.next_token.startswith("marker:")
        names += [entry.key for entry in page.entries] + page.prefixes
        token = page.next_token
    return names


def test_pages_of_servers_older_than_list_objects_v2(s3: Worker) -> None:
    keys = ["a b", "c+d", "dir/e", "dir/f", "g%2F", "h"]
    for key in keys:
        s3.put(key, b"", PLAIN)
    assert old_pages(s3) == keys


def test_flat_pages_of_older_servers(rclone_s3: RunningS3Server, green: bool) -> None:
    s3 = open_at(rclone_s3, green)
    for key in ("a b", "c+d", "dir/e", "dir/f", "g%2F", "h"):
        s3.put(key, b"", PLAIN)
    assert sorted(old_pages(s3, flat=True)) == ["a b", "c+d", "dir/", "g%2F", "h"]


# ---- presigned URLs


@pytest.mark.parametrize(("expires", "method"), [(0, "GET"), (604801, "GET"), (60, "POST"), (-1, "GET")])
def test_what_cannot_be_presigned(s3: Worker, expires: float, method: str) -> None:
    with pytest.raises(InvalidInputError, match="presign"):
        s3.presign("key", expires, method)
