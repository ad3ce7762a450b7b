"""A source that does not exist is no empty one: whatever transfers everything from it says so, and what was meant."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudfiles
from cloudfiles import CloudFiles, ResumableTransfer, Uploader
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.exceptions import MissingObjectError
from cloudfiles.testing import S3Server
from tests.transfer.conftest import Make, tree

pytestmark = pytest.mark.one_runtime

VERBS: dict[str, Callable[[str, str, Path], Any]] = {
    "transfer_to": lambda source, target, _: CloudFiles(source).transfer_to(target),
    "transfer_from": lambda source, target, _: CloudFiles(target).transfer_from(source),
    "[:] =": lambda source, target, _: CloudFiles(target).__setitem__(slice(None), source),
    "resumable": lambda source, target, _: CloudFiles(source).transfer_to(target, resumable=True),
    "sync": lambda source, target, _: cloudfiles.sync(source, target),
    "dry sync": lambda source, target, _: cloudfiles.sync(source, target, dry_run=True),
    "sync with delete": lambda source, target, _: cloudfiles.sync(source, target, delete=True, max_delete=None),
    "verify": lambda source, target, _: cloudfiles.verify(source, target),
    "journal": lambda source, target, tmp: ResumableTransfer(tmp / "x.db").init(source, target),
    "listed by another": lambda source, target, tmp: ResumableTransfer(tmp / "y.db").init(target, target + "2", source),
    "aio": lambda source, target, _: asyncio.run(AsyncCloudFiles(source).transfer_to(target)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_directory_that_does_not_exist(tmp_path: Path, verb: str) -> None:
    (tmp_path / "results").mkdir()
    CloudFiles(f"file://{tmp_path}/target/").put("kept", b"")
    with pytest.raises(MissingObjectError, match=f"does not exist; did you mean file://{tmp_path}/results\\?"):
        VERBS[verb](f"file://{tmp_path}/reslts", f"file://{tmp_path}/target", tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        VERBS[verb](str(tmp_path / "no" / "such"), f"file://{tmp_path}/target", tmp_path)
    assert {name for name in tree(tmp_path) if ".db" not in name} == {"target/kept"}


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_directory_is_a_source(tmp_path: Path, verb: str) -> None:
    (tmp_path / "source").mkdir()
    CloudFiles(f"file://{tmp_path}/target/").put("x/y", b"")
    VERBS[verb](f"file://{tmp_path}/source/", f"file://{tmp_path}/target", tmp_path)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(MissingObjectError, match="is a file"):
        cloudfiles.sync(str(tmp_path / "x"), str(tmp_path / "y"))


def test_a_directory_need_not_exist_to_be_written_or_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cf = CloudFiles("new/one")
    assert (list(cf), cf.get("a"), cf.exists("a")) == ([], None, False)
    cf.put("a", b"1")
    CloudFiles(str(tmp_path / "new")).transfer_to("two/there")
    assert tree(tmp_path) == {"new/one/a": b"1", "two/there/one/a": b"1"}


def test_uploaders_and_buckets(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Uploader("mem://bucket/x/", "", str(tmp_path / "none"))


@pytest.mark.parametrize("kind", ["mem", "s3", "gs", "az"])
def test_an_empty_prefix_is_told(store: Make, kind: str, disk: CloudFiles, caplog: pytest.LogCaptureFixture) -> None:
    """An object store has no directories, so that this may be right."""
    cf = store(kind)
    cf.put("results/a", b"1")
    target = CloudFiles(disk.cloudpath)
    with caplog.at_level(logging.WARNING, "cloudfiles"):
        assert target.transfer_from(_below(cf, "reslts/")).copied == 0
        assert target.transfer_from(_below(cf, "results/")).copied == 1
    [said] = [record.getMessage() for record in caplog.records if "no objects below" in record.getMessage()]
    assert said.endswith(f"did you mean {cf.cloudpath.rstrip('/')}/results?")


def _below(cf: CloudFiles, path: str) -> CloudFiles:
    found = CloudFiles("mem://x/")
    found._store = cf._store.at(cf.abspath(path))
    return found


def test_an_empty_bucket_is_a_source(caplog: pytest.LogCaptureFixture) -> None:
    CloudFiles("mem://empty-bucket/").transfer_to("mem://other/x/")
    assert not caplog.records


def test_a_web_directory_that_does_not_exist(server: S3Server, disk: CloudFiles) -> None:
    page = b"<html><head><title>Index of /d/</title></head><body><pre><a href='e/'>e/</a></pre></body></html>"
    server.put_page("d/", page, headers={"content-type": "text/html"})
    with pytest.raises(MissingObjectError, match="does not exist"):
        disk.transfer_from(f"{server.url}/d/none/")


def test_several_levels_up(tmp_path: Path) -> None:
    """Nothing is guessed where nothing is near."""
    os.makedirs(tmp_path / "a")
    with pytest.raises(MissingObjectError) as caught:
        cloudfiles.sync(str(tmp_path / "quite" / "different"), str(tmp_path / "b"))
    assert "did you mean" not in str(caught.value)
