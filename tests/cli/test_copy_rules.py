"""Where `cp` and `mv` put each object: the rules in `cloudfiles.cli.copy_plan`, on local files and on S3."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server, Status
from tests.cli.conftest import Outcome
from tests.internals import Replace

Cli = Callable[..., Outcome]
TREE = {"a/x.txt": b"x", "a/sub/y.txt": b"yy", "a/sub/deep/z.bin": b"zzz", "top.txt": b"t"}

RULES = [  # the destination exists, sources, destination, what is there afterwards
    (False, ["-r", "a"], "b", "x.txt sub/y.txt sub/deep/z.bin"),
    (False, ["-r", "a/"], "b", "x.txt sub/y.txt sub/deep/z.bin"),
    (False, ["-r", "a"], "b/", "a/x.txt a/sub/y.txt a/sub/deep/z.bin"),
    (True, ["-r", "a"], "b", "a/x.txt a/sub/y.txt a/sub/deep/z.bin"),
    (True, ["-r", "a/"], "b/", "a/x.txt a/sub/y.txt a/sub/deep/z.bin"),
    (False, ["a/x.txt"], "b/", "x.txt"),
    (True, ["a/x.txt"], "b", "x.txt"),
    (False, ["a/x.txt", "a/sub/y.txt"], "b/", "x.txt y.txt"),
    (True, ["a/x.txt", "top.txt"], "b", "x.txt top.txt"),
    (False, ["-r", "a/sub", "top.txt"], "b/", "sub/y.txt sub/deep/z.bin top.txt"),
    (False, ["a/*"], "b", "x.txt"),
    (False, ["-r", "a/*"], "b", "x.txt sub/y.txt sub/deep/z.bin"),
    (False, ["a/**"], "b", "x.txt sub/y.txt sub/deep/z.bin"),
    (False, ["a/**/*.txt"], "b", "x.txt sub/y.txt"),
    (True, ["a/su[b]/*"], "b", "sub/y.txt"),
]


class Local:
    """A directory, which is the current one."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.options: list[str] = []
        monkeypatch.chdir(root)
        self.cf = CloudFiles(root, encoding_suffixes=False)

    def path(self, text: str) -> str:
        return text

    def make_directory(self, name: str) -> set[str]:
        (self.root / name).mkdir()
        return set()


class Cloud:
    """A bucket of the S3 server."""

    def __init__(self, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch, store: S3Server) -> None:
        self.cf = cf
        self.options = []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.secrets["AWS_ACCESS_KEY_ID"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secrets["AWS_SECRET_ACCESS_KEY"])

    def path(self, text: str) -> str:
        return self.cf.cloudpath.rstrip("/") + "/" + text

    def make_directory(self, name: str) -> set[str]:
        self.cf.put(f"{name}/other", b"")
        return {f"{name}/other"}


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: S3Server,
          cf: CloudFiles) -> Local | Cloud:
    at = Local(tmp_path, monkeypatch) if request.param == "file" else Cloud(cf, monkeypatch, store)
    at.cf.puts(TREE.items())
    return at


def copied(place: Local | Cloud, before: set[str]) -> set[str]:
    """The keys that are new, below `b/`, with their contents checked by name."""
    new = set(place.cf.list()) - set(TREE) - before
    for key in new:
        name = key.rpartition("/")[2]
        assert place.cf.get(key) == next(content for path, content in TREE.items() if path.endswith(name))
    return {key.removeprefix("b/") for key in new}


@pytest.mark.parametrize(("exists", "sources", "destination", "expected"), RULES)
def test_rules(cli: Cli, place: Local | Cloud, exists: bool, sources: list[str], destination: str,
               expected: str) -> None:
    before = place.make_directory("b") if exists else set()
    given = [text if text.startswith("-") else place.path(text) for text in sources]
    outcome = cli("cp", *given, place.path(destination))
    assert (outcome.status, outcome.errors) == (0, "")
    assert copied(place, before) == set(expected.split())


def test_an_object_becomes_the_destination(cli: Cli, place: Local | Cloud) -> None:
    for destination in ("c", "new/c.txt"):
        assert cli("cp", place.path("a/x.txt"), place.path(destination)).status == 0
        assert place.cf.get(destination) == b"x"


@pytest.mark.parametrize(("arguments", "status", "message"), [
    (["a", "b"], 1, "a is a directory (not copied); use -r"),
    (["nothing", "b"], 1, "nothing: no such object or directory"),
    (["-r", "nothing", "b"], 1, "nothing: no such object or directory"),
    (["no*", "b"], 1, "nothing matches"),
    (["a/x.txt", "top.txt", "b"], 2, "has to be a directory"),
    (["a/x.txt", "b*"], 2, "cannot contain a glob"),
    (["-r", "a", "a/inside"], 1, "overlap"),
])
def test_what_cannot_be_copied(cli: Cli, place: Local | Cloud, arguments: list[str], status: int,
                               message: str) -> None:
    outcome = cli("cp", *(text if text.startswith("-") else place.path(text) for text in arguments))
    assert outcome.status == status
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert set(place.cf.list()) == set(TREE)


