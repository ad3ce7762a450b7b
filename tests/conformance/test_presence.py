"""`exists`, `head` and `size`: one or many, dense or sparse, by HEAD or by LIST: the same answers."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFiles
from cloudfiles.batch import existence
from cloudfiles.exceptions import AuthorizationError
from cloudfiles.testing import Rule, S3Server, Status
from cloudfiles.transport.concurrency.adaptive_width import FIRST_WIDTH
from cloudfiles.types import HEAD_FIELDS
from tests.conformance.stores import StoreUnderTest
from tests.selection import examples, some

CONTENTS = {f"dir/k{i:03}": bytes(i) for i in range(60)}
MISSING = [f"dir/m{i:03}" for i in range(20)] + ["other", "dir", "dir/", "dir/k", "dir/k0000"]


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed(CONTENTS)
    return cf


def _shuffled(*groups: Any) -> list[str]:
    keys = [key for group in groups for key in group]
    random.Random(5).shuffle(keys)
    return keys


def test_one(seeded: CloudFiles) -> None:
    assert seeded.exists("dir/k003") is True
    assert seeded.exists("nowhere") is False
    assert seeded.size("dir/k003") == 3
    assert seeded.size("dir/k000") == 0
    assert seeded.size("nowhere") is None
    assert seeded.head("nowhere") is None
    assert "dir/k003" in seeded
    assert "nowhere" not in seeded


def test_many_in_their_order(seeded: CloudFiles) -> None:
    keys = _shuffled(CONTENTS, MISSING[:21])
    for kind in (list, tuple, iter, dict.fromkeys):
        assert list(seeded.exists(kind(keys)).items()) == [(key, key in CONTENTS) for key in keys]
        assert list(seeded.size(kind(keys)).items()) == [
            (key, len(CONTENTS[key]) if key in CONTENTS else None) for key in keys]
    assert seeded.exists([]) == seeded.size([]) == seeded.head([]) == {}
    assert seeded.exists(["dir/k001", "dir/k001"]) == {"dir/k001": True}


def test_a_sum_of_sizes(seeded: CloudFiles) -> None:
    keys = [*CONTENTS, "nowhere"]
    assert seeded.size(keys, return_sum=True) == sum(map(len, CONTENTS.values()))
    assert seeded.size("dir/k007", return_sum=True) == 7


def test_a_head_has_every_field(seeded: CloudFiles) -> None:
    head = seeded.head("dir/k005")
    assert set(head) == set(HEAD_FIELDS)
    assert head["Content-Length"] == 5
    heads = seeded.head(["dir/k005", "nowhere", "dir/k006"])
    assert list(heads) == ["dir/k005", "nowhere", "dir/k006"]
    assert heads["dir/k005"] == head
    assert heads["nowhere"] is None
    assert all(head[name] for name in ("ETag", "Last-Modified"))


def test_the_answers_are_the_same_by_head_and_by_list(store: StoreUnderTest, seeded: CloudFiles,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    keys = _shuffled(CONTENTS, MISSING)
    if store.name in ("file", "hadoop", "webhdfs"):
        keys.remove("dir/")  # no file's name: it is refused
    exists, sizes = seeded.exists(keys), seeded.size(keys)
    interface = type(seeded._store.here())
    if not interface.traits.lists_in_key_order:
        assert exists == {key: seeded.exists(key) for key in keys}
        return
    monkeypatch.setattr(interface, "list_page", _unreachable)
    monkeypatch.setattr(interface, "traits", interface.traits._replace(lists_in_key_order=False))
    assert seeded.exists(keys) == exists
    assert seeded.size(keys) == sizes


def _unreachable(*args: Any, **options: Any) -> Any:
    raise AssertionError("this is not to be called")


_keys = st.text(alphabet="ab/.\U0001f600\uffee", min_size=1, max_size=3)


@pytest.mark.stores("mem", "scripted")
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=st.sets(_keys, max_size=30), asked=st.lists(_keys, max_size=60))
def test_any_keys(store: StoreUnderTest, fault_server: S3Server, there: set[str], asked: list[str]) -> None:
    fault_server.configure(page_size=4)
    cf = store.cf(num_threads=0)
    cf.delete(list(cf.list()))
    cf.puts([(key, key.encode()) for key in there])
    assert cf.exists(asked) == {key: key in there for key in asked}
    assert cf.size(asked) == {key: len(key.encode()) if key in there else None for key in asked}


# ---- what it costs


PLACE = "some/place/"


@pytest.fixture
def place(fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://bucket/{PLACE}", endpoint=fault_server.url, secrets=fault_server.secrets)


def _count(fault_server: S3Server) -> dict[str, int]:
    methods = [request.method for request in fault_server.requests()]
    return {method: methods.count(method) for method in set(methods)}


def test_ten_thousand_keys_cost_twenty_requests(place: CloudFiles, fault_server: S3Server, green: bool) -> None:
    place = CloudFiles(place.cloudpath, endpoint=fault_server.url, secrets=fault_server.secrets, green=green)
    keys = [f"k{i:05}" for i in range(10_000)]
    fault_server.put_many({PLACE + key: b"abc" for key in keys})
    random.Random(1).shuffle(keys)
    fault_server.forget()
    assert place.exists(keys) == dict.fromkeys(keys, True)
    assert len(fault_server.requests()) <= 20
    fault_server.forget()
    assert place.size(keys) == dict.fromkeys(keys, 3)
    assert len(fault_server.requests()) <= 20
    fault_server.forget()
    absent = [f"k{i:05}x" for i in range(10_000)]
    assert place.exists(keys[:5000] + absent[:5000]) == {**dict.fromkeys(keys[:5000], True),
                                                         **dict.fromkeys(absent[:5000], False)}
    assert len(fault_server.requests()) <= 20


@pytest.mark.parametrize("kind", some([list, iter], [iter]))
@pytest.mark.parametrize("spread", some([1, 3], [3]))
def test_dense_keys_are_listed_side_by_side(place: CloudFiles, fault_server: S3Server, spread: int,
                                            kind: Any, monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    """Every third key as well: it takes a tenth more requests than pages at most."""
    at_once = _LargestConcurrency(monkeypatch, type(place._store.here()))
    page = 100 if full else 50
    keys = [f"k{i:06}" for i in range(400 * page)]
    fault_server.put_many({PLACE + key: b"abc" for key in keys})
    fault_server.configure(page_size=page)
    fault_server.forget()
    asked = keys[::spread] + [key + "x" for key in keys[::4 * page]]
    assert place.exists(kind(asked)) == {key: not key.endswith("x") for key in asked}
    assert at_once.highest >= FIRST_WIDTH
    assert len(fault_server.requests()) <= 440


class _LargestConcurrency:
    """How many calls of `list_page` were in progress at once, at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, interface: type) -> None:
        self.highest = self._now = 0
        self._list_page = interface.list_page
        monkeypatch.setattr(interface, "list_page", lambda *args, **options: self._call(*args, **options))

    def _call(self, *args: Any, **options: Any) -> Any:
        self._now += 1
        self.highest = max(self.highest, self._now)
        try:
            return self._list_page(*args, **options)
        finally:
            self._now -= 1


