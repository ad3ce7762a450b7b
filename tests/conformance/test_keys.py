"""Keys are opaque: the nasty ones go through every verb and come back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.retry import RetryPolicy
from tests.conformance.nasty_keys import CANNOT_HOLD, NASTY_KEYS, NastyKey, keys_for
from tests.conformance.stores import STORES, StoreUnderTest

_TAKEN = "the bytes of "


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "entry" in metafunc.fixturenames:
        pairs = [pytest.param(name, entry, id=f"{name}-{entry}", marks=_marks(name, entry))
                 for name in STORES for entry in NASTY_KEYS if name in CANNOT_HOLD]
        metafunc.parametrize(("store", "entry"), pairs, indirect=["store"])


def _marks(name: str, entry: NastyKey) -> Any:
    reason = CANNOT_HOLD[name].get(entry.key)
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


def content_of(key: str) -> bytes:
    return (_TAKEN + key).encode("utf-8", "surrogatepass")


@pytest.fixture(autouse=True)
def _give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """rclone answers 500 to keys that it cannot hold, over and over."""
    monkeypatch.setattr(RetryPolicy, "allows", lambda self, failures, *times: failures < 2)


def test_a_key_goes_through_every_verb(store: StoreUnderTest, entry: NastyKey) -> None:
    cf, key = store.at_top("keys").cf(num_threads=2), entry.key
    if key == "prefix/child":
        cf.put("prefix", b"beside it")
    assert cf.exists(key) is False
    assert cf.get(key) is None
    cf.put(key, content_of(key))
    assert cf.get(key) == content_of(key)
    assert cf.get([key])[0]["content"] == content_of(key)
    assert cf[key, 4:9] == content_of(key)[4:9]
    assert cf.exists(key) is True
    assert cf.size([key]) == {key: len(content_of(key))}
    assert cf.head(key)["Content-Length"] == len(content_of(key))
    if store.name != "web":  # plain HTTP without index pages has no listing
        assert key in list(cf.list())
        assert list(cf.list(key)) == [key]
    cf.delete([key])
    assert cf.exists(key) is False


@pytest.mark.stores("mem", "file", "scripted", "rclone", "moto")
def test_all_keys_at_once(store: StoreUnderTest, runtime: dict[str, Any]) -> None:
    cf = store.at_top("all").cf(**runtime)
    cf.delete(list(cf.list()))
    keys = [entry.key for entry in keys_for(store.name)]
    cf.puts([(key, content_of(key)) for key in keys])
    assert [found["content"] for found in cf.get(keys)] == [content_of(key) for key in keys]
    assert list(cf.list()) == sorted(keys, key=str.encode)
    assert cf.exists([*keys, "nowhere"]) == {**dict.fromkeys(keys, True), "nowhere": False}
    cf.delete(keys[::2])
    assert list(cf.list()) == sorted(keys[1::2], key=str.encode)
    cf.delete(keys)
    assert list(cf.list()) == []


@pytest.mark.stores("nginx", "caddy")
def test_web_servers_give_what_the_directory_holds(store: StoreUnderTest, cf: CloudFiles) -> None:
    """And, where it holds an index page's name, no page instead of the object."""
    keys = [entry.key for entry in keys_for("file")]
    store.seed({key: content_of(key) for key in keys})
    assert [found["content"] for found in cf.get(keys)] == [content_of(key) for key in keys]
    assert cf.exists(keys) == dict.fromkeys(keys, True)


@pytest.mark.stores("file", "mem", "scripted", "rclone", "moto")
def test_an_empty_key_is_refused(store: StoreUnderTest, cf: CloudFiles) -> None:
    for verb in (cf.get, cf.head, cf.exists, cf.size, cf.delete):
        with pytest.raises(CloudFilesError):
            verb("")
        with pytest.raises(CloudFilesError):
            verb([f"k{i}" for i in range(30)] + [""])
    with pytest.raises(CloudFilesError):
        cf.put("", b"")
