"""`get`: what it takes, what it gives, in which order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, DecompressionError
from cloudfiles.testing import Rule, S3Server, Status
from tests.conformance.stores import StoreUnderTest

CONTENTS = {f"dir/k{i:02}": b"content %d" % i * i for i in range(30)}
KEYS = list(CONTENTS)


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed(CONTENTS)
    return cf


def contents(results: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(found["path"], found["content"]) for found in results]


def test_one_path_gives_its_bytes(seeded: CloudFiles) -> None:
    assert seeded.get("dir/k03") == CONTENTS["dir/k03"]


def test_an_empty_object_is_not_missing(seeded: CloudFiles) -> None:
    assert seeded.get("dir/k00") == b""
    assert contents(seeded.get(["dir/k00", "dir/k01"])) == [("dir/k00", b""), ("dir/k01", b"content 1")]


def test_a_missing_object_is_none(seeded: CloudFiles) -> None:
    assert seeded.get("nowhere") is None
    assert seeded.get("dir/nowhere/at/all") is None
    assert contents(seeded.get(["nowhere", "dir/k01"])) == [("nowhere", None), ("dir/k01", b"content 1")]
    assert [found["error"] for found in seeded.get(["nowhere", "dir/k01"])] == [None, None]


def test_many_paths_give_results_in_their_order(seeded: CloudFiles) -> None:
    keys = KEYS[::-1]
    kinds: dict[str, Any] = {"list": keys, "tuple": tuple(keys), "iterator": iter(keys),
                             "generator": (key for key in keys), "keys": dict.fromkeys(keys).keys()}
    for kind, paths in kinds.items():
        assert contents(seeded.get(paths)) == [(key, CONTENTS[key]) for key in keys], kind


def test_a_set_gives_results_in_the_order_of_its_iteration(seeded: CloudFiles) -> None:
    keys = set(KEYS)
    assert contents(seeded.get(keys)) == [(key, CONTENTS[key]) for key in keys]


def test_no_paths_give_no_results(cf: CloudFiles) -> None:
    assert cf.get([]) == []
    assert cf.get(iter(())) == []
    assert cf.get([], return_dict=True) == {}


def test_the_same_path_twice_gives_it_twice(seeded: CloudFiles) -> None:
    assert contents(seeded.get(["dir/k01"] * 3)) == [("dir/k01", b"content 1")] * 3


def test_a_result_has_the_fields_that_programs_know(seeded: CloudFiles) -> None:
    [found] = seeded.get(["dir/k01"])
    assert list(found) == ["path", "content", "byte_range", "error", "compress", "raw", "tags"]
    assert found == {"path": "dir/k01", "content": b"content 1", "byte_range": (None, None), "error": None,
                     "compress": found["compress"], "raw": False, "tags": None}
    assert not found["compress"]
    assert {found["byte_range"]: "hashable"}


def test_dict_items_take_ranges_and_return_tags(seeded: CloudFiles) -> None:
    tags = {"any": object()}
    items = [{"path": "dir/k05", "start": 2, "end": 9, "tags": tags}, "dir/k02",
             {"path": "dir/k05", "start": 11}, {"path": "nowhere", "start": 0, "end": 4, "tags": 7},
             {"path": "dir/k03", "tags": "whole"}]
    found = seeded.get(items)
    whole = CONTENTS["dir/k05"]
    assert contents(found) == [("dir/k05", whole[2:9]), ("dir/k02", CONTENTS["dir/k02"]), ("dir/k05", whole[11:]),
                               ("nowhere", None), ("dir/k03", CONTENTS["dir/k03"])]
    assert [one["byte_range"] for one in found] == [(2, 9), (None, None), (11, None), (0, 4), (None, None)]
    assert found[0]["tags"] is tags
    assert [one["tags"] for one in found[1:]] == [None, None, 7, "whole"]
    assert contents(seeded.get(iter(items))) == contents(found)


def test_one_dict_gives_its_bytes(seeded: CloudFiles) -> None:
    assert seeded.get({"path": "dir/k05", "start": 2, "end": 9}) == CONTENTS["dir/k05"][2:9]
    assert seeded.get({"path": "dir/k05"}) == CONTENTS["dir/k05"]


def test_return_dict(seeded: CloudFiles) -> None:
    assert seeded.get(["dir/k02", "nowhere"], return_dict=True) == {"dir/k02": CONTENTS["dir/k02"], "nowhere": None}


def test_arguments_that_programs_pass_are_taken(seeded: CloudFiles) -> None:
    assert contents(seeded.get(iter(KEYS), total=len(KEYS), progress=False, parallel=1, part_size=1 << 20)) == list(
        CONTENTS.items())


def test_raw_gives_the_stored_bytes(seeded: CloudFiles) -> None:
    assert seeded.get("dir/k04", raw=True) == CONTENTS["dir/k04"]
    [found] = seeded.get(["dir/k04"], raw=True)
    assert found["content"] == CONTENTS["dir/k04"]
    assert found["raw"] is True


def test_a_path_is_relative_to_the_cloudpath(store: StoreUnderTest) -> None:
    store.seed({"a/b/c": b"deep"})
    above = CloudFiles(store.cloudpath.rstrip("/"), **store.options)
    below = CloudFiles(store.cloudpath + "a/b", **store.options)
    assert above.get("a/b/c") == below.get("c") == b"deep"


# ---- errors


def refuse(server: S3Server, key: str) -> None:
    """Every request for `key` gets 403."""
    server.script(Rule(Status(403, body=b"<Error><Code>AccessDenied</Code></Error>"), key=key, times=None))


def place_of(store: StoreUnderTest) -> str:
    """What stands before a key of `store` in the scripted server's bucket or web root."""
    return store.cloudpath.split("/", 3)[3]


