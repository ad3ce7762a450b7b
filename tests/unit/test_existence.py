"""`exists` and `size` of many keys, by listings of servers that list in other orders than they should."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.batch import existence
from cloudfiles.batch.fanout import Plan
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.types import ListEntry, ListPage
from tests.selection import examples

ORDERS: dict[str, Callable[[str], Any]] = {
    "key": str, "directory": lambda key: key.split("/"), "utf-16": lambda key: key.encode("utf-16-be", "surrogatepass")}


class Store:
    """Lists in an order of its own, of which `start_after` is a position.

    Attributes:
        pages, asked: the requests so far: pages, and single keys.
    """

    traits = StoreTraits(lists_in_key_order=True)

    def __init__(self, keys: set[str], order: str, page_size: int = 20) -> None:
        self._order = ORDERS[order]
        self._keys = sorted(keys, key=self._order)
        self._page_size = page_size
        self.pages = 0
        self.asked: list[str] = []

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        self.pages += 1
        found = [key for key in self._keys if key.startswith(prefix)]
        after = token or start_after
        at = 0 if after is None else bisect_right(found, self._order(after), key=self._order)
        page = found[at:at + self._page_size]
        return ListPage([ListEntry(key, 1) for key in page], [],
                        page[-1] if at + self._page_size < len(found) else None)

    def exists(self, key: str) -> bool:
        self.asked.append(key)
        return key in self._keys


def exists(store: Any, paths: list[str]) -> dict[str, bool]:
    return existence.exists(store, paths, Plan(None))


@pytest.mark.parametrize(("order", "groups"), [("directory", ["a-", "a/", "a0"]),
                                               ("utf-16", ["\ud7ff", "\uffee", "\U0001f600"])])
def test_a_page_does_not_answer_for_keys_that_the_store_lists_elsewhere(order: str, groups: list[str]) -> None:
    """The first page has keys of the first and the last group, in order, and none of the second."""
    keys = [f"{group}{number:02}" for group in groups for number in range(20)]
    store = Store(set(keys), order, page_size=30)
    assert exists(store, keys) == dict.fromkeys(keys, True)
    assert store.asked == keys[20:40]


def test_no_key_is_requested_by_itself_where_the_order_does_not_matter() -> None:
    keys = [f"a/b-{number:03}" for number in range(100)]
    store = Store(set(keys[::2]), "key")
    assert exists(store, keys) == {key: key in keys[::2] for key in keys}
    assert not store.asked
    assert store.pages == 3


def test_where_a_page_takes_a_whole_directory_listings_continue_by_their_tokens() -> None:
    store = Store({f"{number:03}" for number in range(300)}, "key")
    store.traits = store.traits._replace(lists_directories=True)  # type: ignore[misc]
    starts: list[str | None] = []
    list_page = store.list_page

    def recorded(prefix: str = "", *, start_after: str | None = None, token: str | None = None) -> ListPage:
        starts.extend([start_after] if token is None else [])
        return list_page(prefix, start_after=start_after, token=token)

    store.list_page = recorded  # type: ignore[method-assign, assignment]
    asked = [f"{number:03}" for number in [*range(100), *range(200, 320)]]
    assert exists(store, asked) == {key: key < "300" for key in asked}
    assert len(starts) == 3  # at the beginning, after the first page, and behind the gap
    assert not store.asked


KEYS = st.text(st.sampled_from("ab/-.0\uffee\U0001f600"), min_size=1, max_size=4)


@settings(max_examples=examples(400), deadline=None)
@given(keys=st.sets(KEYS, min_size=20, max_size=80), others=st.sets(KEYS, max_size=20),
       order=st.sampled_from(sorted(ORDERS)), page_size=st.integers(1, 30))
def test_the_answers_are_true_in_each_order(keys: set[str], others: set[str], order: str, page_size: int) -> None:
    asked = list(keys | others)
    assert exists(Store(keys, order, page_size), asked) == {key: key in keys for key in asked}
