"""What every cloud's interface does alike, on the servers of each: the scripted ones and the real ones."""

from __future__ import annotations

import io
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from cloudfiles.exceptions import InvalidInputError, InvalidPathError, PreconditionFailedError, ServerError
from cloudfiles.types import WriteOptions
from tests.contents import MIB, numbered
from tests.interfaces import gs_setup, s3_setup
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.gs_setup import open_gs
from tests.interfaces.s3_setup import Worker, open_s3
from tests.selection import some

PLAIN = WriteOptions()

SERVERS = {"fault_server": "crc32", "rclone_s3": "crc32", "moto_s3": "md5", "gcs_server": "crc32c", "azurite": "md5"}
"""The fixture of each server, and how reads of its objects are verified."""


class Open(Protocol):
    """Opens an empty place on the server, or the top of another bucket."""

    def __call__(self, bucket: str | None = None, **options: Any) -> Worker: ...


@pytest.fixture(params=SERVERS)
def server_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_at(request: pytest.FixtureRequest, server_name: str, green: bool) -> Iterator[Open]:
    server: Any = request.getfixturevalue(server_name)
    place = uuid.uuid4().hex[:8]

    def open_at(bucket: str | None = None, **options: Any) -> Worker:
        if server_name == "gcs_server":
            return open_gs(server, green, f"{place}/", bucket=bucket or "bucket", **options)
        if server_name == "azurite":
            return open_azure(f"az://{bucket or server.make_container()}/{place}/", green,
                              **{"secrets": server.secrets, "endpoint": server.endpoint, **options})
        home = server.bucket if server_name == "fault_server" else server.make_bucket()
        return open_s3(f"s3://{server.url}/{bucket or home}/{place}/", green, secrets=server.secrets, **options)

    yield open_at
    s3_setup.close_opened()
    gs_setup.close_opened()


@pytest.fixture
def at(open_at: Open) -> Worker:
    return open_at()


# ---- one object


@pytest.mark.parametrize("size", [0, 1, 7000, MIB])
def test_what_is_put_comes_back_verified(at: Worker, server_name: str, size: int) -> None:
    content = numbered(size)
    etag = at.put("key", content, PLAIN)
    got = at.get("key")
    assert got.content == content
    assert got.verified == SERVERS[server_name]
    assert got.etag == etag == at.head("key")["ETag"] == at.list_page().entries[0].etag
    assert at.size("key") == at.list_page().entries[0].size == size


KEYS = ["a b", "plus+plus", "100%", "a%2Fb", "caf\u00e9/\u6f22", "what?a=b#c", "a&b;c:d@e", "~", "x" * 200, "<a>&amp;",
        "...", "?comp=list", "$root", "'q\"(a)!*"]
IN_OBJECT_STORES = ["a//b", "/leading", "trailing/", " edge "]
"""Keys that no directory holds, as behind rclone."""


def test_keys_are_opaque(at: Worker, server_name: str) -> None:
    """All of them in one place, then each by itself."""
    keys = KEYS if server_name == "rclone_s3" else KEYS + IN_OBJECT_STORES
    for key in keys:
        at.put(key, key.encode(), PLAIN)
    assert {key: at.get(key).content for key in keys} == {key: key.encode() for key in keys}
    assert {key: at.exists(key) for key in keys} == dict.fromkeys(keys, True)
    assert sorted(entry.key for entry in at.list_page().entries) == sorted(keys)
    for number, key in enumerate(keys):
        assert at.delete([key, "not there"]) == {}
        assert at.get(key) is None, key
        assert sorted(entry.key for entry in at.list_page().entries) == sorted(keys[number + 1:])


RANGES = [(None, None), (0, None), (0, 3), (None, 3), (3, None), (2, 5), (2, 2), (7, 100), (50, 60), (10, None),
          (9, None), (-3, None), (-100, None), (-5, -2), (None, -4), (2, -2), (5, 3), (-2, 100), (0, 0)]


@pytest.mark.parametrize("content", [b"0123456789", b""], ids=["ten bytes", "empty"])
def test_ranges_are_slices(at: Worker, content: bytes) -> None:
    at.put("key", content, WriteOptions(encoding="br"))
    assert {(start, end): at.get("key", start, end).content for start, end in RANGES} == {
        (start, end): content[start:end] for start, end in RANGES}
    assert {(start, end): at.get("missing", start, end) for start, end in RANGES} == dict.fromkeys(RANGES)


def test_the_encoding_comes_with_the_bytes(at: Worker) -> None:
    at.put("key", b"encoded", WriteOptions(encoding="br"))
    assert at.get("key").encoding == at.get("key", 1, 3).encoding == at.head("key")["Content-Encoding"] == "br"


def test_missing_objects(at: Worker) -> None:
    assert at.get("missing") is at.head("missing") is at.size("missing") is at.describe("missing") is None
    assert at.exists("missing") is False
    assert not at.isdir("missing")


@pytest.mark.parametrize("use", [
    lambda at: at.get("key"), lambda at: at.head("key"), lambda at: at.exists("key"), lambda at: at.list_page(),
    lambda at: at.put("key", b"", PLAIN), lambda at: at.get("key", -5, -3)],
    ids=["get", "head", "exists", "list", "put", "get from the end"])