def test_others_are_copied_when_one_fails(cli: Cli, place: Local | Cloud) -> None:
    outcome = cli("cp", place.path("a/x.txt"), place.path("missing"), place.path("top.txt"), place.path("b/"))
    assert outcome.status == 1
    assert "missing: no such object" in outcome.errors
    assert copied(place, set()) == {"x.txt", "top.txt"}


@pytest.mark.parametrize("tree", [True, False])
def test_move(cli: Cli, place: Local | Cloud, tree: bool) -> None:
    assert cli("mv", place.path("a" if tree else "top.txt"), place.path("b/")).status == 0
    moved = {key for key in TREE if key.startswith("a/" if tree else "top")}
    assert set(place.cf.list()) == (set(TREE) - moved) | {f"b/{key}" for key in moved}
    assert place.cf.isdir("a") != tree


def test_paths_of_standard_input(cli: Cli, place: Local | Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"{place.path(key)}\n" for key in ("a/x.txt", "a/sub/y.txt"))
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert cli("cp", "-", place.path("b")).status == 0
    assert copied(place, set()) == {"x.txt", "sub/y.txt"}


def test_filters(cli: Cli, place: Local | Cloud) -> None:
    assert cli("cp", "-r", "--include", "*.txt", "--exclude", "sub/*", place.path("a"), place.path("b")).status == 0
    assert copied(place, set()) == {"x.txt"}


def test_dry_run(cli: Cli, place: Local | Cloud) -> None:
    outcome = cli("cp", "-r", "--dry-run", place.path("a"), place.path("b"))
    assert outcome.status == 0
    assert len(outcome.output.splitlines()) == 3
    assert all(line.startswith("copy ") for line in outcome.output.splitlines())
    assert set(place.cf.list()) == set(TREE)


