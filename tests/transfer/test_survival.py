"""What a transfer must survive: full disks, targets in the way, keys that try to leave, kills at any moment."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, FileSystemError, InvalidPathError
from cloudfiles.testing import S3Server
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.selection import some
from tests.transfer.conftest import MIB, tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 5 // 2)
SIZES = {"small": 100, "big": len(BIG)}


def failing(code: int, times: int = 1) -> Any:
    """A write that fails the `times`-th time."""
    calls = iter(range(times - 1))

    def write(*args: Any) -> int:
        if next(calls, None) is None:
            raise OSError(code, os.strerror(code))
        return int(os.pwrite(*args)) if len(args) == 3 else int(os.write(*args))

    return write


@pytest.fixture(params=["small", "big"])
def source(request: pytest.FixtureRequest, s3: CloudFiles, server: S3Server) -> CloudFiles:
    """An S3 place with one object 'k'."""
    server.put("k", BIG[:SIZES[request.param]])
    return s3


# ---- targets that fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk(source: CloudFiles, disk: CloudFiles, tmp_path: Path, internals: Replace,
                     code: int) -> None:
    disk.put("k", b"old")
    internals(pwrite=failing(code), write_file=failing(code))
    with pytest.raises(FileSystemError, match="target of this one is unchanged") as caught:
        source.transfer_to(disk)
    assert caught.value.errno == code
    assert caught.value.path == "k"
    assert tree(tmp_path) == {"disk/k": b"old"}


def test_a_disk_without_room_is_seen_before_the_first_byte(server: S3Server, s3: CloudFiles, disk: CloudFiles,
                                                           tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.put("k", BIG)
    statvfs = os.statvfs

    class Full:
        f_blocks, f_bavail, f_frsize = 1000, 10, 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Full if str(tmp_path) in str(path) else statvfs(path))
    with pytest.raises(FileSystemError, match=f"{len(BIG)} bytes are required, 40960 are available"):
        s3.transfer_to(disk)
    assert tree(tmp_path) == {}


def test_a_read_only_target(source: CloudFiles, disk: CloudFiles, tmp_path: Path,
                            internals: Replace) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    internals(create_file=refuse)
    with pytest.raises(AuthorizationError, match="Read-only file system"):
        source.transfer_to(disk)
    assert tree(tmp_path) == {}


def test_a_directory_in_the_way(source: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    disk.put("k/below", b"1")
    with pytest.raises(InvalidPathError, match="a directory has this name"):
        source.transfer_to(disk)
    assert tree(tmp_path) == {"disk/k/below": b"1"}


def test_a_file_in_the_way(source: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    disk.put("dir", b"1")
    with pytest.raises(InvalidPathError, match="is not a directory"):
        source.transfer_to(disk, [("k", "dir/k")])
    assert tree(tmp_path) == {"disk/dir": b"1"}


# ---- keys that try to leave the target


@pytest.mark.parametrize("key", ["../k", "/k", "a/../../k", "a//b", "./k", "..", "a/..", "k\0"])
def test_keys_that_lead_out(source: CloudFiles, disk: CloudFiles, tmp_path: Path, key: str) -> None:
    disk.put("there", b"1")
    with pytest.raises(InvalidPathError):
        source.transfer_to(disk, [("k", key)])
    assert tree(tmp_path) == {"disk/there": b"1"}


@pytest.mark.parametrize("key", ["C:/k", "C:\\k", "a\\..\\k"])
def test_drive_letters_and_backslashes_are_names_here(source: CloudFiles, disk: CloudFiles, tmp_path: Path,
                                                      key: str) -> None:
    source.transfer_to(disk, [("k", key)])
    assert set(tree(tmp_path)) == {f"disk/{key}"}


@pytest.mark.parametrize("size", SIZES.values())
@pytest.mark.parametrize("kind", ["mem", "file", "s3"])
def test_symlinks_inside_the_target(store: Any, disk: CloudFiles, tmp_path: Path, kind: str, size: int) -> None:
    ours = store(kind)
    ours.put("k", BIG[:size])
    (tmp_path / "outside").mkdir()
    disk.put("there", b"1")
    os.symlink(tmp_path / "outside", tmp_path / "disk" / "link")
    with pytest.raises(InvalidPathError, match="out of the target directory"):
        ours.transfer_to(disk, [("k", "link/k")])
    with pytest.raises(InvalidPathError, match="out of the target directory"):
        ours.moves(disk, [("k", "link/deep/k")])
    assert tree(tmp_path / "outside") == {}
    assert ours.exists("k")


def test_a_symlink_at_the_target_itself_is_replaced(source: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    disk.put("there", b"1")
    (tmp_path / "outside").write_bytes(b"kept")
    os.symlink(tmp_path / "outside", tmp_path / "disk" / "k")
    source.transfer_to(disk)
    assert (tmp_path / "outside").read_bytes() == b"kept"
    assert disk.size("k") == source.size("k")


# ---- kills

_PROGRAM = """
import json, sys
from cloudfiles import CloudFiles
path, options, target, names = json.loads(sys.argv[1])
print("go", flush=True)
CloudFiles(path, **options).transfer_to(target, names or None)
"""


def _killed_after(seconds: float, arguments: list[Any]) -> bool:
    """Whether a transfer in a process of its own was killed, and had not ended by itself."""
    import json

    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, json.dumps(arguments)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    return process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("delay", some([0.0, 0.05, 0.15, 0.3], [0.0, 0.15]))
def test_a_kill_leaves_no_partial_file(server: S3Server, tmp_path: Path, delay: float) -> None:
    contents = {f"{n:03}": bytes([n % 256]) * (1 + 997 * n) for n in range(300)} | {"big": BIG}
    server.put_many(contents)
    options = {"endpoint": server.url, "secrets": server.secrets}
    arguments = [f"s3://{server.bucket}/", options, f"file://{tmp_path}/disk/", []]
    _killed_after(delay, arguments)
    disk = CloudFiles(f"file://{tmp_path}/disk/")
    for name, content in tree(tmp_path).items():
        key = name.removeprefix("disk/")
        assert key.startswith(".cloudfiles-") or contents[key] == content
    source = CloudFiles(arguments[0], **options)
    source.transfer_to(disk, resumable=True)
    disk.discard_partial(older_than=-60)
    assert tree(tmp_path / "disk") == contents
    assert source.verify(disk)


def test_a_kill_leaves_uploads_that_can_be_discarded(server: S3Server, tmp_path: Path) -> None:
    disk = CloudFiles(f"file://{tmp_path}/disk/")
    disk.put("big", BIG * 4)
    options = {"endpoint": server.url, "secrets": server.secrets}
    s3 = CloudFiles(f"s3://{server.bucket}/", **options)  # type: ignore[arg-type]
    interface = s3._store.here()
    writer = interface.open_writer("big", len(BIG), interface.write_options(disk._store.here().describe("big")))  # type: ignore[arg-type]
    assert writer is not None
    writer.write(0, BIG[:PART])  # as a killed process leaves it
    assert server.uploads() == ["big"]
    assert s3.exists("big") is False
    assert s3.discard_partial("b", older_than=-60) == 1
    disk.transfer_to(s3)
    assert (server.uploads(), s3.size("big")) == ([], len(BIG) * 4)


@pytest.mark.full
def test_memory_stays_bounded(server: S3Server, tmp_path: Path) -> None:
    """A process that moves 300 MiB both ways needs less than 200 MiB more than it begins with."""
    program = """
