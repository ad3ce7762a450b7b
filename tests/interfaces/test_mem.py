"""mem://: shared in the process, opaque keys, ordered pages, conditional writes."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.exceptions import (
    InvalidInputError,
    InvalidPathError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.mem import MemInterface, clear_memory
from cloudfiles.paths import extract
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.types import HEAD_FIELDS, Clock, StoreOptions, WriteOptions
from tests.selection import examples

PLAIN = WriteOptions()


def mem(path: str = "mem://bucket/root") -> MemInterface:
    return MemInterface(extract(path), StoreOptions(), ThreadRuntime(), Clock(wall=lambda: 784111777.9))


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    clear_memory()
    yield
    clear_memory()


def every_page(store: MemInterface, **arguments: object) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    prefixes: list[str] = []
    token = None
    while True:
        page = store.list_page(token=token, **arguments)  # type: ignore[arg-type]
        keys += [entry.key for entry in page.entries]
        prefixes += page.prefixes
        token = page.next_token
        if token is None:
            return keys, prefixes


# ---- one object


def test_what_is_put_is_got_with_its_encoding_and_etag() -> None:
    etag = mem().put("k", b"\x1f\x8b", WriteOptions(encoding="gzip"))
    stored = mem().get("k")
    assert stored is not None
    assert (stored.content, stored.encoding, stored.etag) == (b"\x1f\x8b", "gzip", etag)


def test_etag_is_the_quoted_md5() -> None:
    assert mem().put("k", b"hello", PLAIN) == '"5d41402abc4b2a76b9719d911017c592"'


def test_a_large_object_has_the_same_kind_of_etag() -> None:
    import hashlib

    content = b"x" * 1_000_000
    assert mem().put("k", content, PLAIN) == f'"{hashlib.md5(content).hexdigest()}"'


def test_head_tells_what_the_write_said() -> None:
    store = mem()
    store.put("a.json", b"hello", WriteOptions(encoding="br", cache_control="no-cache", storage_class="COLD"))
    head = store.head("a.json")
    assert head is not None
    assert tuple(head) == HEAD_FIELDS
    assert {name: value for name, value in head.items() if value is not None} == {
        "Cache-Control": "no-cache", "Content-Length": 5, "Content-Type": "application/json",
        "ETag": '"5d41402abc4b2a76b9719d911017c592"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Content-md5": "XUFAKrxLKna5cZ2REBfFkg==", "Content-Encoding": "br", "Storage-Class": "COLD"}
    store.put("a.json", b"", WriteOptions(content_type="text/x"))
    assert store.head("a.json")["Content-Type"] == "text/x"  # type: ignore[index]


def test_missing_is_none_everywhere() -> None:
    store = mem()
    assert store.get("k") is None
    assert store.get("k", 1, 2) is None
    assert store.head("k") is None
    assert store.size("k") is None
    assert not store.exists("k")
    assert store.delete(["k"]) == {}


@pytest.mark.parametrize("make", [bytearray, lambda b: memoryview(bytearray(b))])
def test_mutable_content_is_copied(make: type) -> None:
    content = make(b"abc")
    mem().put("k", content, PLAIN)
    content[0] = ord("X")
    assert mem().get("k").content == b"abc"  # type: ignore[union-attr]


def test_a_file_is_read_from_its_position() -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    mem().put("k", file, PLAIN)
    assert mem().get("k").content == b"456789"  # type: ignore[union-attr]


def test_a_text_file_is_refused_and_the_old_object_stays() -> None:
    store = mem()
    store.put("k", b"old", PLAIN)
    with pytest.raises(InvalidInputError, match="binary mode"):
        store.put("k", io.StringIO("text"), PLAIN)  # type: ignore[arg-type]
    assert store.get("k").content == b"old"  # type: ignore[union-attr]


def test_python_objects_stay_alive() -> None:
    store, live = mem(), {1, 2}
    first = store.put("k", live, PLAIN)
    assert store.get("k").content is live  # type: ignore[union-attr]
    assert store.head("k")["Content-Length"] is None  # type: ignore[index]
    assert store.size("k") is None
    assert store.exists("k")
    assert store.put("k", live, PLAIN) != first
    with pytest.raises(UnsupportedOperationError, match="byte ranges are not supported for set objects"):
        store.get("k", 0, 1)


@given(st.binary(max_size=20), st.none() | st.integers(-25, 25), st.none() | st.integers(-25, 25))
def test_ranges_are_slices(content: bytes, start: int | None, end: int | None) -> None:
    store = mem()
    store.put("k", content, PLAIN)
    assert store.get("k", start, end).content == content[start:end]  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["a//b", "/a", "a/", "..", "../up", ".", "a b+%2F?#", "é\udc80", "\0", "x" * 5000])
def test_keys_are_opaque(key: str) -> None:
    store = mem()
    store.put(key, key.encode("utf-8", "surrogatepass"), PLAIN)
    assert store.get(key).content == key.encode("utf-8", "surrogatepass")  # type: ignore[union-attr]
    assert every_page(store)[0] == [key]
    store.delete([key])
    assert not store.exists(key)


def test_the_empty_key_is_refused() -> None:
    for use in (mem().get, mem().head, lambda k: mem().put(k, b"", PLAIN), lambda k: mem().delete([k])):
        with pytest.raises(InvalidPathError, match="empty"):
            use("")


# ---- the shared store


def test_paths_and_buckets_share_one_store() -> None:
    mem("mem://bucket/a").put("b/c", b"1", PLAIN)
    assert mem("mem://bucket/a/b").get("c").content == b"1"  # type: ignore[union-attr]
    assert mem("mem://bucket/a/b/").exists("c")
    assert mem("mem://bucket").exists("a/b/c")
    assert not mem("mem://other/a").exists("b/c")
    assert every_page(mem("mem://bucket/a/b"))[0] == ["c"]


def test_clear_memory_reaches_interfaces_that_exist() -> None:
    store = mem()
    store.put("k", b"", PLAIN)
    clear_memory()
    assert not store.exists("k")
    assert every_page(store) == ([], [])
    store.put("k", b"", PLAIN)
    assert mem().exists("k")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_a_lock_is_held_can_continue() -> None:
    store = mem()
    store.put("k", b"1", PLAIN)
    with store._bucket.lock:
        child = os.fork()
        if child == 0:
            store.put("k", b"2", PLAIN)
            os._exit(0 if store.get("k").content == b"2" else 1)  # type: ignore[union-attr]
    assert os.waitpid(child, 0)[1] == 0
    assert store.get("k").content == b"1"  # type: ignore[union-attr]


# ---- conditions


def test_if_absent() -> None:
    store = mem()
    store.put("k", b"1", WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError) as caught:
        store.put("k", b"2", WriteOptions(if_absent=True))
    assert (caught.value.path, caught.value.store) == ("k", "mem://bucket/root")
    assert store.get("k").content == b"1"  # type: ignore[union-attr]


def test_if_match() -> None:
    store = mem()
    with pytest.raises(PreconditionFailedError, match="missing"):
        store.put("k", b"1", WriteOptions(if_match='"x"'))
    etag = store.put("k", b"1", PLAIN)
    store.put("k", b"2", WriteOptions(if_match=etag))
    with pytest.raises(PreconditionFailedError, match="ETag"):
        store.put("k", b"3", WriteOptions(if_match=etag))
    assert store.get("k").content == b"2"  # type: ignore[union-attr]


def test_of_many_creators_one_wins() -> None:
    store, won = mem(), []

    def create(number: int) -> None:
        try:
            store.put("k", b"%d" % number, WriteOptions(if_absent=True))
            won.append(number)
        except PreconditionFailedError:
            pass

    threads = [threading.Thread(target=create, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("k").content == b"%d" % won[0]  # type: ignore[union-attr]


# ---- listing

KEYS = st.text(alphabet="ab/-0.é\U0001f600\uffff", min_size=1, max_size=6)


def listed(keys: set[str], prefix: str, flat: bool, after: str | None) -> tuple[list[str], list[str]]:
    """What a listing must give, by brute force."""
    found = {key for key in keys if key.startswith(prefix)}
    behind = {key[: key.index("/", len(prefix)) + 1] for key in found if flat and "/" in key[len(prefix):]}
    shown = {key for key in found if not (flat and "/" in key[len(prefix):])}

    def ordered(names: set[str]) -> list[str]:
        names = {name for name in names if after is None or name.encode() > after.encode()}
        return sorted(names, key=str.encode)
    return ordered(shown), ordered(behind)


@settings(max_examples=examples(300))
@given(st.sets(KEYS, max_size=15), st.sets(KEYS, max_size=5), st.text(alphabet="ab/-", max_size=3), st.booleans(),
       st.none() | KEYS, st.none() | st.integers(1, 4))
def test_listings_are_what_brute_force_finds(keys: set[str], gone: set[str], prefix: str, flat: bool,
                                             after: str | None, limit: int | None) -> None:
    clear_memory()
    store = mem()
    for key in keys | gone:
        store.put(key, key.encode(), PLAIN)
    every_page(store)
    store.delete(list(gone))
    assert every_page(store, prefix=prefix, flat=flat, start_after=after, limit=limit) == listed(
        keys - gone, prefix, flat, after)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh")), max_size=40))
def test_listing_between_any_writes_and_deletes(steps: list[tuple[bool, str]]) -> None:
    clear_memory()
    store, model = mem(), set()
    for is_put, key in steps:
        if is_put:
            store.put(key, b"", PLAIN)
            model.add(key)
        else:
            store.delete([key])
            model.discard(key)
        assert every_page(store, limit=3)[0] == sorted(model)


def test_entries_tell_size_etag_and_date() -> None:
    store = mem()
    etag = store.put("k", b"abc", PLAIN)
    (entry,) = store.list_page().entries
    assert entry == ("k", 3, etag, "Sun, 06 Nov 1994 08:49:37 GMT")


def test_pages_hold_at_most_the_limit_counting_prefixes() -> None:
    store = mem()
    for key in ("a/1", "a/2", "b", "c/1"):
        store.put(key, b"", PLAIN)
    page = store.list_page(flat=True, limit=2)
    assert ([e.key for e in page.entries], page.prefixes) == (["b"], ["a/"])
    assert store.list_page(flat=True, limit=2, token=page.next_token).prefixes == ["c/"]


def test_a_flat_listing_behind_a_key_leaves_out_the_prefix_that_holds_it() -> None:
    store = mem()
    for key in ("a/1", "a/2", "b"):
        store.put(key, b"", PLAIN)
    assert every_page(store, flat=True, start_after="a/1") == (["b"], [])
    assert every_page(store, flat=True, start_after="a/") == (["b"], [])
    assert every_page(store, flat=True, start_after="a") == (["b"], ["a/"])


def test_isdir() -> None:
    store = mem()
    store.put("a/b", b"", PLAIN)
    assert store.isdir("a")
    assert store.isdir("a/")
    assert store.isdir("")
    assert not store.isdir("a/b")


def test_pages_of_a_large_bucket_sort_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not quadratic: each page compares some tens of keys, however many there are."""
    store = mem()
    for number in range(20_000):
        store.put(f"{number:06}", b"", PLAIN)
    store.list_page(limit=1)
    order = store._bucket._order._sorted
    keys, _ = every_page(store, limit=100)
    assert len(keys) == 20_000
    assert store._bucket._order._sorted is order
    store.delete(keys[:5])
    every_page(store, limit=5000)
    assert store._bucket._order._sorted is order
