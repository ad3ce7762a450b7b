"""Whether many keys exist, and their sizes: by LIST if the keys make up much of a prefix, else by HEAD.

One LIST answers for a thousand keys and takes about as long as ten HEADs. Sorted keys are merged with the pages of a
listing that starts just before the first of them. The first page shows how many keys a page answers for; the remaining
keys are split accordingly, and their parts are listed at the same time. If a page answers for too few keys, the listing
of its part stops, and the remaining keys of that part are requested one by one. For stores without a defined order,
only a complete listing shows which keys are missing.
"""

from __future__ import annotations

import itertools
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import attrgetter, lt
from posixpath import commonprefix
from typing import Any

from cloudfiles.batch.fanout import ItemCounter, Plan, collect
from cloudfiles.exceptions import AuthorizationError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.base import Interface
from cloudfiles.types import ListPage
from cloudfiles.values import NamedTuple

DENSE = 10
"""Minimum number of keys per page: a LIST takes about as long as this many HEADs, which also run concurrently."""

_LISTED_A_KEY = 100
"""Maximum entries of a listing that are searched per key."""

_PAGES_A_PART = 10
"""Expected pages of a part of the keys. The last page of a part may also list keys of the next one, so that each part
may take one request more."""

_EMPTY_PAGES = 10
"""Maximum number of empty pages in a row; then keys are requested one by one."""

_CHUNK_KEYS = 100_000
"""Maximum number of keys that are taken from an iterator at once."""

_CHUNK_SECONDS = 0.5
"""What an iterator returns in this time is a chunk, even if it is smaller."""

_SLOW_KEYS = 1000
"""An iterator that returns fewer in this time is slow: its keys are requested one by one, as they come."""

_ORDERS: tuple[Callable[[str], Any], ...] = (
    lambda key: key.replace("/", "\0"), lambda key: key.encode("utf-16-be", "surrogatepass"))
"""Orders in which some S3-compatible servers list, contrary to the documentation of S3: directory by directory
(gateways to file systems), and by UTF-16 code units (strings of Java and .NET). A page may be in these orders, too."""

_key = attrgetter("key")

_Answer = Callable[[Any], Any]
_Answers = dict[str, Any]
_FromListing = Callable[[Interface, list[str], _Answer, Plan, ItemCounter], _Answers]


def exists(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, bool]:
    """Whether each path exists, in the order of the paths."""
    return _answer(interface, paths, plan, interface.exists, lambda entry: entry is not None)


def sizes(interface: Interface, paths: Iterable[str], plan: Plan) -> dict[str, int | None]:
    """The stored size of each path, None if it is missing, in the order of the paths."""
    return _answer(interface, paths, plan, interface.size, lambda entry: None if entry is None else entry.size)


def _answer(interface: Interface, paths: Iterable[str], plan: Plan, ask: _Answer, read: _Answer) -> _Answers:
    """`ask(path)` for every path, or `read(entry)` for its entry in a listing (None: missing).

    Local stores answer for a key faster than they list it, and validate each key.
    """
    from_listing = None if interface.traits.is_local else _listing_answers(interface)
    if from_listing is None:
        return one_by_one(ask, paths, plan)
    if isinstance(paths, Collection):
        return _answer_chunk(interface, paths, plan, ask, read, from_listing)
    answers: _Answers = {}
    iterator = iter(paths)
    while True:
        chunk, is_slow = take_chunk(iterator)
        if is_slow:
            answers.update(one_by_one(ask, itertools.chain(chunk, iterator), plan))
            return answers
        if not chunk:
            return answers
        answers.update(_answer_chunk(interface, chunk, plan, ask, read, from_listing))


def take_chunk(paths: Iterator[str], clock: Callable[[], float] = time.monotonic) -> tuple[list[str], bool]:
    """The next paths of an iterator, none at its end, and whether it is too slow to wait for more."""
    chunk: list[str] = []
    deadline = clock() + _CHUNK_SECONDS
    for path in paths:
        chunk.append(path)
        if len(chunk) >= _CHUNK_KEYS:
            break
        if clock() > deadline:
            return chunk, len(chunk) < _SLOW_KEYS
    return chunk, False