@pytest.mark.stores("scripted", "web")
def test_the_first_error_is_raised(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    store.seed(CONTENTS)
    refuse(fault_server, place_of(store) + "dir/k07")
    with pytest.raises(AuthorizationError, match="dir/k07"):
        cf.get(KEYS)
    with pytest.raises(AuthorizationError, match="dir/k07"):
        cf.get(iter(KEYS))
    with pytest.raises(AuthorizationError, match="dir/k07"):
        cf.get("dir/k07")


@pytest.mark.stores("scripted", "web")
def test_after_an_error_no_further_work_is_begun(store: StoreUnderTest, runtime: dict[str, Any],
                                                 fault_server: S3Server) -> None:
    cf = store.cf(**{"num_threads": 4, **runtime})
    keys = [f"n{i:04}" for i in range(2000)]
    refuse(fault_server, place_of(store) + keys[0])
    taken = []

    def some() -> Any:
        for key in keys:
            taken.append(key)
            yield key

    with pytest.raises(AuthorizationError):
        cf.get(keys)
    with pytest.raises(AuthorizationError):
        cf.get(some())
    assert len(fault_server.requests()) < 1000
    assert len(taken) < 1000


@pytest.mark.stores("scripted", "web")
def test_errors_are_kept_in_their_items_when_not_raised(store: StoreUnderTest, cf: CloudFiles,
                                                        fault_server: S3Server) -> None:
    store.seed(CONTENTS)
    refuse(fault_server, place_of(store) + "dir/k07")
    found = cf.get([*KEYS, {"path": "dir/k07", "start": 1, "end": 3, "tags": "t"}], raise_errors=False)
    wrong = [one for one in found if one["error"] is not None]
    assert [one["path"] for one in wrong] == ["dir/k07", "dir/k07"]
    assert all(isinstance(one["error"], AuthorizationError) and one["content"] is None for one in wrong)
    assert wrong[1]["byte_range"] == (1, 3)
    assert wrong[1]["tags"] == "t"
    assert [one["content"] for one in found if one["error"] is None] == [
        content for key, content in CONTENTS.items() if key != "dir/k07"]


@pytest.mark.writes
def test_a_corrupt_object_is_an_error_of_its_own_item(cf: CloudFiles) -> None:
    cf.put("good", b"good", compress="gzip")
    cf.put("bad", b"this is no gzip", compress="gzip", raw=True)
    found = cf.get(["good", "bad", "missing"], raise_errors=False)
    assert contents(found) == [("good", b"good"), ("bad", None), ("missing", None)]
    assert [type(one["error"]) for one in found] == [type(None), DecompressionError, type(None)]
    with pytest.raises(DecompressionError, match="bad"):
        cf.get(["good", "bad"])
    assert isinstance(found[1]["error"], CloudFilesError)
    assert found[1]["error"].path == "bad"


@pytest.mark.writes
def test_the_size_of_what_is_not_encoded_is_bounded(cf: CloudFiles) -> None:
    content = bytes(range(100))
    cf.put("key", content)
    either: list[dict[str, Any]] = [{}, {"raw": True}]
    for options in either:
        assert cf.get("key", max_decoded_size=100, **options) == content
        for paths in ("key", ["key"]):
            with pytest.raises(DecompressionError, match="more than the limit of 99 bytes"):
                cf.get(paths, max_decoded_size=99, **options)
    [found] = cf.get([{"path": "key", "start": 10}], max_decoded_size=90)
    assert found["content"] == content[10:]
    with pytest.raises(DecompressionError):
        cf.get({"path": "key", "start": 10}, max_decoded_size=89)
    assert cf.get({"path": "key", "start": 10, "end": 20}, max_decoded_size=5) == content[10:20]
    assert cf.get("missing", max_decoded_size=1) is None
    [kept] = cf.get(["key"], max_decoded_size=1, raise_errors=False)
    assert isinstance(kept["error"], DecompressionError)


@pytest.mark.writes
def test_the_size_of_what_is_encoded_is_bounded(cf: CloudFiles) -> None:
    content = bytes(100_000)
    cf.put("key", content, compress="gzip")
    assert cf.get("key", max_decoded_size=100_000) == content
    with pytest.raises(DecompressionError):
        cf.get("key", max_decoded_size=99_999)
    noise = random.Random(1).randbytes(100)
    cf.put("noise", noise, compress="gzip")  # longer than what it encodes
    assert cf.get("noise", max_decoded_size=100) == noise
    with pytest.raises(DecompressionError):
        cf.get("noise", max_decoded_size=100, raw=True)
