"""The commands for single stores: ls, find, tree, du, cat, put, head, stat, rm, touch, mkdir, sync, verify, xfer."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, compression
from cloudfiles.cli import changing_commands
from cloudfiles.cli.content_commands import _batches
from cloudfiles.cli.listing import entries
from cloudfiles.testing import S3Server, Status
from tests.cli.conftest import Outcome

Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _keys(store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.secrets.items():
        if value is not None:
            monkeypatch.setenv(name, str(value))


@pytest.fixture
def at(cf: CloudFiles) -> Callable[[str], str]:
    cf.puts([("a/x.txt", b"1"), ("a/sub/y.txt", b"22"), ("a1.bin", b"4444"), ("a2.bin", b"55555")])
    return lambda key: cf.cloudpath.rstrip("/") + "/" + key


Paths = Callable[[str], str]


@pytest.mark.parametrize(("arguments", "path", "expected"), [
    ([], "", "a/sub/y.txt a/x.txt a1.bin a2.bin"),
    ([], "a", "a/sub/y.txt a/x.txt a1.bin a2.bin"),
    ([], "a/", "a/sub/y.txt a/x.txt"),
    (["--flat"], "", "a/ a1.bin a2.bin"),
    (["--flat"], "a", "a/sub/ a/x.txt"),
    ([], "*.bin", "a1.bin a2.bin"),
    ([], "a/*", "a/sub/ a/x.txt"),
    (["-r"], "a/*", "a/sub/y.txt a/x.txt"),
    (["-e"], "a[12]", "a1.bin a2.bin"),
    (["-e"], "a[3-9]", ""),
])
def test_ls(cli: Cli, at: Paths, arguments: list[str], path: str, expected: str) -> None:
    outcome = cli("ls", *arguments, at(path))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.split() == [at(key) for key in expected.split()]


def test_ls_long_and_json(cli: Cli, at: Paths) -> None:
    assert cli("ls", "-lh", at("a2")).output.split()[:2] == ["5", "B"]
    found = json.loads(cli("ls", "--json", at("a2")).output)
    assert (found["path"], found["size"], found["type"]) == (at("a2.bin"), 5, "object")


def test_ls_of_nothing(cli: Cli, at: Paths) -> None:
    outcome = cli("ls", at("none"))
    assert (outcome.status, outcome.output) == (1, "")
    assert "no such object or directory" in outcome.errors


def test_ls_of_an_empty_directory(cli: Cli, tmp_path: Path) -> None:
    assert cli("ls", str(tmp_path)) == (0, "", "")


def test_ls_into_a_database_continues(cli: Cli, at: Paths, tmp_path: Path) -> None:
    database = str(tmp_path / "listing.db")
    assert cli("ls", at("a"), "--sqlite", database).status == 0
    with sqlite3.connect(database) as db:
        rows = dict(db.execute("SELECT path, size FROM files"))
        assert {path.rpartition("/")[2]: size for path, size in rows.items()} == {
            "x.txt": 1, "y.txt": 2, "a1.bin": 4, "a2.bin": 5}
        db.execute("DELETE FROM metadata WHERE name = 'complete'")
        db.execute("DELETE FROM files WHERE path LIKE '%x.txt'")
    db.close()
    assert cli("ls", at("a"), "--sqlite", database).status == 0
    with sqlite3.connect(database) as db:
        assert db.execute("SELECT count(*) FROM files").fetchone() == (4,)
    db.close()
    assert "the listing of" in cli("ls", at("other"), "--sqlite", database).errors


@pytest.mark.parametrize(("conditions", "expected"), [
    (["--name", "*.txt"], "a/sub/y.txt a/x.txt"),
    (["--path", "a/*"], "a/x.txt"),
    (["--size", "+4"], "a1.bin a2.bin"),
    (["--size", "-1"], "a/x.txt"),
    (["--size", "2", "--mtime", "-1d"], "a/sub/y.txt"),
    (["--mtime", "+1d"], ""),
])
def test_find(cli: Cli, at: Paths, conditions: list[str], expected: str) -> None:
    assert cli("find", at(""), *conditions).output.split() == [at(key) for key in expected.split()]


def test_tree(cli: Cli, at: Paths) -> None:
    assert cli("tree", at("a")).output.splitlines()[1:] == [
        "├── sub/", "│   └── y.txt", "└── x.txt", "", "1 directory, 2 objects"]


def test_tree_of_one_level(cli: Cli, at: Paths) -> None:
    assert cli("tree", "-L", "1", at("a")).output.splitlines()[1:3] == ["├── sub/", "└── x.txt"]


def test_tree_of_a_local_directory_shows_empty_ones(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    assert cli("tree", str(tmp_path)).output.splitlines()[1:3] == ["└── a/", "    └── empty/"]


@pytest.mark.parametrize("command", ["ls", "find", "tree"])
def test_several_paths(cli: Cli, at: Paths, command: str) -> None:
    outcome = cli(command, at("a"), at("none"), at("a/"))
    assert outcome.status == 1
    assert outcome.output.count("y.txt") == 2
    assert outcome.errors == f"cloudfiles: {at('none')}: no such object or directory\n"


def test_find_by_age_needs_a_unit(cli: Cli, at: Paths) -> None:
    outcome = cli("find", at(""), "--mtime", "-1")
    assert (outcome.status, "7d" in outcome.errors) == (2, True)


@pytest.mark.parametrize("command", ["find", "tree", "du", "ls"])
def test_a_directory_that_does_not_exist(cli: Cli, at: Paths, command: str) -> None:
    assert cli(command, at("none")).status == 1


def test_du(cli: Cli, at: Paths) -> None:
    assert cli("du", "-s", at("a"), at("a1.bin")).output == f"3\t{at('a')}\n4\t{at('a1.bin')}\n"
    assert cli("du", "-shc", at("a")).output.splitlines() == [f"3 B\t{at('a')}", "3 B\tbytes total"]
    assert "12\t.txt" not in cli("du", "-e", at("")).output
    assert "9\t.bin" in cli("du", "-e", at("")).output
    assert cli("du", at("none")).status == 1


def test_cat(cli: Cli, at: Paths, cf: CloudFiles) -> None:
    cf.put("zipped", b"content", compress="gzip")
    assert cli("cat", at("a/x.txt"), at("zipped")).output == "1content"
    assert cli("cat", "-r", "1-3", at("a2.bin")).output == "55"
    assert cli("cat", "-r", "-1", at("a2.bin")).output == "5"
    outcome = cli("cat", at("none"), at("a/x.txt"))
    assert (outcome.status, outcome.output) == (1, "1")
    assert cli("cat", "-r", "x", at("a2.bin")).status == 2
    assert cli("cp", at("a/x.txt"), "-").output == "1"
    assert cli("cat", at("*.bin"), at("a/x.txt"), at("*.bin")).output == "4444555551444455555"


def test_cat_fetches_many_objects_at_once_and_prints_them_in_order(cli: Cli, cf: CloudFiles, at: Paths,
                                                                   store: S3Server) -> None:
    keys = [f"many/{n:03}" for n in range(300)]
    cf.puts((key, key.encode()) for key in keys)
    store.forget()
    assert cli("cat", at("many/*")).output == "".join(keys)
    assert len(store.requests("GET")) == 301
    assert len({request.connection for request in store.requests("GET")}) > 2


def test_cat_fetches_objects_of_equal_stores_together(cf: CloudFiles, at: Paths) -> None:
    others = [(cf.cloudpath.rstrip("/") + "-other/", "a1.bin"), (cf.cloudpath, "a1.bin"), (cf.cloudpath, "a2.bin")]
    batches = list(_batches((CloudFiles(directory), name, name) for directory, name in others))
    assert [(store.cloudpath, [key for key, _ in several]) for store, several in batches] == [
        (others[0][0], ["a1.bin"]), (cf.cloudpath, ["a1.bin", "a2.bin"])]


def test_cat_of_many_objects_decompresses_them_one_after_the_other(cf: CloudFiles, at: Paths, store: S3Server) -> None:
    size, keys = 32 << 20, [f"{n}.gz" for n in range(20)]
    cf.puts(((key, compression.compress(bytes(size))) for key in keys), compress="gzip", raw=True)
    script = """
