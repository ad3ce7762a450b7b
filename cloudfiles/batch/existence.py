"""Whether many keys exist, and their sizes: by LIST if the keys make up much of a prefix, else by HEAD.

One LIST answers for a thousand keys and takes about as long as ten HEADs. Sorted keys are merged with the pages of a
listing that starts just before the first of them. If a page answers for too few keys, listing stops, and the remaining
keys are requested one by one. For stores without a defined order, only a complete listing shows which keys are missing.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from typing import Any

from cloudfiles.batch.fanout import ItemCounter, Plan, collect
from cloudfiles.exceptions import AuthorizationError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.base import Interface
from cloudfiles.types import ListPage

DENSE = 10
"""Minimum number of keys per page: a LIST takes about as long as this many HEADs, which also run concurrently."""

_LISTED_A_KEY = 100
"""Maximum entries of a listing that are searched per key."""

_Answer = Callable[[Any], Any]
_FromListing = Callable[[Interface, list[str], _Answer, ItemCounter], dict[str, Any]]


def exists(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, bool]:
    """Whether each path exists, in the order of the paths."""
    return _answer(interface, paths, plan, interface.exists, lambda entry: entry is not None)


def sizes(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, int | None]:
    """The stored size of each path, None if it is missing, in the order of the paths."""
    return _answer(interface, paths, plan, interface.size, lambda entry: None if entry is None else entry.size)


def _answer(interface: Interface, paths: Iterable[str], plan: Plan, ask: _Answer, read: _Answer) -> dict[str, Any]:
    """`ask(path)` for every path, or `read(entry)` for its entry in a listing (None: missing).

    Local stores answer for a key faster than they list it, and validate each key.
    """
    from_listing = None if interface.traits.is_local else _listing_answers(interface)
    if from_listing is None or not isinstance(paths, Collection) or len(paths) <= DENSE:
        return one_by_one(ask, paths, plan)
    answers = dict.fromkeys(paths)
    keys = sorted(filter(None, answers), key=_byte_order)  # no listing has an empty key: ask the store
    if plan.report is not None:
        plan.report(len(paths) - len(answers))  # duplicates are answered together
    counter = ItemCounter()
    listed = collect(lambda keys: from_listing(interface, keys, read, counter), [keys], plan, counter)[0]
    answers.update(listed)
    rest = [path for path in answers if path not in listed]
    answers.update(one_by_one(ask, rest, plan))
    return answers


def _listing_answers(interface: Interface) -> _FromListing | None:
    """How listings of this store answer for many keys; None if they do not."""
    if interface.traits.lists_in_key_order:
        return _answers_from_pages
    return _answers_from_whole_listing if interface.traits.lists_cheaply else None


def one_by_one(ask: _Answer, paths: Iterable[str], plan: Plan) -> dict[str, Any]:
    """`{path: ask(path)}`, in the order of the paths."""
    return dict(collect(lambda path: (path, ask(path)), paths, plan))


def _byte_order(key: str) -> bytes:
    """S3 lists keys in UTF-8 binary order (Amazon S3 API Reference, ListObjectsV2)."""
    return key.encode("utf-8", "surrogatepass")


def _answers_from_pages(interface: Interface, keys: list[str], read: _Answer, counter: ItemCounter) -> dict[str, Any]:
    """The answers of a listing for `keys` (sorted), while each page answers for enough of them."""
    answers: dict[str, Any] = {}
    order = [_byte_order(key) for key in keys]
    prefix = _common_prefix(keys[0], keys[-1])
    at = 0
    while at < len(keys):
        try:
            page = interface.list_page(prefix, start_after=_just_before(keys[at], prefix))
        except (AuthorizationError, UnsupportedOperationError):
            return answers  # without permission to list, objects may still be readable
        upto = _covered(page, order, at)
        if upto is None:
            counter.add(-len(answers))
            return {}  # not in key order: missing keys in the pages so far may still exist
        found = {entry.key: entry for entry in page.entries}
        answers.update((key, read(found.get(key))) for key in keys[at:upto])
        counter.add(upto - at)
        if upto - at < DENSE and upto < len(keys):
            return answers
        at = upto
    return answers


def _answers_from_whole_listing(interface: Interface, keys: list[str], read: _Answer,
                                counter: ItemCounter) -> dict[str, Any]:
    """The answers of a listing in any order for `keys` (sorted): listed keys exist, and after a complete listing the
    others are missing. It continues while pages have enough of the keys.

    Empty entries may be directory markers, which are not objects, and names with unprintable characters may be changed
    by XML: such keys are requested one by one.
    """
    answers: dict[str, Any] = {}
    asked = set(keys)
    left = {key for key in keys if key.isprintable()}
    listing = interface.pages(_common_prefix(keys[0], keys[-1]), limit=_LISTED_A_KEY * len(keys))
    while True:
        try:
            page = next(listing)
        except (AuthorizationError, UnsupportedOperationError, ServerError) as error:
            if isinstance(error, ServerError) and not 400 <= (error.status or 0) < 500:
                raise
            return answers  # as for a prefix with a file as a parent: single objects may still be requested
        found = [entry for entry in page.entries if entry.key in asked]
        answers.update((entry.key, read(entry)) for entry in found if entry.size)
        left.difference_update(entry.key for entry in found)
        counter.add(len(answers) - counter.count)
        if page.next_token is None:
            for key in left:
                interface.check_target(key)
                answers[key] = read(None)
            counter.add(len(answers) - counter.count)
            return answers
        if len(found) * _LISTED_A_KEY < max(len(page.entries), DENSE * _LISTED_A_KEY):
            return answers


def _common_prefix(first: str, last: str) -> str:
    length = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]),
                  min(len(first), len(last)))
    return first[:length]


def _just_before(key: str, prefix: str) -> str | None:
    """Where to start a listing so that `key` is the first that can follow; None to start at the prefix."""
    if key == prefix or not key:
        return None
    last = ord(key[-1])
    # The key with its last character replaced by the one before, or without it.
    return key[:-1] + chr(last - 1) + "\U0010fffd" if last > 0x20 and not 0xD800 <= last - 1 <= 0xDFFF else key[:-1]


def _covered(page: ListPage, order: list[bytes], at: int) -> int | None:
    """The index of the first key that the page does not answer for; None if the page is not in byte order."""
    listed = [_byte_order(entry.key) for entry in page.entries]
    if any(before >= after for before, after in itertools.pairwise(listed)):
        return None
    if page.next_token is None:
        return len(order)
    return bisect_right(order, listed[-1], lo=at) if listed else at
