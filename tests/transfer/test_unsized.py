"""Objects of a web server that does not tell their length: of any size, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import TransportError
from cloudfiles.testing import Chunked, CutChunked, Rule, S3Server
from cloudfiles.transfer.multipart_copy import MultipartCopy
from cloudfiles.transport.wire import ChunkedBody
from tests.contents import numbered
from tests.internals import PART
from tests.transfer.conftest import Make

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 5 // 2)
CHUNKS = Chunked((1, 7, 100_000))


@pytest.fixture
def web(server: S3Server, store: Make) -> Callable[[bytes], CloudFiles]:
    """A web server's place with one object 'k' of this content, which it sends in chunks."""

    def make(content: bytes) -> CloudFiles:
        files = store("web")
        files.put("k", content)
        server.script(Rule(CHUNKS, times=None))
        server.forget()
        return files

    return make


@pytest.mark.parametrize("size", [0, 1000, PART, PART + 1, len(BIG)])
@pytest.mark.parametrize("kind", ["file", "mem", "s3"])
def test_everything_arrives(web: Any, store: Make, kind: str, size: int) -> None:
    target = store(kind)
    done = web(BIG[:size]).transfer_to(target, "k")
    assert target.get("k") == BIG[:size]
    assert (done.bytes, dict(done.ways)) == (size, {"whole" if size <= PART else "spool": 1})


def test_no_more_than_a_small_object_is_in_memory(web: Any, disk: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    feed = ChunkedBody.feed

    def counted(self: ChunkedBody, data: Any) -> Any:
        fed.append(len(data))
        return feed(self, data)

    spooled: list[int] = []
    spool = MultipartCopy._spool

    def begins(self: MultipartCopy) -> Any:
        spooled.append(sum(fed))
        return spool(self)

    monkeypatch.setattr(ChunkedBody, "feed", counted)
    monkeypatch.setattr(MultipartCopy, "_spool", begins)
    web(BIG).transfer_to(disk, "k")
    assert len(spooled) == 1
    assert PART < spooled[0] < PART * 9 // 8  # the rest was left to the temporary file


def test_many_small_ones_share_connections(server: S3Server, store: Make) -> None:
    ours, theirs = CloudFiles(store("web").cloudpath, num_threads=20), store("mem")
    ours.puts((str(n), b"content") for n in range(50))
    server.script(Rule(CHUNKS, times=None))
    server.forget()
    ours.transfer_to(theirs, [str(n) for n in range(50)])
    assert len({request.connection for request in server.requests("GET")}) <= 20


@pytest.mark.parametrize("size", [1000, len(BIG)])
def test_a_body_that_is_cut_short_is_read_again(server: S3Server, store: Make, disk: CloudFiles, size: int) -> None:
    ours = store("web")
    ours.put("k", BIG[:size])
    server.script(Rule(CutChunked((1000,)), method="GET", times=2), Rule(CHUNKS, times=None))
    ours.transfer_to(disk, "k")
    assert disk.get("k") == BIG[:size]


def test_one_that_always_breaks_leaves_nothing(server: S3Server, store: Make, disk: CloudFiles) -> None:
    ours = store("web")
    ours.put("k", BIG)
    server.script(Rule(CutChunked((100_000,)), method="GET", times=None), Rule(CHUNKS, times=None))
    with pytest.raises(TransportError):
        ours.transfer_to(disk, "k")
    assert list(disk.list()) == []