import sys, tracemalloc
from cloudfiles.cli import main
tracemalloc.start()
status = main(["cat", *sys.argv[1:]])
print(tracemalloc.get_traced_memory()[1] >> 20, file=sys.stderr)
sys.exit(status)
"""
    process = subprocess.run([sys.executable, "-c", script, *map(at, keys)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, check=True)
    assert int(process.stderr) < size >> 20


def test_cat_of_a_large_object(cli: Cli, cf: CloudFiles, at: Paths) -> None:
    large = os.urandom(1 << 20).hex().encode() * 6
    cf.puts([("large", large), ("large.gz", large)], compress="gzip")
    assert cli("cat", at("large")).output.encode() == large


def test_put(cli: Cli, at: Paths, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b"from a pipe")

    monkeypatch.setattr("sys.stdin", Input)
    assert cli("put", at("new"), "-c", "gzip", "--content-type", "text/x").status == 0
    assert cf.get("new") == b"from a pipe"
    assert cf.head("new")["Content-Type"] == "text/x"
    Input.buffer.seek(0)
    assert cli("put", "-n", at("new")).status == 1
    assert cli("put", at("dir/")).status == 2


def test_head_and_stat(cli: Cli, at: Paths) -> None:
    assert "'Content-Length': 1" in cli("head", at("a/x.txt")).output
    assert "'Content-Length': 2" in cli("head", at("a/x.txt"), at("a/sub/y.txt")).output
    assert "Content-Length       5" in cli("stat", at("a2.bin")).output
    outcome = cli("head", "--json", at("none"), at("a2.bin"))
    assert outcome.status == 1
    assert json.loads(outcome.output)["Content-Length"] == 5


def test_presign(cli: Cli, at: Paths) -> None:
    url = cli("presign", "--expires", "5m", at("a2.bin")).output.strip()
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"55555"
    assert cli("presign", "--expires", "soon", at("a2.bin")).status == 2


def test_rm(cli: Cli, at: Paths, cf: CloudFiles) -> None:
    assert "use -r" in cli("rm", at("a")).errors
    assert cli("rm", at("none")).status == 1
    assert cli("rm", "-f", at("none")).status == 0
    assert len(cli("rm", "-r", "-n", at("a")).output.splitlines()) == 2
    assert len(list(cf.list())) == 4
    assert cli("rm", at("*.bin"), at("a/x.txt")).status == 0
    assert list(cf.list()) == ["a/sub/y.txt"]
    assert cli("rm", "-r", at("a")).status == 0
    assert list(cf.list()) == []


def test_rm_of_an_object_and_the_directory_of_its_name(cli: Cli, at: Paths, cf: CloudFiles, store: S3Server) -> None:
    cf.puts([("a", b"0"), ("a-b", b"stays")])
    assert cli("rm", "-r", at("a")).status == 0
    assert list(cf.list()) == ["a-b", "a1.bin", "a2.bin"]
    store.fail(Status(403), method="HEAD", times=None)
    try:
        outcome = cli("rm", "-r", at("a-b"))
    finally:
        store.script()
    assert (outcome.status, "403" in outcome.errors) == (3, True)


def test_rm_lists_while_it_looks_for_an_object(cli: Cli, at: Paths, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    exists, listed = CloudFiles.exists, threading.Event()

    def wait(cf: CloudFiles, *args: Any) -> Any:
        assert listed.wait(30)
        return exists(cf, *args)

    def report(*args: Any) -> Any:
        listed.set()
        return entries(*args)

    monkeypatch.setattr(CloudFiles, "exists", wait)
    monkeypatch.setattr(changing_commands, "entries", report)
    assert cli("rm", "-r", at("a")).status == 0
    assert list(cf.list()) == ["a1.bin", "a2.bin"]


ODD = ["a*b", "a?b", "[ab]", "-rf", "with space", "tab\there", "sl//ash", "/first", "last/", "last//",
       "ü/é", "50%", "a+b", "#x", "q?x=1&y"]


def test_odd_keys_from_ls_to_rm(cli: Cli, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths on standard input are names, and never globs: nothing else is deleted."""
    cf.puts([(key, key.encode()) for key in ODD] + [("axb", b"stays"), ("a", b"stays"), ("b", b"stays")])
    listed = [line for line in cli("ls", cf.cloudpath).output.splitlines()
              if line.removeprefix(cf.cloudpath) not in ("axb", "a", "b")]
    assert len(listed) == len(ODD)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(listed)))
    assert cli("cat", "-").output.encode() == b"".join(sorted(key.encode() for key in ODD))
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(listed)))
    assert cli("rm", "-").status == 0
    assert sorted(cf.list()) == ["a", "axb", "b"]


