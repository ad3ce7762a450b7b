"""`list`, `isdir`, `subtree_size`, `delete`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, CloudFilesError
from cloudfiles.interfaces.gs import listing as gs_listing
from cloudfiles.interfaces.s3 import listing as s3_listing
from cloudfiles.testing import Rule, S3Server, s3_error
from tests.conformance.stores import StoreUnderTest
from tests.selection import some
from tests.servers.lies import IgnoreQuery

CONTENTS = {"a": b"1", "ab": b"22", "b/c": b"333", "b/d/e": b"4444", "b.x": b"", "b/d/f": b"55555", "z": b"6"}
LISTED = sorted(CONTENTS, key=str.encode)


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed(CONTENTS)
    return cf


def test_everything_in_key_order(seeded: CloudFiles) -> None:
    assert list(seeded.list()) == list(seeded) == LISTED


def test_everything(seeded: CloudFiles) -> None:
    assert sorted(seeded.list()) == sorted(CONTENTS)


def test_a_prefix_is_any_beginning(seeded: CloudFiles) -> None:
    assert sorted(seeded.list("b/")) == ["b/c", "b/d/e", "b/d/f"]
    assert sorted(seeded.list("b")) == ["b.x", "b/c", "b/d/e", "b/d/f"]
    assert sorted(seeded.list("a")) == ["a", "ab"]
    assert sorted(seeded.list("b/d/e")) == ["b/d/e"]
    assert list(seeded.list("nowhere")) == list(seeded.list("b/nowhere/")) == []


def test_flat(seeded: CloudFiles) -> None:
    assert sorted(seeded.list(flat=True)) == ["a", "ab", "b.x", "b/", "z"]
    assert sorted(seeded.list("b/", flat=True)) == ["b/c", "b/d/"]
    assert sorted(seeded.list("b", flat=True)) == ["b.x", "b/c", "b/d/"]
    assert sorted(seeded.list("b/d", flat=True)) == ["b/d/e", "b/d/f"]
    assert sorted(seeded.list("b/d/", flat=True)) == ["b/d/e", "b/d/f"]


def test_sizes(seeded: CloudFiles) -> None:
    assert sorted(seeded.list(size=True)) == sorted((key, len(content)) for key, content in CONTENTS.items())
    assert dict(seeded.list(flat=True, size=True)) == {"a": 1, "ab": 2, "b.x": 0, "b/": None, "z": 1}


def test_a_listing_is_lazy(seeded: CloudFiles) -> None:
    listing = seeded.list()
    assert next(listing) in CONTENTS


def test_resume_tokens_continue_where_they_were(seeded: CloudFiles, store: StoreUnderTest) -> None:
    listed = list(seeded.list(return_resume_token=True))
    assert [path for path, _ in listed] == list(seeded.list())
    path, token = listed[3]
    again = [path for path, in (pair[:1] for pair in seeded.list(return_resume_token=True, resume_token=token))]
    assert path in again
    assert again == [path for path, _ in listed][-len(again):]
    with_sizes = list(seeded.list(size=True, return_resume_token=True))
    assert [(path, size) for path, size, _ in with_sizes] == list(seeded.list(size=True))


@pytest.mark.stores("scripted")
def test_many_pages(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    keys = [f"k{i:02}" for i in range(25)]
    cf.puts((key, b"") for key in keys)
    fault_server.configure(page_size=4)
    assert list(cf.list()) == keys
    tokens = dict(cf.list(return_resume_token=True))
    resumed = list(cf.list(resume_token=tokens["k13"]))
    assert resumed == keys[-len(resumed):]
    assert "k13" in resumed[:4]  # the page of that path
    assert list(CloudFiles(store.cloudpath, **store.options).list(resume_token=tokens["k13"])) == resumed
    assert list(cf.list(flat=True)) == keys


@pytest.mark.own_servers
@pytest.mark.stores("scripted", "rclone", "moto", "gs", "gs-scripted")
@pytest.mark.parametrize("kind", some(["numbers", "directories", "nasty"], ["directories", "nasty"]))
def test_pages_listed_side_by_side(store: StoreUnderTest, cf: CloudFiles, kind: str,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (s3_listing, gs_listing):
        monkeypatch.setattr(module, "PAGE_ENTRIES", 10)
    keys = _kinds()[kind]
    store.seed(dict.fromkeys(keys, b"1"))
    assert sorted(cf.list()) == sorted(keys)
    assert sorted(cf.find(size=True)) == [(key, 1) for key in sorted(keys)]
    assert cf.subtree_size() == {"N": len(keys), "num_bytes": len(keys)}
    assert dict(cf.exists([*keys, "nowhere"])) == {**dict.fromkeys(keys, True), "nowhere": False}
    assert sorted(cf.list(flat=True)) == sorted({key.partition("/")[0] + "/" if "/" in key else key for key in keys})


def _kinds() -> dict[str, list[str]]:
    numbers = [f"{number:06d}" for number in range(300)]
    directories = [f"{a:02x}/{b}/x" for a in range(20) for b in range(0, 3 * a, 2)]
    nasty = [f"{a}{b}{c}" for a in "-.~ab" for b in "%+ \u00e9\uffee\U0001f600" for c in range(10)]
    return {"numbers": numbers, "directories": directories, "nasty": nasty}


@pytest.mark.stores("scripted")
def test_a_server_that_ignores_start_after_is_listed_one_by_one(store: StoreUnderTest, cf: CloudFiles,
                                                                fault_server: S3Server) -> None:
    keys = [f"{number:03d}" for number in range(300)]
    store.seed(dict.fromkeys(keys, b""))
    fault_server.configure(page_size=10)
    fault_server.script(Rule(IgnoreQuery(("start-after",)), query="start-after", times=None))
    assert list(cf.list()) == keys
    fault_server.forget()
    fault_server.script(Rule(s3_error(400, "InvalidArgument"), query="start-after", times=None))
    assert list(cf.list()) == keys


@pytest.mark.stores("scripted")
def test_a_failure_is_raised_after_the_pages_before_it(store: StoreUnderTest, cf: CloudFiles,
                                                       fault_server: S3Server) -> None:
    keys = [f"{number:03d}" for number in range(300)]
    store.seed(dict.fromkeys(keys, b""))
    fault_server.configure(page_size=10)
    fault_server.script(Rule(s3_error(403, "AccessDenied"), query="list-type=2", skip=7, times=None))
    listing, listed = cf.list(), []
    with pytest.raises(AuthorizationError):
        for key in listing:
            listed.append(key)
    assert listed
    assert listed == keys[:len(listed)]
    assert list(listing) == []


@pytest.mark.stores("scripted")
def test_a_listing_that_is_closed_stops_its_workers(store: StoreUnderTest, cf: CloudFiles,
                                                    fault_server: S3Server) -> None:
    store.seed({f"{number:03d}": b"" for number in range(300)})
    fault_server.configure(page_size=10)
    fault_server.forget()
    listing = cf.list()
    assert list(itertools.islice(listing, 10)) == [f"{number:03d}" for number in range(10)]
    assert len(fault_server.requests()) == 1
    assert next(listing) == "010"
    listing.close()  # type: ignore[attr-defined]
    for _ in range(10):  # turns of the server's loop, in which it receives what was sent on new connections
        fault_server.connections()
    count = len(fault_server.requests())
    assert count <= 8
    assert list(cf.list("29")) == [f"{number:03d}" for number in range(290, 300)]
    assert len(fault_server.requests()) == count + 1


def test_directory_buckets_are_listed_one_page_after_another() -> None:
    """Amazon S3 User Guide, "Differences for directory buckets": ListObjectsV2 is not in lexicographical order."""
    options: Any = {"secrets": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "r"}}
    assert not CloudFiles("s3://name--usw2-az1--x-s3/dir", **options)._store.here().traits.lists_in_key_order
    assert CloudFiles("s3://name/dir--x-s3/", **options)._store.here().traits.lists_in_key_order


@pytest.mark.stores("scripted")
def test_no_request_before_the_first_path(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    listing = cf.list()
    assert fault_server.requests() == []
    assert next(listing, None) is None
    assert len(fault_server.requests()) == 1


def test_isdir(seeded: CloudFiles) -> None:
    assert seeded.isdir("b")
    assert seeded.isdir("b/")
    assert seeded.isdir("b/d")
    assert seeded.isdir("")
    assert not seeded.isdir("a")
    assert not seeded.isdir("nowhere")


def test_subtree_size(seeded: CloudFiles) -> None:
    assert seeded.subtree_size() == {"N": 7, "num_bytes": 16}
    assert seeded.subtree_size("b/") == {"N": 3, "num_bytes": 12}
    assert seeded.subtree_size(["b/d/", "z"]) == {"N": 3, "num_bytes": 10}
    assert seeded.subtree_size("nowhere") == {"N": 0, "num_bytes": 0}


# ---- delete


@pytest.mark.writes
def test_delete_one_and_many(cf: CloudFiles) -> None:
    cf.puts((f"k{i}", b"x") for i in range(12))
    cf.delete("k0")
    cf.delete(["k1", "k2"])
    cf.delete(f"k{i}" for i in (3, 4))
    cf.delete({"k5"})
    del cf["k6"]
    del cf[["k7", "k8"]]
    assert cf.exists([f"k{i}" for i in range(12)]) == {f"k{i}": i > 8 for i in range(12)}


@pytest.mark.writes
def test_deleting_what_is_not_there_is_no_error(cf: CloudFiles) -> None:
    cf.put("there", b"")
    cf.delete("nowhere")
    cf.delete(["nowhere", "there", "no/where"])
    assert not cf.exists("there")
    cf.delete([])
    cf.delete(iter([]))


@pytest.mark.writes
def test_delete_leaves_the_neighbours(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("a.b", b"2"), ("ab", b"3"), ("c/a", b"4"), ("c/b", b"5")])
    cf.delete(["a", "c/a"])
    assert cf.exists(["a", "a.b", "ab", "c/a", "c/b"]) == {
        "a": False, "a.b": True, "ab": True, "c/a": False, "c/b": True}


@pytest.mark.stores("scripted")
def test_bulk_delete_takes_few_requests_and_raises_the_errors_of_keys(
        store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    keys = [f"k{i:04}" for i in range(2500)]
    place = store.cloudpath.split("/", 3)[3]
    fault_server.put_many({place + key: b"" for key in keys})
    fault_server.configure(delete_errors={place + "k0007": "AccessDenied"})
    fault_server.forget()
    with pytest.raises(CloudFilesError, match="k0007"):
        cf.delete(keys)
    assert len(fault_server.requests()) <= 20
    assert list(fault_server.contents()) == [place + "k0007"]
    fault_server.configure(delete_errors={})
    assert cf.delete(iter(keys)) == len(keys)
    assert fault_server.contents() == {}
