"""`concat` and `rename`: the same results whether the store does it itself or not."""

from __future__ import annotations

import random

import pytest

from cloudfiles.exceptions import MissingObjectError, PreconditionFailedError
from tests.conformance.nasty_keys import CANNOT_HOLD, NASTY_KEYS
from tests.conformance.stores import STORES, StoreUnderTest

MIB = 1 << 20


@pytest.mark.writes
def test_concat(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.puts([("a", b"1"), ("dir/b", b""), ("c", b"23")])
    cf.concat(["a", "dir/b", "c", "a"], "all")
    assert cf.get("all") == b"1231"
    cf.concat(["all", "c"], "all", delete_source=True)
    assert cf.get("all") == b"123123"
    assert not cf.exists("c")


@pytest.mark.full
@pytest.mark.writes
def test_concat_of_large_objects(store: StoreUnderTest) -> None:
    chooser = random.Random(7)
    contents = [chooser.randbytes(size) for size in (3 * MIB, 1, 6 * MIB, 4 * MIB, 5 * MIB, 100)]
    cf = store.cf()
    cf.puts((str(number), content) for number, content in enumerate(contents))
    cf.concat([str(number) for number in range(len(contents))], "all", delete_source=True)
    assert cf.get("all") == b"".join(contents)
    assert not any(cf.exists([str(number) for number in range(len(contents))]).values())


@pytest.mark.stores(*(name for name in STORES if name != "web"))  # which has no listings
@pytest.mark.writes
def test_rename(store: StoreUnderTest) -> None:
    cf = store.cf()
    cf.puts([("a/1", b"1"), ("a/b/2", b"2"), ("ab", b"beside")])
    cf.rename("a", "x/y")
    cf.rename("ab", "z")
    assert sorted(cf.list()) == ["x/y/1", "x/y/b/2", "z"]
    assert (cf.get("x/y/b/2"), cf.get("z")) == (b"2", b"beside")
    with pytest.raises(PreconditionFailedError):
        cf.rename("z", "x/y/1", overwrite=False)
    cf.rename("z", "x/y/1")
    assert (cf.get("x/y/1"), cf.exists("z")) == (b"beside", False)
    with pytest.raises(MissingObjectError):
        cf.rename("missing", "b")


@pytest.mark.full
@pytest.mark.stores("mem", "file", "scripted", "gs-scripted", "az")
def test_nasty_keys(store: StoreUnderTest) -> None:
    """Those that do not end in a slash, which would be directories, are renamed and concatenated like others."""
    top, cannot_hold = store.at_top(), CANNOT_HOLD[store.name]
    keys = [entry.key for entry in NASTY_KEYS if entry.key not in cannot_hold and len(entry.key.encode()) < 200
            and not entry.key.endswith("/")]
    for number, key in enumerate(keys):
        cf = top.below(number).cf()
        cf.put(key, b"1")
        cf.rename(key, f"to-{number}/renamed")
        cf.rename(f"to-{number}/renamed", f"to-{number}/{key}")
        cf.concat([f"to-{number}/{key}"], f"to-{number}/all")
        assert cf.get([f"to-{number}/{key}", f"to-{number}/all"], return_dict=True) == {
            f"to-{number}/{key}": b"1", f"to-{number}/all": b"1"}, repr(key)
        assert not cf.exists(key), repr(key)
