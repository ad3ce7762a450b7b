"""Local names that end in the suffix of an encoding: two views of a directory, and no file is lost in either."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFiles, ResumableTransfer, clear_memory, dl, sync, verify
from cloudfiles.bucket import Bucket
from cloudfiles.exceptions import (
    AmbiguousPathError,
    DecompressionError,
    InvalidInputError,
    JournalError,
    UnsupportedOperationError,
)
from cloudfiles.files import download_file, upload_file
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file import FileInterface, walk
from cloudfiles.tasks.downloader import Downloader
from cloudfiles.tasks.uploader import Uploader
from tests.internals import Replace
from tests.selection import examples
from tests.transfer.conftest import Make, tree, write

pytestmark = pytest.mark.one_runtime

FILES = {
    "t.csv": b"a,b\n", "t.csv.gz": gzip.compress(b"a,b\n"), "brain.nii.gz": gzip.compress(b"\0" * 5000),
    "a.tar": b"tar", "a.tar.gz": gzip.compress(b"tar"), "a.tar.bz2": b"BZh9 but cut short", "empty.gz": b"",
    "fake.gz": b"this is no gzip", "d/fake.br": b"nor is this br", "d/.gz": b"a name", "d/x.xz.gz": b"\x1f\x8b\x08",
    "d.gz/x": b"below a directory", "z.zstd": b"", "y.gz": b"unrelated",
}

EXACT: dict[str, Any] = {"encoding_suffixes": False}
BY_SUFFIX: dict[str, Any] = {"encoding_suffixes": True}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", FILES)


def stored(cf: CloudFiles) -> dict[str, bytes]:
    """What is there, by the names of its files where it is a directory."""
    if cf.protocol == "file":
        return tree(Path(cf.cloudpath.removeprefix("file://")))
    return {key: cf.get(key) for key in cf.list()}


# ---- every file has its own name


@pytest.mark.parametrize("kind", ["mem", "file", "s3", "moto", "gs", "gs-scripted", "az"])
def test_a_tree_goes_there_and_back(source: Path, store: Make, kind: str, tmp_path: Path) -> None:
    there, back = store(kind), store("file")
    first = sync(CloudFiles(str(source)), there, delete=True)
    assert first.copied == len(FILES)
    assert stored(there) == FILES
    assert sync(CloudFiles(str(source)), there, delete=True).copied == 0
    assert sync(there, back, delete=True).copied == len(FILES)
    assert stored(back) == FILES
    assert sync(there, back, delete=True, compare="size").deleted == 0
    checked = verify(source, back)
    assert checked
    assert checked.same == len(FILES)
    assert verify(there, back, read=True)


NAMES = st.lists(st.sampled_from(["a", "b", "a.gz", "a.tar", "a.tar.gz", "b.xz", "b.xz.gz", ".gz", "a.br", "b.bz2"]),
                 min_size=1, max_size=2).map("/".join)
CONTENTS = st.sampled_from([b"", b"text", gzip.compress(b"text"), gzip.compress(b""), gzip.compress(b"text")[:-3]])


def without_nesting(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items()
            if not any(other.startswith(name + "/") for other in files)}


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, CONTENTS, max_size=8).map(without_nesting),
       st.dictionaries(NAMES, CONTENTS, max_size=5).map(without_nesting), st.booleans())
def test_any_tree_is_kept_by_sync(tmp_path_factory: pytest.TempPathFactory, ours: dict[str, bytes],
                                  theirs: dict[str, bytes], delete: bool) -> None:
    nested = any(a.startswith(b + "/") or b.startswith(a + "/") for a in ours for b in theirs)
    here, there = (write(tmp_path_factory.mktemp("tree"), files) for files in (ours, theirs))
    clear_memory()
    CloudFiles("mem://x/").puts(list(theirs.items()))
    sync(here, "mem://x/", delete=delete, max_delete=None)
    expected = ours if delete else {**theirs, **ours}
    assert stored(CloudFiles("mem://x/")) == expected
    if not nested:
        sync("mem://x/", there, delete=delete, max_delete=None)
        assert tree(there) == expected
        assert verify("mem://x/", there)
    assert tree(here) == ours


@pytest.mark.parametrize("verb", ["put", "delete", "touch", "puts"])
def test_a_write_touches_its_own_name_alone(source: Path, verb: str) -> None:
    cf = CloudFiles(str(source), **EXACT)
    if verb == "delete":
        cf.delete("y")
        cf.delete(["a.tar", "missing"])
        expected = {name: content for name, content in FILES.items() if name != "a.tar"}
    else:
        {"put": lambda: cf.put("y", b""), "touch": lambda: cf.touch("y"), "puts": lambda: cf.puts([("y", b"")])}[verb]()
        expected = {**FILES, "y": b""}
    assert tree(source) == expected
    assert sorted(cf.list()) == sorted(expected)


def test_every_name_is_read_as_it_is(source: Path) -> None:
    cf = CloudFiles(str(source), **EXACT)
    assert {found["path"]: found["content"] for found in cf.get(list(FILES))} == FILES
    assert cf.get("brain.nii") is None
    assert cf.size("brain.nii.gz") == len(FILES["brain.nii.gz"])
    assert cf.head("t.csv.gz")["Content-Encoding"] is None
    assert cf.exists(["fake", "fake.gz", "d/.gz"]) == {"fake": False, "fake.gz": True, "d/.gz": True}
    assert sorted(cf.list("t.csv", size=True)) == [("t.csv", 4), ("t.csv.gz", len(FILES["t.csv.gz"]))]


def test_no_encoding_can_be_asked_for(tmp_path: Path, mem: CloudFiles) -> None:
    cf = CloudFiles(str(tmp_path), **EXACT)
    with pytest.raises(UnsupportedOperationError, match="encoding_suffixes=False"):
        cf.put("a", b"1", compress="gzip")
    mem.put("a", b"1")
    with pytest.raises(UnsupportedOperationError, match="encoding_suffixes=False"):
        mem.transfer_to(cf, reencode="gzip")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("kind", ["mem", "file", "s3"])
@pytest.mark.parametrize("whole", [1 << 23, 10])
def test_encoded_objects_are_written_decoded(store: Make, tmp_path: Path, internals: Replace, kind: str,
                                             whole: int) -> None:
    internals(small_bytes=whole)
    cf = store(kind)
    if kind == "file":
        cf = CloudFiles(cf.cloudpath, **BY_SUFFIX)
    contents = {"x": b"text" * 1000, "k.gz": b"twice", "plain": b"plain"}
    cf.puts([(key, contents[key]) for key in ("x", "k.gz")], compress="gzip")
    cf.put("plain", contents["plain"])
    there = tmp_path / "there"
    assert sync(cf, there).copied == 3
    assert tree(there) == contents
    os.utime(there / "x", (2_000_000_000, 2_000_000_000))
    again = sync(cf, there)
    assert (again.copied, sum(again.same.values())) == (0, 3)
    assert verify(cf, there, read=True)
    assert sync(cf, there, compare="digest").copied == 0
    (there / "x").write_bytes(b"TEXT" * 1000)
    assert [one.path for one in verify(cf, there, read=True).different] == ["x"]
    assert sync(cf, there, compare="digest").copied == 1
    os.utime(there / "x", (1_000_000_000, 1_000_000_000))
    assert sync(cf, there).copied == 1
    done = cf.transfer_to(CloudFiles(str(there), **EXACT), resumable=True)
    assert (done.copied, done.skipped) == (0, 3)
    moved = CloudFiles(str(tmp_path / "moved"), **EXACT)
    assert cf.moves(moved, list(contents)).copied == 3
    assert stored(moved) == contents
    assert list(cf.list()) == []


def test_what_an_object_store_cannot_prove_is_reported(store: Make, tmp_path: Path) -> None:
    s3 = store("s3")
    s3.put("x", b"text", compress="gzip")
    sync(s3, tmp_path)
    checked = verify(s3, tmp_path)
    assert not checked
    assert "read=True" in checked.unverifiable[0].cause


def test_from_memory_to_file_and_back(mem: CloudFiles, tmp_path: Path) -> None:
    mem.put("k.gz", b"anything")
    sync(mem, tmp_path)
    again = CloudFiles("mem://again/")
    sync(tmp_path, again)
    assert stored(again) == {"k.gz": b"anything"}


def test_the_classes_that_mean_files(source: Path, mem: CloudFiles, tmp_path: Path) -> None:
    disk = f"file://{tmp_path}/disk/"
    for place in (mem.cloudpath, disk):
        Uploader(place, "up/", str(source))
        Downloader(place, "up/", str(tmp_path / place[:3]))
        assert tree(tmp_path / place[:3]) == FILES
    bucket = Bucket(f"file://{source}/")
    assert sorted(bucket) == sorted(FILES)
    bucket.add_string("", "y")
    bucket.delete_file("y")
    bucket.get_all_files(tmp_path / "out")
    assert tree(source) == tree(tmp_path / "out") == FILES
    (tmp_path / "up").write_bytes(b"1")
    upload_file(f"file://{source}/y", tmp_path / "up")
    assert tree(source) == {**FILES, "y": b"1"}
    assert download_file(f"file://{source}/fake.gz", tmp_path / "down")[1] == len(FILES["fake.gz"])


# ---- a suffix shows an encoding


@pytest.mark.parametrize("options", [{}, BY_SUFFIX])
def test_of_two_files_the_exact_name_is_read(source: Path, options: dict[str, Any]) -> None:
    cf = CloudFiles(str(source), **options)
    assert cf.get("t.csv") == FILES["t.csv"]
    assert cf.size("t.csv") == 4
    assert cf.get("brain.nii") == b"\0" * 5000
    assert cf.get("brain.nii.gz") == FILES["brain.nii.gz"]
    assert dl(f"file://{source}/brain.nii")["content"] == b"\0" * 5000


@pytest.mark.parametrize("work", [
    lambda cf, there, path: list(cf.list()),
    lambda cf, there, path: list(cf.list("", flat=True)),
    lambda cf, there, path: cf.delete(cf.list()),
    lambda cf, there, path: cf.transfer_to(there),
    lambda cf, there, path: cf.transfer_to(there, cf.list()),
    lambda cf, there, path: cf.moves(there, ["t.csv"]),
    lambda cf, there, path: cf.moves(there, cf.list()),
    lambda cf, there, path: ResumableTransfer(path / "journal").init(cf, there),
    lambda cf, there, path: CloudFiles(cf.cloudpath, **BY_SUFFIX).sync_to(there),
    lambda cf, there, path: there.sync_to(CloudFiles(cf.cloudpath, **BY_SUFFIX), delete=True, max_delete=None),
    lambda cf, there, path: CloudFiles(cf.cloudpath, **BY_SUFFIX).verify(there),
])
def test_what_works_through_a_listing_names_both(tmp_path: Path, mem: CloudFiles, work: Any) -> None:
    files = {"t.csv": b"1", "t.csv.gz": gzip.compress(b"2")}
    cf = CloudFiles(str(write(tmp_path / "d", files)))
    with pytest.raises(AmbiguousPathError, match=r"'t\.csv' and 't\.csv\.gz'.*encoding_suffixes=False"):
        work(cf, mem, tmp_path)
    assert tree(tmp_path / "d") == files
    assert list(mem) == []


@pytest.mark.parametrize("names", [("x", "x.gz"), ("x.gz", "x.br"), ("d/x.gz", "d/x.gz.xz"), ("x", "x.bz2")])
def test_any_two_that_are_one_key(tmp_path: Path, names: tuple[str, str]) -> None:
    cf = CloudFiles(str(write(tmp_path / "d", dict.fromkeys(names, b""))))
    with pytest.raises(AmbiguousPathError) as caught:
        list(cf.list())
    assert all(repr(name) in str(caught.value) for name in names)


def test_a_write_or_a_delete_removes_both(tmp_path: Path) -> None:
    for verb in ("put", "delete"):
        cf = CloudFiles(str(write(tmp_path / verb, {"x": b"1", "x.gz": b"2", "x.br": b"3", "y.gz": b""})))
        if verb == "delete":
            cf.delete("x")
        else:
            cf.put("x", b"new", compress="xz")
            assert cf.get("x") == b"new"
        assert sorted(tree(tmp_path / verb)) == (["y.gz"] if verb == "delete" else ["x.xz", "y.gz"])


@pytest.mark.parametrize("new", ["", "gzip", "br", "bz2"])
@pytest.mark.parametrize("verb", ["put", "delete"])
@pytest.mark.parametrize("calls", range(4))
def test_a_kill_between_the_two_leaves_nothing_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int,
                                                     new: str, verb: str) -> None:
    cf = CloudFiles(str(write(tmp_path / "d", {"x": b"old", "x.gz": gzip.compress(b"older"), "x.br": b"oldest"})))
    unlink, left = os.unlink, iter(range(calls))

    def killed(path: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        unlink(path)

    monkeypatch.setattr(os, "unlink", killed)
    with suppress(KeyboardInterrupt):
        cf.delete("x") if verb == "delete" else cf.put("x", b"new", compress=new)
    monkeypatch.undo()
    assert cf.get("x") in ((b"old", None) if verb == "delete" else (b"old", b"new"))


def test_a_file_that_is_not_what_its_suffix_says(source: Path, store: Make, tmp_path: Path,
                                                 internals: Replace) -> None:
    cf = CloudFiles(str(source))
    there = store("s3")
    for use in (lambda: cf.get("fake"), lambda: cf.get(["d/fake"]), lambda: list(cf.stream(["fake"])),
                lambda: cf.get_json("fake"), lambda: dl(f"file://{source}/fake"), lambda: cf.transfer_to(there, "fake"),
                lambda: cf.transfer_to(there, "d/fake"), lambda: cf.transfer_to(there, "fake", reencode="br"),
                lambda: cf.moves(there, ["fake"])):
        with pytest.raises(DecompressionError, match=r"fake\.(gz|br)' cannot be decoded.*encoding_suffixes=False"):
            use()
    internals(small_bytes=5)
    for options in ({}, {"reencode": ""}):
        with pytest.raises(DecompressionError, match=r"fake\.gz' cannot be decoded.*encoding_suffixes=False"):
            cf.transfer_to(there, "fake", **options)
    assert list(there) == []
    assert tree(source) == FILES
    assert cf.get("fake", raw=True) == FILES["fake.gz"]
    assert cf.get("empty") == b""
    with pytest.raises(DecompressionError) as caught:
        cf.get(["brain.nii"], max_decoded_size=10)
    assert "encoding_suffixes" not in str(caught.value)


def test_a_write_that_is_under_way_is_no_second_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write under another encoding puts the new file before it removes the old one."""

    cf = CloudFiles(str(write(tmp_path / "d", {"x": b"old", "x.gz": gzip.compress(b"new")})))
    monkeypatch.setattr(walk.time, "sleep", lambda seconds: (tmp_path / "d" / "x").unlink(missing_ok=True))
    assert list(cf.list()) == ["x"]


