"""Byte ranges: with an exclusive end, either end optional, like Python slices.

The result of a range is always `object[start:end]` of the bytes of the object: shorter than
requested if the object ends earlier, and empty if it ends before the start. HTTP includes the
last byte (RFC 9110 14.1.2); only `range_header` and `ContentRange` deal with that.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from typing import SupportsIndex

from cloudfiles.exceptions import InvalidInputError, ProtocolError
from cloudfiles.values import NamedTuple

__all__ = [
    "MAX_GAP", "MAX_SIZE", "ByteRange", "ContentRange", "RangeGroup", "byte_range", "coalesce", "from_slice",
    "needs_size", "parse_content_range", "range_header", "slice_of",
]

MAX_GAP = 1 << 16  # bytes: reading 64 KiB more takes less time than another request, even in a data center
MAX_SIZE = 1 << 24  # bytes: with 16 MiB per request, many ranges still keep all connections busy


class ByteRange(NamedTuple):
    """`object[start:end]`; None is an open end, and a negative start means the last `-start` bytes."""

    start: int | None = None
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole object."""
        return not self.start and self.end is None

    @property
    def is_suffix(self) -> bool:
        """Whether it is relative to the end of the object."""
        return self.start is not None and self.start < 0

    @property
    def is_empty(self) -> bool:
        """Whether it is empty, which a Range header cannot express."""
        return self.end is not None and self.end == (self.start or 0)


def byte_range(start: SupportsIndex | None = None, end: SupportsIndex | None = None) -> ByteRange:
    """A validated range; `start` and `end` may have any integer type.

    Raises:
        InvalidInputError: the end is negative, before the start or combined with a suffix, or not an integer.
    """
    checked = ByteRange(_integer("start", start), _integer("end", end))
    if checked.end is not None:
        if checked.end < 0:
            raise InvalidInputError("byte range end: expected an integer >= 0, or None for the end of the object, got "
                                    f"{checked.end}")
        if checked.is_suffix:
            raise InvalidInputError(f"byte range of the last {-(checked.start or 0)} bytes: expected end=None, got "
                                    f"{checked.end}")
        if checked.end < (checked.start or 0):
            raise InvalidInputError(f"byte range end is before its start: {checked.start} to {checked.end}")
    return checked


def _integer(name: str, value: SupportsIndex | None) -> int | None:
    try:
        return None if value is None else operator.index(value)
    except TypeError:
        raise InvalidInputError(f"byte range {name}: expected an integer or None, got {value!r}") from None


def needs_size(wanted: slice) -> bool:
    """Whether HTTP cannot express the slice, because it ends before the end of an object of unknown size."""
    start, end = _integer("start", wanted.start), _integer("end", wanted.stop)
    return end is not None and (end < 0 or (start or 0) < 0)


def from_slice(wanted: slice) -> ByteRange:
    """The range of `cf[key, wanted]`.

    Raises:
        InvalidInputError: as for `byte_range`, or the step is not 1.
    """
    if wanted.step is not None and _integer("step", wanted.step) != 1:
        raise InvalidInputError(f"byte range step: expected None or 1, got {wanted.step}")
    return byte_range(wanted.start, wanted.stop)


def slice_of(wanted: slice, size: int) -> slice:
    """`wanted` for an object of `size` bytes: the same bytes, with neither end relative to the end of the object."""
    start, end, _ = slice(wanted.start, wanted.stop).indices(size)
    return slice(start, max(start, end), wanted.step)


# ---- HTTP


def range_header(start: int | None, end: int | None) -> str | None:
    """The Range header (RFC 9110 14.2) of a validated range, or None for the whole object.

    >>> range_header(0, 10), range_header(5, None), range_header(-5, None), range_header(None, None)
    ('bytes=0-9', 'bytes=5-', 'bytes=-5', None)

    Raises:
        InvalidInputError: the range is empty, which HTTP cannot express.
    """
    if end is None:
        if not start:
            return None
        return f"bytes={start}-" if start > 0 else f"bytes={start}"
    if end <= (start or 0):
        raise InvalidInputError(f"HTTP cannot express an empty byte range: {start} to {end}")
    return f"bytes={start or 0}-{end - 1}"


class ContentRange(NamedTuple):
    """A parsed Content-Range header; `start` and `end` are None if no range was satisfied (status 416)."""

    start: int | None
    end: int | None
    size: int | None  # of the whole object; None if the server does not report it


_CONTENT_RANGE = r"(?ai)\s*bytes\s+(?:([0-9]+)-([0-9]+)|\*)/([0-9]+|\*)\s*"


