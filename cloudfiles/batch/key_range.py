"""A range of the keys of a listing, and its pages."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from operator import attrgetter

from cloudfiles.batch.key_scale import KeyScale
from cloudfiles.interfaces.paging import CycleDetector, DuplicateFilter
from cloudfiles.types import ListPage

_RESUME = "cloudfiles:start-after:"
"""The start of a token that stands for a position; the last key before it follows."""

_key = attrgetter("key")


class KeyRange:
    """The keys after `start`, up to and including `end`, listed page by page.

    Attributes:
        start: None: the beginning of the listing.
        end: None: the end of the listing.
        token: of the next page; None before the first page, and after the last.
        position: the last name listed; `start` before the first page.
        first: the first name listed.
        pages: those that were not handed on yet.
        scale: estimates positions behind `position`.
        kept_whole: the position, and the end, with which it was last decided not to split it.
        is_requested: whether a page is being requested.
        is_begun: whether the first page was requested.
        is_exhausted: whether the listing of the server has ended.
        is_dropped: whether it is not part of the listing any more.
    """

    __slots__ = ("cycle", "duplicates", "end", "first", "is_begun", "is_dropped", "is_exhausted", "is_requested",
                 "kept_whole", "pages", "position", "scale", "start", "token")

    def __init__(self, what: str, start: str | None = None, end: str | None = None, *, token: str | None = None,
                 scale: KeyScale | None = None) -> None:
        self.start = self.position = start
        self.end = end
        self.token = token
        self.first: str | None = None
        self.pages: deque[ListPage] = deque()
        self.kept_whole: tuple[str, str | None] | None = None
        self.scale = scale
        self.is_requested = self.is_begun = self.is_exhausted = self.is_dropped = False
        self.cycle = CycleDetector(what, token)
        self.duplicates = DuplicateFilter()

    @property
    def is_beyond_end(self) -> bool:
        """Whether a name after `end` was listed."""
        return None not in (self.first, self.end, self.position) and self.position > self.end  # type: ignore[operator]

    @property
    def is_complete(self) -> bool:
        return self.is_exhausted or self.is_beyond_end

    def first_beyond_end(self) -> str | None:
        """The first name on the last page that is after `end`; None if there is none."""
        if not self.is_beyond_end or self.end is None:
            return None
        page = self.pages[-1]
        entries = page.entries[bisect_right(page.entries, self.end, key=_key):]
        prefixes = page.prefixes[bisect_right(page.prefixes, self.end):]
        return min([*(entry.key for entry in entries[:1]), *prefixes[:1]], default=None)

    def take_last_page(self) -> ListPage | None:
        """The last page of a complete range up to `end`, with a token that continues there; None if nothing is left."""
        page, end = self.pages.popleft(), self.end
        if end is None or not self.is_beyond_end:
            return page
        page = page._replace(entries=page.entries[:bisect_right(page.entries, end, key=_key)],
                             prefixes=page.prefixes[:bisect_right(page.prefixes, end)], next_token=_RESUME + end)
        return page if page.entries or page.prefixes else None


def parse_token(token: str | None) -> tuple[str | None, str | None]:
    """The key after which a token continues, or the token itself if it is one of the store."""
    if token is not None and token.startswith(_RESUME):
        return token[len(_RESUME):], None
    return None, token


def ends_of(page: ListPage) -> tuple[str | None, str | None, bool]:
    """The first and the last name of a page, and whether its names are in order."""
    keys = list(map(_key, page.entries))
    in_order = keys == sorted(keys) and page.prefixes == sorted(page.prefixes)
    names = [*keys[:1], *keys[-1:], *page.prefixes[:1], *page.prefixes[-1:]]
    return (min(names), max(names), in_order) if names else (None, None, True)
