"""Stores to move data between: each a fresh, empty place."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.exceptions import TransferFailedError, TransportError
from cloudfiles.testing import S3Server
from cloudfiles.transfer.multipart_copy import MultipartCopy
from cloudfiles.transfer.partial_upload import PartTracker
from tests.conformance.stores import STORES
from tests.internals import PART, SMALL_PARTS, Replace
from tests.selection import servers_of

SECRET = "secretkey1234567"
MIB = 1 << 20


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_parts: the test has parts as large as they are outside of tests")


@pytest.fixture(autouse=True)
def _as_new(internals: Replace) -> None:
    internals(bucket_regions={})


@pytest.fixture(autouse=True)
def _small_parts(request: pytest.FixtureRequest, internals: Replace) -> None:
    if request.node.get_closest_marker("real_parts") is None and "moto_s3" not in servers_of(request.node):
        internals(**SMALL_PARTS)  # moto takes no parts below 5 MiB


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    """The scripted server: it verifies signatures, and wants parts of five eighths of `PART`."""
    fault_server.configure(secret_key=SECRET, min_part_size=PART * 5 // 8, read_only=False)
    return fault_server


@pytest.fixture
def s3(server: S3Server, green: bool) -> CloudFiles:
    return CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets, green=green)


@pytest.fixture
def disk(tmp_path: Path) -> CloudFiles:
    return CloudFiles(f"file://{tmp_path}/disk/")


@pytest.fixture
def mem() -> CloudFiles:
    return CloudFiles(f"mem://{uuid.uuid4().hex[:8]}/x/")


Make = Callable[[str], CloudFiles]


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """`store(kind)`: a new place on 'web' or one of `KINDS`."""

    def make(kind: str) -> CloudFiles:
        name = uuid.uuid4().hex[:8]
        if kind == "mem":
            return CloudFiles(f"mem://{name}/x/")
        if kind == "file":
            return CloudFiles(f"file://{tmp_path}/{name}/")
        if kind in STORES and kind != "web":
            return STORES[kind](request).cf()
        server: Any = request.getfixturevalue("server")
        if kind == "web":
            return CloudFiles(f"{server.url}/{name}/")
        return CloudFiles(f"s3://{server.bucket}/{name}/", endpoint=server.url, secrets=server.secrets)

    return make


KINDS = ("mem", "file", "s3", "rclone", "moto", "gs", "gs-scripted", "az")
"""Stores that can be listed and written to: our own, the scripted ones, and real servers."""


_NO_ENCODING = "gcp-storage-emulator answers reads without the Content-Encoding"
_COLLIDES = "rclone keeps no object beside others that are below its name"

EXCEPTIONS = {
    ("gs", "test_files_come_decoded_under_their_own_names"): _NO_ENCODING,
    ("rclone", "test_only_the_remote_directory_is_synchronized"): _COLLIDES,
}
"""(store, test function) -> what the server cannot do. Tests of these fail, and are run to see that they still do."""

_SLOW_FAILURES = {_COLLIDES}


@pytest.fixture(params=KINDS)
def cf(request: pytest.FixtureRequest, store: Make) -> CloudFiles:
    """A new place on each of them in turn."""
    reason = EXCEPTIONS.get((request.param, request.node.originalname))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, run=reason not in _SLOW_FAILURES, strict=True))
    return store(request.param)


@pytest.fixture
def known(request: pytest.FixtureRequest, store: Make, home: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """As `store`, at places to which their cloudpath alone leads: endpoint and secrets lie where users keep them."""
    files = {"s3": ("aws-secret.json", "AWS_ENDPOINT_URL"), "az": ("azure-secret.json", "AZURE_STORAGE_ENDPOINT")}

    def make(kind: str) -> CloudFiles:
        cf = store(kind)
        options = cf._store.options
        if cf.protocol == "gs":
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", str(options.endpoint))
            request.getfixturevalue("gcs_server").configure(token=None)  # only Google gets what lies in files
        elif cf.protocol in files:
            name, endpoint = files[cf.protocol]
            directory = home / ".cloudfiles" / "secrets"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(json.dumps({**options.secrets, endpoint: options.endpoint}))
        return cf

    return make


def write(directory: Path, files: dict[str, bytes]) -> Path:
    """Make these files below it."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, temporary ones too, unless they are removed meanwhile."""
    found = {}
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[str(path.relative_to(directory))] = path.read_bytes()
    return found


def broken_after(parts: int) -> Any:
    """The connection to the source breaks for good once so many parts are written."""
    read, left = MultipartCopy._part, iter(range(parts))
    add = PartTracker.add
    written: list[int] = []

    def part(self: MultipartCopy, start: int, end: int) -> bytes:
        if next(left, None) is None:
            while len(written) < parts:
                assert self._runtime is not None
                self._runtime.sleep(0.001)
            raise TransportError("the cable is cut")
        return read(self, start, end)

    def add_and_count(self: PartTracker, start: int, content: bytes) -> None:
        add(self, start, content)
        written.append(start)

    patch = pytest.MonkeyPatch()
    patch.setattr(MultipartCopy, "_part", part)
    patch.setattr(PartTracker, "add", add_and_count)
    return patch


def execute_until_broken(rt: ResumableTransfer, parts: int = 3) -> None:
    """Execute a transfer of a large object, whose source breaks off once so many parts are written."""
    patch = broken_after(parts)
    try:
        with pytest.raises(TransferFailedError, match="the cable is cut"):
            rt.execute()
    finally:
        patch.undo()
