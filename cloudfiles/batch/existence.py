"""Which of many keys exist, and how large they are: by listing where they lie dense, by HEAD where not.

One LIST answers a thousand keys and costs about ten HEADs. Sorted keys are merged with the
pages of a listing that begins just before the first of them. A page that answers too few
keys says that they lie sparse; listing then stops, and what is left is asked for one by one.
Of a store that does not tell its order only a listing that came to its end says what is missing.
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
"""Keys that a page must answer to be worth it: a LIST takes about as long as so many HEADs, and
they would run many at a time."""

_LISTED_A_KEY = 100
"""Entries of a listing that are worth looking through for one key."""

_Answer = Callable[[Any], Any]
_FromListing = Callable[[Interface, list[str], _Answer, ItemCounter], dict[str, Any]]


def exists(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, bool]:
    """For each path whether it exists, in the order of the paths."""
    return _answer(interface, paths, plan, interface.exists, lambda entry: entry is not None)


def sizes(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, int | None]:
    """For each path its stored bytes, None where it is missing, in the order of the paths."""
    return _answer(interface, paths, plan, interface.size, lambda entry: None if entry is None else entry.size)


def _answer(interface: Interface, paths: Iterable[str], plan: Plan, ask: _Answer, read: _Answer) -> dict[str, Any]:
    """`ask(path)` of every path, or `read(entry)` of its entry in a listing (None: it is not there).

    Local stores answer for one key sooner than they list it, and check each key that they are asked for.
    """
    from_listing = None if interface.is_local else _listing_answers(interface)
    if from_listing is None or not isinstance(paths, Collection) or len(paths) <= DENSE:
        return one_by_one(ask, paths, plan)
    answers = dict.fromkeys(paths)
    keys = sorted(filter(None, answers), key=_byte_order)  # no listing has an empty key: the store is to judge it
    if plan.report is not None:
        plan.report(len(paths) - len(answers))  # those that come again are answered with the first
    counter = ItemCounter()
    listed = collect(lambda keys: from_listing(interface, keys, read, counter), [keys], plan, counter)[0]
    answers.update(listed)
    rest = [path for path in answers if path not in listed]
    answers.update(one_by_one(ask, rest, plan))
    return answers


def _listing_answers(interface: Interface) -> _FromListing | None:
    """How listings of this store answer for many keys; None where they do not."""
    if interface.lists_in_key_order:
        return _answers_from_pages
    return _answers_from_whole_listing if interface.lists_cheaply else None


def one_by_one(ask: _Answer, paths: Iterable[str], plan: Plan) -> dict[str, Any]:
    """`{path: ask(path)}`, in the order of the paths."""
    return dict(collect(lambda path: (path, ask(path)), paths, plan))


def _byte_order(key: str) -> bytes:
    """S3 lists in UTF-8 binary order (Amazon S3 API Reference, ListObjectsV2)."""
    return key.encode("utf-8", "surrogatepass")


def _answers_from_pages(interface: Interface, keys: list[str], read: _Answer, counter: ItemCounter) -> dict[str, Any]:
    """The answers that pages of a listing give for `keys` (sorted), as far as they lie dense."""
    answers: dict[str, Any] = {}
    order = [_byte_order(key) for key in keys]
    prefix = _common_prefix(keys[0], keys[-1])
    at = 0
    while at < len(keys):
        try:
            page = interface.list_page(prefix, start_after=_just_before(keys[at], prefix))
        except (AuthorizationError, UnsupportedOperationError):
            return answers  # who may not list may still ask for single objects
        upto = _covered(page, order, at)
        if upto is None:
            counter.add(-len(answers))
            return {}  # not in key order: what the pages so far seemed to rule out, they did not
        found = {entry.key: entry for entry in page.entries}
        answers.update((key, read(found.get(key))) for key in keys[at:upto])
        counter.add(upto - at)
        if upto - at < DENSE and upto < len(keys):
            return answers
        at = upto
    return answers


def _answers_from_whole_listing(interface: Interface, keys: list[str], read: _Answer,
                                counter: ItemCounter) -> dict[str, Any]:
    """The answers that a listing gives for `keys` (sorted), whatever its order: what it lists is there, and what it has
    not listed when it comes to its end is missing. It is followed as long as its pages hold enough of the keys.

    Empty entries may be markers of directories, which are no objects, and names that do not print may have been changed
    on their way through XML: these are left to be asked for.
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
            return answers  # as of a prefix that leads through a file: single objects may still be asked for
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
    """A string to list from so that `key` itself is the first that can come; None to begin at the prefix."""
    if key == prefix or not key:
        return None
    last = ord(key[-1])
    # The next smaller string that is no prefix trick: one character less, or the key without its last.
    return key[:-1] + chr(last - 1) + "\U0010fffd" if last > 0x20 and not 0xD800 <= last - 1 <= 0xDFFF else key[:-1]


def _covered(page: ListPage, order: list[bytes], at: int) -> int | None:
    """Up to which of the keys the page has the answer; None where the page is not in byte order."""
    listed = [_byte_order(entry.key) for entry in page.entries]
    if any(before >= after for before, after in itertools.pairwise(listed)):
        return None
    if page.next_token is None:
        return len(order)
    return bisect_right(order, listed[-1], lo=at) if listed else at
