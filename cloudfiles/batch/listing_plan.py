"""Plans a listing of a store in key order whose pages are requested side by side. Pure: it sends no request itself.

The keys are divided into ranges, each of which is listed page by page, and the pages of all ranges are returned in
order. While a page of a range is being requested, the rest of the range is split off as a new one, at the position
where that page probably ends: estimated from the keys of the pages so far (`key_scale.py`), from the fields of their
names (`key_fields.py`), and from the names of the next directories (`directory_outline.py`). So a window of ranges
slides over the keys, and ranges that turn out to be long are split again.

**Nothing depends on the estimates, nor on the order that the store promises.** A range is followed by the next one only
if the first key of that is exactly the first key beyond the boundary on the last page of the range. Then the server
itself has listed one after the other. If they differ (the server ignores `start-after`, does not list in key order, or
objects came and went), all later ranges are dropped, and the listing continues with the token of that last page, one
page after another.
"""

from __future__ import annotations

from operator import attrgetter

from cloudfiles.batch.directory_outline import DirectoryOutline
from cloudfiles.batch.key_fields import FieldScale, KnownFields
from cloudfiles.batch.key_range import KeyRange, ends_of, parse_token
from cloudfiles.batch.key_scale import KeyScale
from cloudfiles.exceptions import ProtocolError
from cloudfiles.types import ListPage
from cloudfiles.values import NamedTuple

MAX_PAGES_AHEAD = 64
"""Maximum number of pages that were not processed yet, including those that are being requested. A page of a thousand
keys takes about 0.4 MB."""

_NEAR = 8
_MAX_PAGES_FAR = 48
"""The same for all but the next ranges, so that there is always memory to split those."""

_LEAST_FILL, _MOST_FILL = 0.9, 0.97
"""How much of a page the next range probably fills: with less than a page, it takes one request. How much less depends
on how wrong the last estimates were; with the least, one hash in a thousand ranges takes two requests."""

_MISS_DECAY = 0.9
"""How much of the largest error of an estimate remains after each page."""

_WORTHWHILE = 1.5
"""Pages that a range has to have left, to be split."""

_MAX_SPLITS = 24.0
"""Maximum number of ranges that are split off in advance."""

_MORE_SPLITS = 0.5
"""They are halved by a gap without keys, and get more by this number with each range that has keys."""

_PAGES_PER_OUTLINE = 4
"""Minimum number of pages for each request for the names of directories."""

_key = attrgetter("key")


class PageRequest(NamedTuple):
    """A page to be requested, with the arguments of `Interface.list_page`.

    key_range: the range that the page belongs to; None for an outline.
    """

    key_range: KeyRange | None
    prefix: str
    flat: bool
    start_after: str | None
    token: str | None


