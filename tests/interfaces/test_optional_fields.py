"""Answers that leave out what the APIs let them, that lack what they must have, or that no parser can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from cloudfiles.exceptions import CloudFilesError, ProtocolError, UnsupportedOperationError
from cloudfiles.interfaces.gs.composite import PARTS_PREFIX
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.testing import Rule, Status
from cloudfiles.types import WriteOptions
from tests.interfaces.clouds import KEYS, Cloud
from tests.interfaces.gs_setup import close_opened, concat, open_gs
from tests.interfaces.s3_setup import Worker
from tests.internals import Replace
from tests.servers.gcs_server import GcsServer
from tests.servers.lies import Reworded

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
UNIT = 256 * 1024
BELOW = [key.removeprefix("dir/") for key in KEYS if key.startswith("dir/")]

Use = Callable[[Worker], Any]

# ---- Cloud Storage: any field of a resource


GS_FIELDS = ["kind", "size", "generation", "metageneration", "etag", "updated", "crc32c", "storageClass", "md5Hash",
             "contentType", "contentEncoding", "metadata"]


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> Any:
    yield open_gs(gcs_server, green)
    close_opened()


@pytest.mark.parametrize("field", GS_FIELDS)
def test_gs_continues_without(gs: Worker, gcs_server: GcsServer, field: str) -> None:
    gcs_server.configure(resource_hidden=(field,))
    size = 0 if field == "size" else 7
    etag = gs.put("key", b"content", WriteOptions(metadata={"a": "b"}))
    assert (etag is None) is (field == "etag")
    assert gs.exists("key") is True
    assert gs.size("key") == gs.head("key")["Content-Length"] == gs.describe("key").size == size
    assert gs.head("key")["ETag"] == etag
    assert [(entry.key, entry.size) for entry in gs.list_page().entries] == [("key", size)]
    assert gs.get("key").content == gs.get_bounded("key", 100).content == b"content"
    assert gs.write_options(gs.describe("key")).metadata == (None if field == "metadata" else {"a": "b"})
    assert gs.copy_from(gs.interface, "key", "copy", CopyOptions()).size == size
    if field in ("generation", "crc32c", "size"):
        with pytest.raises(CloudFilesError if field == "size" else UnsupportedOperationError):
            concat(gs, ["key", "copy"], "both", PLAIN)
        gs.put("both", b"content" * 2, PLAIN)
    else:
        concat(gs, ["key", "copy"], "both", PLAIN)
    assert gs.get("both").content == b"content" * 2
    assert gs.delete(["key", "copy"]) == {}
    if field == "generation":
        with pytest.raises(ProtocolError, match="no 'generation'"):
            gs.get("both", -4, -2)
    elif field != "size":
        assert gs.get("both", -4, -2).content == b"te"


@pytest.mark.parametrize("field", GS_FIELDS)
def test_gs_parts_continue_without(gs: Worker, gcs_server: GcsServer, green: bool, field: str,
                                   internals: Replace) -> None:
    internals(gs_part=UNIT)
    gcs_server.configure(resource_hidden=(field,))
    content = bytes(range(256)) * 1024 * 40
    large = open_gs(gcs_server, green, composite_upload_threshold=UNIT)
    large.put("key", content, PLAIN)
    assert gs.get("key").content == content
    writer = Worker(large.open_writer("other", 3 * UNIT, PLAIN), large.runtime)
    writer.write(0, content[:UNIT])
    again = Worker(large.open_writer("other", 3 * UNIT, PLAIN, writer.interface.state()), large.runtime)  # type: ignore[attr-defined]
    assert again.written() == (frozenset() if field in ("size", "crc32c") else frozenset([0]))
    gone = large.discard_interrupted(InterruptedWrites(["other"], 0.0, [], []))
    assert gone == 1
    assert list(gcs_server.contents()) == ["place/key"]


@pytest.mark.parametrize(("pattern", "by", "named"), [
    (rb'"size": "7"', b'"size": "seven"', "size"), (rb'"size": "7"', b'"size": ["7"]', "size"),
    (rb'"size": "7"', b'"size": -7', "size"), (rb'"size": "7"', b'"size": "' + b"9" * 5000 + b'"', "size"),
    (rb'"updated": "[^"]*"', b'"updated": "yesterday"', "time"), (rb'"updated": "[^"]*"', b'"updated": 5', "time"),
    (rb'"generation": "\d+"', b'"generation": {}', "generation"),
    (rb'"metadata": {[^}]*}', b'"metadata": [1]', "metadata")])
def test_a_gs_field_that_is_malformed_is_named(gs: Worker, gcs_server: GcsServer, pattern: bytes, by: bytes, named: str
                                               ) -> None:
    gs.put("key", b"content", WriteOptions(metadata={"a": "b"}))
    gcs_server.script(Rule(Reworded(pattern, by), times=None))
    with pytest.raises(ProtocolError, match=named):
        gs.describe("key")


@pytest.mark.parametrize(("pattern", "by", "named"), [
    (rb'"name"', b'"title"', "name"), (rb'"name": "[^"]*"', b'"name": 5', "name"),
    (rb'"name": "[^"]*"', b'"name": null', "name"), (rb'"items": \[.*\]', b'"items": {"a": 1}', "items"),
    (rb'"items": \[.*\]', b'"items": [[1]]', "name"), (rb'"items": \[', b'"prefixes": [1], "items": [', "prefixes"),
    (rb'"items": \[', b'"nextPageToken": {"a": 1}, "items": [', "nextPageToken"),
    (rb'"size": "7"', b'"size": "x"', "size")])
def test_a_gs_listing_that_is_malformed(gs: Worker, gcs_server: GcsServer, pattern: bytes, by: bytes, named: str
                                        ) -> None:
    gs.put("key", b"content", PLAIN)
    gcs_server.put(f"{PARTS_PREFIX}place/key/0/0-000001", b"content")
    gcs_server.script(Rule(Reworded(pattern, by), times=None))
    with pytest.raises(ProtocolError, match=named):
        gs.list_page()
    if named != "size":
        with pytest.raises(ProtocolError, match=named):
            gs.discard_partial("", -5)


@pytest.mark.parametrize("body", [b"{}", b'{"status": "ok"}', b'{"kind": "storage#object"}', b'{"items": []}'])
def test_json_that_is_no_gs_listing_is_not_an_empty_one(gs: Worker, gcs_server: GcsServer, body: bytes) -> None:
    """The answer of a captive portal or of another service: a `sync` with `delete` would remove everything."""
    gs.put("key", b"content", PLAIN)
    gcs_server.script(Rule(Status(200, (("content-type", "application/json"),), body), times=None))
    with pytest.raises(ProtocolError, match="not Cloud Storage"):
        gs.list_page()
    with pytest.raises(ProtocolError, match="not Cloud Storage"):
        gs.discard_partial("", -5)


def test_an_empty_gs_listing(gs: Worker, gcs_server: GcsServer) -> None:
    assert gs.list_page().entries == []
    assert all("fields=kind" in unquote(request.target) for request in gcs_server.requests())


# ---- S3 and Azure: the elements of a listing

OPTIONAL = {"s3": ["ETag", "LastModified", "Size", "StorageClass"],
            "az": ["Content-Length", "Etag", "Last-Modified", "ResourceType", "Content-Type", "Properties"]}
REQUIRED = {"s3": ["Key"], "az": ["Name"]}


def kind(cloud: Cloud) -> str:
    return {"marker": "az", "pageToken": "gs"}.get(cloud.names["token"], "s3")


def without(element: str) -> Reworded:
    return Reworded(rb"(?s)<%b>.*?</%b>" % (element.encode(), element.encode()), b"")


def test_a_listing_without_an_optional_element(cloud: Cloud) -> None:
    cloud.server.configure(page_size=1000)
    for element in OPTIONAL.get(kind(cloud), []):
        cloud.lies(without(element))
        assert sorted(cloud.list()) == sorted(BELOW), element
        sizes = {size for _, size in cloud.list("", False, True)}
        assert sizes == ({None} if element in ("Size", "Content-Length", "Properties") else {7}), element


def test_a_listing_without_a_required_element(cloud: Cloud) -> None:
    cloud.server.configure(page_size=1000)
    for element in REQUIRED.get(kind(cloud), []):
        cloud.lies(without(element))
        with pytest.raises(ProtocolError, match=f"'{element}'"):
            cloud.list()


def test_a_size_that_is_no_number(cloud: Cloud) -> None:
    for bad in (b"seven", b"-7", b"7.0", b"9" * 5000):
        cloud.lies(Reworded(rb'(<(?:Size|Content-Length)>|"size": ")7', rb"\g<1>" + bad))
        with pytest.raises(ProtocolError, match=r"(?i)size|Content-Length"):
            cloud.list("", False, True)


# ---- what no parser can read

DEEP = 20_000
ABSURD = {"deep JSON": b"[" * DEEP, "deep objects": b'{"a":' * DEEP, "deep XML": b"<a>" * DEEP,
          "an encoding nobody knows": b'<?xml version="1.0" encoding="nobodys"?><a/>',
          "a wide encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>', "a number": b"5", "text": b'"x"',
          "a list": b"[{}]", "null": b"null", "bytes": bytes(range(128, 256)) * 10, "NaN": b'{"items": NaN}',
          "a long number": b'{"items": ' + b"9" * 10_000 + b"}", "another document": b"<Another><Thing/></Another>",
          "entities": b'<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "' + b"&a;" * 999 + b'">]><a>&b;&c;</a>'}

ASK: dict[str, Use] = {
    "list": lambda at: at.list_page(), "delete": lambda at: at.delete(["a", "b"]),
    "leftovers": lambda at: at.discard_partial("", 0),
    "copy": lambda at: at.copy_from(at.interface, "a", "copy", CopyOptions()),
    "put": lambda at: at.put("new", b"content", PLAIN), "head": lambda at: at.head("a"),
    "describe": lambda at: at.describe("a"), "cut": lambda at: at.get("a", -3, -1)}


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", ABSURD.values(), ids=ABSURD)
def test_an_absurd_answer_is_an_error_of_ours(cloud: Cloud, body: bytes, status: int) -> None:
    """Or no error at all, where the body of the answer is of no importance."""
    cloud.server.script(Rule(Status(status, (("ETag", '"x"'), ("Content-Type", "application/xml"),), body), times=None))
    for use in ASK.values():
        try:
            use(cloud.at)
        except CloudFilesError as error:
            assert len(str(error)) < 2000  # noqa: PT017 -- which of them fail depends on the cloud
    if status == 200:
        with pytest.raises(ProtocolError):
            cloud.at.list_page()


def test_deep_documents_are_named(cloud: Cloud) -> None:
    body = ABSURD["deep objects"] if kind(cloud) == "gs" else ABSURD["deep XML"]
    cloud.server.script(Rule(Status(200, (), body), times=None))
    with pytest.raises(ProtocolError, match=re.compile("the (listing|response) is not valid (JSON|XML)")):
        cloud.at.list_page()
