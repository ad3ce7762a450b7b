"""Checks of the pages of a listing: servers may ignore parameters of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar

from cloudfiles.exceptions import ProtocolError
from cloudfiles.types import ListPage

MAX_EMPTY_PAGES = 10_000
"""Maximum number of consecutive pages without new entries. Azure and Cloud Storage send some after many deletes."""

Page = TypeVar("Page")

_key = attrgetter("key")


class CycleDetector:
    """Detects repetitions in a sequence of pages, in constant memory (Brent's cycle detection).

    what: for the error message. token: the token of the first page.
    """

    def __init__(self, what: str, token: str | None = None) -> None:
        self._what = what
        self._token = token
        self._first: str | None = None
        self._prefixes: Sequence[str] = ()
        self._steps = 0
        self._power = 1
        self._empty = 0

    def check(self, token: str, first: str | None = None, prefixes: Sequence[str] = ()) -> None:
        """Raise ProtocolError if the next page repeats an earlier one.

        token: of the next page. first, prefixes: the first entry and the common prefixes of the page before it.
        """
        if token == self._token:
            raise ProtocolError(f"{self._what} does not end: the server repeats the continuation token {token[:100]!r}")
        if first is not None and first == self._first:
            raise ProtocolError(f"{self._what} does not end: the server repeats the page that starts with {first!r}")
        is_new = first is not None or (bool(prefixes) and prefixes != self._prefixes)
        self._empty = 0 if is_new else self._empty + 1
        if self._empty >= MAX_EMPTY_PAGES:
            raise ProtocolError(f"{self._what} does not end: the server sent {self._empty} pages in a row without "
                                "anything new, each with another continuation token")
        self._prefixes = prefixes
        self._steps += 1
        if self._steps == self._power:
            self._token, self._first = token, first
            self._steps, self._power = 0, 2 * self._power


def follow_pages(what: str, request_page: Callable[[str | None], tuple[Page, str | None]], token: str | None = None, *,
                 first: Callable[[Page], str | None] = lambda _: None,
                 prefixes: Callable[[Page], Sequence[str]] = lambda _: ()) -> Iterator[Page]:
    """All pages of a listing, from `token` on. Raises ProtocolError if the listing does not end.

    what: for the error message. request_page: called with a token, returns the page and the token of the next one, None
    after the last. first, prefixes: the first entry and the common prefixes of a page.
    """
    cycle = CycleDetector(what, token)
    while True:
        page, token = request_page(token)
        yield page
        if token is None:
            return
        cycle.check(token, first(page), prefixes(page))


class DuplicateFilter:
    """Removes entries that a page, or the page before it, has already listed, in constant memory.

    No store has two current objects of the same name. But some start a page with the last entries of the page before,
    because their token names that entry instead of the next one. Keys that are out of order are kept: some stores list
    by directory.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._prefixes: set[str] = set()

    def page(self, page: ListPage) -> ListPage:
        """The page without repeated entries."""
        if page.entries:
            keys = set(map(_key, page.entries))
            if len(keys) < len(page.entries) or not keys.isdisjoint(self._keys):
                first = {entry.key: entry for entry in reversed(page.entries)}
                new = [first.pop(entry.key) for entry in page.entries if entry.key in first]
                page = page._replace(entries=[entry for entry in new if entry.key not in self._keys])
            self._keys = keys
        if page.prefixes:
            prefixes = dict.fromkeys(page.prefixes)
            page = page._replace(prefixes=[prefix for prefix in prefixes if prefix not in self._prefixes])
            self._prefixes = set(prefixes)
        return page


def check_names(names: Iterable[str], common_prefixes: Sequence[str], prefix: str, *, flat: bool) -> None:
    """Raise ProtocolError for entries that a listing of `prefix` cannot contain. Names include the cloudpath.

    flat: the listing was requested with the delimiter '/'.
    """
    if prefix or flat:
        for name in names:
            if not name.startswith(prefix):
                raise _ignored("the prefix", prefix, name)
            if flat and "/" in name[len(prefix):]:
                raise _ignored("the delimiter '/'", prefix, name)
    for name in common_prefixes:
        if not name.startswith(prefix):
            raise _ignored("the prefix", prefix, name)
        if not flat or name == prefix or name[-1] != "/":
            raise ProtocolError(f"the listing of {prefix!r} has the common prefix {name!r}, which was not requested")


def check_echo(echo: str | None, prefix: str) -> None:
    """Raise ProtocolError if the server states that it has listed a different prefix than the requested one.

    echo: the prefix in the document, encoded or not; '' or None if it has none.
    """
    if not echo or echo == prefix or not prefix.isprintable():
        return
    from urllib.parse import unquote, unquote_plus  # imported here because it takes 3 ms

    if prefix not in (unquote(echo), unquote_plus(echo)):
        raise ProtocolError(f"requested the prefix {prefix!r}, but the server listed {echo[:200]!r}")


def check_truncation_flag(says: bool, count: int, limit: int) -> None:
    """Raise ProtocolError for a full page that does not state whether more follow, as the listing may be incomplete."""
    if not says and count >= limit:
        raise ProtocolError(f"the listing has {count} entries, as many as requested, and does not say whether there "
                            "are more")


def _ignored(what: str, prefix: str, name: str) -> ProtocolError:
    return ProtocolError(f"the listing of {prefix!r} has the key {name!r}: the server does not honor {what}")
