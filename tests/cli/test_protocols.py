"""The same commands on every protocol that another process can reach."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.cli.conftest import Outcome
from tests.servers.azurite import AzuriteServer
from tests.servers.gcs_server import GcsServer
from tests.servers.webhdfs_server import WebHdfsServer

Cli = Callable[..., Outcome]


@pytest.fixture(scope="session")
def _google() -> Iterator[GcsServer]:
    with GcsServer() as server:
        yield server


@pytest.fixture(params=["file", "s3", "gs", "webhdfs"])
def place(request: pytest.FixtureRequest, store: S3Server, _google: GcsServer, webhdfs_server: WebHdfsServer,
          tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cloudpath below which there is nothing."""
    for name, value in store.secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", _google.url)
    own = f"cli-{abs(hash(str(tmp_path)))}"
    monkeypatch.setenv("HADOOP_USER_NAME", "me")
    buckets = {"s3": "commands", "gs": "bucket", "webhdfs": f"{webhdfs_server.authority}/home"}
    return str(tmp_path / own) if request.param == "file" else f"{request.param}://{buckets[request.param]}/{own}"


def test_an_everyday_session(cli: Cli, place: str, tmp_path: Path) -> None:
    everyday_session(cli, place, tmp_path)


def test_an_everyday_session_on_azure(cli: Cli, azurite: AzuriteServer, tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName={azurite.account};AccountKey={azurite.key};"
                                                          f"BlobEndpoint={azurite.endpoint}")
    everyday_session(cli, f"az://{azurite.make_container()}/dir", tmp_path)


def everyday_session(cli: Cli, place: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    CloudFiles(source).puts([("a.txt", b"a"), ("sub/b.txt", b"bb"), ("sub/c.bin", b"ccc")])
    for file in source.rglob("*.*"):
        os.utime(file, (1.6e9, 1.6e9))  # not within a second of the copy, where HDFS has no digests to compare

    def ok(*arguments: str) -> str:
        outcome = cli(*arguments)
        assert outcome.status == 0, outcome.errors
        return outcome.output

    ok("cp", "-r", str(source), f"{place}/copy")
    assert len(ok("ls", f"{place}/copy/").splitlines()) == 3
    assert ok("ls", "--flat", f"{place}/copy/").splitlines()[-1].endswith("copy/sub/")
    assert ok("cat", f"{place}/copy/sub/b.txt") == "bb"
    assert ok("cat", "-r", "0-1", f"{place}/copy/sub/c.bin") == "c"
    assert "'Content-Length': 3" in ok("head", f"{place}/copy/sub/c.bin")
    assert ok("du", "-s", f"{place}/copy").split() == ["6", f"{place}/copy"]
    assert len(ok("find", f"{place}/copy", "--name", "*.txt").splitlines()) == 2
    # HDFS has no digests that could be compared with those of other stores.
    ok("verify", *["--read"] * place.startswith("webhdfs"), str(source), f"{place}/copy")
    (source / "new").write_text("new")
    assert "1 copied" in cli("sync", str(source), f"{place}/copy").errors
    ok("mv", f"{place}/copy/new", f"{place}/copy/sub/moved")
    ok("cp", f"{place}/copy/**", f"{place}/again/")
    assert len(ok("ls", f"{place}/again/").splitlines()) == 4
    ok("cp", "-r", f"{place}/again", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "moved").read_text() == "new"
    ok("rm", f"{place}/copy/*.txt")
    ok("rm", "-r", f"{place}/copy", f"{place}/again")
    assert cli("ls", f"{place}/copy/").status == 1


def test_a_web_server(cli: Cli, store: S3Server, tmp_path: Path) -> None:
    cf = CloudFiles(store.cloudpath("web/"), secrets=store.secrets)
    cf.put("dir/a b.txt", b"content")
    url = cf.presign("dir/a b.txt")
    assert cli("cat", url).output == "content"
    assert cli("cp", url, str(tmp_path / "copy")).status == 0
    assert (tmp_path / "copy").read_bytes() == b"content"
