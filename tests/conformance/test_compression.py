"""Content encodings: what goes in comes out, and what is corrupt is said to be."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest

from cloudfiles import CloudFiles, compression
from cloudfiles.exceptions import DecompressionError
from cloudfiles.testing import S3Server
from tests.conformance.stores import StoreUnderTest, gzipped

pytestmark = pytest.mark.writes

TEXT = b" ".join(b"%d" % random.Random(3).randrange(10 ** 6) for _ in range(1500)) + bytes(3000)
LEVELS = {"gzip": (0, 1, 6, 9), "br": (0, 5, 11), "zstd": (-5, 1, 3, 19), "xz": (0, 6), "bz2": (1, 9)}


@pytest.mark.parametrize("encoding", LEVELS)
def test_every_encoding_and_level(store: StoreUnderTest, encoding: str) -> None:
    cf = store.cf()
    cf.put("default", TEXT, compress=encoding)
    cf.put("file", io.BytesIO(TEXT), compress=encoding)
    cf.puts([{"path": f"level{level}", "content": TEXT, "compression_level": level} for level in LEVELS[encoding]],
            compress=encoding)
    keys = ["default", "file", *(f"level{level}" for level in LEVELS[encoding])]
    found = cf.get(keys)
    assert [one["content"] for one in found] == [TEXT] * len(keys)
    assert {one["compress"] for one in found} == {encoding}
    for one in cf.get(keys, raw=True):
        assert one["content"] != TEXT
        assert compression.decompress(one["content"], one["compress"]) == TEXT
    assert cf.size("default") == len(store.keeps("default") or b"")
    assert cf.head("default")["Content-Encoding"] == encoding


@pytest.mark.parametrize(("given", "stored"), [(True, "gzip"), (None, None), (False, None), ("", None),
                                               ("lzma", "xz"), ("identity", None)], ids=repr)
def test_names_of_encodings(cf: CloudFiles, given: Any, stored: str | None) -> None:
    cf.put("key", TEXT, compress=given)
    [found] = cf.get(["key"])
    assert (found["content"], found["compress"] or None) == (TEXT, stored)


def test_raw_both_ways(store: StoreUnderTest, cf: CloudFiles) -> None:
    stored = compression.compress(TEXT, "br")
    cf.put("key", stored, compress="br", raw=True)
    assert store.keeps("key") == stored
    assert cf.get("key") == TEXT
    [found] = cf.get(["key"], raw=True)
    assert (found["content"], found["compress"], found["raw"]) == (stored, "br", True)
    cf.puts([{"path": one["path"] + "2", "content": one["content"], "compress": one["compress"], "raw": True}
             for one in [found]])
    assert cf.get("key2") == TEXT


@pytest.mark.stores("mem", "scripted", "rclone", "moto", "web")
def test_an_encoding_is_never_guessed_from_a_name(cf: CloudFiles) -> None:
    cf.put("data.gz", TEXT)
    cf.put("data.txt", TEXT, compress="gzip")
    assert [found["content"] for found in cf.get(["data.gz", "data.txt"])] == [TEXT, TEXT]


@pytest.mark.stores("mem", "scripted", "moto", "web")
def test_lists_of_encodings(cf: CloudFiles) -> None:
    twice = compression.compress(compression.compress(TEXT, "gzip"), "br")
    cf.put("both", twice, compress="gzip, br", raw=True)
    again = gzipped(gzipped(TEXT))
    cf.put("doubly", again, compress="gzip,gzip", raw=True)
    found = cf.get(["both", "doubly"])
    assert [one["content"] for one in found] == [TEXT, TEXT]
    assert cf.get("both", raw=True) == twice


@pytest.mark.stores("scripted")
def test_encodings_as_others_write_them(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    place = store.cloudpath.split("/", 3)[3]
    for name in ("gzip", "x-gzip", "GZIP", "aws-chunked,gzip", "gzip,aws-chunked", "identity"):
        content = TEXT if name == "identity" else gzipped(TEXT)
        fault_server.put(place + name, content, headers={"content-encoding": name})
        assert cf.get(name) == TEXT, name


@pytest.mark.parametrize("encoding", LEVELS)
def test_a_corrupt_stream_is_an_error_that_names_the_path(store: StoreUnderTest, encoding: str) -> None:
    cf = store.cf()
    whole = compression.compress(TEXT, encoding)
    middle = len(whole) // 2
    broken = {"truncated": whole[:-1], "half": whole[:middle], "garbage": b"this is no such stream" * 10,
              "trailing": whole + b"and more", "damaged": whole[:middle] + bytes(50) + whole[middle + 50:]}
    cf.puts(list(broken.items()), compress=encoding, raw=True)
    for name in broken:
        with pytest.raises(DecompressionError, match=name) as caught:
            cf.get(name)
        assert caught.value.path == name
    found = cf.get(list(broken), raise_errors=False)
    assert [type(one["error"]) for one in found] == [DecompressionError] * len(broken)
    assert cf.get("half", raw=True) == whole[:middle]


@pytest.mark.own_servers
def test_decoded_sizes_are_bounded_where_asked(cf: CloudFiles, full: bool) -> None:
    size = 5_000_000 if full else 2_500_000
    for encoding in LEVELS:
        cf.put(f"bomb {encoding}", bytes(size), compress=encoding)
        with pytest.raises(DecompressionError, match="bomb"):
            cf.get(f"bomb {encoding}", max_decoded_size=size - 1)
        with pytest.raises(DecompressionError, match="bomb"):
            cf.get([f"bomb {encoding}", f"bomb {encoding}"], max_decoded_size=1000)
        assert cf.get(f"bomb {encoding}", max_decoded_size=size) == bytes(size)


def test_transcode(cf: CloudFiles) -> None:
    cf.puts([(name, TEXT) for name in ("a", "b")], compress="gzip")
    cf.put("plain", TEXT)
    files = list(compression.transcode(cf.get(["a", "b", "plain"], raw=True), "zstd"))
    cf.puts(files_of(files), raw=True, compress="zstd")
    found = cf.get(["a", "b", "plain"])
    assert [(one["content"], one["compress"]) for one in found] == [(TEXT, "zstd")] * 3
    assert [compression.decompress(one["content"], "zstd") for one in cf.get(["a", "plain"], raw=True)] == [TEXT, TEXT]


def files_of(results: list[dict[str, Any]]) -> list[tuple[str, bytes]]:
    return [(one["path"], one["content"]) for one in results]


def test_results_of_transcode_can_be_put_as_they_are(cf: CloudFiles) -> None:
    cf.put("a", TEXT, compress="gzip")
    cf.puts(compression.transcode(cf.get(["a"], raw=True), "br"), raw=True)
    [found] = cf.get(["a"])
    assert (found["content"], found["compress"]) == (TEXT, "br")


def test_a_large_object_is_decoded_elsewhere_and_right(cf: CloudFiles) -> None:
    large = random.Random(1).randbytes(1000) * 2000
    cf.puts([("a", large), ("b", large)], compress="gzip")
    assert [found["content"] for found in cf.get(["a", "b"])] == [large, large]
    assert [found["content"] for found in cf.stream(["a", "b"])] == [large, large]


# ---- JSON


def test_json_round_trip(cf: CloudFiles) -> None:
    from dataclasses import dataclass

    @dataclass
    class Point:
        x: int
        y: float

    numpy = pytest.importorskip("numpy")
    value = {"a": [1, 2.5, None, True], "\u00e9": "\U0001f600", "nested": {"p": Point(1, 2.0)}, 5: "number"}
    arrays = {"array": numpy.arange(6, dtype=numpy.uint8).reshape(2, 3), "strided": numpy.arange(6)[::2],
              "scalar": numpy.float32(0.5), "turned": numpy.arange(4).reshape(2, 2).T}
    cf.put_json("value", value)
    cf.put_json("arrays", arrays, compress="br")
    cf.put_jsons([("n1", 1), ("n2", [2])], compress="gzip")
    cf.put_jsons((f"g{i}", i) for i in range(3))
    expected = {"a": [1, 2.5, None, True], "\u00e9": "\U0001f600", "nested": {"p": {"x": 1, "y": 2.0}}, "5": "number"}
    assert cf.get_json("value") == expected
    assert cf.get_json("arrays") == {"array": [[0, 1, 2], [3, 4, 5]], "strided": [0, 2, 4], "scalar": 0.5,
                                     "turned": [[0, 2], [1, 3]]}
    assert cf.get_json(["n1", "missing", "n2", "g2"]) == [1, None, [2], 2]
    assert cf.get_json("missing") is None


def test_what_is_no_json(cf: CloudFiles) -> None:
    cf.put("text", b"{")
    with pytest.raises(ValueError, match="text"):
        cf.get_json("text")
    with pytest.raises(ValueError, match="odd"):
        cf.put_json("odd", {"a": object()})
    assert cf.exists("odd") is False


@pytest.mark.stores("mem", "scripted", "moto", "rclone", "web")
def test_the_content_type_of_json(cf: CloudFiles) -> None:
    cf.put_json("value", {})
    assert cf.head("value")["Content-Type"] == "application/json"
