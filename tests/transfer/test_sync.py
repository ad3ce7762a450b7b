"""One store made like another: what is copied, what is deleted, and what is refused before the first byte."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFiles, clear_memory, sync, verify
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, InvalidPathError, ServerError
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.interfaces.mem import MemInterface
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.transfer.compare import when
from cloudfiles.transfer.listing_merge import merge_listings
from cloudfiles.types import ListEntry, ListPage
from tests.selection import examples
from tests.transfer.conftest import Make

pytestmark = pytest.mark.one_runtime

NAMES = st.text("ab/-0é", min_size=1, max_size=4).filter(
    lambda key: "//" not in f"/{key}/")


def contents(cf: CloudFiles) -> dict[str, bytes]:
    return {key: cf.get(key) for key in cf.list()}


def as_old(directory: str, *keys: str) -> None:
    for key in keys:
        os.utime(Path(directory) / key, (1_500_000_000, 1_500_000_000))


# ---- what is done


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.binary(max_size=2), max_size=8), st.dictionaries(NAMES, st.binary(max_size=2),
                                                                                  max_size=8), st.booleans())
def test_the_target_becomes_like_the_source(ours: dict[str, bytes], theirs: dict[str, bytes], delete: bool) -> None:
    clear_memory()
    source, target = CloudFiles("mem://ours/"), CloudFiles("mem://theirs/")
    source.puts(list(ours.items()))
    target.puts(list(theirs.items()))
    done = source.sync_to(target, delete=delete, max_delete=None)
    assert contents(target) == (ours if delete else {**theirs, **ours})
    assert done.copied == sum(theirs.get(key) != content for key, content in ours.items())
    assert done.deleted == (len(theirs.keys() - ours.keys()) if delete else 0)
    assert sum(done.same.values()) == len(ours) - done.copied
    again = source.sync_to(target, delete=delete)
    assert (again.copied, again.deleted) == (0, 0)


@pytest.mark.parametrize("source", ["mem", "file", "s3"])
@pytest.mark.parametrize("target", ["mem", "file", "s3"])
def test_between_all_stores(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    if source == "file":
        ours = CloudFiles(ours.cloudpath, encoding_suffixes=True)  # else "packed.gz" is a file like any other
    theirs.puts([("a", b"9"), ("extra/x", b"")])  # first: an object that is newer, by a second, would be kept
    ours.puts([("a", b"1"), ("d/b", b"2"), ("d-c", b"3"), ("zipped", b"4")])
    ours.put("packed", b"5" * 100, compress="gzip")
    assert ours.sync_to(theirs, delete=True).deleted == 1
    assert contents(theirs) == contents(ours)
    again = ours.sync_to(theirs, delete=True)
    assert (again.copied, again.deleted, sum(again.same.values())) == (0, 0, 5)


def test_of_two_cloudpaths(tmp_path: Path) -> None:
    ours = CloudFiles("mem://two/ours/")
    ours.puts([("a", b"1"), ("d/b", b"2")])
    theirs = f"file://{tmp_path}/theirs/"
    assert sync(ours.cloudpath, theirs).copied == 2
    CloudFiles(theirs).put("stray", b"")
    assert sync(ours, theirs, True, max_delete=1).deleted == 1
    assert verify(ours, theirs)
    ours.put("a", b"3")
    assert [one.path for one in verify("mem://two/ours/", CloudFiles(theirs), ["a"]).different] == ["a"]


def test_it_says_what_told(store: Make, tmp_path: Path) -> None:
    ours, theirs, s3 = store("file"), store("file"), store("s3")
    ours.puts([("old", b"1"), ("older", b"1")])
    as_old(ours.cloudpath[7:], "old", "older")
    ours.sync_to(theirs)
    assert ours.sync_to(theirs).same == {"time": 2}
    ours.sync_to(s3)
    assert s3.sync_to(store("mem")).copied == 2
    mem = store("mem")
    s3.sync_to(mem)
    assert s3.sync_to(mem).same == {"md5": 2}
    assert ours.sync_to(theirs, compare="size").same == {"size": 2}
    assert ours.sync_to(theirs, compare="digest").same == {"content": 2}
    assert ours.sync_to(s3, compare="digest").same == {"crc32": 2}


def test_a_change_that_leaves_the_size(store: Make) -> None:
    ours, theirs = store("file"), store("file")
    ours.put("a", b"1")
    ours.sync_to(theirs)
    as_old(theirs.cloudpath[7:], "a")
    ours.put("a", b"2")
    assert ours.sync_to(theirs, compare="size").copied == 0
    assert ours.sync_to(theirs).copied == 1
    assert theirs.get("a") == b"2"


def test_a_change_within_the_same_second(store: Make) -> None:
    ours, theirs = store("file"), store("file")
    ours.put("a", b"1")
    ours.sync_to(theirs)
    ours.put("a", b"2")
    for cf in (ours, theirs):
        as_old(cf.cloudpath[7:], "a")
    assert ours.sync_to(theirs).copied == 1
    assert theirs.get("a") == b"2"


def test_a_dry_run_does_nothing(store: Make) -> None:
    ours, theirs = store("mem"), store("mem")
    ours.puts([("a", b"1"), ("b", b"2")])
    theirs.puts([("b", b"3"), ("c", b"4")])
    done = ours.sync_to(theirs, delete=True, dry_run=True)
    assert done.actions == [("copy", "a", "missing"), ("copy", "b", "md5"), ("delete", "c", "not at the source")]
    assert (done.copied, done.deleted) == (0, 0)
    assert contents(theirs) == {"b": b"3", "c": b"4"}


@pytest.mark.parametrize(("include", "exclude", "copied", "left"), [
    ("*.txt", None, {"a.txt", "d/b.txt"}, {"x.bin", "keep.bin"}),
    (None, "*.txt", {"x.bin"}, {"y.txt"}),
    (["a*", "x*"], re.compile(r"\.bin$"), {"a.txt"}, {"x.bin", "y.txt", "keep.bin"}),
    (lambda key: key.startswith("d/"), None, {"d/b.txt"}, {"y.txt", "x.bin", "keep.bin"}),
])
def test_what_is_left_out_is_neither_copied_nor_deleted(store: Make, include: Any, exclude: Any, copied: set[str],
                                                        left: set[str]) -> None:
    ours, theirs = store("mem"), store("mem")
    ours.puts([(key, b"1") for key in ("a.txt", "d/b.txt", "x.bin")])
    theirs.puts([(key, b"other") for key in ("y.txt", "keep.bin", "x.bin")])
    ours.sync_to(theirs, delete=True, include=include, exclude=exclude)
    found = contents(theirs)
    assert {key for key, content in found.items() if content == b"1"} == copied
    assert left & found.keys() == left


# ---- what is refused


def test_too_many_deletions_are_refused_before_anything_is_done(store: Make) -> None:
    ours, theirs = store("mem"), store("mem")
    ours.put("new", b"1")
    theirs.puts([(str(n), b"") for n in range(5)])
    with pytest.raises(InvalidInputError, match=r"5 of the target's 5 .* max_delete=4; nothing was changed"):
        ours.sync_to(theirs, delete=True, max_delete=4)
    assert theirs.exists("new") is False
    assert ours.sync_to(theirs, delete=True, max_delete=5).deleted == 5


def test_an_empty_source_deletes_nothing(store: Make) -> None:
    ours, theirs = store("mem"), store("mem")
    theirs.put("a", b"")
    with pytest.raises(InvalidInputError, match="the source is empty"):
        ours.sync_to(theirs, delete=True)
    assert ours.sync_to(theirs, delete=True, max_delete=None).deleted == 1


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_listing_that_breaks_off_deletes_and_copies_nothing(server: S3Server, store: Make, side: str) -> None:
    server.configure(page_size=3)
    s3, mem = store("s3"), store("mem")
    s3.puts([(f"{n}", b"1") for n in range(9)])
    mem.puts([(f"{n}", b"2") for n in range(5, 14)])
    before = contents(s3), contents(mem)
    server.script(Rule(s3_error(403, "AccessDenied"), method="GET", query="list-type=2", skip=2, times=None))
    ours, theirs = (s3, mem) if side == "source" else (mem, s3)
    with pytest.raises(CloudFilesError, match="AccessDenied"):
        ours.sync_to(theirs, delete=True)
    server.script()
    assert (contents(s3), contents(mem)) == before


def test_a_copy_that_fails_deletes_nothing(server: S3Server, store: Make) -> None:
    mem, s3 = store("mem"), store("s3")
    mem.puts([("a", b"1"), ("b", b"1")])
    s3.put("c", b"1")
    server.script(Rule(s3_error(403, "AccessDenied"), method="PUT", times=None))
    with pytest.raises(CloudFilesError, match="AccessDenied"):
        mem.sync_to(s3, delete=True)
    server.script()
    assert s3.exists("c")


def test_a_missing_bucket_is_no_empty_source(server: S3Server, store: Make) -> None:
    mem = store("mem")
    mem.put("a", b"1")
    absent = CloudFiles("s3://absent/", endpoint=server.url, secrets=server.secrets)
    with pytest.raises(ServerError, match="NoSuchBucket"):
        absent.sync_to(mem, delete=True, max_delete=None)
    assert mem.exists("a")


@pytest.mark.parametrize(("ours", "theirs"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_stores_inside_each_other(tmp_path: Path, ours: str, theirs: str) -> None:
    with pytest.raises(InvalidInputError, match="overlap"):
        CloudFiles(f"file://{tmp_path}/{ours}").sync_to(f"file://{tmp_path}/{theirs}")


@pytest.mark.parametrize(("ours", "theirs"), [
    (["a", "a-b", "a/b"], []), (["a/b"], ["a"]), (["a"], ["a/b/c"]), (["x/a", "x/a.gz"], []), (["a", "a.zstd"], []),
])
def test_collisions_are_found_before_the_first_byte(store: Make, ours: list[str], theirs: list[str]) -> None:
    source, target = store("mem"), CloudFiles(store("file").cloudpath, encoding_suffixes=True)
    source.puts([(key, b"1") for key in ["0", *ours]])
    target.puts([(key, b"2") for key in theirs])
    with pytest.raises(InvalidPathError, match="Nothing was copied"):
        source.sync_to(target, delete=True)
    assert contents(target) == dict.fromkeys(theirs, b"2")
    source.sync_to(target, exclude=["a*", "x*"])


def test_case_collisions(store: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileInterface, "traits", FileInterface.traits._replace(folds_case=True))
    source, target = store("mem"), store("file")
    source.puts([("Readme", b"1"), ("README", b"2")])
    with pytest.raises(InvalidPathError, match="differ only in case"):
        source.sync_to(target)
    assert contents(target) == {}


@pytest.mark.parametrize("view", [True, False, None])
def test_keys_with_suffixes_of_encodings(store: Make, view: bool | None) -> None:
    source, target = store("mem"), CloudFiles(store("file").cloudpath, encoding_suffixes=view)
    source.puts([("a.gz", b"1"), ("b", b"2"), ("c.br", b"3")])
    source.sync_to(target, delete=True)
    again = source.sync_to(target, delete=True)
    assert (again.copied, again.deleted) == (0, 0)
    assert target.get("a.gz", raw=True) == b"1"
    source.delete("c.br")
    assert source.sync_to(target, delete=True).deleted == 1
    assert sorted(os.listdir(target.cloudpath[7:])) == ["a.gz", "b"]


def test_symlink_loops_have_no_keys(store: Make) -> None:
    source, target = store("file"), store("mem")
    source.put("d/a", b"1")
    os.symlink("..", Path(source.cloudpath[7:]) / "d" / "up")
    source.sync_to(target)
    assert contents(target) == {"d/a": b"1"}


@pytest.mark.parametrize("mode", ["Size", "", None, "md5"])
def test_an_unknown_mode(store: Make, mode: Any) -> None:
    with pytest.raises(InvalidInputError, match="compare: expected one of"):
        store("mem").sync_to(store("mem"), compare=mode)


def test_a_pattern_that_is_none(store: Make) -> None:
    with pytest.raises(InvalidInputError, match="expected a glob"):
        store("mem").sync_to(store("mem"), include=3)


# ---- two listings side by side


class Unordered(MemInterface):
    """Lists in an order of its own, and may promise the right one."""

    traits = MemInterface.traits._replace(lists_in_key_order=False)

    def list_page(self, prefix: str = "", **more: Any) -> ListPage:
        page = super().list_page(prefix, **more)
        return ListPage(page.entries[::-1], page.prefixes, page.next_token)


class Lying(Unordered):
    traits = MemInterface.traits


@pytest.mark.parametrize("kind", [Unordered, Lying])
def test_listings_out_of_order(store: Make, kind: Any) -> None:
    ours, theirs = store("mem"), store("mem")
    ours.puts([(key, b"1") for key in ("a", "b/ü", "b-", "é", "z")])
    theirs.puts([(key, b"1") for key in ("b-", "x")])
    for cf in (ours, theirs):
        cf._store._class = kind
        cf._store._interfaces.clear()
    done = ours.sync_to(theirs, delete=True)
    assert (done.copied, done.deleted, done.same["md5"]) == (4, 1, 1)
    assert contents(ours) == contents(theirs)


def test_a_merge_keeps_the_order_of_bytes(store: Make) -> None:
    keys: Sequence[str] = ["a", "a/b", "a0", "\uffff", "\U00010000", "é"]
    ours = store("mem")
    ours.puts([(key, b"") for key in keys])
    here = ours._store.here()
    found = [pair.key for pair in merge_listings(here, here, lambda key: key != "a0")]
    assert found == sorted((key for key in keys if key != "a0"), key=str.encode)
    assert all(isinstance(pair.source, ListEntry) and pair.source == pair.target
               for pair in merge_listings(here, here, lambda key: True, trust=False))


@pytest.mark.parametrize(("text", "seconds"), [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777), ("1994-11-06T08:49:37.500Z", 784111777.5),
    ("1994-11-06T08:49:37", 784111777), ("1994-11-06T09:49:37+01:00", 784111777), ("yesterday", None), ("", None),
    (None, None)])
def test_times_as_stores_write_them(text: str | None, seconds: float | None) -> None:
    assert when(text) == seconds