def test_pages_out_of_order_answer_for_no_key(monkeypatch: pytest.MonkeyPatch, place: CloudFiles,
                                              fault_server: S3Server) -> None:
    """Also where the first pages are in order: their keys are then asked for one by one like the others."""
    keys = [f"k{i:04}" for i in range(300)]
    fault_server.put_many({PLACE + key: b"abc" for key in keys[::2]})
    fault_server.configure(page_size=20)
    interface = type(place._store.here())
    list_page = interface.list_page

    def disordered(self: Any, prefix: str, **options: Any) -> Any:
        page = list_page(self, prefix, **options)
        return page if page.entries[0].key < "k0200" else page._replace(entries=page.entries[::-2])

    monkeypatch.setattr(interface, "list_page", disordered)
    assert place.exists(keys) == {key: i % 2 == 0 for i, key in enumerate(keys)}


def test_an_iterator_is_checked_in_chunks() -> None:
    endless = (f"k{i}" for i in itertools.count())
    chunk, is_slow = existence.take_chunk(endless, clock=lambda: 0.0)
    assert not is_slow
    assert len(chunk) == 100_000
    assert next(endless) == "k100000"
    time = itertools.count(0.0, 0.2)
    assert existence.take_chunk(endless, clock=lambda: next(time)) == ([f"k{i}" for i in range(100_001, 100_004)], True)
    assert existence.take_chunk(iter(["a"]), clock=lambda: 0.0) == (["a"], False)
    assert existence.take_chunk(iter([]), clock=lambda: 0.0) == ([], False)