import json, resource, sys
from cloudfiles import CloudFiles
path, options, directory = json.loads(sys.argv[1])
def peak(): return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
s3, before = CloudFiles(path, **options), peak()
CloudFiles(f"file://{directory}/up").transfer_to(s3)
s3.transfer_to(f"file://{directory}/down")
print(peak() - before)
"""
    import json

    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell the peak of a process's memory")
    (tmp_path / "up").mkdir()
    with (tmp_path / "up" / "big").open("wb") as file:
        for n in range(300):
            file.write(bytes([n % 256]) * MIB)
    arguments = [f"s3://{server.bucket}/", {"endpoint": server.url, "secrets": server.secrets}, str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", program, json.dumps(arguments)], capture_output=True, text=True,
                          check=True)
    assert int(done.stdout) < 200 * 1024
    assert (tmp_path / "down" / "big").read_bytes() == (tmp_path / "up" / "big").read_bytes()


def test_a_transfer_given_up_leaves_nothing(server: S3Server, s3: CloudFiles, tmp_path: Path) -> None:
    server.put_many({f"{n:03}": b"x" * 100 for n in range(100)})

    class Bar:
        total = None

        def update(self, count: int = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, CloudFilesError)):
        s3.transfer_to(f"file://{tmp_path}/disk/", progress=Bar())
    assert all(content == b"x" * 100 for content in tree(tmp_path).values())
