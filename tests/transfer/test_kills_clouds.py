"""Transfers to Google Cloud Storage, Azure and HDFS whose process is killed at random points, and resumed each time."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.partial_upload import PartialUpload
from cloudfiles.types import WriteOptions
from tests.internals import PART
from tests.servers.azurite import AzuriteServer
from tests.servers.gcs_server import GcsServer
from tests.servers.webhdfs_server import WebHdfsServer
from tests.transfer.killed import opened
from tests.transfer.test_kills import Killed, done_of, processes  # noqa: F401 -- the latter is a fixture

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL and no forks")


class Account(NamedTuple):
    """A server as `Killed` reaches it."""

    url: str
    secrets: Any


@pytest.fixture(scope="module")
def contents(full: bool) -> dict[str, bytes]:
    chance = random.Random(5)
    small = {f"d{n % 3}/{n:04}": chance.randbytes(chance.choice([0, 10, 20_000])) for n in range(60)}
    return small | {f"large/{n}": chance.randbytes(PART * (9 + n) // 8 + n) for n in range(4 if full else 2)}


def interrupted_again_and_again(context: Any, account: Account, target: str, directory: Path,
                                contents: dict[str, bytes], seed: int, full: bool) -> CloudFiles:
    """Everything carried to `target`, by processes that die, and a last one that does not."""
    for key, content in contents.items():
        (directory / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (directory / "in" / key).write_bytes(content)
    source = f"file://{directory}/in/"
    there = opened(target, account.secrets, account.url)
    rt = ResumableTransfer(directory / "journal")
    assert rt.init(source, there) == len(contents)
    worker = Killed(context, directory / "journal", (source, target), account)
    chance = random.Random(seed)
    anywhere, in_parts = (4, 8) if full else (2, 3)
    points = ([(chance.randrange(1, 60), "any") for _ in range(anywhere)]
              + [(chance.randrange(1, 16), "parts") for _ in range(in_parts)])
    done: set[str] = set()
    for die_at, steps in points:
        worker.run(die_at, steps)
        assert done <= done_of(rt)
        done = done_of(rt)
        assert {key: there.get(key) for key in done} == {key: contents[key] for key in done}
    report = rt.execute()
    assert report
    assert report.half_done == 0
    assert rt.close()
    return there


def test_to_google(processes: Any, gcs_server: GcsServer, tmp_path: Path,  # noqa: F811
                   contents: dict[str, bytes], full: bool) -> None:
    interrupted_again_and_again(processes, Account(gcs_server.url, None), f"gs://{gcs_server.bucket}/to/", tmp_path,
                                contents, 3, full)
    assert gcs_server.contents() == {f"to/{key}": content for key, content in contents.items()}  # and no parts


def test_to_azure(processes: Any, azurite: AzuriteServer, tmp_path: Path,  # noqa: F811
                  contents: dict[str, bytes], full: bool) -> None:
    container = azurite.make_container()
    there = interrupted_again_and_again(processes, Account(azurite.endpoint, azurite.secrets), f"az://{container}/",
                                        tmp_path, contents, 4, full)
    assert {key: there.get(key) for key in there} == contents
    with azurite.client() as client:
        for key in contents:
            assert client.get_blob_client(container, key).get_block_list("all")[1] == []


def test_killed_around_the_composing(processes: Any, gcs_server: GcsServer, tmp_path: Path) -> None:  # noqa: F811
    """At each step after the last part of a large object: while it is composed, and while the parts are removed."""
    content = random.Random(6).randbytes(PART * 9 // 8 + 5)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "key").write_bytes(content)
    stores = f"file://{tmp_path}/in/", f"gs://{gcs_server.bucket}/"
    composed_with_parts_left = 0
    for die_at in itertools.count(1):
        gcs_server.reset()
        rt = ResumableTransfer(tmp_path / "journal")
        rt.init(stores[0], opened(stores[1], None, gcs_server.url))
        worker = Killed(processes, tmp_path / "journal", stores, Account(gcs_server.url, None))
        was_killed = worker.run(die_at, "composing")
        composed_with_parts_left += was_killed and "key" in gcs_server.contents() and len(gcs_server.contents()) > 1
        assert rt.execute().done == 1
        assert gcs_server.contents() == {"key": content}
        assert rt.close()
        if not was_killed:
            break
    assert composed_with_parts_left


def test_composed_before_its_record_was_lost(gcs_server: GcsServer, tmp_path: Path) -> None:
    """The object is there, and so are its parts, which the journal would go on with."""
    content = random.Random(6).randbytes(PART * 9 // 8 + 5)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "key").write_bytes(content)
    source, target = CloudFiles(f"file://{tmp_path}/in/"), opened(f"gs://{gcs_server.bucket}/", None, gcs_server.url)
    rt = ResumableTransfer(tmp_path / "journal")
    rt.init(source, target)
    writer = target._store.here().open_writer("key", len(content), WriteOptions())
    assert writer is not None
    writer.write(0, content[:PART])
    source.transfer_to(target, "key")
    assert len(gcs_server.contents()) == 2
    journal = Journal(str(tmp_path / "journal"))
    journal.save_partial_uploads([(1, PartialUpload(source.head("key")["ETag"], len(content), writer.state(), {}))])
    journal.close()
    gcs_server.forget()
    assert rt.execute().done == 1
    assert gcs_server.contents() == {"key": content}
    assert not [request for request in gcs_server.requests("POST") if "upload" in request.target]


def test_to_hdfs(processes: Any, webhdfs_server: WebHdfsServer, tmp_path: Path,  # noqa: F811
                 contents: dict[str, bytes], full: bool) -> None:
    interrupted_again_and_again(processes, Account(webhdfs_server.url, {"user": "me"}), "webhdfs://cluster/to/",
                                tmp_path, contents, 5, full)
    assert webhdfs_server.files() == {f"/to/{key}": content for key, content in contents.items()}
