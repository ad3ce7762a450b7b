"""The paths that a file system accepts, and the names that it returns."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

fsspec = pytest.importorskip("fsspec")

from cloudfiles.exceptions import InvalidPathError  # noqa: E402 -- needs fsspec
from cloudfiles.filesystem import CloudFileSystem, register  # noqa: E402
from cloudfiles.filesystem.protocols import FILE_SYSTEMS  # noqa: E402


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that the entry points of an installed package give; those of the test are forgotten after it."""
    registry = sys.modules["fsspec.registry"]
    for name in ("_registry", "known_implementations"):
        before = dict(getattr(registry, name))
        monkeypatch.setattr(registry, name, before)
    monkeypatch.setattr(registry, "registry", registry._registry)
    for protocol, cls in FILE_SYSTEMS.items():
        fsspec.register_implementation(f"cf+{protocol}", cls, clobber=True)


def test_the_entry_points_name_all_file_systems() -> None:
    setup = (Path(__file__).parents[2] / "setup.py").read_text()
    assert 'f"cf+{protocol} = cloudfiles.filesystem.protocols:{name}FileSystem"' in setup
    names = next(ast.literal_eval(node.value) for node in ast.parse(setup).body if isinstance(node, ast.Assign)
                 and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "FILE_SYSTEMS")
    assert {protocol: f"{name}FileSystem" for protocol, name in names.items()} == {
        protocol: cls.__name__ for protocol, cls in FILE_SYSTEMS.items()}


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a/b/", PurePosixPath("a/b"), PurePosixPath("/a/b"),
                                  PureWindowsPath("\\a\\b"), "mem://bucket/names/a/b", "cf+mem://bucket/names/a/b"])
def test_paths_are_relative_to_the_root(path: object) -> None:
    fs = CloudFileSystem("mem://bucket/names/")
    fs.pipe("a/b", b"1")
    assert fs.cat_file(path) == b"1"
    assert fs.cat(path) == b"1"
    assert fs.info(path)["name"] == "a/b"
    fs.rm("a", recursive=True)


@pytest.mark.parametrize("path", ["mem://bucket/names2/a", "mem://other/names/a", "s3://bucket/names/a"])
def test_a_cloudpath_elsewhere_is_an_error(path: str) -> None:
    with pytest.raises(InvalidPathError, match="not below the root"):
        CloudFileSystem("mem://bucket/names/").cat(path)


def test_a_file_system_of_a_protocol_has_names_with_the_bucket() -> None:
    fs = fsspec.filesystem("cf+mem")
    fs.pipe("cf+mem://names-1/a", b"1")
    fs.pipe({"mem://names-2/b": b"22", "/names-2/c": b"3"})
    assert fs.cat(["names-1/a", "names-2/b"]) == {"names-1/a": b"1", "names-2/b": b"22"}
    assert fs.find("names-2") == ["names-2/b", "names-2/c"]
    with fsspec.open("cf+mem://names-1/a") as file:
        assert file.read() == b"1"
    with pytest.raises(InvalidPathError, match="begins with a bucket"):
        fs.ls("")
    fs.rm(["names-1", "names-2"], recursive=True)


def test_local_files_have_absolute_paths(tmp_path: Path) -> None:
    with fsspec.open(f"cf+file://{tmp_path}/x.gz", "wb") as file:
        file.write(b"not compressed")
    fs = fsspec.filesystem("cf+file")
    assert fs.ls(tmp_path, detail=False) == [f"{tmp_path}/x.gz"]
    assert fs.cat(tmp_path / "x.gz") == (tmp_path / "x.gz").read_bytes() == b"not compressed"


def test_plain_names_are_taken_over_on_request() -> None:
    register("gs")
    assert isinstance(fsspec.filesystem("gs", skip_instance_cache=True), CloudFileSystem)
    with pytest.raises(ValueError, match="there is no file system for 'ftp'"):
        register("ftp")


def test_a_pickle_has_no_secrets() -> None:
    fs = CloudFileSystem("s3://bucket/dir/", secrets={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cr3t"})
    text = pickle.dumps(fs)
    assert b"s3cr3t" not in text
    again = pickle.loads(text)
    assert again.cloudpath("x") == "s3://bucket/dir/x"
    assert again._place("").cf.secrets == {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}


def test_importing_cloudfiles_does_not_import_fsspec() -> None:
    program = ("import sys, cloudfiles; cloudfiles.CloudFiles; assert 'fsspec' not in sys.modules; "
               "cloudfiles.filesystem.CloudFileSystem; assert 'fsspec' in sys.modules")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_path_with_another_endpoint_is_refused() -> None:
    from cloudfiles.filesystem.protocols import S3FileSystem

    fs = S3FileSystem(endpoint="http://127.0.0.1:1/", no_sign_request=True)
    assert fs._strip_protocol("cf+s3://http://127.0.0.1:1/bucket/key") == "bucket/key"
    assert fs.fsid != S3FileSystem(endpoint="http://127.0.0.1:2", no_sign_request=True).fsid
    for elsewhere in ("s3://https://127.0.0.1:1/bucket/key", "cf+s3://http://127.0.0.1:2/bucket/key"):
        with pytest.raises(InvalidPathError, match="names another endpoint than that of this file system"):
            fs.cat(elsewhere)


def test_a_relative_root_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data/x").write_bytes(name.encode())
        monkeypatch.chdir(tmp_path / name)
        found.append(CloudFileSystem("data"))
        found.append(CloudFileSystem(cloudpath="data"))
    copies = [copy for fs in found for copy in (pickle.loads(pickle.dumps(fs)), fs.from_json(fs.to_json()))]
    assert [fs.cat("x") for fs in found] == [b"one"] * 2 + [b"two"] * 2
    assert [fs.cat("x") for fs in copies] == [b"one"] * 4 + [b"two"] * 4
