"""Objects moved, and comparisons after the fact."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from cloudfiles import CloudFile, CloudFiles
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    InvalidInputError,
    InvalidPathError,
    MissingObjectError,
)
from cloudfiles.interfaces.file import copy as file_copy
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.transfer.copier import Copier
from tests.contents import numbered
from tests.internals import PART
from tests.transfer.conftest import Make, tree, write

pytestmark = pytest.mark.one_runtime

KINDS = ("mem", "file", "s3")
BIG = numbered(PART * 5 // 2)


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_moves(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.puts([("a", b"1"), ("d/b", b"2" * 1000), ("stays", b"3"), ("big", BIG)])
    ours.put("z", b"4" * 100, compress="gzip")
    done = ours.moves(theirs, ["a", ("d/b", "e/c"), {"path": "z", "dest_path": "y"}, "big"])
    assert done.copied == 4
    assert list(ours.list()) == ["stays"]
    assert {key: theirs.get(key) for key in theirs.list()} == {
        "a": b"1", "e/c": b"2" * 1000, "y": b"4" * 100, "big": BIG}
    assert done.ways == ({"rename": 4} if source == target == "file" else done.ways)


def test_one_object(mem: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    mem.put("d/a", b"1")
    mem.move("d/a", "d/b")
    assert (mem.exists("d/a"), mem.get("d/b")) == (False, b"1")
    mem.move("d/b", disk.abspath("x/y"))
    assert (mem.exists("d/b"), disk.get("x/y")) == (False, b"1")
    disk.move("x/y", f"{tmp_path}/elsewhere")
    assert (tmp_path / "elsewhere").read_bytes() == b"1"
    CloudFile(f"file://{tmp_path}/elsewhere").move(disk.abspath("z"))
    assert (disk.get("z"), (tmp_path / "elsewhere").exists()) == (b"1", False)


@pytest.mark.parametrize("typed", ["s3:/bucket/x", "s3//bucket/x", "S3:/b", "http:/host/x", "file:/tmp/x", "mem:b/x"])
def test_a_mistyped_destination_is_not_a_key(mem: CloudFiles, typed: str) -> None:
    mem.put("a", b"1")
    with pytest.raises(InvalidPathError, match="did you mean"):
        mem.move("a", typed)
    assert list(mem.list()) == ["a"]
    mem.moves(mem, [("a", typed)])  # which takes keys only
    assert mem.get(typed) == b"1"


def test_a_path_object_as_destination(mem: CloudFiles, tmp_path: Path) -> None:
    mem.put("a", b"1")
    mem.move("a", PurePosixPath("d/b"))
    mem.move("d/b", tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_move_to_itself_keeps_the_object(store: Make, kind: str) -> None:
    cf = store(kind)
    cf.put("a", b"1")
    assert cf.moves(cf, ["a"]).skipped == 1
    assert cf.get("a") == b"1"


def test_a_move_to_itself_by_another_name(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}/real")
    cf.put("a", b"1")
    os.symlink("real", tmp_path / "link")
    CloudFiles(f"file://{tmp_path}/link").moves(cf, ["a"])
    assert cf.get("a") == b"1"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_move(store: Make, kind: str) -> None:
    with pytest.raises(MissingObjectError):
        store(kind).moves(store("mem"), ["absent"])


def test_across_file_systems(disk: CloudFiles, store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    disk.put("a", b"1")
    other = store("file")
    monkeypatch.setattr(file_copy, "publish", lambda source, *rest: (
        refuse() if ".cloudfiles-" not in source else os.replace(source, rest[0] + rest[2])))
    assert disk.moves(other, ["a"]).ways == {"copy": 1}
    assert (disk.exists("a"), other.get("a")) == (False, b"1")


@pytest.mark.parametrize("target", ["file", "mem", "s3"])
@pytest.mark.parametrize("order", ["listing", "collection", "links first", "links last"])
@pytest.mark.parametrize("green", [False, True])
def test_a_tree_with_links_inside(store: Make, tmp_path: Path, target: str, order: str, green: bool) -> None:
    """Several keys are one file, which is moved once: all of them arrive."""
    files = {f"run10/{n}": str(n).encode() for n in range(30)}
    source = CloudFiles(str(write(tmp_path / "source", {**files, "a": b"of a"})), green=green)
    (tmp_path / "source" / "latest").symlink_to("run10")
    (tmp_path / "source" / "also").symlink_to("run10")
    (tmp_path / "source" / "b").symlink_to("a")
    is_link = lambda key: key.startswith(("also", "latest", "b"))  # noqa: E731
    keys = sorted(source.list(), key=is_link, reverse=order == "links first")
    expected = {key: source.get(key) for key in keys}
    assert len(expected) == 92
    there = store(target)
    result = source.moves(there, source.list() if order == "listing" else keys)
    assert {key: there.get(key) for key in there.list()} == expected
    assert result.copied == 92
    assert list(source.list()) == []
    assert not (tmp_path / "source" / "b").is_symlink()


def test_a_missing_object_beside_links(disk: CloudFiles, mem: CloudFiles, tmp_path: Path) -> None:
    write(tmp_path / "disk", {"run10/x": b"1"})
    (tmp_path / "disk" / "latest").symlink_to("run10")
    for keys in (["latest/y", "run10/y"], ["run10/x", "absent"]):
        with pytest.raises(MissingObjectError):
            disk.moves(mem, keys)
    disk.put("run10/x", b"1")
    with pytest.raises(MissingObjectError):  # which was moved, and not by another of its names
        disk.moves(mem, [("run10/x", "one"), ("run10/x", "two")])


def test_to_another_hard_link_of_the_same_file(disk: CloudFiles, tmp_path: Path) -> None:
    disk.put("a", b"1")
    for name in ("b", "d"):
        os.link(tmp_path / "disk" / "a", tmp_path / "disk" / name)
    disk.move("a", "b")
    assert tree(tmp_path / "disk") == {"b": b"1", "d": b"1"}
    disk.moves(disk, [("d", "b")])
    assert tree(tmp_path / "disk") == {"b": b"1"}
    disk.put("e", b"2", compress="gzip")
    os.link(tmp_path / "disk" / "e.gz", tmp_path / "disk" / "f.gz")
    disk.move("e", "f")
    assert sorted(tree(tmp_path / "disk")) == ["b", "f.gz"]


def test_a_link_is_moved_as_what_it_leads_to(disk: CloudFiles, store: Make, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"content")
    disk.put("x", b"")
    os.symlink(tmp_path / "kept", tmp_path / "disk" / "a")
    other = store("file")
    disk.moves(other, ["a"])
    assert (other.get("a"), disk.exists("a")) == (b"content", False)
    assert (tmp_path / "kept").read_bytes() == b"content"


@pytest.mark.parametrize("target", ["mem", "file", "s3"])
def test_a_copy_that_is_not_proven_keeps_the_source(store: Make, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    copy_object = Copier.copy_object

    def copy_badly(self: Copier, item: Any) -> Any:
        outcome = copy_object(self, item)
        self.target.put(item.target, b"2", self.target.write_options(self.target.describe(item.target)))  # type: ignore[arg-type]
        return outcome

    ours, theirs = store("s3" if target != "s3" else "mem"), store(target)
    ours.put("a", b"1")
    monkeypatch.setattr(Copier, "copy_object", copy_badly)
    with pytest.raises(IntegrityError, match="not removed"):
        ours.moves(theirs, ["a"])
    assert ours.get("a") == b"1"


def test_a_source_that_cannot_be_removed(server: S3Server, s3: CloudFiles, mem: CloudFiles) -> None:
    server.put("a", b"1")
    server.configure(delete_errors={"a": "AccessDenied"})
    server.script(Rule(s3_error(403, "AccessDenied"), method="DELETE", times=None))
    with pytest.raises(CloudFilesError, match="could not be removed from the source"):
        s3.moves(mem, ["a"])
    assert mem.get("a") == server.contents()["a"] == b"1"


# ---- verify


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_verify(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.puts([(key, key.encode() * 100) for key in "abcd"])
    ours.transfer_to(theirs)
    assert ours.verify(theirs)
    assert ours.verify(theirs).same == 4
    theirs.puts([("a", b"x" * 100), ("b", b"short")])
    theirs.delete("c")
    found = ours.verify(theirs)
    assert not found
    assert found.same == 1
    assert [one.path for one in found.different] == ["a", "b"]
    assert [(one.path, one.cause) for one in found.missing] == [("c", "missing at the target")]
    assert "100 bytes at the source, 5 at the target" in found.different[1].cause
    assert ours.verify(theirs, [("d", "d")])
    assert ours.verify(theirs, ["absent"]).missing[0].cause == "missing at both source and target"


def test_what_cannot_be_determined_is_reported(server: S3Server, s3: CloudFiles, store: Make) -> None:
    server.put("a", b"1" * 100, etag="opaque")
    web = CloudFiles(f"{server.url}/site/")
    server.put_page("site/a", b"1" * 100, etag="")
    found = web.verify(s3, ["a"])
    assert [one.cause for one in found.unverifiable] == [
        "the sizes are equal, but the stores have no digests in common; use read=True to compare the bytes"]
    assert not found
    assert web.verify(s3, ["a"], read=True).by == {"content": 1}
    server.put("a", b"2" * 100, etag="opaque")
    assert web.verify(s3, ["a"], read=True).different[0].cause == "the bytes differ"


def test_uploads_in_parts_are_told_from_a_local_file(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    disk.put("big", BIG)
    disk.transfer_to(s3)
    assert disk.verify(s3).by == {"md5": 1}
    assert s3.verify(disk).by == {"md5": 1}
    disk.put("big", BIG[:-1] + b"x")
    assert [one.path for one in disk.verify(s3).unverifiable] == ["big"]
    assert len(BIG) > PART


def test_verify_is_refused_where_it_cannot_look(server: S3Server, s3: CloudFiles, mem: CloudFiles) -> None:
    mem.put("a", b"1")
    server.script(Rule(s3_error(403, "AccessDenied"), method="HEAD", times=None))
    with pytest.raises(AuthorizationError):
        mem.verify(s3, ["a"])


def test_nothing_else_is_left(store: Make, tmp_path: Path) -> None:
    ours, theirs = store("mem"), store("file")
    ours.put("a", b"1")
    ours.moves(theirs, ["a"])
    assert [name.rsplit("/")[-1] for name in tree(tmp_path)] == ["a"]


def test_objects_that_are_source_and_target_of_a_collection_stay(tmp_path: Path) -> None:
    outer, inner = CloudFiles(f"file://{tmp_path}"), CloudFiles(f"file://{tmp_path}/in")
    inner.puts([("a", b"1"), ("b", b"2")])
    for target, pairs in ((inner, [("a", "b"), ("b", "c")]), (inner, [("a", "b"), ("b", "a")]),
                          (outer, [("b", "c"), ("a", "in/b")])):
        for call in (inner.moves, inner.transfer_to):
            with pytest.raises(InvalidInputError, match="'a' would replace this object"):
                call(target, pairs)
    assert outer.get(["in/a", "in/b"], return_dict=True) == {"in/a": b"1", "in/b": b"2"}
    inner.moves(inner, [("a", "a"), ("b", "c")])
    assert sorted(outer) == ["in/a", "in/c"]