def test_keys_that_come_neither_fast_nor_slowly_are_listed(place: CloudFiles, fault_server: S3Server,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunks are smaller. 2000 keys come in the time that is waited for a chunk."""
    time = itertools.count(0.0, existence._CHUNK_SECONDS / 2000)
    take_chunk = existence.take_chunk
    monkeypatch.setattr(existence, "take_chunk", lambda paths: take_chunk(paths, lambda: next(time)))
    keys = [f"k{i:05}" for i in range(10_000)]
    fault_server.put_many({PLACE + key: b"abc" for key in keys})
    fault_server.forget()
    assert place.exists(iter(keys)) == dict.fromkeys(keys, True)
    assert len(fault_server.requests()) <= 25


def test_sparse_keys_are_checked_one_by_one(place: CloudFiles, fault_server: S3Server) -> None:
    fault_server.put_many({f"{PLACE}k{i:05}": b"abc" for i in range(20_000)})
    keys = [f"k{i:05}" for i in range(0, 20_000, 1000)] + ["nowhere"]
    fault_server.forget()
    assert place.exists(keys) == {key: key != "nowhere" for key in keys}
    count = _count(fault_server)
    assert count["GET"] <= 2  # pages that turned out not to be worth it
    assert count["HEAD"] >= 19


def test_dense_and_sparse_mixed(place: CloudFiles, fault_server: S3Server, full: bool) -> None:
    sparse = 50_000 if full else 20_000
    fault_server.put_many({f"{PLACE}a{i:05}": b"abc" for i in range(5000)})
    fault_server.put_many({f"{PLACE}z{i:05}": b"" for i in range(sparse)})
    keys = [f"a{i:05}" for i in range(5000)] + [f"z{i:05}" for i in range(0, sparse, sparse // 10)]
    fault_server.forget()
    assert place.exists(keys) == dict.fromkeys(keys, True)
    assert len(fault_server.requests()) <= 20


def test_keys_are_checked_one_by_one_without_permission_to_list(place: CloudFiles, fault_server: S3Server) -> None:
    keys = [f"k{i:03}" for i in range(100)]
    fault_server.put_many({PLACE + key: b"abc" for key in keys[::2]})
    fault_server.script(Rule(Status(403, body=b"<Error><Code>AccessDenied</Code></Error>"), query="list-type=2",
                             times=None))
    assert place.exists(keys) == {key: i % 2 == 0 for i, key in enumerate(keys)}
    assert place.size(keys) == {key: None if i % 2 else 3 for i, key in enumerate(keys)}


def test_a_refusal_is_not_taken_for_missing(place: CloudFiles, fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(403), times=None))
    for ask in (place.exists, place.size, place.head, place.get):
        with pytest.raises(AuthorizationError):
            ask("k")
        with pytest.raises(AuthorizationError):
            ask([f"k{i}" for i in range(100)])
