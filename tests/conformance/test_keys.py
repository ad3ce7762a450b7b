"""Keys are opaque: the nasty ones go through every verb and come back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError
from tests.conformance.nasty_keys import CANNOT_HOLD, NASTY_KEYS, keys_for
from tests.conformance.stores import StoreUnderTest
from tests.internals import Replace

_TAKEN = "the bytes of "


def content_of(key: str) -> bytes:
    return (_TAKEN + key).encode("utf-8", "surrogatepass")


@pytest.fixture(autouse=True)
def _give_up_soon(internals: Replace) -> None:
    """rclone answers 500 to keys that it cannot hold, over and over."""
    internals(retry_allows=lambda self, failures, *times: failures < 2)


@pytest.mark.stores(*CANNOT_HOLD)
def test_every_key_goes_through_every_verb(store: StoreUnderTest) -> None:
    """Each key by itself, in a place of its own; the message of a failure names the keys."""
    top, cannot_hold = store.at_top(), CANNOT_HOLD[store.name]
    wrong = {str(entry): problem for number, entry in enumerate(NASTY_KEYS)
             if (problem := problem_with(top.below(number), entry.key, cannot_hold.get(entry.key)))}
    assert not wrong, "\n\n".join(f"{key}: {problem}" for key, problem in wrong.items())


def problem_with(place: StoreUnderTest, key: str, cannot_hold: str | None) -> str | None:
    """What goes wrong with a key; or, of one that the store is said not to hold (for a reason), that nothing does."""
    try:
        through_every_verb(place, key)
    except (AssertionError, CloudFilesError) as error:
        return None if cannot_hold else f"{type(error).__name__}: {error}"
    return cannot_hold and f"works, but stands in CANNOT_HOLD: {cannot_hold}"


def through_every_verb(place: StoreUnderTest, key: str) -> None:
    cf = place.cf(num_threads=2)
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
    assert key in list(cf.list())
    assert list(cf.list(key)) == [key]
    cf.delete([key])
    assert cf.exists(key) is False


@pytest.mark.stores("mem", "file", "scripted", "rclone", "moto")
def test_all_keys_at_once(store: StoreUnderTest, runtime: dict[str, Any]) -> None:
    cf = store.at_top().cf(**runtime)
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
