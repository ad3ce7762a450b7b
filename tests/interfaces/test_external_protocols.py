"""Protocols of other packages: the guide's interface, installed beside cloudfiles, and entry points that are broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import examples
from tests.servers import ROOT

GUIDE = ROOT / "docs" / "protocols.md"

REMOTE = """
from dataclasses import replace

class RemoteInterface(SqliteInterface):
    traits = SqliteInterface.traits._replace(is_local=False)
"""


def install(directory: Path, package: str, entry_points: str, source: str = "") -> None:
    """What `pip install` leaves of a package with one module and some entry points."""
    info = directory / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[cloudfiles.protocols]\n{entry_points}\n")
    (directory / f"{package}.py").write_text(source)


def run(tmp_path: Path, program: str, *arguments: str) -> str:
    """What a program prints that can import the packages in `tmp_path/packages`."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    path = os.pathsep.join([str(tmp_path / "packages"), str(ROOT)])
    ended = subprocess.run([sys.executable, "-W", "error", "-c", program, *arguments], cwd=work, capture_output=True,
                           env={**os.environ, "PYTHONPATH": path}, text=True, check=False, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory with the package of the guide, and a variant of it that waits for a network."""
    source = next(examples.blocks(GUIDE)).code
    install(tmp_path / "packages", "cloudfiles_sqlite", "sqlite = cloudfiles_sqlite:SqliteInterface\n"
            "remote-sqlite = cloudfiles_sqlite:RemoteInterface", source + REMOTE)
    return tmp_path / "packages"


EVERY_VERB = """
import sys
from cloudfiles import CloudFiles, CloudFile
from cloudfiles.exceptions import PreconditionFailedError

protocol, green, parallel = sys.argv[1], sys.argv[2] == "green", int(sys.argv[3])
cf = CloudFiles(f"{protocol}://results/run1/", green=green, parallel=parallel)
files = {f"{directory}/{n:03d}": bytes([n]) * n for directory in "ab" for n in range(60)}

assert cf.puts(files.items()) == 120
cf.put("zipped", b"text" * 100, compress="gzip", content_type="text/plain", metadata={"by": "me"})
assert cf.get(list(files), return_dict=True) == files
assert cf.get("missing") is None and cf.get("zipped") == b"text" * 100
assert cf["a/050", 10:20] == bytes([50]) * 10 and cf["a/050", -5:] == bytes([50]) * 5
assert cf.exists(["a/000", "b/059", "a", "nothing"]) == {"a/000": True, "b/059": True, "a": False, "nothing": False}
assert cf.size("a/010") == 10 and cf.head("zipped")["Content-Type"] == "text/plain"
assert list(cf.list()) == [*files, "zipped"] and list(cf.list(prefix="b/05")) == [f"b/05{n}" for n in range(10)]
assert list(cf.list(flat=True)) == ["a/", "b/", "zipped"] and cf.isdir("a") and not cf.isdir("c")
try:
    cf.put("a/000", b"2", if_absent=True)
except PreconditionFailedError:
    pass
else:
    raise AssertionError("if_absent")

there = CloudFiles(f"mem://copy-{protocol}/", green=green)
if parallel == 1:
    cf.transfer_to(there)
    assert dict(there.get(cf.list(), return_dict=True)) == {**files, "zipped": b"text" * 100}
    assert there.head("zipped")["Content-Encoding"] == "gzip"
back = CloudFiles(f"{protocol}://copies/", green=green)
back.transfer_from(cf, paths=["a/001", "zipped"])
assert back.get(["a/001", "zipped"], return_dict=True) == {"a/001": bytes([1]), "zipped": b"text" * 100}
assert back.head("zipped")["x-amz-meta-by"] == "me"
back.move("zipped", f"{protocol}://copies/moved")
assert list(back.list()) == ["a/001", "moved"]
file = CloudFile(f"{protocol}://results/run1/large")
file.put(bytes(range(256)) * 40_000)
assert file[1000:1010] == (bytes(range(256)) * 40_000)[1000:1010] and len(file) == 10_240_000

assert cf.delete(list(cf.list())) == 122
assert list(cf.list()) == [] and list(CloudFiles(f"{protocol}://results/").list()) == []
print("ok", cf.protocol, cf.cloudpath)
"""


@pytest.mark.one_runtime
@pytest.mark.parametrize("protocol", ["sqlite", "remote-sqlite"])
def test_every_verb(packages: Path, tmp_path: Path, protocol: str, green: bool) -> None:
    runtime = "green" if green else "threads"
    assert run(tmp_path, EVERY_VERB, protocol, runtime, "1") == f"ok {protocol} {protocol}://results/run1/"


@pytest.mark.full
def test_the_conformance_suite(packages: Path, tmp_path: Path) -> None:
    """As the guide runs it, in one runtime."""
    plugin = next(block.code for block in examples.blocks(GUIDE) if "STORES" in block.code)
    (packages / "sqlite_store.py").write_text(plugin)
    program = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    said = run(tmp_path, program, str(ROOT / "tests" / "conformance"), "-c", str(ROOT / "pyproject.toml"), "-q",
               "-p", "sqlite_store", "-p", "no:cacheprovider", "--stores=sqlite", "-k", "not threads")
    assert " failed" not in said
    assert int(re.findall(r"(\d+) passed", said)[-1]) > 100


def test_worker_processes(packages: Path, tmp_path: Path) -> None:
    assert run(tmp_path, EVERY_VERB, "sqlite", "threads", "2").startswith("ok")


def test_entry_points_are_read_only_for_a_protocol_that_is_not_built_in(packages: Path, tmp_path: Path) -> None:
    program = """
import sys
from cloudfiles import CloudFiles, paths
CloudFiles("mem://b/").put("a", b"1")
CloudFiles("file:///tmp/")
paths.extract("s3://bucket/key"), paths.extract("matrix://bucket/key"), paths.get_protocol("some/path")
assert "importlib.metadata" not in sys.modules and "cloudfiles_sqlite" not in sys.modules
print(paths.extract("sqlite://results/run1/a")[:4], paths.get_protocol("sqlite://x/y"), paths.get_protocol("ftp://x/y"))
assert "cloudfiles_sqlite" not in sys.modules
"""
    assert run(tmp_path, program) == "('precomputed', 'sqlite', 'results', 'run1/a') sqlite None"


def test_a_built_in_protocol_cannot_be_replaced(tmp_path: Path) -> None:
    install(tmp_path / "packages", "impostor", "s3 = impostor:Other\nfile = impostor:Other", "class Other: pass")
    program = """
from cloudfiles import CloudFiles
from cloudfiles.interfaces import interface_class
print(interface_class("s3").__name__, interface_class("file").__name__)
try:
    CloudFiles("ftp://host/")
except Exception as error:
    print(type(error).__name__, error)
"""
    names, unsupported = run(tmp_path, program).splitlines()
    assert names == "S3Interface FileInterface"
    assert unsupported.startswith("UnsupportedProtocolError unsupported protocol ftp://")


def test_an_alias_takes_precedence(packages: Path, tmp_path: Path) -> None:
    program = """
from cloudfiles import paths
paths.add_alias("lab", "sqlite://lab/")
paths.add_alias("sqlite", "mem://aliased/")
print(paths.extract("lab://a/b")[1:4], paths.extract("sqlite://a/b")[1:4])
"""
    assert run(tmp_path, program) == "('sqlite', 'lab', 'a/b') ('mem', 'aliased', 'a/b')"


@pytest.mark.parametrize(("entry_points", "source", "message"), [
    ("toy = gone:Toy", "", "the protocol toy:// of the package broken cannot be loaded from 'gone:Toy': "
                           "ModuleNotFoundError: No module named 'gone'"),
    ("toy = broken:Toy", "", "cannot be loaded from 'broken:Toy': AttributeError: module 'broken' has no attribute"),
    ("toy = broken:Toy", "1 / 0", "cannot be loaded from 'broken:Toy': ZeroDivisionError: division by zero"),
    ("toy = broken:Toy", "class Toy: pass",
     "the entry point of the protocol toy:// is <class 'broken.Toy'>; expected a subclass of "
     "cloudfiles.interfaces.Interface"),
    ("toy = broken:Toy", "from cloudfiles.interfaces import Interface\nclass Toy(Interface):\n"
                         "    def get(self, key, start=None, end=None): return None",
     "Toy, the interface of the protocol toy://, does not implement delete, head, list_page, put"),
])
def test_a_broken_entry_point(tmp_path: Path, entry_points: str, source: str, message: str) -> None:
    install(tmp_path / "packages", "broken", entry_points, source)
    program = """
from cloudfiles import CloudFiles
from cloudfiles.exceptions import ConfigurationError
for _ in range(2):
    try:
        CloudFiles("toy://bucket/")
    except ConfigurationError as error:
        print(error)
"""
    said = run(tmp_path, program).splitlines()
    assert len(said) == 2
    assert all(message in line for line in said), said


def test_two_packages_with_one_protocol(packages: Path, tmp_path: Path) -> None:
    install(packages, "another", "sqlite = another:Other", "")
    program = """
from cloudfiles import CloudFiles
try:
    CloudFiles("sqlite://bucket/")
except Exception as error:
    print(type(error).__name__, error)
"""
    assert run(tmp_path, program) == (
        "ConfigurationError several packages add the protocol sqlite://: another (another:Other), cloudfiles_sqlite "
        "(cloudfiles_sqlite:SqliteInterface); uninstall all but one")
