"""Copying, moving and removing files of a file system."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

fsspec = pytest.importorskip("fsspec")

from cloudfiles.exceptions import DuplicatePathError, InvalidInputError, ServerError  # noqa: E402 -- needs fsspec
from cloudfiles.filesystem import CloudFileSystem  # noqa: E402
from cloudfiles.testing import S3Server, s3_error  # noqa: E402
from tests.contents import numbered  # noqa: E402

TREE = {"run1/a": b"1", "run1/deep/b": b"22", "run10/a": b"333", "run1.txt": b"4444"}


@pytest.fixture
def tree(fs: Any) -> Any:
    fs.pipe(TREE)
    return fs


def test_removing_a_directory_leaves_its_siblings(tree: Any) -> None:
    tree.rm("run1", recursive=True)
    assert tree.find("") == ["run1.txt", "run10/a"]
    assert not tree.exists("run1")


def test_removing(tree: Any) -> None:
    for path in ("nothing", "run", ["run1.txt", "nothing"]):
        with pytest.raises(FileNotFoundError):
            tree.rm(path)
        with pytest.raises(FileNotFoundError):
            tree.rm(path, recursive=True)
    with pytest.raises(IsADirectoryError):
        tree.rm(["run1.txt", "run1"])
    assert tree.find("") == sorted(TREE)
    tree.rm("run1", recursive=True, maxdepth=1)
    assert tree.find("run1") == ["run1/deep/b"]
    tree.rm("run*", recursive=True)
    assert tree.find("") == []


def test_removing_everything(tree: Any) -> None:
    with pytest.raises(IsADirectoryError):
        tree.rm("")
    tree.rm("", recursive=True)
    assert tree.find("") == []


class Pieces(io.BytesIO):
    largest = 0

    def write(self, piece: Any, /) -> int:
        self.largest = max(self.largest, len(piece))
        return super().write(piece)


def test_a_file_into_an_open_one(tree: Any) -> None:
    large = numbered(30 << 20)
    tree.pipe("large", large)
    for get in (tree.get, tree.get_file):
        for path, content in (("run1/a", b"1"), ("large", large)):
            file = Pieces()
            get(path, file)
            assert file.getvalue() == content
            assert file.largest <= 8 << 20
        with pytest.raises(FileNotFoundError):
            get("nothing", Pieces())


@pytest.mark.parametrize("source", ["run1", "run1/"])
@pytest.mark.parametrize("target", ["new", "new/"])
def test_copying_a_directory(tree: Any, source: str, target: str) -> None:
    tree.cp(source, target, recursive=True)
    nested = target == "new/" and source == "run1"  # as in fsspec
    top = "new/run1" if nested else "new"
    assert tree.find("new") == [f"{top}/a", f"{top}/deep/b"]
    assert tree.cat(f"{top}/deep/b") == b"22"
    assert tree.find("run10") == ["run10/a"]


def test_copying(tree: Any) -> None:
    tree.cp("run1.txt", "copy")
    tree.cp("run1.txt", "run10/")
    tree.cp("run1.txt", "run10")
    tree.cp(["run1/a", "run10/a"], ["x/1", "x/2"])
    tree.copy("run1/*", "y/")
    assert tree.cat(["copy", "run10/run1.txt", "x/1", "x/2", "y/a"]) == {
        "copy": b"4444", "run10/run1.txt": b"4444", "x/1": b"1", "x/2": b"333", "y/a": b"1"}
    with pytest.raises(FileNotFoundError):
        tree.cp("nothing", "z")
    tree.cp(["run1/a", "nothing"], ["z/1", "z/2"], on_error="ignore")
    assert tree.find("z") == ["z/1"]
    tree.cp("run1", "nowhere")  # a directory without recursive, as in fsspec
    assert not tree.exists("nowhere")


def test_moving(tree: Any) -> None:
    tree.mv("run1.txt", "moved")
    tree.mv("moved", "run10/")
    assert tree.find("run10") == ["run10/a", "run10/moved"]
    tree.mv("run1/*", "all/", recursive=True)
    assert tree.find("") == ["all/a", "all/deep/b", "run10/a", "run10/moved"]
    tree.mv("all", "all")
    assert tree.exists("all/a")
    with pytest.raises(FileNotFoundError):
        tree.mv("nothing", "x")


def test_bytes_of_one_file_are_reported(tree: Any, tmp_path: Path) -> None:
    callbacks = [fsspec.Callback() for _ in range(4)]
    tree.get_file("run1.txt", tmp_path / "x", callback=callbacks[0])
    with open(tmp_path / "y", "wb") as file:
        tree.get_file("run1.txt", None, outfile=file, callback=callbacks[1])
    tree.put_file(tmp_path / "x", "up", callback=callbacks[2])
    tree.put_file(tmp_path / "x", "up2", mode="create", callback=callbacks[3])
    assert [(one.size, one.value) for one in callbacks] == [(4, 4)] * 4


def test_local_files(tree: Any, tmp_path: Path) -> None:
    local = tmp_path / "local"
    callback = fsspec.Callback()
    tree.get("run1", str(local), recursive=True, callback=callback)
    assert (callback.size, callback.value) == (2, 2)
    assert (local / "deep" / "b").read_bytes() == b"22"
    tree.get_file("run1.txt", local / "x")
    with open(local / "y", "wb") as file:
        tree.get("run1.txt", file)
    assert (local / "x").read_bytes() == (local / "y").read_bytes() == b"4444"
    callback = fsspec.Callback()
    tree.put(str(local), "up", recursive=True, callback=callback)
    assert (callback.size, callback.value) == (4, 4)
    assert tree.find("up") == ["up/a", "up/deep/b", "up/x", "up/y"]
    tree.put(local / "x", "up/", metadata={"a": "b"}) if tree.protocol[1] != "file" else None
    tree.put_file(local / "x", "new", mode="create")
    tree.put(str(local / "x"), "newer", mode="create")
    with pytest.raises(FileExistsError):
        tree.put([str(local / "x")], ["newer"], mode="create")
    with pytest.raises(FileExistsError):
        tree.put_file(local / "x", "new", mode="create")
    with pytest.raises(InvalidInputError, match="unknown option acl"):
        tree.put(str(local / "x"), "new", acl="private")
    with pytest.raises(FileNotFoundError):
        tree.get("nothing", str(local / "z"))
    with pytest.raises(FileNotFoundError):
        tree.put(str(local / "nothing"), "z")
    assert not (local / "z").exists()
    assert not tree.exists("z")


def test_a_key_does_not_lead_out_of_the_local_directory(s3: Any, fault_server: S3Server, tmp_path: Path) -> None:
    fault_server.put_many({"d/../../../evil": b"1", "d/a": b"2"})
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match=r"outside|evil"):
        s3.get("d", str(tmp_path / "in" / "local"), recursive=True)
    assert not (tmp_path / "evil").exists()


def test_denied_copies(s3: Any, fault_server: S3Server, tmp_path: Path) -> None:
    s3.pipe("a", b"1")
    fault_server.fail(s3_error(403, "AccessDenied"), key="a", times=None)
    for copy in (lambda: s3.get("a", str(tmp_path / "a")), lambda: s3.mv("a", "b"), lambda: s3.rm("a")):
        with pytest.raises(PermissionError):
            copy()
    assert list(tmp_path.iterdir()) == []


def test_between_buckets(fault_server: S3Server) -> None:
    from cloudfiles.filesystem.protocols import S3FileSystem

    fault_server.make_bucket("other")
    fs = S3FileSystem(endpoint=fault_server.url, secrets=fault_server.secrets, skip_instance_cache=True)
    fs.pipe({"bucket/d/a": b"1", "s3://bucket/d/b": b"2"})
    assert fs.isdir("bucket")
    assert not fs.exists("missing")
    assert not fs.isdir("missing")
    with pytest.raises(FileNotFoundError):
        fs.ls("missing")
    for ask in (fs.cat, fs.exists, fs.info):  # a mistyped bucket is not a missing file
        with pytest.raises(ServerError, match="the bucket 'missing' does not exist"):
            ask("missing/file")
    fs.cp("bucket/d", "other/d", recursive=True)
    fs.mv("bucket/d", "other/e")
    assert fs.find("other") == ["other/d/a", "other/d/b", "other/e/a", "other/e/b"]
    assert fs.find("bucket") == []
    assert fs.cat_ranges(["other/d/a", "bucket/d/a"], 0, 1)[0] == b"1"
    assert fs.glob("other/*/a") == ["other/d/a", "other/e/a"]
    assert fs.exists(["other/d", "bucket/d"]) == {"other/d": True, "bucket/d": False}
    assert fs.ls("other", detail=False) == ["other/d", "other/e"]
    fs.rm(["other/d", "other/e"], recursive=True)
    with fsspec.open(f"cf+s3://{fault_server.url}/bucket/x", "wb", secrets=fault_server.secrets) if (
            "cf+s3" in fsspec.available_protocols()) else fs.open("bucket/x", "wb") as file:
        file.write(b"by its endpoint")
    assert fs.cat("bucket/x") == b"by its endpoint"


def test_objects_that_are_source_and_target_are_left_alone(fs: Any) -> None:
    contents = {"a": b"1", "b": b"2"}
    fs.pipe(contents)
    for targets in (["b", "c"], ["b", "a"]):
        for call in (fs.mv, fs.cp):
            with pytest.raises(InvalidInputError, match="would replace this object, which is the source of another"):
                call(["a", "b"], targets)
            assert fs.cat("*") == contents
    fs.mv(["a", "b"], ["a", "c"])
    assert fs.cat("*") == {"a": b"1", "c": b"2"}


def test_objects_that_are_source_and_target_in_other_buckets_are_left_alone(tmp_path: Path) -> None:
    from cloudfiles.filesystem.protocols import MemoryFileSystem

    fs = MemoryFileSystem()
    one, two = f"one-{tmp_path.name}/k", f"two-{tmp_path.name}/k"
    fs.pipe({one: b"1", two: b"2"})
    for call in (fs.mv, fs.cp):
        with pytest.raises(InvalidInputError, match="would replace this object"):
            call([one, two], [two, one])
    for move, target in ((fs.mv, f"three-{tmp_path.name}/"), (fs.cp, f"three-{tmp_path.name}/"),
                         (fs.get, f"{tmp_path}/")):
        with pytest.raises(DuplicatePathError, match="two objects would be written to it"):
            move([one, two], target)
    assert fs.cat([one, two]) == {one: b"1", two: b"2"}
    assert fs.find(f"three-{tmp_path.name}") == list(tmp_path.iterdir()) == []
    fs.rm([one, two])


@pytest.mark.parametrize("way", ["glob", "directory", "maxdepth"])
def test_nothing_is_moved_out_of_where_a_symlink_leads(tmp_path: Path, way: str) -> None:
    for path in ("elsewhere/x", "a/sub/y", "b/sub/y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    (tmp_path / "a/sub/link").symlink_to(tmp_path / "elsewhere")
    files = CloudFileSystem(tmp_path, skip_instance_cache=True)
    moved = {"glob": ("a/*", "b/"), "directory": ("a/sub", "b"), "maxdepth": ("a", "c")}[way]
    with pytest.raises(InvalidInputError, match="symlink"):
        files.mv(*moved, recursive=True, maxdepth=5 if way == "maxdepth" else None)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "a/sub/y", "b/sub/y", "elsewhere/x"]
    files.mv("a/sub/link/x", "x")
    assert (tmp_path / "x").read_bytes() == b"elsewhere/x"