def parse_content_range(value: str) -> ContentRange:
    """Parse a Content-Range header (RFC 9110 14.4).

    >>> parse_content_range("bytes 0-9/100"), parse_content_range("bytes */100").size
    (ContentRange(start=0, end=10, size=100), 100)

    Raises:
        ProtocolError: it is malformed, has another unit, or contradicts itself.
    """
    match = re.fullmatch(_CONTENT_RANGE, value)
    if match is None:
        raise ProtocolError(f"invalid Content-Range: {value!r}")
    first, last, total = match.groups()
    size = None if total == "*" else int(total)
    if first is None:
        if size is None:
            raise ProtocolError(f"Content-Range has neither a range nor a size: {value!r}")
        return ContentRange(None, None, size)
    start, end = int(first), int(last) + 1
    if start >= end or (size is not None and end > size):
        raise ProtocolError(f"Content-Range contradicts itself: {value!r}")
    return ContentRange(start, end, size)


# ---- many ranges of one object


class RangeGroup(NamedTuple):
    """Ranges that are fetched by one request: read `object[start:end]`, then `cut` it into pieces.

    `members` are pairs of the index of a range in the coalesced list, and the range.
    """

    start: int | None
    end: int | None
    members: tuple[tuple[int, ByteRange], ...]

    @property
    def span(self) -> ByteRange:
        """The range to fetch."""
        return ByteRange(self.start, self.end)

    def cut(self, content: bytes) -> list[tuple[int, bytes]]:
        """The index and the bytes of each member, given the bytes of the group (as far as the object has them)."""
        return [(place, self._part(content, member)) for place, member in self.members]

    def _part(self, content: bytes, member: ByteRange) -> bytes:
        if member.is_empty:
            return b""
        if member.is_suffix:
            return content[member.start:]
        origin = self.start or 0
        return content[(member.start or 0) - origin:None if member.end is None else member.end - origin]


def coalesce(ranges: Iterable[ByteRange], max_gap: int = MAX_GAP, max_size: int = MAX_SIZE) -> list[RangeGroup]:
    """Group the ranges of one object, so that neighboring ones are fetched together.

    Args:
        ranges: checked ranges, in any order, overlapping or repeated.
        max_gap: maximum number of bytes between two ranges that are fetched and discarded.
        max_size: maximum size of a group; a larger single range is not split, and includes ranges
            that are completely within it.

    Returns:
        Groups in which each range is a member exactly once. Ranges with an open end form one group with
        those after their start, suffixes form a separate group, and empty ranges are added to any
        other group, because they cost nothing.

    Raises:
        InvalidInputError: the gap is negative, or the size is less than 1.
    """
    if max_gap < 0 or max_size < 1:
        raise InvalidInputError(f"expected max_gap >= 0 and max_size >= 1, got max_gap={max_gap} and "
                                f"max_size={max_size}")
    places = list(enumerate(ranges))
    empty = [place for place in places if place[1].is_empty]
    suffixes = [place for place in places if place[1].is_suffix]
    forward = [place for place in places if not (place[1].is_empty or place[1].is_suffix)]
    groups = _forward_groups(forward, max_gap, max_size)
    if suffixes:
        groups.append(RangeGroup(min(wanted.start or 0 for _, wanted in suffixes), None, tuple(suffixes)))
    if empty:
        host = groups.pop() if groups else RangeGroup(*empty[0][1], ())
        groups.append(host._replace(members=host.members + tuple(empty)))
    return groups


def _forward_groups(places: list[tuple[int, ByteRange]], max_gap: int, max_size: int) -> list[RangeGroup]:
    runs: list[_Run] = []
    for place, wanted in sorted(places, key=lambda item: (item[1].start or 0, _end(item[1]))):
        first, last = wanted.start or 0, _end(wanted)
        if not (runs and runs[-1].takes(first, last, max_gap, max_size)):
            runs.append(_Run(first, last))
        runs[-1].end = max(runs[-1].end, last)
        runs[-1].members.append((place, wanted))
    return [RangeGroup(run.start, None if run.end == _OPEN else int(run.end), tuple(run.members)) for run in runs]


_OPEN = float("inf")


def _end(wanted: ByteRange) -> float:
    return _OPEN if wanted.end is None else wanted.end


class _Run:
    """A group under construction; members are added in the order of their starts. `end` is an int, or _OPEN."""

    def __init__(self, start: int, end: float) -> None:
        self.start = start
        self.end = end
        self.members: list[tuple[int, ByteRange]] = []

    def takes(self, first: int, last: float, max_gap: int, max_size: int) -> bool:
        if last <= self.end:
            return True  # completely within: costs nothing
        if first - self.end > max_gap:
            return False
        return last == _OPEN or last - self.start <= max_size
