"""Symlinks: those that stay inside of a directory are followed, others are skipped, and that is said."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer, sync, verify
from cloudfiles.bucket import Bucket
from cloudfiles.exceptions import CloudFilesError, FileSystemError, InvalidInputError, InvalidPathError
from cloudfiles.interfaces.file import walk
from cloudfiles.interfaces.mem import MemInterface
from cloudfiles.tasks.uploader import Uploader
from tests.transfer.conftest import Make, tree, write

pytestmark = pytest.mark.one_runtime

FILES = {"a": b"1", "d/b": b"2", "e/c": b"3"}
INSIDE = {"inner/b": b"2", "same": b"1"}
OUTSIDE = {"ext/deep/secret": b"!", "ext/x": b"!!", "file": b"!!"}
SKIPPED = ["e/nowhere", "ext", "file", "self"]
EXTERNAL: dict[str, Any] = {"follow_external_symlinks": True}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    elsewhere = write(tmp_path / "elsewhere", {"deep/secret": b"!", "x": b"!!"})
    source = write(tmp_path / "source", FILES)
    (source / "ext").symlink_to(elsewhere)
    (source / "file").symlink_to(elsewhere / "x")
    (source / "inner").symlink_to("d")
    (source / "same").symlink_to(source / "a")
    (source / "e" / "nowhere").symlink_to(tmp_path / "unmounted")
    (source / "self").symlink_to("self")
    return source


def contents(cf: CloudFiles) -> dict[str, bytes]:
    return {key: cf.get(key) for key in cf.list()}


Work = Any
WORKS: dict[str, Work] = {
    "sync": lambda source, there, path: sync(source, there),
    "sync_to": lambda source, there, path: source.sync_to(there, delete=True),
    "transfer_to": lambda source, there, path: source.transfer_to(there),
    "parallel": lambda source, there, path: source.transfer_to(there, parallel=2),
    "resumable": lambda source, there, path: source.transfer_to(there, resumable=True),
    "transfer_from": lambda source, there, path: there.transfer_from(source),
    "journal": lambda source, there, path: _journaled(source, there, path),
    "Uploader": lambda source, there, path: Uploader(
        CloudFiles(there.cloudpath, follow_external_symlinks=source._store.options.follow_external_symlinks), "",
        source.cloudpath[7:], overwrite=True),
    "add_directory": lambda source, there, path: Bucket(
        there.cloudpath, follow_external_symlinks=source._store.options.follow_external_symlinks).add_directory(
            source.cloudpath[7:]),
    "sync_directory": lambda source, there, path: Bucket(
        there.cloudpath, follow_external_symlinks=source._store.options.follow_external_symlinks).sync_directory(
            source.cloudpath[7:]),
}


def _journaled(source: CloudFiles, there: CloudFiles, path: Path) -> Any:
    rt = ResumableTransfer(path / "journal")
    rt.init(source, there)
    return rt.execute()


@pytest.mark.parametrize("kind", ["mem", "file"])
@pytest.mark.parametrize("way", list(WORKS))
def test_one_rule_for_every_verb(source: Path, store: Make, tmp_path: Path, kind: str, way: str,
                                 caplog: pytest.LogCaptureFixture) -> None:
    there = store(kind)
    with caplog.at_level(logging.WARNING, "cloudfiles"):
        result = WORKS[way](CloudFiles(str(source)), there, tmp_path)
    assert contents(there) == {**FILES, **INSIDE}
    assert sorted(result.skipped_symlinks) == SKIPPED
    told = [record.getMessage() for record in caplog.records if " symlinks that lead out of" in record.getMessage()]
    assert told
    assert all(repr(name) in told[0] for name in SKIPPED)
    assert "follow_external_symlinks=True" in told[0]


@pytest.mark.parametrize("way", list(WORKS))
def test_the_option_follows_them(source: Path, mem: CloudFiles, tmp_path: Path, way: str) -> None:
    result = WORKS[way](CloudFiles(str(source), **EXTERNAL), mem, tmp_path)
    assert contents(mem) == {**FILES, **INSIDE, **OUTSIDE}
    assert sorted(result.skipped_symlinks) == ["e/nowhere", "self"]


@pytest.mark.parametrize("kind", ["mem", "file", "s3"])
@pytest.mark.parametrize("way", ["sync", "sync_directory"])
def test_nothing_below_a_skipped_link_is_deleted(source: Path, store: Make, kind: str, way: str) -> None:
    there = store(kind)
    kept = {"ext/x": b"kept", "ext/more/y": b"kept", "file": b"kept", "e/nowhere/z": b"kept"}
    gone = {"ext-other": b"", "ext.gz": b"", "exa": b"", "files": b"", "e/now": b"", "ext0": b""}
    there.puts(list({**kept, **gone}.items()))
    if way == "sync":
        dry = sync(source, there, delete=True, dry_run=True)
        assert sorted(key for action, key, _ in dry.actions if action == "delete") == sorted(gone)
        assert sorted(dry.skipped_symlinks) == SKIPPED
        result = sync(source, there, delete=True, max_delete=len(gone))
    else:
        result = Bucket(there).sync_directory(source)
    assert result.deleted == len(gone)
    assert contents(CloudFiles(there.cloudpath, encoding_suffixes=False) if kind == "file" else there) == {
        **FILES, **INSIDE, **kept}


def test_below_a_directory_of_the_bucket(source: Path, mem: CloudFiles) -> None:
    mem.puts([("sub/ext/x", b"kept"), ("sub/old", b""), ("other", b"")])
    assert Bucket(mem).sync_directory(source, remote="sub").deleted == 1
    assert mem.exists(["sub/ext/x", "sub/old", "other"]) == {"sub/ext/x": True, "sub/old": False, "other": True}


@pytest.mark.parametrize("kind", ["mem", "file"])
@pytest.mark.parametrize("way", ["sync", "sync_to", "transfer_to", "parallel", "resumable", "transfer_from",
                                 "add_directory", "sync_directory"])
def test_the_error_of_a_failed_transfer_names_them(source: Path, store: Make, tmp_path: Path, kind: str, way: str,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "parallel":
        kind = "file"  # memory is of one process
    there = store(kind)
    if kind == "file":  # a directory is where the object is to be
        (Path(there.cloudpath[7:]) / "d" / "b" / "x").mkdir(parents=True)
    else:
        refused = FileSystemError("refused")
        monkeypatch.setattr(MemInterface, "put", lambda *args: (_ for _ in ()).throw(refused))
    with pytest.raises(CloudFilesError) as caught:
        WORKS[way](CloudFiles(str(source)), there, tmp_path)
    assert sorted(caught.value.result.skipped_symlinks) == SKIPPED  # type: ignore[attr-defined]


def test_an_encoded_file_that_is_a_link(tmp_path: Path, mem: CloudFiles) -> None:
    elsewhere = CloudFiles(str(tmp_path / "elsewhere"))
    elsewhere.put("x", b"1", compress="gzip")
    source = CloudFiles(str(write(tmp_path / "source", {"a": b""})), encoding_suffixes=True)
    (tmp_path / "source" / "x.gz").symlink_to(tmp_path / "elsewhere" / "x.gz")
    mem.puts([("x", b"kept"), ("x.gz", b"kept"), ("y", b"")])
    assert source.sync_to(mem, delete=True).deleted == 1
    assert sorted(mem.list()) == ["a", "x", "x.gz"]


def test_what_is_listed_or_deleted_stays_inside(source: Path, tmp_path: Path) -> None:
    cf = CloudFiles(str(source))
    assert sorted(cf.list()) == ["a", "d/b", "e/c", "inner/b", "same"]
    assert sorted(cf.list("", flat=True)) == ["a", "d/", "e/", "inner/", "same"]
    assert list(cf.list("ext/")) == []
    assert cf.subtree_size()["N"] == 5
    assert cf.get("ext/x") == b"!!"  # a key that is named
    elsewhere = tree(tmp_path / "elsewhere")
    cf.delete(cf.list())
    assert tree(tmp_path / "elsewhere") == elsewhere
    assert sorted(CloudFiles(str(source), **EXTERNAL).list()) == sorted(OUTSIDE)


def test_verify_says_what_it_did_not_see(source: Path, mem: CloudFiles) -> None:
    sync(source, mem)
    found = verify(source, mem)
    assert found
    assert found.same == 5
    assert sorted(found.skipped_symlinks) == SKIPPED
    assert verify(CloudFiles(str(source), **EXTERNAL), mem).missing


def test_a_glob_stays_inside_of_its_directory(source: Path, mem: CloudFiles) -> None:
    task = Uploader(mem, "up/", str(source / "*"))
    assert task.skipped_symlinks == ["file"]
    assert sorted(mem.list()) == ["up/a", "up/same"]


def test_a_directory_that_is_itself_a_link(source: Path, tmp_path: Path, mem: CloudFiles) -> None:
    (tmp_path / "alias").symlink_to(source)
    assert sync(tmp_path / "alias", mem).copied == 5
    assert sync(tmp_path / "source" / "ext", "mem://ext/").copied == 2


def test_a_symlink_beside_a_directory_of_a_similar_name(tmp_path: Path) -> None:
    write(tmp_path, {"root/a": b"", "root-2/b": b""})
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-2")
    assert list(CloudFiles(str(tmp_path / "root")).list()) == ["a"]
    (tmp_path / "root" / "odd").symlink_to("sub/../../root-2")
    assert list(CloudFiles(str(tmp_path / "root")).list()) == ["a"]


def test_the_option_holds_for_writes_of_transfers(tmp_path: Path, mem: CloudFiles) -> None:
    elsewhere = write(tmp_path / "elsewhere", {})
    elsewhere.mkdir(exist_ok=True)
    there = tmp_path / "there"
    there.mkdir()
    (there / "ext").symlink_to(elsewhere)
    mem.put("ext/x", b"1")
    with pytest.raises(InvalidPathError, match="symlink"):
        mem.transfer_to(str(there))
    mem.transfer_to(CloudFiles(str(there), **EXTERNAL))
    assert tree(elsewhere) == {"x": b"1"}


def test_no_permission_is_not_skipped(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a link that leads out, or nowhere, is skipped."""
    from cloudfiles.exceptions import AuthorizationError

    def refuse(entry: os.DirEntry[str]) -> tuple[bool, bool]:
        raise PermissionError(13, "Permission denied", entry.path)

    monkeypatch.setattr(walk, "_kind", refuse)
    with pytest.raises(AuthorizationError):
        list(CloudFiles(str(source)).list())


