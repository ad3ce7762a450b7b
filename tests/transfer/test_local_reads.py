"""Small local files are opened, read and closed, without other calls of the file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.interfaces.file import FileInterface

pytestmark = pytest.mark.one_runtime


def test_files_are_not_looked_up_before_they_are_read(disk: CloudFiles, mem: CloudFiles,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"{number}.json": bytes(number) for number in range(20)}
    disk.puts(contents.items(), compress=None)
    monkeypatch.setattr(FileInterface, "_find", None)
    assert mem.transfer_from(disk, list(contents)).copied == 20
    assert {found["path"]: found["content"] for found in mem.get(list(contents), raw=True)} == contents


def test_the_listing_may_be_older_than_the_file(disk: CloudFiles, mem: CloudFiles, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put("a", b"before")
    get_bounded = FileInterface.get_bounded

    def changed(self: FileInterface, key: str, max_size: int) -> object:
        (tmp_path / "disk" / "a").write_bytes(b"written after it was listed")
        return get_bounded(self, key, max_size)

    monkeypatch.setattr(FileInterface, "get_bounded", changed)
    mem.transfer_from(disk)
    assert mem.get("a") == b"written after it was listed"


def test_what_is_too_large_is_only_described(disk: CloudFiles) -> None:
    disk.put("a", b"0123456789", compress="gzip")
    here = disk._store.here()
    whole = here.get_bounded("a", 1000)
    described = here.get_bounded("a", 5)
    assert whole is not None
    assert described is not None
    assert whole.headers is not None
    assert described.content is None
    assert (described.etag, described.encoding) == (whole.etag, whole.encoding) == (whole.etag, "gzip")
    assert described.size == len(whole.content) == int(whole.headers["content-length"])
    assert here.get_bounded("missing", 5) is None
