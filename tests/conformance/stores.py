"""The stores that the suite runs against, each a fresh place to put objects."""

from __future__ import annotations

import gzip
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.conformance.azure_store import azurite_place
from tests.servers.gcs_server import GcsServer
from tests.servers.hadoop import HadoopServer
from tests.servers.processes import RunningS3Server, Server
from tests.servers.webhdfs_server import WebHdfsServer


@dataclass
class StoreUnderTest:
    """One store, and an empty place in it.

    Attributes:
        cloudpath: the place; another one for each test.
        options: what `CloudFiles` needs to reach it.
        root: the directory that shows up there, where objects are put behind its back.
        new_bucket: makes a bucket and returns its name, on S3.
    """

    name: str
    cloudpath: str
    options: dict[str, Any] = field(default_factory=dict)
    root: Path | None = None
    new_bucket: Callable[[], str] | None = None

    def cf(self, **more: Any) -> CloudFiles:
        return CloudFiles(self.cloudpath, **{**self.options, **more})

    def seed(self, contents: Mapping[str, bytes]) -> None:
        """Put plain objects there by another way than the one under test, where there is one."""
        if self.root is None:
            self.cf().puts(list(contents.items()))
            return
        for key, content in contents.items():
            path = self.root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def at_top(self) -> StoreUnderTest:
        """The top of a new bucket on S3, so that a key can be as long as the store takes it; else this place."""
        return self if self.new_bucket is None else replace(self, cloudpath=f"s3://{self.new_bucket()}/")

    def below(self, number: int) -> StoreUnderTest:
        """A place inside; the same one at the top of a bucket, where keys may be as long as the store takes them."""
        if self.cloudpath.startswith("s3://"):
            return self
        return replace(self, cloudpath=f"{self.cloudpath}{number}/")

    def keeps(self, key: str) -> bytes | None:
        """The stored bytes of an object, as they are."""
        content: bytes | None = self.cf().get(key, raw=True)
        return content


Request = pytest.FixtureRequest


def _mem(request: Request) -> StoreUnderTest:
    return StoreUnderTest("mem", f"mem://bucket/{_fresh()}/")


def _file(request: Request) -> StoreUnderTest:
    directory: Path = request.getfixturevalue("tmp_path") / "store"
    return StoreUnderTest("file", f"file://{directory}/")


def _scripted(request: Request) -> StoreUnderTest:
    server: S3Server = request.getfixturevalue("fault_server")
    server.configure(secret_key="secretkey1234567")
    return StoreUnderTest("scripted", f"s3://{server.bucket}/{_fresh()}/",
                          {"endpoint": server.url, "secrets": server.secrets},
                          new_bucket=lambda: server.make_bucket(f"bucket-{_fresh()}"))


_buckets: dict[int, str] = {}


def _real_s3(server: RunningS3Server) -> StoreUnderTest:
    bucket = _buckets.get(server.pid)
    if bucket is None:
        bucket = _buckets[server.pid] = server.make_bucket()
    return StoreUnderTest(server.name, f"s3://{bucket}/{_fresh()}/",
                          {"endpoint": server.url, "secrets": server.secrets}, new_bucket=server.make_bucket)


def _emulated_gs(server: Server) -> StoreUnderTest:
    # Each of its writes takes time in proportion to all that it holds.
    with urllib.request.urlopen(f"{server.url}/wipe?keep-buckets=1"):
        pass
    # It lets no more than five connections wait; the sixth tries again after a second.
    return StoreUnderTest("gs", f"gs://bucket/{_fresh()}/", {"endpoint": server.url, "num_threads": 4})


def _scripted_gs(request: Request) -> StoreUnderTest:
    server: GcsServer = request.getfixturevalue("gcs_server")
    server.configure(token="t0k3n")
    return StoreUnderTest("gs-scripted", f"gs://{server.bucket}/{_fresh()}/",
                          {"endpoint": server.url, "secrets": {"token": "t0k3n"}})


def _scripted_webhdfs(request: Request) -> StoreUnderTest:
    server: WebHdfsServer = request.getfixturevalue("webhdfs_server")
    server.configure(parameter="user.name=me")
    return StoreUnderTest("webhdfs", f"webhdfs://me@{server.authority}/{_fresh()}/")


def _hadoop(request: Request) -> StoreUnderTest:
    server: HadoopServer = request.getfixturevalue("hadoop")
    return StoreUnderTest("hadoop", f"webhdfs://{server.user}@{server.authority}/{_fresh()}/")


def _web(request: Request) -> StoreUnderTest:
    server: S3Server = request.getfixturevalue("fault_server")
    server.configure(read_only=False)
    return StoreUnderTest("web", f"{server.url}/site/")


def _real_web(server: Server) -> StoreUnderTest:
    name = _fresh()
    assert server.root is not None
    root = server.root / name
    root.mkdir()
    return StoreUnderTest(server.name, f"{server.url}/{name}/", root=root)


def _fresh() -> str:
    return uuid.uuid4().hex[:12]


STORES: dict[str, Callable[[Request], StoreUnderTest]] = {
    "mem": _mem,
    "file": _file,
    "scripted": _scripted,
    "rclone": lambda request: _real_s3(request.getfixturevalue("rclone_s3")),
    "moto": lambda request: _real_s3(request.getfixturevalue("moto_s3")),
    "gs": lambda request: _emulated_gs(request.getfixturevalue("gcs_emulator")),
    "gs-scripted": _scripted_gs,
    "az": lambda request: StoreUnderTest("az", *azurite_place(request)),
    "webhdfs": _scripted_webhdfs,
    "hadoop": _hadoop,
    "web": _web,
    "nginx": lambda request: _real_web(request.getfixturevalue("nginx")),
    "caddy": lambda request: _real_web(request.getfixturevalue("caddy")),
}
"""By the name under which the tables know them. `scripted` is S3, `webhdfs` WebHDFS, `web` plain HTTP, of our own
server."""

READ_ONLY = frozenset({"nginx", "caddy"})
"""Web servers that take no PUT, as most do; objects are put into the directory that they serve."""

RUNTIMES: dict[str, dict[str, Any]] = {
    "green": {"green": True}, "threads": {"green": False}, "inline": {"num_threads": 0},
}
INLINE = frozenset({"mem", "file", "scripted", "web"})
"""Where the third of them is tried too: the workers' calls are the same, and these stores are quick."""
DEFAULT_STORES = {"threads": frozenset({"mem", "file", "scripted"}), "inline": frozenset({"file"})}
"""Where a run without `--full` tries the second and the third of them."""


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
