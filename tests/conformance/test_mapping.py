"""`CloudFiles` as a mapping, `CloudFile`, `dl`, paths, presigned URLs, pickles, reprs, progress bars."""

from __future__ import annotations

import io
import pickle
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFile, CloudFiles, dl
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.testing import S3Server
from tests.conformance.stores import StoreUnderTest

CONTENTS = {"a": b"1", "b": b"22", "dir/c": b"333"}


@pytest.fixture
def seeded(store: StoreUnderTest) -> CloudFiles:
    store.seed(CONTENTS)
    return store.cf()


@pytest.mark.writes
def test_items(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf["key"] = b"content"
    cf["other"] = bytearray(b"more")
    assert cf["key"] == b"content"
    assert cf["key", 1:3] == b"on"
    assert cf["key", -3:] == b"ent"
    assert cf["key", :] == b"content"
    assert cf["nowhere"] is None
    assert [found["content"] for found in cf[["other", "key"]]] == [b"more", b"content"]
    assert cf[{"path": "key", "start": 5}] == b"nt"
    assert "key" in cf
    del cf["key"]
    assert "key" not in cf


@pytest.mark.stores("mem", "file", "scripted", "nginx")
def test_slices_of_the_listing(seeded: CloudFiles) -> None:
    assert list(seeded) == list(CONTENTS)
    assert [found["content"] for found in seeded[:]] == list(CONTENTS.values())
    assert [found["path"] for found in seeded[:2]] == ["a", "b"]
    assert [found["path"] for found in seeded[1:]] == ["b", "dir/c"]
    assert [found["path"] for found in seeded[-1:]] == ["dir/c"]


def test_what_a_store_says_of_itself(store: StoreUnderTest) -> None:
    cf = store.cf()
    assert cf.cloudpath == store.cloudpath
    assert cf.protocol == cf._path.protocol == store.cloudpath.split(":")[0]
    assert cf.join("a", "b", "c") == "a/b/c"
    assert cf.dirname("a/b/c") == "a/b"
    assert cf.basename("a/b/c") == "c"
    assert cf.abspath("a/b").endswith("/a/b")
    assert CloudFiles(cf.abspath("dir"), **store.options).cloudpath.rstrip("/") == store.cloudpath + "dir"
    assert store.cf() == cf
    assert hash(store.cf()) == hash(cf)


# ---- CloudFile


def _file(store: StoreUnderTest, key: str, **options: Any) -> CloudFile:
    return CloudFile(store.cloudpath + key, **store.options, **options)


def test_reading_a_cloudfile(seeded: CloudFiles, store: StoreUnderTest) -> None:
    file = _file(store, "dir/c")
    assert file.get() == file[:] == b"333"
    assert file[0:2] == file.get((0, 2)) == file.get({"start": 0, "end": 2}) == file.get(slice(0, 2)) == b"33"
    assert [found["content"] for found in file.get([(0, 1), slice(1, 3), {"start": 2}])] == [b"3", b"33", b"3"]
    assert len(file) == file.size() == 3
    assert file.exists()
    assert file.head()["Content-Length"] == 3  # type: ignore[index]
    assert file.protocol == seeded.protocol
    assert not isinstance(file, io.IOBase)
    assert bool(_file(store, "nowhere"))
    missing = _file(store, "nowhere")
    assert (missing.get(), missing.size(), missing.head(), missing.exists()) == (None, None, None, False)
    with pytest.raises(CloudFilesError, match="nowhere"):
        len(missing)


@pytest.mark.writes
def test_writing_a_cloudfile(store: StoreUnderTest) -> None:
    file = _file(store, "dir/new", cache_meta=True)
    assert file.size() is None
    file.put(b"content", compress="gzip")
    assert file.get() == b"content"
    assert file.size() == len(file.get(raw=True))
    file.put_json({"a": 1})
    assert file.get_json() == {"a": 1}
    file.delete()
    assert not file.exists()
    file.touch()
    assert len(file) == 0


# ---- dl


def test_dl(seeded: CloudFiles, store: StoreUnderTest) -> None:
    CloudFiles("mem://elsewhere/x/").put("y", b"in memory")
    paths = [store.cloudpath + "b", "mem://elsewhere/x/y", store.cloudpath + "a", store.cloudpath + "nowhere",
             {"path": store.cloudpath + "dir/c", "start": 1, "end": 2, "tags": "t"}]
    found = dl(paths, **store.options)
    assert [one["content"] for one in found] == [b"22", b"in memory", b"1", None, b"3"]
    assert [one["fullpath"] for one in found] == [*paths[:4], store.cloudpath + "dir/c"]
    assert found[4]["tags"] == "t"
    assert dl(store.cloudpath + "a", **store.options)["content"] == b"1"


def test_dl_from_many_buckets() -> None:
    paths = [f"mem://bucket{number}/key" for number in range(20)]
    for path in paths:
        CloudFile(path).put(path.encode())
    assert [found["content"] for found in dl(paths)] == [path.encode() for path in paths]
    assert [found["content"] for found in dl(paths, num_threads=0)] == [path.encode() for path in paths]
    with pytest.raises(CloudFilesError, match="end is before its start"):
        dl([*paths, {"path": "mem://bucket7/other", "start": 5, "end": 2}])


# ---- presigned URLs


@pytest.mark.stores("scripted", "rclone", "moto")
def test_a_presigned_url_works_without_credentials(seeded: CloudFiles) -> None:
    with urllib.request.urlopen(seeded.presign("dir/c", expires=60)) as answer:
        assert answer.read() == b"333"
    request = urllib.request.Request(seeded.presign("new +%\u00e9", method="PUT"), data=b"by url", method="PUT",
                                     headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(request).close()
    assert seeded.get("new +%\u00e9") == b"by url"


@pytest.mark.stores("mem", "file", "web")
def test_where_there_are_no_presigned_urls_it_is_reported(store: StoreUnderTest) -> None:
    with pytest.raises(CloudFilesError, match="presign"):
        store.cf().presign("key")


# ---- pickles and reprs


def test_a_pickle_works_again(seeded: CloudFiles) -> None:
    again = pickle.loads(pickle.dumps(seeded))
    assert again.get("dir/c") == b"333"
    assert again.cloudpath == seeded.cloudpath


@pytest.mark.stores("scripted")
def test_secrets_show_nowhere(store: StoreUnderTest, fault_server: S3Server) -> None:
    secret = fault_server.secrets["AWS_SECRET_ACCESS_KEY"]
    cf = store.cf()
    file = _file(store, "key")
    cf.put("key", b"")
    assert secret.encode() not in pickle.dumps(cf)
    assert secret.encode() not in pickle.dumps(file)
    assert secret not in repr(cf) + repr(file) + repr(vars(cf)) + repr(cf._store)
    assert pickle.loads(pickle.dumps(file)).get() == b""
    web = CloudFiles("https://user:hunter2secret@host/path?token=hunter2secret")
    assert "hunter2secret" not in repr(web)


# ---- progress


class Bar:
    """As much of a tqdm as is asked for."""

    total: int | None = None

    def __init__(self) -> None:
        self.done = 0
        self.steps: list[int] = []

    def update(self, count: int = 1) -> None:
        self.done += count
        self.steps.append(count)

    def __bool__(self) -> bool:
        if self.total is None:
            raise TypeError("bool() undefined when iterable == total == None")  # as of a tqdm() without a total
        return self.total > 0


@pytest.mark.stores("mem", "file", "scripted")
def test_progress(seeded: CloudFiles, capsys: pytest.CaptureFixture[str]) -> None:
    keys = list(CONTENTS)
    seeded.get(keys)
    list(seeded.stream(keys))
    seeded.exists(keys)
    assert capsys.readouterr() == ("", "")
    seeded.get(keys, progress=True)
    assert "3/3" in capsys.readouterr().err
    seeded.get(keys, progress="Fetching things")
    assert "Fetching things" in capsys.readouterr().err
    seeded.get(iter(keys), total=3, progress=True)
    assert "3/3" in capsys.readouterr().err
    list(seeded.stream(keys, progress="Streaming"))
    assert "Streaming" in capsys.readouterr().err
    for verb in (seeded.get, seeded.exists, seeded.size, seeded.head, seeded.touch):
        bar = Bar()
        verb(keys, progress=bar)
        assert (bar.done, bar.total) == (3, 3)
    seeded.puts([("x", b""), ("y", b"")], progress=(bar := Bar()))
    assert bar.done == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.own_servers
@pytest.mark.writes
@pytest.mark.parametrize("parallel", [1, 2])
def test_progress_counts_items(store: StoreUnderTest, parallel: int, tmp_path: Path) -> None:
    """And not requests, of which one may answer for many of them."""
    cf = store.cf(parallel=parallel)
    keys = [f"p{n:02}" for n in range(40)]
    ranges = [{"path": key, "start": start, "end": start + 1} for key in keys[:10] for start in range(3)]
    many = [*keys, "absent", *keys[:5]]
    target = CloudFiles(f"file://{tmp_path}/target/")
    for verb, items in [
        (cf.puts, [(key, b"abc") for key in keys]), (cf.puts, [("single", b"abc")]), (cf.exists, many),
        (cf.exists, many[:3]), (cf.size, many), (cf.head, many), (cf.get, many), (cf.get, [*ranges, *keys]),
        (cf.touch, keys), (partial(cf.transfer_to, target), keys), (partial(cf.verify, target), keys),
        (partial(cf.moves, target), keys[:3]), (cf.delete, many), (cf.delete, ["single"]),
    ]:
        bar = Bar()
        verb(items, progress=bar)  # type: ignore[operator]
        assert (bar.done, bar.total, min(bar.steps) >= 0) == (len(items), len(items), True), verb
        if verb in (cf.puts, cf.exists, cf.get, cf.delete) and parallel == 1:
            bar = Bar()
            verb(iter(items), progress=bar, total=len(items))  # type: ignore[operator]
            assert (bar.done, bar.total) == (len(items), len(items)), verb


@pytest.mark.stores("mem", "file", "scripted")
def test_progress_of_several_buckets_is_one_bar(store: StoreUnderTest, tmp_path: Path) -> None:
    store.seed(CONTENTS)
    other = CloudFiles(f"file://{tmp_path}/other/")
    other.puts([(f"o{n}", b"1") for n in range(20)])
    paths = [*map(store.cf().abspath, CONTENTS), *map(other.abspath, other)]
    bar = Bar()
    found = dl(paths, progress=bar, **store.options)
    assert (len(found), bar.done, bar.total) == (23, 23, 23)


@pytest.mark.stores("mem", "scripted")
def test_progress_asked_for_once_and_for_all(seeded: CloudFiles, store: StoreUnderTest,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    cf = store.cf(progress="Always")
    cf.get(list(CONTENTS))
    assert "Always" in capsys.readouterr().err
    cf.get(list(CONTENTS), progress=False)
    cf.get("a")
    assert capsys.readouterr() == ("", "")
