"""Byte ranges are slices of the stored bytes, however they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFile, CloudFiles
from cloudfiles.testing import S3Server
from tests.conformance.stores import StoreUnderTest
from tests.selection import examples

OBJECT = bytes(range(256)) * 4
RANGES: list[tuple[int | None, int | None]] = [
    (0, 10), (5, 6), (0, len(OBJECT)), (100, None), (None, 100), (0, None), (None, None), (-5, None),
    (-len(OBJECT), None), (1000, 5000), (len(OBJECT) - 1, None), (len(OBJECT), None), (len(OBJECT), len(OBJECT) + 9),
    (5000, 6000), (5000, None), (-5000, None), (0, 0), (7, 7), (5000, 5000),
]


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed({"object": OBJECT, "empty": b""})
    return cf


def wanted(path: str, start: int | None, end: int | None) -> dict[str, Any]:
    return {"path": path, "start": start, "end": end}


def test_a_range_is_a_slice(seeded: CloudFiles) -> None:
    for start, end in RANGES:
        assert seeded.get(wanted("object", start, end)) == OBJECT[start:end], (start, end)
        assert seeded["object", start:end] == OBJECT[start:end], (start, end)


def test_a_slice_is_that_of_bytes(seeded: CloudFiles) -> None:
    """Also one that is relative to the end, which HTTP cannot express without the size."""
    one, empty, missing = (CloudFile(seeded.join(seeded.cloudpath, name)) for name in ("object", "empty", "missing"))
    for each in (one, empty, missing):
        each.cf = seeded
    for start, end in [(None, -3), (0, -1), (5, -5), (-10, -3), (-3, -10), (-5, 1020), (-5, 3), (0, -5000), (-5000, 10),
                       (2000, -1)]:
        assert seeded["object", start:end] == one[start:end] == OBJECT[start:end], (start, end)
        assert seeded["empty", start:end] == empty[start:end] == b"", (start, end)
        assert seeded["missing", start:end] is missing[start:end] is None, (start, end)


def test_a_range_of_an_empty_object_is_empty(seeded: CloudFiles) -> None:
    for start, end in RANGES:
        assert seeded.get(wanted("empty", start, end)) == b"", (start, end)


def test_a_range_of_a_missing_object_is_none(seeded: CloudFiles) -> None:
    for start, end in RANGES:
        assert seeded.get(wanted("missing", start, end)) is None, (start, end)
    found = seeded.get([wanted("missing", start, end) for start, end in RANGES])
    assert [one["content"] for one in found] == [None] * len(RANGES)


def test_many_ranges_of_one_object(seeded: CloudFiles) -> None:
    items = [wanted(path, *edges) for edges in RANGES for path in ("object", "empty")]
    expected = [OBJECT[slice(*edges)] if path == "object" else b"" for edges in RANGES for path in ("object", "empty")]
    for kind in (list, iter):
        found = seeded.get(kind(items))
        assert [one["content"] for one in found] == expected
        assert [one["byte_range"] for one in found] == [edges for edges in RANGES for _ in range(2)]


def test_unaligned_ends_of_other_integer_types(seeded: CloudFiles) -> None:
    numpy = pytest.importorskip("numpy")
    edges = numpy.array([3, 9], dtype=numpy.uint16)
    assert seeded.get(wanted("object", *edges)) == OBJECT[3:9]


@pytest.mark.writes
def test_a_range_of_an_encoded_object_is_of_its_stored_bytes(store: StoreUnderTest, cf: CloudFiles) -> None:
    cf.put("encoded", OBJECT, compress="gzip")
    stored = store.keeps("encoded")
    assert stored is not None
    assert stored != OBJECT
    assert cf.get(wanted("encoded", 2, 20)) == stored[2:20]
    assert [one["content"] for one in cf.get([wanted("encoded", 0, 5), wanted("encoded", -5, None)])] == [
        stored[:5], stored[-5:]]


def test_a_range_not_of_slices_is_refused(seeded: CloudFiles) -> None:
    with pytest.raises(ValueError, match="step"):
        seeded["object", 0:10:2]


_few_edges = st.one_of(st.none(), st.integers(0, 40))
_any_range = st.one_of(st.tuples(_few_edges, st.none()), st.tuples(st.integers(-40, -1), st.none()),
                       st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple),
                       st.tuples(st.none(), st.integers(0, 40)))


@pytest.mark.stores("mem", "file", "scripted", "web")
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=32), ranges=st.lists(_any_range, max_size=12))
def test_any_ranges_of_any_object(store: StoreUnderTest, content: bytes, ranges: list[tuple[Any, Any]]) -> None:
    cf = store.cf(num_threads=2)
    cf.put("object", content)
    found = cf.get([wanted("object", *edges) for edges in ranges])
    assert [one["content"] for one in found] == [content[slice(*edges)] for edges in ranges]


# ---- what coalescing saves


@pytest.fixture
def requests(fault_server: S3Server) -> Callable[[], list[tuple[str, str | None]]]:
    return lambda: [(request.method, request.header("range")) for request in fault_server.requests("GET")]


@pytest.mark.stores("scripted", "web")
def test_near_ranges_are_one_request(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server,
                                     requests: Any) -> None:
    big = bytes(1 << 20)
    store.seed({"big": big})
    fault_server.forget()
    found = cf.get([wanted("big", at, at + 10) for at in range(0, 1 << 20, 1 << 13)])
    assert all(one["content"] == bytes(10) for one in found)
    assert len(requests()) == 1
    fault_server.forget()
    cf.get([wanted("big", 0, 10), wanted("big", 1 << 19, (1 << 19) + 10)])
    assert sorted(requests()) == [("GET", "bytes=0-9"), ("GET", "bytes=524288-524297")]


@pytest.mark.stores("scripted", "web")
def test_an_empty_range_costs_one_request(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    store.seed({"object": OBJECT})
    fault_server.forget()
    assert cf.get(wanted("object", 7, 7)) == b""
    assert len(fault_server.requests()) == 1
    assert sum(request.method == "GET" and request.header("range") is None for request in fault_server.requests()) == 0
