"""`s3://` against real servers: rclone, which verifies signatures and digests, and moto, which knows the most of S3."""

from __future__ import annotations

import hashlib
import io
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import InvalidInputError, InvalidPathError, PreconditionFailedError, ServerError
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


@pytest.mark.parametrize("content", [b"", b"x", b"content" * 1000, bytes(range(256)) * 4096])
def test_what_is_put_comes_back_verified(s3: Worker, content: bytes) -> None:
    etag = s3.put("key", content, PLAIN)
    got = s3.get("key")
    assert got.content == content
    assert got.verified in ("md5", "crc32")
    assert got.etag == etag == f'"{hashlib.md5(content).hexdigest()}"'


@pytest.mark.parametrize("key", ["a b", "plus+plus", "100%", "a%2Fb", "caf\u00e9/\u6f22", "what?a=b#c", "a&b;c:d@e",
                                 "~", "x" * 200, "<a>&amp;"])
def test_keys_are_opaque(s3: Worker, key: str) -> None:
    s3.put(key, key.encode(), PLAIN)
    assert s3.get(key).content == key.encode()
    assert s3.exists(key)
    assert [entry.key for entry in s3.list_page().entries] == [key]
    assert s3.delete([key]) == {}
    assert s3.get(key) is None


@pytest.mark.parametrize("key", ["a//b", "/leading", "a/../b", "./x", "trailing/", "ctrl\x01", " edge ", "cr\rx"])
def test_keys_that_only_object_stores_hold(moto: Worker, key: str) -> None:
    moto.put(key, b"content", PLAIN)
    moto.put("other", b"other", PLAIN)
    assert moto.get(key).content == b"content"
    assert sorted(entry.key for entry in moto.list_page().entries) == sorted([key, "other"])
    assert moto.delete([key, "not there"]) == {}
    assert [entry.key for entry in moto.list_page().entries] == ["other"]


@pytest.mark.parametrize(("start", "end"), [
    (None, None), (0, None), (0, 3), (None, 3), (3, None), (2, 5), (2, 2), (7, 100), (50, 60), (10, None), (9, None),
    (-3, None), (-100, None), (-5, -2), (None, -4), (2, -2), (5, 3), (-2, 100), (0, 0)])
def test_ranges_are_slices(s3: Worker, start: int | None, end: int | None) -> None:
    content = b"0123456789"
    s3.put("key", content, WriteOptions(encoding="br"))
    got = s3.get("key", start, end)
    assert got.content == content[start:end]
    assert s3.get("missing", start, end) is None


def test_the_encoding_comes_with_the_bytes(s3: Worker) -> None:
    s3.put("key", b"encoded", WriteOptions(encoding="gzip"))
    assert s3.get("key").encoding == "gzip"
    assert s3.get("key", 1, 3).encoding == "gzip"


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


def test_missing_objects(s3: Worker) -> None:
    assert s3.get("missing") is None
    assert s3.head("missing") is None
    assert s3.size("missing") is None
    assert s3.exists("missing") is False


@pytest.mark.parametrize("use", [
    lambda s3: s3.get("key"), lambda s3: s3.head("key"), lambda s3: s3.exists("key"), lambda s3: s3.list_page(),
    lambda s3: s3.put("key", b"", PLAIN), lambda s3: s3.get("key", -5, -3)])
def test_a_missing_bucket_is_an_error(s3_server: RunningS3Server, green: bool, use: Callable[[Worker], object]) -> None:
    s3 = open_s3(f"s3://{s3_server.url}/no-such-bucket/", green, secrets=s3_server.secrets)
    with pytest.raises(ServerError, match="the bucket 'no-such-bucket' does not exist") as raised:
        use(s3)
    assert raised.value.code == "NoSuchBucket"


def test_an_empty_key_is_refused(s3: Worker) -> None:
    with pytest.raises(InvalidPathError, match="empty"):
        s3.get("")


# ---- conditional writes