def _answer_chunk(interface: Interface, paths: Collection[str], plan: Plan, ask: _Answer, read: _Answer,
                  from_listing: _FromListing) -> _Answers:
    if len(paths) <= DENSE:
        return one_by_one(ask, paths, plan)
    answers = dict.fromkeys(paths)
    keys = sorted(filter(None, answers))  # no listing has an empty key: ask the store
    if plan.report is not None:
        plan.report(len(paths) - len(answers))  # duplicates are answered together
    listed = from_listing(interface, keys, read, plan, ItemCounter()) if keys else {}
    answers.update(listed)
    if len(listed) < len(answers):
        answers.update(one_by_one(ask, [path for path in answers if path not in listed], plan))
    return answers


def _listing_answers(interface: Interface) -> _FromListing | None:
    """How listings of this store answer for many keys; None if they do not."""
    if interface.traits.lists_in_key_order:
        return _answers_from_pages
    return _answers_from_whole_listing if interface.traits.lists_cheaply else None


def one_by_one(ask: _Answer, paths: Iterable[str], plan: Plan) -> dict[str, Any]:
    """`{path: ask(path)}`, in the order of the paths."""
    return dict(collect(lambda path: (path, ask(path)), paths, plan))


class _Part(NamedTuple):
    """The answers for some keys, from the pages of a listing.

    covered: how many of the keys, from the first one, the pages cover. Not all of these have an answer.
    is_exact: whether the last page lists exactly the keys for which it answers, so that parts end where pages do.
    in_order: whether the pages list keys in order. If not, keys that they lack may still exist.
    stopped: whether more pages would answer for too few keys.
    """

    answers: _Answers
    covered: int = 0
    is_exact: bool = False
    in_order: bool = True
    stopped: bool = False


def _answers_from_pages(interface: Interface, keys: list[str], read: _Answer, plan: Plan,
                        counter: ItemCounter) -> _Answers:
    """The answers of listings for `keys` (sorted), as far as each page answers for enough of them."""
    def list_part(part: list[str]) -> _Part:
        return _list_part(interface, part, read, counter)

    first: _Part
    [first] = collect(lambda keys: _list_part(interface, keys, read, counter, pages=1), [keys], plan, counter)
    done = first.covered
    parts = [first]
    if first.in_order and not first.stopped and done < len(keys):
        rest = keys[done:]
        chunks = [rest] if interface.traits.lists_directories else _split(rest, done, plan.width, first.is_exact)
        parts += collect(list_part, chunks, plan, counter)
    if not all(part.in_order for part in parts):
        if plan.report is not None:
            plan.report(-counter.count)
        return {}
    for part in parts[1:]:
        first.answers.update(part.answers)
    return first.answers


