"""What transfers ask of `az://`: reads that are not too large, blobs written in blocks, what killed uploads leave."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.testing import ResetInBody, ResetInHead, Rule, Status
from cloudfiles.types import WriteOptions
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.s3_setup import Worker, close_opened
from tests.internals import Replace
from tests.servers.azure_paths import Path
from tests.servers.azure_server import AzureServer
from tests.servers.azurite import AzuriteServer

pytestmark = pytest.mark.one_runtime

KIB = 1 << 10
CONTENT = os.urandom(100 * KIB + 3)
PLAIN = WriteOptions()
OPTIONS = WriteOptions(content_type="text/x", encoding="br", metadata={"a": "b"})


@pytest.fixture
def server(azure_server: AzureServer, internals: Replace) -> Iterator[AzureServer]:
    internals(azure_part=16 * KIB)
    yield azure_server
    close_opened()


@pytest.fixture
def az(server: AzureServer, green: bool) -> Worker:
    return open_azure(f"az://{server.container}/", green, endpoint=server.endpoint,
                      secrets={"account_name": "account", "account_key": "a2V5"})


# ---- reads that are not too large


def test_a_bounded_read_is_one_request(server: AzureServer, az: Worker) -> None:
    etag = az.put("key", CONTENT, OPTIONS)
    server.forget()
    whole = az.get_bounded("key", len(CONTENT))
    assert (whole.content, whole.encoding, whole.verified, whole.etag) == (CONTENT, "br", "md5", etag)
    assert len(server.requests()) == 1
    declined, described = az.get_bounded("key", len(CONTENT) - 1), az.describe("key")
    assert (declined.content, declined.size) == (None, len(CONTENT))
    for stored in (whole, declined):
        assert az.write_options(stored) == az.write_options(described)
        assert az.digests(stored) == az.digests(described)
    assert az.write_options(whole).metadata == {"a": "b"}
    assert az.get_bounded("missing", 10) is None


def test_a_bounded_read_continues_after_a_break(server: AzureServer, az: Worker) -> None:
    az.put("key", CONTENT, PLAIN)
    server.script(Rule(ResetInBody(50_000), method="GET"))
    assert az.get_bounded("key", len(CONTENT)).content == CONTENT
    assert server.requests("GET")[1].header("range") == "bytes=50000-"


def test_a_directory_is_no_object(server: AzureServer, az: Worker) -> None:
    server._process.call("put_path", "directory", Path(directory=True))
    assert az.get_bounded("directory", 10) is None


# ---- written in blocks


def write(writer: Worker, content: bytes = CONTENT) -> None:
    for start in range(0, len(content), 16 * KIB):
        writer.write(start, content[start:start + 16 * KIB])


@pytest.mark.parametrize("options", [PLAIN, WriteOptions(if_absent=True)], ids=["any", "absent"])
def test_a_commit_whose_answer_was_lost(server: AzureServer, az: Worker, options: WriteOptions) -> None:
    """No md5 tells that the blob is ours: its blocks do."""
    writer = Worker(az.open_writer("key", len(CONTENT), options), az.runtime)
    write(writer)
    server.script(Rule(ResetInHead(), method="PUT", query="blocklist"))
    etag = writer.finish()
    found = server.path("key")
    assert found is not None
    assert (found.content, found.etag) == (CONTENT, etag)


def test_somebody_elses_blob_of_the_same_bytes_is_not_ours(server: AzureServer, az: Worker) -> None:
    first, second = (Worker(az.open_writer("key", len(CONTENT), WriteOptions(if_absent=True)), az.runtime)
                     for _ in range(2))
    for writer in (first, second):
        write(writer)
    first.finish()
    server.script(Rule(Status(500), method="PUT", query="blocklist"))
    with pytest.raises(PreconditionFailedError):
        second.finish()
    with pytest.raises(ServerError):  # its blocks went with the first one's commit
        third = Worker(az.open_writer("key", len(CONTENT), PLAIN), az.runtime)
        write(third)
        az.put("key", b"another's", PLAIN)
        server.script(Rule(Status(400, (("x-ms-error-code", "InvalidBlockList"),)), method="PUT", query="blocklist"))
        third.finish()
    with pytest.raises(InvalidInputError, match="at offset 0"):
        Worker(az.open_writer("new", 5, PLAIN), az.runtime).finish()


def test_what_killed_uploads_leave_goes_by_itself(azurite: AzuriteServer, green: bool,
                                                  internals: Replace) -> None:
    """Blocks that nobody commits cannot be removed without touching the blob: they stay for a week, and show nowhere.
    A later commit of the same blob drops them."""
    internals(azure_part=16 * KIB)
    name = azurite.make_container()
    az = open_azure(f"az://{name}/", green, endpoint=azurite.endpoint, secrets=azurite.secrets)
    etag = az.put("key", b"old", PLAIN)
    write(Worker(az.open_writer("key", len(CONTENT), PLAIN), az.runtime))
    write(Worker(az.open_writer("new", len(CONTENT), PLAIN), az.runtime))
    assert az.discard_interrupted(InterruptedWrites(["key", "new"], 0.0, [], [])) == 0
    assert az.discard_partial("", -5) == 0
    got = az.get("key")
    assert (got.content, got.etag) == (b"old", etag)
    assert [entry.key for entry in az.list_page().entries] == ["key"]
    writer = Worker(az.open_writer("key", len(CONTENT), PLAIN), az.runtime)
    write(writer)
    writer.finish()
    with azurite.client() as client:
        assert client.get_blob_client(name, "key").get_block_list("all")[1] == []
    close_opened()