def test_create_only(s3: Worker) -> None:
    etag = s3.put("key", b"first", WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        s3.put("key", b"second", WriteOptions(if_absent=True))
    assert s3.get("key").content == b"first"
    assert s3.put("key", b"second", WriteOptions(if_match=etag))


def test_replace_only_what_was_read(s3: Worker) -> None:
    s3.put("key", b"first", PLAIN)
    with pytest.raises(PreconditionFailedError):
        s3.put("key", b"second", WriteOptions(if_match='"0123456789abcdef0123456789abcdef"'))
    with pytest.raises(PreconditionFailedError):
        s3.put("missing", b"second", WriteOptions(if_match='"0123456789abcdef0123456789abcdef"'))
    assert s3.get("key").content == b"first"
    assert s3.get("missing") is None


def test_a_server_that_heeds_conditions_is_soon_trusted(moto: Worker) -> None:
    moto.put("key", b"first", PLAIN)
    moto.interface._bucket.honors_conditions = True
    with pytest.raises(PreconditionFailedError):
        moto.put("key", b"second", WriteOptions(if_absent=True))
    assert moto.get("key").content == b"first"


@pytest.mark.parametrize("options", [
    WriteOptions(metadata={"a b": "x"}), WriteOptions(metadata={"": "x"}), WriteOptions(metadata={"a": "caf\u00e9"}),
    WriteOptions(metadata={"a": "x\r\ny: z"}), WriteOptions(content_type="text/plain\n"),
    WriteOptions(cache_control=" edge"), WriteOptions(metadata={"a": 7})])  # type: ignore[dict-item]
def test_headers_that_cannot_be_sent_are_refused(s3: Worker, options: WriteOptions) -> None:
    with pytest.raises(InvalidInputError):
        s3.put("key", b"content", options)
    assert s3.get("key") is None


# ---- content of every kind


class Pipe:
    """A file that cannot seek and gives little at a time."""

    def __init__(self, content: bytes, piece: int = 1_000_003) -> None:
        self._file = io.BytesIO(content)
        self._piece = piece

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, self._piece) if size >= 0 else self._piece)


FORMS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes, "bytearray": bytearray, "memoryview": memoryview, "file": io.BytesIO, "pipe": Pipe,
    "words": lambda content: memoryview(content.ljust(-(-len(content) // 8) * 8, b"x")).cast("Q")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 8000, 3 * MIB, 17 * MIB])
def test_content_of_every_kind_and_size(s3_server: RunningS3Server, green: bool, form: str, size: int) -> None:
    s3 = open_at(s3_server, green, composite_upload_threshold=9 * MIB)
    content = bytes(range(250)) * (size // 250) + b"x" * (size % 250)
    etag = s3.put("key", FORMS[form](content), PLAIN)
    got = s3.get("key")
    assert got.content == content
    assert got.verified
    assert etag.endswith('-3"') is (size > 9 * MIB)


def test_a_file_is_read_from_where_it_stands(s3: Worker) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    s3.put("key", file, PLAIN)
    assert s3.get("key").content == b"456789"


@pytest.mark.parametrize("content", [io.StringIO("text"), "text", 7, None])
def test_content_that_is_no_bytes_is_refused(s3: Worker, content: Any) -> None:
    with pytest.raises(InvalidInputError):
        s3.put("key", content, PLAIN)


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


def test_flat_pages(s3: Worker) -> None:
    for key in ("a/1", "a/2", "b/c/3", "d"):
        s3.put(key, b"", PLAIN)
    page = s3.list_page(flat=True)
    assert [entry.key for entry in page.entries] == ["d"]
    assert page.prefixes == ["a/", "b/"]
    assert s3.list_page("b/", flat=True).prefixes == ["b/c/"]
    assert s3.isdir("a")
    assert not s3.isdir("d")


def test_bulk_deletes(s3: Worker) -> None:
    keys = [f"key {n}&<" for n in range(30)]
    for key in keys:
        s3.put(key, b"", PLAIN)
    assert s3.delete([*keys[:-1], "never there"]) == {}
    assert [entry.key for entry in s3.list_page().entries] == keys[-1:]


# ---- presigned URLs


def test_presigned_urls_open_what_they_name(s3: Worker) -> None:
    s3.put("a key+%", b"content", PLAIN)
    with urllib.request.urlopen(s3.presign("a key+%", 60, "GET")) as answer:
        assert answer.read() == b"content"
    request = urllib.request.Request(s3.presign("new", 60, "PUT"), b"by URL", method="PUT",
                                     headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(request).close()
    assert s3.get("new").content == b"by URL"


@pytest.mark.parametrize(("expires", "method"), [(0, "GET"), (604801, "GET"), (60, "POST"), (-1, "GET")])
def test_what_cannot_be_presigned(s3: Worker, expires: float, method: str) -> None:
    with pytest.raises(InvalidInputError, match="presign"):
        s3.presign("key", expires, method)
