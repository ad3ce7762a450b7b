"""`az://` against azurite, which verifies Shared Key, SAS and MD5."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from cloudfiles.exceptions import (
    AuthorizationError,
    InvalidInputError,
    InvalidPathError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.types import WriteOptions
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.s3_setup import Worker, close_opened
from tests.servers.azurite import AzuriteServer

PLAIN = WriteOptions()
MIB = 1 << 20

_containers: dict[int, str] = {}


@pytest.fixture(autouse=True)
def _connections_closed() -> Iterator[None]:
    yield
    close_opened()


def container_of(server: AzuriteServer) -> str:
    if server.pid not in _containers:
        _containers[server.pid] = server.make_container()
    return _containers[server.pid]


def open_at(server: AzuriteServer, green: bool, container: str | None = None, **options: Any) -> Worker:
    """An empty place on `server`."""
    return open_azure(f"az://{container or container_of(server)}/{uuid.uuid4().hex[:8]}/", green,
                      **{"secrets": server.secrets, "endpoint": server.endpoint, **options})


@pytest.fixture
def az(azurite: AzuriteServer, green: bool) -> Worker:
    return open_at(azurite, green)


# ---- one object


@pytest.mark.parametrize("key", ["a/../b", "./x", "..", "a/.", "a\\b", ""])
def test_keys_that_azure_would_resolve_are_refused(az: Worker, key: str) -> None:
    for use in (lambda: az.get(key), lambda: az.put(key, b"", PLAIN), lambda: az.delete([key, "b"])):
        with pytest.raises(InvalidPathError):
            use()


def test_heads(az: Worker) -> None:
    az.put("key", b"content", WriteOptions(
        content_type="text/plain", encoding="br", cache_control="no-store", storage_class="cool",
        metadata={"Color": "red"}, content_disposition="inline", content_language="de"))
    head = az.head("key")
    assert (head["Content-Length"], head["Content-Type"], head["Content-Encoding"], head["Cache-Control"],
            head["Storage-Class"], head["Content-Disposition"], head["Content-Language"]) == (
        7, "text/plain", "br", "no-store", "Cool", "inline", "de")
    assert az.describe("key").headers["x-ms-meta-color"] == "red"
    assert head["Content-md5"] == b64encode(hashlib.md5(b"content").digest()).decode()
    assert az.size("key") == 7
    assert az.get("key").encoding == az.get("key", 1, 3).encoding == "br"


USES: list[Callable[[Worker], object]] = [
    lambda az: az.get("key"), lambda az: az.head("key"), lambda az: az.exists("key"), lambda az: az.list_page(),
    lambda az: az.put("key", b"", PLAIN), lambda az: az.get("key", -5, -3)]


@pytest.mark.parametrize("use", USES)
def test_a_wrong_key_is_refused(azurite: AzuriteServer, green: bool, use: Callable[[Worker], object]) -> None:
    secrets = {**azurite.secrets, "AZURE_STORAGE_KEY": b64encode(b"wrong").decode()}
    with pytest.raises(AuthorizationError, match=r"AuthorizationFailure|AuthenticationFailed"):
        use(open_at(azurite, green, secrets=secrets))


# ---- conditional writes


@pytest.mark.parametrize("options", [
    WriteOptions(metadata={"a b": "x"}), WriteOptions(metadata={"a": "caf\u00e9"}),
    WriteOptions(metadata={"a-b": "x"}), WriteOptions(metadata={"1a": "x"})])
def test_headers_that_cannot_be_sent_are_refused(az: Worker, options: WriteOptions) -> None:
    with pytest.raises(InvalidInputError):
        az.put("key", b"content", options)
    assert az.get("key") is None


def test_blocks_keep_the_options(azurite: AzuriteServer, green: bool) -> None:
    az = open_at(azurite, green, composite_upload_threshold=1000)
    az.put("key", bytes(5000), WriteOptions(content_type="text/x", encoding="gzip", metadata={"a": "b"},
                                            storage_class="Cool"))
    head = az.head("key")
    assert (head["Content-Type"], head["Content-Encoding"], head["Storage-Class"]) == ("text/x", "gzip", "Cool")
    assert az.describe("key").headers["x-ms-meta-a"] == "b"


# ---- many objects


def test_snapshots_and_uncommitted_blocks_do_not_show(az: Worker, azurite: AzuriteServer) -> None:
    az.put("key", b"content", PLAIN)
    with azurite.client() as client:
        root = az.interface._root
        blob = client.get_blob_client(container_of(azurite), root + "key")
        blob.create_snapshot()
        client.get_blob_client(container_of(azurite), root + "staged").stage_block("aaaa", b"x")
    assert [entry.key for entry in az.list_page().entries] == ["key"]
    assert not az.exists("staged")
    errors = az.delete(["key", "other"])
    assert list(errors) == ["key"]
    assert "snapshots" in str(errors["key"])
    with pytest.raises(ServerError, match="snapshots"):
        raise az.delete(["key"])["key"]
    assert az.get("key").content == b"content"


# ---- credentials of every kind


def test_a_sas_opens_what_it_names(az: Worker, azurite: AzuriteServer, green: bool) -> None:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    sas = generate_container_sas(
        azurite.account, container_of(azurite), account_key=azurite.key,
        permission=ContainerSasPermissions(read=True, write=True, list=True, delete=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1))
    by_sas = open_at(azurite, green, secrets={"sas_token": f"?{sas}"})
    by_sas.put("a b", b"content", PLAIN)
    assert by_sas.get("a b", 1, 3).content == b"on"
    assert by_sas.exists("a b")
    assert [entry.key for entry in by_sas.list_page().entries] == ["a b"]
    assert by_sas.delete(["a b", "other"]) == {}
    assert by_sas.get("a b") is None
    with pytest.raises(UnsupportedOperationError, match="narrower"):
        by_sas.presign("key", 60, "GET")


def test_a_public_container_needs_no_credentials(azurite: AzuriteServer, green: bool) -> None:
    name = azurite.make_container(public=True)
    open_azure(f"az://{name}/", green, secrets=azurite.secrets, endpoint=azurite.endpoint).put("key", b"content", PLAIN)
    az = open_azure(f"az://{name}/", green, endpoint=azurite.endpoint, no_sign_request=True)
    assert az.get("key").content == b"content"
    assert [entry.key for entry in az.list_page().entries] == ["key"]
    assert az.get("missing") is None
    assert az.presign("key", 60, "GET") == f"{azurite.endpoint}/{name}/key"


def test_a_private_container_is_not_missing_objects(azurite: AzuriteServer, green: bool) -> None:
    az = open_at(azurite, green, no_sign_request=True, secrets=None)
    with pytest.raises((ServerError, AuthorizationError)):
        az.get("key")


def test_connection_strings(azurite: AzuriteServer, green: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING",
                       f"DefaultEndpointsProtocol=http;AccountName={azurite.account};AccountKey={azurite.key};"
                       f"BlobEndpoint={azurite.endpoint};")
    az = open_azure(f"az://{container_of(azurite)}/{uuid.uuid4().hex}/", green)
    az.put("key", b"content", PLAIN)
    assert az.get("key").content == b"content"


# ---- copies


def test_copies(az: Worker, azurite: AzuriteServer, green: bool) -> None:
    other = open_at(azurite, green)
    az.put("a b+\u00e9", b"content", WriteOptions(content_type="text/x", encoding="br", metadata={"a": "b"}))
    copied = other.copy_from(az.interface, "a b+\u00e9", "copy", CopyOptions())
    assert copied.size == 7
    assert copied.etag == other.head("copy")["ETag"]
    assert other.get("copy").content == b"content"
    head = other.describe("copy").headers
    assert (head["content-type"], head["content-encoding"], head["x-ms-meta-a"]) == ("text/x", "br", "b")
    assert other.copy_from(az.interface, "missing", "copy", CopyOptions()) is None


# ---- presigned URLs


def test_presigned_urls_open_what_they_name(az: Worker) -> None:
    az.put("a key+%", b"content", PLAIN)
    with urllib.request.urlopen(az.presign("a key+%", 60, "GET")) as answer:
        assert answer.read() == b"content"
    request = urllib.request.Request(az.presign("new", 60, "PUT"), b"by URL", method="PUT",
                                     headers={"Content-Type": "text/plain", "x-ms-blob-type": "BlockBlob"})
    urllib.request.urlopen(request).close()
    assert az.get("new").content == b"by URL"
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(az.presign("new", 60, "GET").replace("/new?", "/a%20key%2B%25?"))
    raised.value.close()
    assert raised.value.code == 403


@pytest.mark.parametrize(("expires", "method"), [(0, "GET"), (60, "POST"), (-1, "GET")])
def test_what_cannot_be_presigned(az: Worker, expires: float, method: str) -> None:
    with pytest.raises(InvalidInputError, match="presign"):
        az.presign("key", expires, method)


def test_azurite_has_no_hierarchical_namespace(az: Worker) -> None:
    assert az.capability(Directories) is None
    assert "does not have a hierarchical namespace" in az.reason_without(Directories)
    az.put("key", b"", PLAIN)
    assert az.rename_from(az.interface, "key", "other") is False


def test_large_objects_in_parallel(azurite: AzuriteServer, green: bool) -> None:
    az = open_at(azurite, green, composite_upload_threshold=MIB)
    content = os.urandom(40 * MIB)
    az.put("key", content, PLAIN)
    assert az.get("key").content == content
    assert az.get("key", 33 * MIB, 33 * MIB + 10).content == content[33 * MIB:33 * MIB + 10]


# ---- written in parts


def test_a_blob_is_written_in_parts_by_two_processes(az: Worker, azurite: AzuriteServer, green: bool) -> None:
    content = os.urandom(20 * MIB + 5)
    first = az.open_writer("key", len(content), WriteOptions(content_type="text/x"))
    size = first.part_size
    starts = list(range(0, len(content), size))
    writer = Worker(first, az.runtime)
    for start in reversed(starts[1:]):
        writer.write(start, content[start:start + size])
    with pytest.raises(InvalidInputError, match="at offset 0"):
        writer.finish()
    assert not az.exists("key")
    state = json.loads(json.dumps(first.state()))
    second = Worker(az.open_writer("key", len(content), WriteOptions(content_type="text/x"), state), az.runtime)
    assert second.written() == frozenset(starts[1:])
    second.write(0, memoryview(content)[:size])
    second.finish()
    assert az.get("key").content == content
    assert az.head("key")["Content-Type"] == "text/x"


def test_parts_that_are_none(az: Worker) -> None:
    writer = Worker(az.open_writer("key", 100, PLAIN, {"upload": "0" * 32, "part_size": 10}), az.runtime)
    assert writer.written() == frozenset()
    for start, part in ((5, bytes(10)), (0, bytes(11)), (90, bytes(9))):
        with pytest.raises(InvalidInputError, match="not a part of"):
            writer.write(start, part)
    writer.abort()


def test_an_empty_blob_in_no_parts(az: Worker) -> None:
    Worker(az.open_writer("key", 0, PLAIN), az.runtime).finish()
    assert az.get("key").content == b""