def test_no_clobber_and_if_newer(cli: Cli, place: Local | Cloud, tmp_path: Path) -> None:
    place.cf.put("b/x.txt", b"older or newer")
    log = tmp_path / "log.jsonl"
    assert cli("cp", "-n", "--log", str(log), place.path("a/x.txt"), place.path("b/x.txt")).status == 0
    assert cli("cp", "--if-newer", place.path("a/x.txt"), place.path("b/x.txt")).status == 0
    assert place.cf.get("b/x.txt") == b"older or newer"
    assert '"status": "skipped"' in log.read_text()
    assert cli("cp", place.path("a/x.txt"), place.path("b/x.txt")).status == 0
    assert place.cf.get("b/x.txt") == b"x"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_log_and_compression(cli: Cli, place: Local | Cloud, tmp_path: Path, processes: str) -> None:
    log = tmp_path / "log.jsonl"
    outcome = cli("-p", processes, "cp", "-r", "-c", "gzip", "--log", str(log), place.path("a"), place.path("b"))
    assert (outcome.status, outcome.errors) == (0, "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["path"].partition("/a/")[2] for line in lines} == {"x.txt", "sub/y.txt", "sub/deep/z.bin"}
    assert {line["status"] for line in lines} == {"done"}
    if isinstance(place, Cloud):
        assert place.cf.head("b/x.txt")["Content-Encoding"] == "gzip"
    else:
        assert (place.root / "b" / "x.txt.gz").exists()


def test_what_failed_is_retried_from_the_log(cli: Cli, cf: CloudFiles, store: S3Server, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    Cloud(cf, monkeypatch, store)
    cf.puts([("a/x", b"x"), ("a/y", b"y"), ("a/z", b"z")])
    log, there = str(tmp_path / "log.jsonl"), tmp_path / "b"
    store.fail(Status(403), key=f"{cf._path.path}a/y", times=None)
    assert cli("cp", "-r", "--log", log, f"{cf.cloudpath}a", str(there)).status == 1
    store.script()
    assert sorted(path.name for path in there.iterdir()) == ["x", "z"]
    (there / "x").unlink()
    assert cli("cp", "--retry", log, "--log", log).status == 0
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {"y": b"y", "z": b"z"}
    (there / "y").unlink()
    assert cli("cp", "--retry", log).status == 0  # nothing is left to do
    assert not (there / "y").exists()


def test_a_log_that_is_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x\n")
    assert cli("cp", "--retry", str(tmp_path / "log")).status == 2


@pytest.mark.parametrize("command", ["cp", "mv"])
def test_what_the_limit_of_the_rate_applies_to(cli: Cli, cf: CloudFiles, store: S3Server, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch, internals: Replace,
                                               command: str) -> None:
    place = Cloud(cf, monkeypatch, store)
    (tmp_path / "x").write_bytes(b"123")
    (tmp_path / "y").write_bytes(b"45678")
    taken: list[int] = []
    internals(rate_limit=lambda _, size: taken.append(size))
    arguments = [str(tmp_path / "x"), str(tmp_path / "y"), place.path("new/")]
    assert cli(command, "--limit-rate", "10MB", *arguments).status == 0
    assert sorted(taken) == [3, 5]


def test_limit_of_the_rate(cli: Cli, place: Local | Cloud) -> None:
    assert cli("cp", "-r", "--limit-rate", "1MB", place.path("a"), place.path("b")).status == 0
    assert cli("cp", "-r", "--limit-rate", "0", place.path("a"), place.path("c")).status == 2


def test_pictures(cli: Cli, place: Local | Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("cp", "--flight-time", "--io-rate", "--machine-io-rate", place.path("top.txt"), place.path("b/x"))
    if importlib.util.find_spec("matplotlib") is None:
        assert (outcome.status, "pip install" in outcome.errors) == (2, True)
        assert not place.cf.exists("b/x")
    else:
        assert outcome.status == 0
        assert len(list(tmp_path.glob("cloudfiles-*.png"))) == 3


# ---- requests


@pytest.mark.parametrize(("command", "after"), [("cp", []), ("mv", ["HEAD"])])
def test_requests_of_one_file(cli: Cli, cf: CloudFiles, store: S3Server, tmp_path: Path, command: str,
                              after: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    place = Cloud(cf, monkeypatch, store)
    (tmp_path / "x").write_bytes(b"x")
    before = len(store.requests())
    assert cli(command, str(tmp_path / "x"), place.path("new")).status == 0
    assert [request.method for request in store.requests()[before:]] == ["GET", "PUT", *after]


# ---- odd names


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names are Unicode")
def test_names_that_are_not_unicode_in_logs_and_listings(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in (b"x\xff\xfe", b"y"):
        (tmp_path / "a" / os.fsdecode(name)).write_bytes(name)
    (tmp_path / "b" / os.fsdecode(b"x\xff\xfe")).mkdir(parents=True)  # so that it fails
    log = tmp_path / "log"
    assert cli("cp", "-r", "--log", str(log), str(tmp_path / "a") + "/.", str(tmp_path / "b")).status == 1
    lines = {os.fsencode(os.path.basename(line["path"])): line["status"]
             for line in map(json.loads, log.read_text("utf-8").splitlines())}
    assert lines == {b"x\xff\xfe": "failed", b"y": "done"}
    listed = [json.loads(line)["path"] for line in cli("ls", "--json", str(tmp_path / "a")).output.splitlines()]
    assert [os.fsencode(os.path.basename(path)) for path in listed] == [b"x\xff\xfe", b"y"]
    (tmp_path / "b" / os.fsdecode(b"x\xff\xfe")).rmdir()
    assert cli("cp", "--retry", str(log)).status == 0
    assert (tmp_path / "b" / os.fsdecode(b"x\xff\xfe")).read_bytes() == b"x\xff\xfe"


def test_control_characters_of_names_do_not_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x\n\x1b[31m").write_bytes(b"x")
    (tmp_path / "b" / "x\n\x1b[31m").mkdir(parents=True)
    failed = cli("cp", "-r", str(tmp_path / "a") + "/.", str(tmp_path / "b"))
    assert failed.status == 1
    assert "x\\n\\x1b[31m" in failed.errors
    assert "\x1b" not in failed.errors
    assert failed.errors.count("\n") == 1


# ---- symlinks


@pytest.mark.parametrize("slash", ["", "/"])
def test_nothing_is_moved_out_of_where_a_symlink_leads(cli: Cli, tmp_path: Path, slash: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to(tmp_path / "elsewhere")
    moved = cli("mv", str(tmp_path / "a/link") + slash, str(tmp_path / "b"))
    assert moved.status == 1
    assert "symlink to a directory" in moved.errors
    assert (tmp_path / "elsewhere/x").read_bytes() == b"x"
    assert (tmp_path / "a/link").is_symlink()
    assert not (tmp_path / "b").exists()


def test_symlinks_that_are_not_moved_stay(cli: Cli, tmp_path: Path) -> None:
    for path in ("a/sub/y", "a/deep/z", "elsewhere/e"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    left = {"a/sub/out": tmp_path / "elsewhere", "a/dangling": "nowhere"}
    for link, to in {**left, "a/inside": "deep"}.items():
        (tmp_path / link).symlink_to(to)
    log = tmp_path / "log"
    assert cli("mv", "--log", str(log), str(tmp_path / "a"), str(tmp_path / "b")).status == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "a").rglob("*")) == ["a/dangling", "a/sub",
                                                                                               "a/sub/out"]
    assert {link: os.readlink(tmp_path / link) for link in left} == {link: str(to) for link, to in left.items()}
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "b").rglob("*") if path.is_file()) == [
        "b/deep/z", "b/inside/z", "b/sub/y"]
    assert (tmp_path / "elsewhere/e").exists()
    skipped = [line["path"] for line in map(json.loads, log.read_text().splitlines()) if line["status"] == "skipped"]
    assert sorted(skipped) == sorted(f"file://{tmp_path / link}" for link in left)