# ---- what is kept on disk says which view it was made in


@pytest.mark.parametrize("view", [True, False, None])
def test_a_journal_knows_its_view(source: Path, tmp_path: Path, mem: CloudFiles, view: bool | None) -> None:
    for name in FILES:
        if view is not False and name not in ("brain.nii.gz", "a.tar"):
            (source / name).unlink()
    rt = ResumableTransfer(tmp_path / "journal")
    there = CloudFiles(f"file://{tmp_path}/there/", encoding_suffixes=view)
    count = rt.init(CloudFiles(str(source), encoding_suffixes=view), there)
    assert count == (len(FILES) if view is False else 2)
    other = CloudFiles(str(source), encoding_suffixes=view is False)
    with pytest.raises(JournalError, match="encoding_suffixes"):
        ResumableTransfer(tmp_path / "journal", src=other).execute()
    again = ResumableTransfer(tmp_path / "journal", src=CloudFiles(str(source)))
    assert again.execute().done == count
    assert again.verify()
    assert tree(tmp_path / "there") == tree(source)


def test_an_uploader_knows_its_view(source: Path, tmp_path: Path) -> None:
    task = Uploader(CloudFiles(f"file://{tmp_path}/there/", **BY_SUFFIX), "", str(source / "d"), run=False)
    task.save()
    loaded = Uploader.load(task._file.path)
    assert loaded._cf._store.options.encoding_suffixes is True
    task.save(keep=False)


@pytest.mark.parametrize("given", [2, 1.0, "no", "True"])
def test_the_option_is_checked(given: Any) -> None:
    with pytest.raises(InvalidInputError, match="encoding_suffixes: expected True, False or None"):
        CloudFiles("mem://x/", encoding_suffixes=given)


def test_views_travel_in_pickles_and_to_other_paths(tmp_path: Path) -> None:
    import pickle

    cf = pickle.loads(pickle.dumps(CloudFiles(str(tmp_path), **EXACT)))
    assert isinstance(cf._store.here(), FileInterface)
    interface: Interface = cf._store.here()
    assert not interface.traits.folds_suffixes
    assert not CloudFiles("mem://x/", **EXACT)._store.at(f"file://{tmp_path}").here().traits.folds_suffixes
    assert cf != CloudFiles(str(tmp_path))