def test_a_missing_bucket_is_an_error(open_at: Open, use: Callable[[Worker], object]) -> None:
    with pytest.raises(ServerError, match=r"the (bucket|container) 'no-such-bucket' does not exist") as raised:
        use(open_at("no-such-bucket"))
    assert raised.value.code in ("NoSuchBucket", "ContainerNotFound", "notFound")


def test_an_empty_key_is_refused(at: Worker) -> None:
    with pytest.raises(InvalidPathError, match="empty"):
        at.get("")


# ---- conditional writes


@pytest.mark.parametrize("threshold", [100 * MIB, 1], ids=["at once", "in parts"])
def test_conditional_writes(open_at: Open, threshold: int) -> None:
    at = open_at(composite_upload_threshold=threshold)
    at.put("key", b"first", WriteOptions(if_absent=True))
    etag = at.head("key")["ETag"]  # rclone tells another one at the end of an upload in parts
    with pytest.raises(PreconditionFailedError):
        at.put("key", b"second", WriteOptions(if_absent=True))
    assert at.get("key").content == b"first"
    assert at.put("key", b"second", WriteOptions(if_match=etag)) != etag
    for key in ("key", "missing"):
        with pytest.raises(PreconditionFailedError):
            at.put(key, b"third", WriteOptions(if_match=etag))
    assert at.get("key").content == b"second"
    assert at.get("missing") is None


@pytest.mark.parametrize("options", [
    WriteOptions(metadata={"": "x"}), WriteOptions(metadata={"a": "x\r\ny: z"}),
    WriteOptions(content_type="text/plain\n"), WriteOptions(cache_control=" edge"),
    WriteOptions(metadata={"a": 7})],  # type: ignore[dict-item]
    ids=["no name", "two lines", "content type", "cache control", "a number"])
def test_headers_that_cannot_be_sent_are_refused(at: Worker, options: WriteOptions) -> None:
    with pytest.raises(InvalidInputError):
        at.put("key", b"content", options)
    assert at.get("key") is None


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
    "words": lambda content: memoryview(content).cast("Q")}


@pytest.mark.one_runtime
@pytest.mark.parametrize("form", some(FORMS, ["memoryview", "file", "pipe"]))
@pytest.mark.parametrize("size", [0, 8000, 3 * MIB, 9 * MIB + 8])
def test_content_of_every_kind_and_size(open_at: Open, form: str, size: int) -> None:
    """At once, and, where it is large, in parts."""
    at = open_at(composite_upload_threshold=9 * MIB)
    content = numbered(size)
    at.put("key", FORMS[form](content), PLAIN)
    got = at.get("key")
    assert got.content == content
    assert got.verified


def test_a_file_is_read_from_where_it_stands(at: Worker) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    at.put("key", file, PLAIN)
    assert at.get("key").content == b"456789"


@pytest.mark.parametrize("content", [io.StringIO("text"), "text", 7, None], ids=["text file", "text", "7", "None"])
def test_content_that_is_no_bytes_is_refused(at: Worker, content: Any) -> None:
    with pytest.raises(InvalidInputError):
        at.put("key", content, PLAIN)


# ---- many objects


def test_pages(at: Worker) -> None:
    keys = sorted(f"{name}{n}" for n in range(3) for name in ("a/", "b/c/", "d"))
    for key in keys:
        at.put(key, key.encode(), PLAIN)
    page = at.list_page(limit=2)
    found = list(page.entries)
    while page.next_token is not None:
        page = at.list_page(token=page.next_token, limit=2)
        found += page.entries
    assert [entry.key for entry in found] == keys
    assert [(entry.size, entry.etag) for entry in found] == [(len(key), at.head(key)["ETag"]) for key in keys]
    assert [entry.key for entry in at.list_page("b/").entries] == keys[3:6]


def test_flat_pages(at: Worker) -> None:
    for key in ("a/1", "a/2", "b/c/3", "d"):
        at.put(key, b"", PLAIN)
    page = at.list_page(flat=True)
    assert [entry.key for entry in page.entries] == ["d"]
    assert page.prefixes == ["a/", "b/"]
    assert at.list_page("b/", flat=True).prefixes == ["b/c/"]
    assert at.isdir("a")
    assert not at.isdir("d")


def test_bulk_deletes(at: Worker) -> None:
    keys = [f"key {n}&<%?\u00e9" for n in range(99)]
    for key in keys[:20]:
        at.put(key, b"", PLAIN)
    assert at.delete(keys[1:]) == {}
    assert [entry.key for entry in at.list_page().entries] == keys[:1]


# ---- presigned URLs


@pytest.mark.parametrize("server_name", ["fault_server", "rclone_s3", "moto_s3", "azurite"], indirect=True)
def test_presigned_urls_open_what_they_name(at: Worker, server_name: str) -> None:
    at.put("a key+%", b"content", PLAIN)
    with urllib.request.urlopen(at.presign("a key+%", 60, "GET")) as answer:
        assert answer.read() == b"content"
    headers = {"x-ms-blob-type": "BlockBlob"} if server_name == "azurite" else {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(at.presign("new", 60, "PUT"), b"by URL", method="PUT",
                                                  headers=headers)).close()
    assert at.get("new").content == b"by URL"
