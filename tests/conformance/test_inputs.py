"""What users hand in: paths of every type, contents of every kind, options that mean nothing, fields nobody knows."""

from __future__ import annotations

import array
import contextlib
import enum
import io
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy
import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.compression import transcode
from cloudfiles.exceptions import InvalidInputError, InvalidJSONError
from tests.conformance.stores import StoreUnderTest

pytestmark = pytest.mark.writes


class Name(str, enum.Enum):
    """Its members show as `Name.KEY`, and are the text "dir/key"."""

    KEY = "dir/key"


KEYS: dict[str, Any] = {"numpy.str_": numpy.str_("dir/key"), "enum": Name.KEY, "pathlib": PurePosixPath("dir/key")}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_another_type_is_the_text_that_it_stands_for(cf: CloudFiles, kind: str, tmp_path: Path) -> None:
    key = KEYS[kind]
    cf.put(key, b"one")
    cf.puts([(key, b"[1]"), {"path": "dir/other", "content": b"2"}])
    assert (cf.get(key), cf[key], cf.get_json(key), cf.size(key), cf.exists(key)) == (b"[1]", b"[1]", [1], 3, True)
    found = cf.get([key, {"path": key, "start": 0, "end": 1}, "dir/other"])
    assert [(type(one["path"]), one["content"]) for one in found] == [(str, b"[1]"), (str, b"["), (str, b"2")]
    assert sorted(one["content"] for one in cf.stream([key])) == [b"[1]"]
    assert cf.get(iter([key]), return_dict=True) == {"dir/key": b"[1]"}
    assert cf.exists([key]) == {"dir/key": True}
    assert cf.size([key] * 2) == {"dir/key": 3}
    assert cf.head([key])["dir/key"]["Content-Length"] == 3
    local = CloudFiles(f"file://{tmp_path}/copy/")
    cf.transfer_to(local, [key, {"path": key, "dest_path": numpy.str_("dir/key2")}, (key, PurePosixPath("pair"))])
    assert [local.get(name) for name in ("dir/key", "dir/key2", "pair")] == [b"[1]"] * 3
    cf.touch(key)
    assert cf.delete(key) == 1
    assert cf.delete([key]) == 1
    assert not cf.exists("dir/key")


def test_arrays_of_keys(cf: CloudFiles) -> None:
    keys = numpy.array([f"key{number}" for number in range(30)])
    assert cf.puts(zip(keys, [b"%d" % number for number in range(30)], strict=True)) == 30
    assert [found["content"] for found in cf.get(keys)] == [b"%d" % number for number in range(30)]
    assert cf.exists(keys) == {f"key{number}": True for number in range(30)}
    assert cf.delete(keys) == 30
    with pytest.raises(InvalidInputError, match="ndarray"):
        cf.get(numpy.array("key0"))


# ---- contents