class ListingPlan:
    """A listing in progress. See the module.

    Call `next_request` as long as it returns requests, pass each result to `arrived` or `failed`, and call `take` for
    the next pages in order.

    Attributes:
        is_finished: whether `take` has returned all pages.
    """

    def __init__(self, prefix: str = "", *, flat: bool = False, token: str | None = None,
                 is_sequential: bool = False) -> None:
        self._prefix = prefix
        self._flat = flat
        self._what = f"the listing of {prefix!r}"
        start, token = parse_token(token)
        self._ranges = [KeyRange(self._what, start, token=token)]
        self._checks_start = start is not None
        self._error: Exception | None = None
        self._is_sequential = is_sequential
        self._splits = _MAX_SPLITS
        self._miss = 1.0  # about the largest relative error of the last estimates
        self._fields = KnownFields()
        self._outline = DirectoryOutline()
        self._outlines = 0
        self._arrived = self._taken = self._requested = 0
        self._wasted = False
        self._gap: str | None = None  # the first name behind the last one
        self.is_finished = False

    # ---- requests

    def next_request(self, waiting: int = 0) -> PageRequest | None:
        """The next page to request now; None: none before something arrives, or is taken.

        waiting: pages that were taken but not processed yet.
        """
        if self.is_finished or self._error is not None:
            return None
        ahead = waiting + self._requested + sum(len(each.pages) for each in self._ranges)
        # Few pages in advance at first: the listing may be short, or its consumer may stop.
        allowed = 2 + 2 * (self._taken - waiting)
        active = sum(not each.is_complete for each in self._ranges)
        is_next = not waiting
        furthest = self._ranges[0]  # behind the last name that was listed, no gap is known
        for index, each in enumerate(self._ranges):
            if furthest.position is None or (each.position is not None and each.position > furthest.position):
                furthest = each
            if each.is_complete:
                continue
            is_needed = is_next and (not each.pages or each.first is None)  # there may be empty pages
            if ahead >= min(allowed, MAX_PAGES_AHEAD if index < _NEAR else _MAX_PAGES_FAR) and not is_needed:
                return None
            if not each.is_requested:
                return self._request(each)
            is_next = False
            if self._is_sequential:
                return None
            request = self._outline_request(furthest)
            if request is not None:
                return request
            if active <= self._splits and self._split(index, furthest):
                active += 1  # the range that was split off comes next
        return None

    def _request(self, each: KeyRange) -> PageRequest:
        is_first = not each.is_begun
        each.is_begun = each.is_requested = True
        self._requested += 1
        return PageRequest(each, self._prefix, self._flat, each.start if is_first and each.token is None else None,
                           each.token)

    def _outline_request(self, each: KeyRange) -> PageRequest | None:
        """A request for the names of the next directories, if they are likely to help."""
        scale, position = each.scale, each.position
        if self._flat or scale is None or position is None or self._outline.is_requested:
            return None
        if self._arrived < self._outlines * _PAGES_PER_OUTLINE or scale.parent_directory is None:
            return None
        missing = self._outline.missing(scale.parent_directory, position, self._prefix, refresh=self._wasted)
        if missing is None:
            return None
        self._outlines += 1
        self._requested += 1
        self._wasted = False
        self._outline.is_requested = True
        return PageRequest(None, missing[0], True, missing[1], None)

    def _split(self, index: int, furthest: KeyRange) -> bool:
        """Split off what is behind the page that is being requested, if it is likely to be long.

        furthest: the range, up to this one, with the last name that was listed so far: an earlier one may have shown a
        gap.
        """
        each, scale, position = self._ranges[index], furthest.scale, furthest.position
        if scale is None or position is None or each.kept_whole == (position, each.end):
            return False
        each.kept_whole = position, each.end
        count = min(_MOST_FILL, max(_LEAST_FILL, 1 - 3 * self._miss)) * scale.count
        boundary = self._outline.boundary(scale, position, count)
        if boundary is not None and self._flat:
            boundary = boundary[:len(self._prefix)] + boundary[len(self._prefix):].partition("/")[0]
        if boundary is None or boundary <= position:
            return False
        if each.end is not None:
            enough = scale.beyond(position, _WORTHWHILE * scale.count)
            if boundary >= each.end or enough is None or enough >= each.end:
                return False
        self._ranges.insert(index + 1, KeyRange(self._what, boundary, each.end, scale=scale))
        each.end = boundary
        return True

    # ---- answers

    def arrived(self, request: PageRequest, page: ListPage) -> None:
        """Add a page that was requested."""
        self._requested -= 1
        each = request.key_range
        if each is None:
            self._outline.add(request.prefix, page)
            return
        if each.is_dropped:
            return
        each.is_requested = False
        self._arrived += 1
        try:
            self._add(each, each.duplicates.page(page))
        except ProtocolError as error:
            self._fail(each, error)

    def failed(self, request: PageRequest, error: Exception) -> None:
        """The request has failed for good. Errors of ranges that nothing has confirmed end only those."""
        self._requested -= 1
        each = request.key_range
        if each is None:
            self._outline.is_requested = False
        elif not each.is_dropped:
            each.is_requested = False
            self._fail(each, error)

    def _fail(self, each: KeyRange, error: Exception) -> None:
        if each is self._ranges[0]:
            self._drop_after(0)
            self._error = error
        else:
            self._drop_after(self._ranges.index(each) - 1)
        self._is_sequential = True

    def _add(self, each: KeyRange, page: ListPage) -> None:
        first, last, in_order = ends_of(page)
        is_new = first is None or each.position is None or first > each.position
        if not is_new and self._checks_start and each is self._ranges[0] and each.first is None:
            raise ProtocolError(f"{self._what} cannot be resumed: the server does not honor start-after")
        if not (in_order and is_new):
            self._distrust(each)
            if each.is_dropped:
                return
        each.token, each.is_exhausted = page.next_token, page.next_token is None
        each.pages.append(page)
        if first is not None and last is not None:
            before, is_listed = each.position, each.first is not None
            each.first, each.position = each.first or first, last
            if not self._is_sequential and not each.is_exhausted:
                self._learn(each, page, before, is_listed)
        if page.next_token is not None:
            each.cycle.check(page.next_token, page.entries[0].key if page.entries else None, page.prefixes)

    def _distrust(self, each: KeyRange) -> None:
        """A page of this range is not in order: continue one page after another."""
        index = self._ranges.index(each)
        self._drop_after(max(0, index - 1))
        self._is_sequential = True

    def _learn(self, each: KeyRange, page: ListPage, before: str | None, is_listed: bool) -> None:
        """before: the position before the page. is_listed: whether it is that of a name, and not of a boundary."""
        names = sorted([*map(_key, page.entries), *page.prefixes]) if page.prefixes else list(map(_key, page.entries))
        if before is not None and each.scale is not None:
            miss = abs(each.scale.between(before, names[-1]) / len(names) - 1)
            self._miss = min(1.0, max(miss, self._miss * _MISS_DECAY))
        if len(names) > 1:
            fields = self._fields.learn(names, before if is_listed else None)
            each.scale = KeyScale(names, self._prefix, before) if fields is None else FieldScale(
                names, self._prefix, before, fields)
            if not self._flat:
                self._outline.learn(each.scale)
        index = self._ranges.index(each)
        # A page that reaches beyond ranges that have not begun answers for them.
        while each.is_beyond_end and index + 1 < len(self._ranges) and not self._ranges[index + 1].is_begun:
            following = self._ranges[index + 1]
            if following.end is None or following.end > names[-1]:
                break
            each.end = following.end
            del self._ranges[index + 1]
        for later in self._ranges[index + 1:]:
            if later.is_begun:
                break
            later.scale = each.scale

    def _drop_after(self, index: int) -> None:
        for each in self._ranges[index + 1:]:
            each.is_dropped = True
        del self._ranges[index + 1:]
        self._ranges[index].end = None

    # ---- pages in order

    def take(self) -> ListPage | None:
        """The next page, with a token that continues after it; None if it has not arrived yet, or at the end.

        Raises the error of the listing after the pages before it.
        """
        while not self.is_finished:
            head = self._ranges[0]
            if head.is_exhausted and len(self._ranges) > 1:
                self._drop_after(0)
            page = None
            if len(head.pages) > 1 or (head.pages and (len(self._ranges) == 1 or not head.is_complete)):
                page = head.pages.popleft()
            elif self._error is not None:
                raise self._error
            elif len(self._ranges) > 1 and head.is_complete:
                if not self._join(head, self._ranges[1]):
                    return None
                if self._ranges[0] is not head:
                    page = head.take_last_page()
            elif not head.is_complete:
                return None
            self.is_finished = head is self._ranges[0] and head.is_exhausted and not head.pages
            if page is not None:
                self._taken += 1
                return page
        return None

    def _join(self, head: KeyRange, following: KeyRange) -> bool:
        """Continue with the range that follows a complete one, if they fit together; False if that is not known yet."""
        if not following.is_begun:
            head.end = following.end
            del self._ranges[1]
            return True
        if following.first is None and not following.is_exhausted:
            return False
        if following.first is None or following.first != head.first_beyond_end():
            # Objects may have come and gone, once or twice.
            self._drop_after(0)
            self._is_sequential = self._is_sequential or following.first is None or self._splits <= 1
            self._splits = max(1.0, self._splits / 4)
            return True
        is_empty = following.end is not None and following.first > following.end
        self._wasted = self._wasted or is_empty
        if not is_empty:
            self._splits = min(_MAX_SPLITS, self._splits + _MORE_SPLITS)
        elif self._gap != following.first:  # one gap may take several ranges
            self._gap = following.first
            self._splits = max(1.0, self._splits / 2)
        del self._ranges[0]
        return True