def _split(keys: list[str], answered: int, width: int, is_exact: bool) -> list[list[str]]:
    """The keys in parts, of which `width` can be listed at the same time, after a page has answered for `answered`."""
    pages = -(-len(keys) // answered)
    if is_exact:
        length = answered * min(_PAGES_A_PART, -(-pages // width))
    else:
        length = -(-len(keys) // max(1, pages // _PAGES_A_PART))
    return [keys[at:at + length] for at in range(0, len(keys), length)]


def _list_part(interface: Interface, keys: list[str], read: _Answer, counter: ItemCounter,
               pages: int | None = None) -> _Part:
    """The answers of a listing for `keys`, at most from this number of pages."""
    answers: _Answers = {}
    prefix = commonprefix((keys[0], keys[-1]))
    at, is_exact = 0, False
    position, token = _just_before(keys[0], prefix), None
    while at < len(keys) and pages != 0:
        try:
            page = _page_after(interface, prefix, position, token)
        except (AuthorizationError, UnsupportedOperationError):
            return _Part(answers, at, stopped=True)  # without permission to list, objects may still be readable
        listed = list(map(_key, page.entries))
        upto = _covered(listed, page.next_token is not None, keys, at, position)
        if upto is None:
            return _Part(answers, at, in_order=False)
        asked = keys[at:upto]
        known = _known_answers(page, listed, asked, position, read)
        answers.update(known)
        counter.add(len(known))
        is_dense = len(asked) >= DENSE
        if not is_dense and token is None and upto < len(keys):
            return _Part(answers, upto, stopped=True)
        at, is_exact = upto, asked == listed
        pages = None if pages is None else pages - 1
        token = page.next_token if is_dense and interface.traits.lists_directories else None
        if at < len(keys):
            position = listed[-1] if token is not None else _just_before(keys[at], prefix)
    return _Part(answers, at, is_exact)


def _known_answers(page: ListPage, listed: list[str], asked: list[str], position: str | None, read: _Answer
                   ) -> _Answers:
    """The answers of a page that begins after `position` for the keys `asked`, except for doubtful ones.

    listed: the keys of the page.
    """
    found = dict(zip(listed, page.entries, strict=True))
    doubtful = _doubtful([key for key in asked if key not in found], position,
                         listed[-1] if page.next_token is not None else None)
    sure = [key for key in asked if key not in doubtful] if doubtful else asked
    return dict(zip(sure, map(read, map(found.get, sure)), strict=True))


def _page_after(interface: Interface, prefix: str, position: str | None, token: str | None) -> ListPage:
    """The first page with entries. Some stores send empty ones before it, after many deletes."""
    page = interface.list_page(prefix, start_after=position if token is None else None, token=token)
    for _ in range(_EMPTY_PAGES):
        if page.entries or page.next_token is None:
            break
        page = interface.list_page(prefix, token=page.next_token)
    return page


def _doubtful(missing: list[str], start_after: str | None, last: str | None) -> set[str]:
    """The missing keys that other pages may have, as in one of `_ORDERS` they are not between the ends of this page.

    start_after: the position after which the page begins; None for the beginning of the listing.
    last: the last key of the page; None if nothing follows it.
    """
    found: set[str] = set()
    for order_of in _ORDERS if missing else ():
        low = None if start_after is None else order_of(start_after)
        high = None if last is None else order_of(last)
        found.update(key for key, place in zip(missing, map(order_of, missing), strict=True)
                     if (low is not None and place <= low) or (high is not None and place > high))
    return found


def _answers_from_whole_listing(interface: Interface, keys: list[str], read: _Answer, plan: Plan,
                                counter: ItemCounter) -> _Answers:
    """The answers of a listing in any order for `keys` (sorted), from one worker."""
    answers: _Answers
    [answers] = collect(lambda keys: _search_listing(interface, keys, read, counter), [keys], plan, counter)
    return answers


def _search_listing(interface: Interface, keys: list[str], read: _Answer, counter: ItemCounter) -> _Answers:
    """The answers of a listing in any order for `keys` (sorted): listed keys exist, and after a complete listing the
    others are missing. It continues while pages have enough of the keys.

    Empty entries may be directory markers, which are not objects, and names with unprintable characters may be changed
    by XML: such keys are requested one by one.
    """
    answers: dict[str, Any] = {}
    asked = set(keys)
    left = {key for key in keys if key.isprintable()}
    listing = interface.pages(commonprefix((keys[0], keys[-1])), limit=_LISTED_A_KEY * len(keys))
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


def _just_before(key: str, prefix: str) -> str | None:
    """Where to start a listing so that `key` is the first that can follow; None to start at the prefix."""
    if key == prefix or not key:
        return None
    last = ord(key[-1])
    # The key with its last character replaced by the one before, or without it.
    return key[:-1] + chr(last - 1) + "\U0010fffd" if last > 0x20 and not 0xD800 <= last - 1 <= 0xDFFF else key[:-1]


def _covered(listed: list[str], has_more: bool, keys: list[str], at: int, start_after: str | None) -> int | None:
    """The index of the first key that a page does not answer for; None if the page is not in order.

    listed: the keys of the page. has_more: whether other pages follow.

    Keys are compared as str: the order of code points is that of UTF-8, in which S3 lists keys (Amazon S3 API
    Reference, ListObjectsV2).
    """
    if not all(map(lt, listed, listed[1:])):
        return None
    if listed and start_after is not None and listed[0] <= start_after:
        return at  # the server does not honor start-after
    if not has_more:
        return len(keys)
    return bisect_right(keys, listed[-1], lo=at) if listed else at