def test_the_option_is_kept(tmp_path: Path, source: Path) -> None:
    bucket = Bucket("mem://x/", **EXTERNAL)
    assert Bucket.from_json(bucket.to_json()).to_json() == bucket.to_json()
    rt = ResumableTransfer(tmp_path / "journal")
    assert rt.init(CloudFiles(str(source), **EXTERNAL), f"file://{tmp_path}/out/") == 8
    assert ResumableTransfer(tmp_path / "journal").execute().done == 8


# ---- nothing is deleted through them


def test_a_sync_deletes_nothing_through_a_link_of_the_target(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "source", {"run10/x": b"new", "run10/y": b"1"})
    target = write(tmp_path / "target", {"run10/x": b"old one", "run10/y": b"1", "run10/gone": b"", "gone": b""})
    (target / "latest").symlink_to("run10")
    (target / "also").symlink_to("gone")
    with caplog.at_level(logging.WARNING, "cloudfiles"):
        assert sync(str(source), str(target), delete=True).deleted == 3
    assert tree(target / "run10") == tree(source / "run10")
    assert sorted(os.listdir(target)) == ["latest", "run10"]
    assert any("3 objects" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("external", [False, True])
def test_rm_removes_links_and_not_what_they_lead_to(tmp_path: Path, external: bool) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"x": b"1"})
    root = write(tmp_path / "root", {"run1/a/b": b"1", "run2/c": b"2"})
    for name, there in {"up": "../run2", "file": "../run2/c", "ext": elsewhere, "nowhere": "nothing"}.items():
        (root / "run1" / name).symlink_to(there)
    (root / "latest").symlink_to("run2")
    cf = CloudFiles(str(root), follow_external_symlinks=external)
    assert cf.rm("run1", recursive=True) == 2
    assert cf.rm("latest/", recursive=True) == 0
    assert os.listdir(root) == ["run2"]
    assert tree(root) == {"run2/c": b"2"}
    assert tree(elsewhere) == {"x": b"1"}


def test_rm_of_a_directory_that_was_named_through_a_link(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"run2/d/c": b"2", "run2/e": b""})
    (root / "latest").symlink_to("run2")
    assert CloudFiles(str(root)).rm("latest/d", recursive=True) == 1
    assert os.listdir(root / "run2") == ["e"]


def test_one_place_by_two_names_is_not_synchronized(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"run1/x": b"1"})
    (tmp_path / "alias").symlink_to(root)
    for source, target in (("root/run1", "alias"), ("alias", "root"), ("alias/run1", "root"), ("root", "alias/run1")):
        with pytest.raises(InvalidInputError):
            sync(str(tmp_path / source), str(tmp_path / target), delete=True, max_delete=None)
    assert tree(root) == {"run1/x": b"1"}
