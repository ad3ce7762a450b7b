"""Objects without a strong ETag: nothing proves that two answers are of one version, so one request reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import urllib3

from cloudfiles import CloudFiles, aio, download_file
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.testing import Replaced, ResetInBody, Rule, S3Server, SetHeader
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.types import StoredObject
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.transfer.conftest import Make, tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 5 // 2)
OTHER = numbered(len(BIG), 1 << 30)


def replaced_after(answers: int, **how: Any) -> Rule:
    """The object is replaced by one of the same size, right after so many answers to GET."""
    return Rule(Replaced(make_object(OTHER, etag="")), method="GET", skip=answers - 1, **how)


def gets(server: S3Server, key: str = "big") -> list[str | None]:
    """The Range of each GET."""
    return [request.header("range") for request in server.requests("GET") if key in request.target]


def source(server: S3Server, store: Make, kind: str, content: bytes = BIG) -> CloudFiles:
    """A place of this kind that holds the object `big`, and tells no ETag of it."""
    cf = store(kind)
    directory = (cf._path.path or "").strip("/")
    if kind == "web":
        server.put_page(f"{directory}/big", content, etag="")
    else:
        server.put(f"{directory}/big", content, etag="")
    assert cf.head("big")["ETag"] is None
    server.forget()
    return cf


@pytest.mark.parametrize("kind", ["s3", "web"])
@pytest.mark.parametrize("target", ["file", "mem", "s3"])
def test_a_large_object_without_an_etag_is_read_by_one_request(server: S3Server, store: Make, kind: str,
                                                               target: str) -> None:
    ours, theirs = source(server, store, kind), store(target)
    server.script(replaced_after(2))
    if kind == "s3" == target:  # another service by its name: it is read, and not copied
        theirs = CloudFiles(theirs.cloudpath, endpoint=server.url.replace("127.0.0.1", "localhost"),
                            secrets=server.secrets)
    theirs.transfer_from(ours, "big")
    assert theirs.get("big") == BIG
    assert gets(server)[:2] == [None, None]  # the first was declined at its head


@pytest.mark.parametrize("kind", ["s3", "web"])
def test_a_weak_etag_proves_nothing(server: S3Server, store: Make, disk: CloudFiles, kind: str) -> None:
    ours = store(kind)
    ours.put("big", BIG)
    server.forget()
    server.script(Rule(SetHeader("etag", 'W/"weak"'), times=None))
    assert ours.transfer_to(disk, "big").ways == {"spool": 1}
    assert disk.get("big") == BIG
    assert gets(server) == [None, None]


def test_one_that_is_replaced_before_it_is_read_is_read_again(server: S3Server, store: Make,
                                                              disk: CloudFiles) -> None:
    """What is told of the object and its content are of one version."""
    ours = source(server, store, "s3")
    larger = make_object(OTHER + b"more", etag="")
    server.script(Rule(Replaced(larger), method="GET", skip=0))
    ours.transfer_to(disk, "big")
    assert disk.get("big") == OTHER + b"more"


def test_a_break_starts_again(server: S3Server, store: Make, disk: CloudFiles) -> None:
    ours = source(server, store, "s3")
    server.script(Rule(ResetInBody(PART * 5 // 4), method="GET", skip=1, times=1))
    ours.transfer_to(disk, "big")
    assert disk.get("big") == BIG
    assert gets(server) == [None] * 3


def test_nothing_is_copied_by_parts(server: S3Server, store: Make, internals: Replace) -> None:
    """Inside one service, where a copy in parts could mix two versions as well."""
    internals(s3_copy_at_once=PART)
    ours = source(server, store, "s3")
    theirs = CloudFiles(f"{ours.cloudpath}to/", endpoint=server.url, secrets=server.secrets)
    theirs.transfer_from(ours)  # listed, so that the size is known
    assert theirs.get("big") == BIG
    assert not [request for request in server.requests("PUT") if request.header("x-amz-copy-source-range")]


# ---- single files


@pytest.mark.parametrize(("kind", "broken"), [
    ("web", False), ("web", True), ("s3", False), ("s3", True), ("aio", False), ("aio", True), ("pool", False)])
def test_a_file_is_downloaded_by_one_request(server: S3Server, store: Make, known: Make, tmp_path: Path, kind: str,
                                             broken: bool) -> None:
    cf = source(server, known if kind == "s3" else store, "s3" if kind == "s3" else "web")
    faults = [Rule(ResetInBody(PART * 5 // 4), method="GET", skip=1, times=1)] if broken else []
    server.script(*faults, replaced_after(3 if broken else 2))
    url, target, told = cf.abspath("big"), tmp_path / "big", []

    def note(done: int, total: int) -> None:
        told.append((done, total))

    async def note_later(done: int, total: int) -> None:
        note(done, total)

    if kind == "aio":
        asyncio.run(aio.download_file(url, target, PART // 8, callback_func=note_later))
    else:
        pool = urllib3.PoolManager() if kind == "pool" else None
        download_file(url, target, PART // 8, pool=pool, callback_func=note)
    assert tree(tmp_path) == {"big": BIG}
    assert told[-1] == (len(BIG), len(BIG))
    assert len(told) > len(BIG) >> 20


@pytest.mark.parametrize("size", [1, PART // 8])
def test_a_file_of_one_chunk_is_one_request(server: S3Server, store: Make, tmp_path: Path, size: int) -> None:
    cf = source(server, store, "web", BIG[:size])
    download_file(cf.abspath("big"), tmp_path / "big", PART // 8)
    assert tree(tmp_path) == {"big": BIG[:size]}
    assert len(gets(server)) == 1


# ---- what is the same


def test_what_tells_that_content_is_the_same() -> None:
    strong, other, weak = (StoredObject(None, etag=etag) for etag in ('"a"', '"b"', 'W/"a"'))
    none, dated = StoredObject(None), StoredObject(None, headers={"last-modified": "today"})
    assert strong.is_same_content(StoredObject(None, etag='"a"'))
    for one, two in ((strong, other), (weak, weak), (none, none), (dated, dated), (strong, none)):
        assert not one.is_same_content(two)
    assert none.may_be_same_content(dated)
    assert not dated.may_be_same_content(StoredObject(None, headers={"last-modified": "yesterday"}))
    assert not weak.may_be_same_content(strong)


def test_any_protocol_reads_by_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says nothing about it reads the object whole."""
    files = CloudFiles(f"file://{tmp_path}/")
    files.put("k", b"content")
    here = files._store.here()
    monkeypatch.setattr(FileInterface, "describe", lambda self, key: StoredObject(None, size=7))
    taken: list[Any] = []
    assert here.stream_to("k", taken.append) is not None
    assert taken == [b"content"]
    assert here.stream_to("none", taken.append) is None