@pytest.mark.parametrize("key", [key for key in ODD if not key.endswith("/")])
def test_odd_keys_taken_literally(cli: Cli, cf: CloudFiles, tmp_path: Path, key: str) -> None:
    cf.puts([(key, b"odd"), ("axb", b"other")])
    path = cf.cloudpath.rstrip("/") + "/" + key
    assert cli("cat", "--no-glob", path).output == "odd"
    assert cli("cp", "--no-glob", path, str(tmp_path / "copy")).status == 0
    assert (tmp_path / "copy").read_bytes() == b"odd"
    assert cli("rm", "--no-glob", path).status == 0
    assert list(cf.list()) == ["axb"]


def test_the_root_of_the_file_system_is_not_deleted(cli: Cli) -> None:
    assert cli("rm", "-r", "-n", "/").status == 2


def test_keys_that_lead_out_are_not_copied(cli: Cli, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("d/../../evil", b"1"), ("d/fine", b"2")])
    outcome = cli("cp", "-r", cf.cloudpath.rstrip("/") + "/d", str(tmp_path / "deep" / "copy"))
    assert outcome.status in (1, 2)
    assert "evil" in outcome.errors
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "deep" / "evil").exists()


def test_rm_of_a_local_tree(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    (tmp_path / "a" / "x").write_text("1")
    assert cli("rm", "-r", str(tmp_path / "a")).status == 0
    assert not (tmp_path / "a").exists()


def test_touch_and_mkdir(cli: Cli, at: Paths, cf: CloudFiles, tmp_path: Path) -> None:
    assert cli("touch", at("new"), at("a/x.txt")).status == 0
    assert (cf.get("new"), cf.get("a/x.txt")) == (b"", b"1")
    assert cli("mkdir", str(tmp_path / "q" / "w")).status == 0
    assert (tmp_path / "q" / "w").is_dir()
    assert cli("mkdir", at("dir")).status == 0


def test_cleanup_of_files(cli: Cli, tmp_path: Path) -> None:
    old, new = (tmp_path / "d" / "sub" / f".cloudfiles-1f-{n:016x}-0.tmp" for n in range(2))
    old.parent.mkdir(parents=True)
    for path in (old, new, tmp_path / "d" / "object"):
        path.write_text("1")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    os.utime(tmp_path / "d" / "object", (1_000_000_000, 1_000_000_000))
    assert "removed 1 temporary file\n" in cli("cleanup", str(tmp_path / "d")).errors
    assert (old.exists(), new.exists()) == (False, True)
    assert "removed 1 temporary file\n" in cli("cleanup", "--older-than", "0", str(tmp_path / "d")).errors
    assert os.listdir(tmp_path / "d" / "sub") == []
    assert cli("cleanup", str(tmp_path / "d")).status == 0
    assert (tmp_path / "d" / "object").exists()
    assert cli("cleanup", str(tmp_path / "mistyped")).status == 1
    assert cli("cleanup", "--older-than", "soon", str(tmp_path)).status == 2


def test_cleanup_of_uploads(cli: Cli, at: Paths, store: S3Server) -> None:
    for key in ("a/big", "a1.bin"):
        begin = urllib.request.Request(f"{at(key).removeprefix('s3://')}?uploads", method="POST", data=b"")
        urllib.request.urlopen(begin).close()
    bucket = at("").split("/")[-3]
    before = store.contents(bucket=bucket)
    assert "removed 0 incomplete uploads" in cli("cleanup", at("a")).errors
    assert len(store.uploads(bucket=bucket)) == 2
    assert "removed 1 incomplete upload\n" in cli("cleanup", "--older-than=0s", at("a")).errors
    assert len(store.uploads(bucket=bucket)) == 1
    assert cli("cleanup", "--older-than=0s", at("")).status == 0
    assert (store.uploads(bucket=bucket), store.contents(bucket=bucket)) == ([], before)


def test_sync_and_verify(cli: Cli, at: Paths, tmp_path: Path) -> None:
    there = str(tmp_path / "copy")
    assert "4 copied" in cli("sync", at(""), there).errors
    assert "0 copied (0 B), 4 up to date" in cli("sync", at(""), there).errors
    assert cli("verify", at(""), there).status == 0
    os.utime(tmp_path / "copy" / "a1.bin", (2_000_000_000, 2_000_000_000))  # newer, but the same
    assert "0 copied (0 B), 4 up to date" in cli("sync", there, at("")).errors
    (tmp_path / "copy" / "a1.bin").write_text("44x4")
    (tmp_path / "copy" / "surplus").write_text("1")
    outcome = cli("verify", "--json", at(""), there)
    assert (outcome.status, json.loads(outcome.output.splitlines()[0])["verdict"]) == (1, "different")
    assert "delete surplus" in cli("sync", "--delete", "-n", at(""), there).output
    assert cli("sync", "--delete", "--max-delete", "0", at(""), there).status == 2
    assert (tmp_path / "copy" / "surplus").exists()
    assert "1 deleted" in cli("sync", "--delete", "--compare", "digest", at(""), there).errors
    assert cli("verify", at(""), there).status == 0


def test_sync_copies_what_it_can(cli: Cli, at: Paths, cf: CloudFiles, store: S3Server, tmp_path: Path) -> None:
    there, log = tmp_path / "copy", tmp_path / "log.jsonl"
    there.mkdir()
    (there / "surplus").write_text("1")
    store.fail(Status(403), method="GET", key=f"{cf._path.path}a1.bin", times=None)
    outcome = cli("sync", "--delete", "--log", str(log), at(""), str(there))
    store.script()
    assert outcome.status == 1
    assert "3 copied" in outcome.errors
    assert "1 failed" in outcome.errors
    assert (there / "surplus").exists()
    assert sorted(json.loads(line)["status"] for line in log.read_text().splitlines()) == ["done"] * 3 + ["failed"]
    assert cli("cp", "--retry", str(log)).status == 0
    assert cli("verify", at(""), str(there)).status == 0


def test_xfer(cli: Cli, at: Paths, tmp_path: Path) -> None:
    journal, there = str(tmp_path / "x.db"), tmp_path / "copy"
    assert cli("xfer", "init", at("a"), str(there), "--db", journal).status == 0
    assert json.loads(cli("xfer", "status", "--json", journal).output)["pending"] == 2
    assert cli("xfer", "execute", journal).status == 0
    assert (there / "sub" / "y.txt").read_bytes() == b"22"
    assert not os.path.exists(journal)
    assert cli("xfer", "execute", journal).status == 2


def test_alias(cli: Cli, at: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_FILES_DIR", str(tmp_path))
    host = at("").partition("dir/")[0]
    assert cli("alias", "add", "lab", host).status == 0
    assert host in cli("alias", "ls").output
    assert cli("cat", "lab://dir/a/x.txt").output == "1"
    assert cli("alias", "rm", "lab").status == 0
    assert cli("alias", "rm", "lab").status == 2


# ---- exit status


@pytest.mark.parametrize("command", [["ls"], ["cat"], ["head"], ["rm"], ["du"], ["sync", "."], ["find"]])
def test_a_store_that_allows_nothing(cli: Cli, at: Paths, store: S3Server, command: list[str],
                                     tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store.fail(Status(403), times=None)
    outcome = cli(*command, at("a/x.txt"))
    store.script()
    assert (outcome.status, outcome.output) == (3, "")
    assert outcome.errors.count("\n") == 1


def test_some_objects_are_not_allowed(cli: Cli, at: Paths, cf: CloudFiles, store: S3Server) -> None:
    store.fail(Status(403), key=f"{cf._path.path}a1.bin", times=None)
    outcome = cli("cat", at("a1.bin"), at("a2.bin"))
    store.script()
    assert (outcome.status, outcome.output) == (1, "55555")


@pytest.mark.parametrize("arguments", [
    ["cp"], ["cp", "x"], ["cp", "--retry", "/dev/null", "x", "y"], ["ls", "--nothing"], ["cp", "-c", "rar", "x", "y"],
    ["ls", "ftp://x/y"], ["find", ".", "--size", "big"], ["ls", "-e", "a[z-a]"]])
def test_wrong_usage(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert (outcome.status, outcome.output) == (2, "")
    assert outcome.errors.startswith("cloudfiles: ")


def test_names_of_files_can_be_any_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff")).write_bytes(b"1")
    command = [sys.executable, "-c", "from cloudfiles.cli import main; raise SystemExit(main())"]
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    listed = subprocess.run([*command, "ls", str(tmp_path)], env=environ, capture_output=True, check=True).stdout
    assert listed.endswith(b"/a\xff\n")
    assert subprocess.run([*command, "cat", "-"], input=listed, env=environ, capture_output=True,
                          check=True).stdout == b"1"
