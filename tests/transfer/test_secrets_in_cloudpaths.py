"""Secrets in a cloudpath (`http://user:password@host`, `?sig=`) stay where they were given."""

from __future__ import annotations

import logging
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import Bucket, CloudFile, CloudFiles, Downloader, ResumableTransfer, paths
from cloudfiles.exceptions import CloudFilesError, JournalError, MissingCredentialsError, redact
from cloudfiles.tasks.transfer_task import TransferTask
from cloudfiles.testing import Rule, S3Server, Status


@pytest.fixture
def url(fault_server: S3Server) -> str:
    """A web server's directory, by a URL that has two secrets in it."""
    fault_server.configure(read_only=False)
    CloudFiles(f"{fault_server.url}/site/").puts([("a", b"1"), ("dir/b", b"2")])
    host = fault_server.url.removeprefix("http://")
    return f"http://me:SECRET1@{host}/site/?sig=SECRET2"


def _renewed(url: str) -> str:
    return url.replace("SECRET1", "RENEWED1").replace("SECRET2", "RENEWED2")


def _has_secret(text: str | bytes) -> bool:
    text = text if isinstance(text, bytes) else text.encode()
    return b"SECRET" in text or b"RENEWED" in text


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_what_shows_of_a_store(url: str, caplog: pytest.LogCaptureFixture, fault_server: S3Server) -> None:
    cf = CloudFiles(url)
    assert cf.get("a") == b"1"
    bucket = Bucket(url)
    shown = [repr(cf), repr(cf._store), repr(cf._path), repr(CloudFile(url.replace("/site/?", "/site/a?"))),
             repr(cf._store.here()), repr(bucket), bucket.uuid, bucket.description, str(bucket.to_json()),
             repr(paths.extract(url)), str(cf._store.location)]
    fault_server.script(Rule(Status(503), times=1), Rule(Status(403), times=None))
    with caplog.at_level(logging.DEBUG), pytest.raises(CloudFilesError) as caught:
        cf.get(["a", "dir/b"])
    error = caught.value
    shown += [str(error), repr(error), str(vars(error)), pickle.dumps(error).decode("latin-1"), caplog.text]
    for text in shown:
        assert not _has_secret(text), text
    assert cf.cloudpath == url  # it is the caller's own


def test_pickles_name_the_secret_and_do_not_hold_it(url: str, tmp_path: Path) -> None:
    cf = CloudFiles(url)
    pickled = pickle.dumps([cf, CloudFile(url.replace("/site/?", "/site/a?")), Bucket(url)])
    assert not _has_secret(pickled)
    again, file, _ = pickle.loads(pickled)
    assert (again.cloudpath, again.get("a"), file.get()) == (url, b"1", b"1")
    (tmp_path / "pickle").write_bytes(pickle.dumps(cf))
    program = ("import pickle, sys; cf = pickle.load(open(sys.argv[1], 'rb')); print(cf)\n"
               "try: cf.get('a')\nexcept Exception as error: print(type(error).__name__, error)")
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path / "pickle")], capture_output=True, text=True,
                          check=True).stdout
    assert "MissingCredentialsError" in said
    assert "Provide it again" in said
    assert redact(url) in said


def test_a_journal_is_private_and_holds_no_secret(url: str, tmp_path: Path) -> None:
    journal, target = tmp_path / "journal", f"file://{tmp_path}/target/"
    umask = os.umask(0)
    try:
        ResumableTransfer(journal).init(url, target, paths=["a", "dir/b"])
    finally:
        os.umask(umask)
    for path in tmp_path.glob("journal*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not _has_secret(path.read_bytes())
    with pytest.raises(MissingCredentialsError, match="src="):
        ResumableTransfer(journal).execute()
    with pytest.raises(JournalError):
        ResumableTransfer(journal, src="http://me:SECRET1@elsewhere/site/?sig=SECRET2").execute()
    assert ResumableTransfer(journal, src=_renewed(url)).execute().bytes > 1
    assert CloudFiles(target).get("dir/b") == b"2"
    for path in tmp_path.glob("journal*"):
        assert not _has_secret(path.read_bytes())


def test_a_journal_of_the_same_transfer_by_other_secrets_is_started_again(url: str, tmp_path: Path) -> None:
    rt = ResumableTransfer(tmp_path / "journal")
    rt.init(url, "mem://secrets/target", paths=["a"])
    assert rt.init(_renewed(url), "mem://secrets/target", paths=["a", "dir/b"]) == 2
    assert rt.execute().bytes > 1


def test_a_saved_transfer_is_private_and_holds_no_secret(url: str, home: Path, tmp_path: Path,
                                                         fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(403), method="GET", times=None))
    with pytest.raises(CloudFilesError):
        Downloader(url, "a", tmp_path / "a")
    saved = _files(home / ".cloudfiles" / "transfers")
    assert saved
    for path in saved:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not _has_secret(path.read_bytes())
    fault_server.script()
    [task] = Downloader.load().values()
    with pytest.raises(MissingCredentialsError, match="load"):
        task.run()
    assert not (tmp_path / "a").exists()
    for store in (_renewed(url), CloudFiles(_renewed(url))):
        [task] = Downloader.load(store=store).values()
        assert isinstance(task, TransferTask)
        assert not task._cf._store.lacks_secret
    task.run()
    assert (tmp_path / "a").read_bytes() == b"1"
    assert Downloader.load() == {}


def test_a_bucket_told_as_json_gets_its_secret_again(url: str) -> None:
    told = Bucket(url).to_json()
    assert not _has_secret(str(told))
    again = Bucket.from_json(told, cloudpath=url)
    assert "a" in again


def test_progress_shows_no_secret(url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    CloudFiles(url, progress=True).transfer_to(f"file://{tmp_path}", ["a", "dir/b"])
    assert not _has_secret(capsys.readouterr().err)


def test_workers_of_ours_know_the_secret(url: str) -> None:
    found: Any = CloudFiles(url, parallel=2).get(["a", "dir/b"])
    assert [one["content"] for one in found] == [b"1", b"2"]
