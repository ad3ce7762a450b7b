"""`stream`: results as they come, in bounded memory, with the caller's own generator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, InvalidInputError
from cloudfiles.testing import Rule, S3Server, Status
from tests.conformance.stores import StoreUnderTest

pytestmark = pytest.mark.own_servers

CONTENTS = {f"k{i:03}": b"%03d" % i * i for i in range(120)}


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed(CONTENTS)
    return cf


def by_path(results: Any) -> list[tuple[str, Any]]:
    return sorted((one["path"], one["content"]) for one in results)


def test_all_results_come_once(seeded: CloudFiles) -> None:
    assert by_path(seeded.stream(CONTENTS.keys())) == list(CONTENTS.items())
    assert by_path(seeded.stream(iter(CONTENTS))) == list(CONTENTS.items())
    assert list(seeded.stream([])) == []
    assert list(seeded.stream(iter([]))) == []


def test_missing_objects_ranges_and_tags(seeded: CloudFiles) -> None:
    items: list[Any] = ["missing", {"path": "k007", "start": 2, "end": 5, "tags": "some"}]
    found = sorted(seeded.stream(items), key=lambda one: one["path"])
    assert [(one["path"], one["content"], one["byte_range"], one["tags"]) for one in found] == [
        ("k007", CONTENTS["k007"][2:5], (2, 5), "some"), ("missing", None, (None, None), None)]


def test_one_path(seeded: CloudFiles) -> None:
    """It is not an iterable of characters."""
    assert by_path(seeded.stream("k007")) == [("k007", CONTENTS["k007"])]


def test_paths_are_taken_lazily_in_the_callers_thread(seeded: CloudFiles) -> None:
    taken: list[str] = []
    threads: set[int] = set()

    def endless() -> Iterator[str]:
        while True:
            threads.add(threading.get_ident())
            key = f"k{len(taken) % 120:03}"
            taken.append(key)
            yield key

    results = seeded.stream(endless(), max_items=10)
    for _ in range(50):
        one = next(results)
        assert one["content"] == CONTENTS[one["path"]]
    results.close()  # type: ignore[attr-defined]
    assert threads == {threading.get_ident()}
    assert len(taken) <= 50 + 10 + 20 + 2  # consumed, waiting, and being taken by the workers


def test_nothing_is_requested_before_the_first_result_is(seeded: CloudFiles) -> None:
    taken: list[str] = []

    def keys() -> Iterator[str]:
        for key in CONTENTS:
            taken.append(key)
            yield key

    results = seeded.stream(keys())
    assert taken == []
    next(results)
    assert taken
    results.close()  # type: ignore[attr-defined]


def test_bytes_in_flight_are_bounded(store: StoreUnderTest, runtime: dict[str, Any],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    store.seed({f"b{i:02}": bytes(10_000) for i in range(60)})
    cf = store.cf(**{"num_threads": 2, **runtime})
    interface = type(cf._store.here())
    begun: list[str] = []
    read = interface.get

    def counted(self: Any, key: str, *edges: Any) -> Any:
        begun.append(key)
        return read(self, key, *edges)

    monkeypatch.setattr(interface, "get", counted)
    results = cf.stream((f"b{i:02}" for i in range(60)), max_bytes=20_000)
    for consumed in range(1, 61):
        assert len(next(results)["content"]) == 10_000
        assert len(begun) <= consumed + 2 + 2  # as many as fill the bytes wait, and each worker may have one more
    assert next(results, None) is None


def test_closing_early_leaves_nothing_behind(seeded: CloudFiles, no_leaks: Callable[..., AbstractContextManager[None]],
                                             ) -> None:
    list(seeded.stream(CONTENTS))  # what stays for good is there now
    with no_leaks(allow=("socket:", "thread cloudfiles", "anon_inode", "pipe:")):
        results = seeded.stream(iter(list(CONTENTS) * 5))
        next(results)
        results.close()  # type: ignore[attr-defined]
    assert by_path(seeded.stream(CONTENTS)) == list(CONTENTS.items())


def test_an_error_of_the_generator_reaches_the_caller(seeded: CloudFiles) -> None:
    class OwnError(Exception):
        pass

    def keys() -> Iterator[str]:
        yield from list(CONTENTS)[:5]
        raise OwnError

    with pytest.raises(OwnError):
        list(seeded.stream(keys()))
    with pytest.raises(OwnError):
        seeded.get(keys())


def test_two_streams_at_once(seeded: CloudFiles) -> None:
    first, second = seeded.stream(CONTENTS), seeded.stream(CONTENTS)
    pairs = list(zip(first, second, strict=True))
    assert by_path(one for one, _ in pairs) == by_path(two for _, two in pairs) == list(CONTENTS.items())


def test_work_on_the_same_store_while_streaming(seeded: CloudFiles) -> None:
    found = [(one["path"], seeded.get(one["path"])) for one in seeded.stream(CONTENTS)]
    assert sorted(found) == list(CONTENTS.items())


@pytest.mark.stores("scripted", "web")
def test_errors_are_raised_or_kept(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    store.seed(CONTENTS)
    fault_server.script(Rule(Status(403), key=store.cloudpath.split("/", 3)[3] + "k050", times=None))
    with pytest.raises(AuthorizationError, match="k050"):
        list(cf.stream(CONTENTS))
    found = list(cf.stream(CONTENTS, raise_errors=False))
    assert len(found) == len(CONTENTS)
    assert [one["path"] for one in found if one["error"]] == ["k050"]


@pytest.mark.stores("mem")
def test_bounds_that_bound_nothing_are_refused(store: StoreUnderTest) -> None:
    for options in ({"max_items": 0}, {"max_bytes": 0}, {"max_items": -1}, {"max_items": 1.5}):
        with pytest.raises(InvalidInputError, match=next(iter(options))):
            store.cf().stream([], **options)  # type: ignore[arg-type]