NUMBERS = numpy.arange(300, dtype="u4").reshape(3, 100)
CONTENTS: dict[str, tuple[Any, bytes]] = {
    "str": ("text \u00e9", "text \u00e9".encode()),
    "numpy.str_": (numpy.str_("text"), b"text"),
    "array": (NUMBERS, NUMBERS.tobytes()),
    "empty array": (numpy.empty((0, 3)), b""),
    "array of array": (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("compress", [None, "gzip"], ids=["plain", "gzip"])
def test_text_and_buffers_are_content(store: StoreUnderTest, kind: str, compress: str | None) -> None:
    cf = store.cf()
    content, stored = CONTENTS[kind]
    cf.put("one", content, compress=compress)
    cf.puts([("many", content), ("other", b"")], compress=compress)
    cf["by key"] = content
    assert cf.get("one") == cf.get("many") == cf.get("by key") == stored


def test_a_buffer_that_is_not_contiguous_is_refused(store: StoreUnderTest) -> None:
    cf = store.cf()
    with pytest.raises(InvalidInputError, match="ascontiguousarray") as caught:
        cf.puts([("fine", b""), ("key", NUMBERS.T)])
    assert caught.value.path == "key"
    assert cf.exists(["fine", "key"]) == {"fine": False, "key": False}


def _written_to() -> io.BytesIO:
    file = io.BytesIO()
    file.write(b"content")
    return file


def _beyond_its_end(directory: Path) -> Any:
    (directory / "file").write_bytes(b"content")
    file = (directory / "file").open("rb")
    file.seek(1000)
    return file


EXHAUSTED: dict[str, Callable[[Path], Any]] = {
    "BytesIO": lambda _: _written_to(),
    "file": _beyond_its_end,
}


@pytest.mark.parametrize("kind", EXHAUSTED)
@pytest.mark.parametrize("compress", [None, "gzip"], ids=["plain", "gzip"])
def test_a_file_that_stands_at_its_end_is_refused(store: StoreUnderTest, kind: str, compress: str | None,
                                                  tmp_path: Path) -> None:
    cf = store.cf()
    with contextlib.closing(EXHAUSTED[kind](tmp_path)) as file:
        at = file.tell()
        for call in (lambda: cf.put("key", file, compress=compress), lambda: cf.puts([("other", b"1"), ("key", file)]),
                     lambda: cf.puts(iter([("key", file)]), compress=compress)):
            with pytest.raises(InvalidInputError, match=r"seek\(0\)"):
                call()
        assert file.tell() == at
        assert not cf.exists("key")
        file.seek(3)
        cf.put("key", file, compress=compress)
    assert cf.get("key") == b"tent"


def test_a_file_is_read_once_only(store: StoreUnderTest) -> None:
    """The second reading would find nothing."""
    cf = store.cf()
    file = io.BytesIO(b"content")
    with pytest.raises(InvalidInputError, match="read only once"):
        cf.puts([("one", file), ("two", file)])
    assert cf.exists(["one", "two"]) == {"one": False, "two": False}
    with pytest.raises(InvalidInputError, match=r"seek\(0\)|I/O operation"):
        CloudFiles(store.cloudpath, **{**store.options, "num_threads": 0}).puts((name, file) for name in ("one", "two"))
    assert cf.get("one") == b"content"
    assert not cf.exists("two")


# ---- options that are not given


def test_false_and_nothing_mean_that_an_option_is_not_given(cf: CloudFiles) -> None:
    cf.put("key", b"1", cache_control=False, storage_class="", content_type="",  # type: ignore[arg-type]
           compression_level=False, compress="gzip")
    cf.puts([{"path": "other", "content": b"2", "cache_control": "", "storage_class": False, "content_type": False}],
            compression_level=False, compress="")
    assert cf.get(["key", "other"], return_dict=True) == {"key": b"1", "other": b"2"}
    assert not cf.head("key")["Cache-Control"]


# ---- header values

_INJECTED = ["text/plain\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "a\x7fb"]
HEADERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "content_type": lambda value: {"content_type": value},
    "cache_control": lambda value: {"cache_control": value},
    "storage_class": lambda value: {"storage_class": value},
    "if_match": lambda value: {"if_match": value},
    "metadata": lambda value: {"metadata": {"name": value}},
    "metadata name": lambda value: {"metadata": {value: "value"}},
}


@pytest.mark.parametrize("header", HEADERS)
def test_header_values_of_more_than_one_line_are_refused(store: StoreUnderTest, header: str) -> None:
    cf = store.cf()
    for value in _INJECTED:
        options = HEADERS[header](value)
        with pytest.raises(InvalidInputError, match="cannot be stored"):
            cf.put("key", b"1", **options)
        with pytest.raises(InvalidInputError, match="cannot be stored"):
            cf.puts([("other", b"2"), {"path": "key", "content": b"1", **options}])
    assert list(cf.exists(["other", "key"]).values()) == [False, False]


def test_copies_of_such_a_content_type_are_refused(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.put("key", b"1")
    with pytest.raises(InvalidInputError, match="cannot be stored"):
        CloudFiles("mem://inputs/copies").transfer_from(cf, "key", content_type="a\r\nb: c")
    assert list(CloudFiles("mem://inputs/copies").list()) == []


def test_an_empty_etag_is_no_condition(store: StoreUnderTest) -> None:
    with pytest.raises(InvalidInputError, match="if_match"):
        store.cf().put("key", b"1", if_match="")


# ---- fields


@pytest.mark.parametrize("item", [{"path": "key", "stop": 5}, {"path": "key", "begin": 0, "end": 3},
                                  {"path": "key", "byte_range": (0, 3)}, {"Path": "key"}], ids=str)
def test_unknown_fields_of_a_get_are_named_with_the_known(store: StoreUnderTest, item: dict[str, Any]) -> None:
    cf = store.cf()
    cf.put("key", b"content")
    for call in (lambda: cf.get(item), lambda: cf.get(["key", item]), lambda: cf.get(iter([item])),
                 lambda: list(cf.stream([item])), lambda: cf.get_json(item)):
        with pytest.raises(InvalidInputError, match="known fields: 'path', 'start', 'end', 'tags'") as caught:
            call()
        assert repr(next(field for field in item if field not in ("path", "end"))) in str(caught.value)


@pytest.mark.parametrize("item", [{"path": "key", "dest": "other"}, {"src": "key", "dest_path": "other"}], ids=str)
def test_unknown_fields_of_a_transfer_are_named_with_the_known(store: StoreUnderTest, item: dict[str, Any]) -> None:
    cf = store.cf()
    cf.put("key", b"content")
    target = CloudFiles("mem://inputs/fields")
    for call in (lambda: cf.transfer_to(target, [item]), lambda: target.transfer_from(cf, item),
                 lambda: cf.moves(target, iter([item]))):
        with pytest.raises(InvalidInputError, match="known fields: 'path', 'dest_path'"):
            call()
    assert list(target.list()) == []
    assert cf.exists("key")


def test_what_cloud_volume_keeps_in_the_dicts_that_it_asks_by(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.put("key", b"content")
    bundles = [{"content": None, "subranges": [{"start": 1, "length": 2}], "path": "key", "start": 1, "end": 3}]
    assert [found["content"] for found in cf.get(bundles)] == [b"on"]


# ---- JSON


def _same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def test_json_that_is_none_by_the_book(cf: CloudFiles) -> None:
    """As Python's json writes and reads it; orjson would write null in place of NaN, silently."""
    infinity, nan = float("inf"), float("nan")
    values: dict[str, Any] = {
        "plain": {"a": [1.5, nan, infinity, -infinity, None], "b": {"c": nan}},
        "numpy": {"a": numpy.array([[1.0, nan]]), "b": numpy.float32("inf"), "c": numpy.float32(0.1), "d": None,
                  "e": numpy.array([0.1], "f4")},
    }
    cf.put_jsons(values.items())
    assert _same(cf.get_json("plain"), values["plain"])
    assert _same(cf.get_json("numpy"), {"a": [[1.0, nan]], "b": infinity, "c": 0.1, "d": None, "e": [0.1]})
    assert cf.get("plain") == b'{"a":[1.5,NaN,Infinity,-Infinity,null],"b":{"c":NaN}}'
    cf.put("mark", b'\xef\xbb\xbf{"a": 1}')
    assert cf.get_json(["mark", "missing"]) == [{"a": 1}, None]


def test_errors_of_json_in_the_place_of_values(cf: CloudFiles) -> None:
    cf.puts([("good", b"[1]"), ("bad", b"{"), ("other", b"2")])
    with pytest.raises(InvalidJSONError):
        cf.get_json(["good", "bad"])
    good, bad, missing, other = cf.get_json(["good", "bad", "missing", "other"], raise_errors=False)
    assert (good, missing, other) == ([1], None, 2)
    assert isinstance(bad, InvalidJSONError)
    assert bad.path == "bad"
    with pytest.raises(InvalidJSONError):
        cf.get_json("bad", raise_errors=False)


# ---- what is put comes back by the name that was given


@pytest.mark.stores("mem", "scripted", "moto", "gs-scripted", "web")
def test_bzip2_stays_bzip2(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.puts([("long", b"content"), {"path": "short", "content": b"content", "compress": "bz2"}], compress="bzip2")
    cf.put("raw", cf.get("long", raw=True), compress="bzip2", raw=True)
    assert [(found["compress"], found["content"]) for found in cf.get(["long", "short", "raw"])] == [
        ("bzip2", b"content"), ("bz2", b"content"), ("bzip2", b"content")]
    assert [head["Content-Encoding"] for head in cf.head(["long", "short"]).values()] == ["bzip2", "bz2"]


@pytest.mark.stores("mem", "scripted", "moto", "gs-scripted")
def test_bzip2_stays_bzip2_in_transfers(store: StoreUnderTest, tmp_path: Path) -> None:
    source, cf = CloudFiles("mem://bzip2/"), store.cf()
    source.put("a", b"content", compress="gzip")
    source.transfer_to(cf, reencode="bzip2")
    journal = ResumableTransfer(tmp_path / "journal")
    journal.init(source, cf, [("a", "b")], reencode="bzip2")
    journal.execute()
    cf.puts(transcode(source.get(["a"]), "bzip2", in_place=True))
    cf.transfer_to(cf, [("a", "c")], reencode="bz2")
    for key, name in (("a", "bzip2"), ("b", "bzip2"), ("c", "bz2")):
        (found,) = cf.get([key])
        assert (found["compress"], found["content"], cf.head(key)["Content-Encoding"]) == (name, b"content", name)
    source.delete("a")


@pytest.mark.stores("file")
def test_bzip2_is_a_suffix_of_local_files(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.put("key", b"content", compress="bzip2")
    assert cf.get("key") == b"content"
    assert [path.name for path in Path(store.cloudpath.removeprefix("file://")).iterdir()] == ["key.bz2"]


# ---- access


@pytest.mark.stores("mem", "file", "moto")
def test_permissions(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.puts([("a", b""), ("b", b"")])
    found = cf.get_acl(["a", "missing"])
    assert found["missing"] is None
    assert cf.get_acl("a") == {"a": found["a"]}
    if store.name == "mem":
        assert found["a"] is None
    elif store.name == "file":
        assert found["a"] == (Path(store.cloudpath.removeprefix("file://")) / "a").stat().st_mode
    else:
        assert found["a"]["Owner"]["ID"]
        assert found["a"]["Grants"][0]["Permission"] == "FULL_CONTROL"
        assert found["a"]["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"


@pytest.mark.stores("web", "gs-scripted")
def test_stores_without_such_lists_say_so(store: StoreUnderTest) -> None:
    with pytest.raises(NotImplementedError):
        store.cf().get_acl("a")
