"""Byte ranges mean what Python's slices mean, alone and fetched together."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles import byteranges
from cloudfiles.byteranges import (
    ContentRange,
    byte_range,
    coalesce,
    from_slice,
    parse_content_range,
    range_header,
)
from cloudfiles.exceptions import InvalidInputError, ProtocolError

untimed = settings(deadline=None)
OBJECT = bytes(n * 31 % 251 for n in range(1000))
positions = st.integers(0, 1200)


@st.composite
def checked_ranges(draw):
    kind = draw(st.sampled_from(["closed", "open", "from the start", "suffix", "whole"]))
    start, end = sorted((draw(positions), draw(positions)))
    if kind == "closed":
        return byte_range(start, end)
    return {"open": byte_range(start), "from the start": byte_range(None, end), "whole": byte_range(),
            "suffix": byte_range(-start)}[kind]


def served(content: bytes, header: str | None) -> tuple[bytes, str | None]:
    """The body and Content-Range with which a server answers a Range header, by RFC 9110 14.1.2."""
    if header is None:
        return content, None
    first, last = header.removeprefix("bytes=").split("-")
    if first:
        start, stop = int(first), min(int(last) + 1, len(content)) if last else len(content)
    else:
        start, stop = max(0, len(content) - int(last)), len(content)
    if start >= stop:
        return b"", f"bytes */{len(content)}"
    return content[start:stop], f"bytes {start}-{stop - 1}/{len(content)}"


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(byteranges).failed == 0


# ---- checking


@untimed
@given(st.none() | st.integers(-1200, 1200), st.none() | st.integers(-1200, 1200))
def test_what_is_accepted_slices_and_what_is_refused_says_why(start, end):
    allowed = end is None or (end >= 0 and (start or 0) >= 0 and end >= (start or 0))
    if allowed:
        assert byte_range(start, end) == from_slice(slice(start, end)) == (start, end)
    else:
        with pytest.raises(InvalidInputError, match=r"byte range.*\d"):
            byte_range(start, end)
        with pytest.raises(InvalidInputError):
            from_slice(slice(start, end))


@pytest.mark.parametrize(("start", "end"), [("5", None), (None, "x"), (1.0, 2), (0, 2.5), (b"1", None)])
def test_edges_are_integers(start, end):
    with pytest.raises(InvalidInputError, match="expected an integer or None"):
        byte_range(start, end)


def test_any_integer_type_becomes_an_int():
    wanted = byte_range(np.int64(5), np.uint8(10))
    assert wanted == (5, 10)
    assert [type(edge) for edge in wanted] == [int, int]
    assert {wanted: 1}[(5, 10)] == 1


@pytest.mark.parametrize("step", [2, -1, 0, "1"])
def test_steps_are_refused(step):
    with pytest.raises(InvalidInputError, match="step"):
        from_slice(slice(0, 10, step))


def test_a_step_of_one_is_no_step():
    assert from_slice(slice(2, 10, 1)) == (2, 10)


@untimed
@given(checked_ranges(), st.integers(0, 1000))
def test_the_kinds(wanted, size):
    content = OBJECT[:size]
    asked = content[slice(*wanted)]
    if wanted.is_whole:
        assert asked == content
    if wanted.is_empty:
        assert asked == b""
    if wanted.is_suffix:
        assert asked == content[-min(size, -wanted.start):] or not size
    assert wanted.is_whole == (wanted in [(None, None), (0, None)])


# ---- HTTP


@untimed
@given(checked_ranges(), st.integers(0, 1000))
def test_a_server_answers_the_header_with_the_slice(wanted, size):
    content = OBJECT[:size]
    if wanted.is_empty:
        with pytest.raises(InvalidInputError, match="cannot express an empty byte range"):
            range_header(*wanted)
        return
    body, content_range = served(content, range_header(*wanted))
    assert body == content[slice(*wanted)]
    if body and content_range is not None:
        start, end, _ = slice(*wanted).indices(size)
        assert parse_content_range(content_range) == (start, end, size)


@untimed
@given(positions, positions, st.none() | positions)
def test_a_content_range_that_contradicts_itself_is_refused(first, last, size):
    value = f"bytes {first}-{last}/{'*' if size is None else size}"
    valid = first <= last and (size is None or last < size)
    if valid:
        assert parse_content_range(value) == (first, last + 1, size)
    else:
        with pytest.raises(ProtocolError):
            parse_content_range(value)


@pytest.mark.parametrize(("value", "read"), [
    ("bytes 0-9/100", ContentRange(0, 10, 100)), ("bytes 5-5/*", ContentRange(5, 6, None)),
    ("Bytes  0-9/10 ", ContentRange(0, 10, 10)), ("bytes */0", ContentRange(None, None, 0)),
])
def test_content_ranges(value, read):
    assert parse_content_range(value) == read


@pytest.mark.parametrize("value", [
    "", "bytes", "bytes 0-9", "bytes 9-0/100", "bytes 0-100/100", "bytes */*", "bytes -5/100", "items 0-9/100",
    "bytes 0-9/100, bytes 20-29/100", "bytes 0-9/-1", "bytes \u0660-\u0669/100", "bytes=0-9/100",
])
def test_content_ranges_that_are_none(value):
    with pytest.raises(ProtocolError, match="Content-Range"):
        parse_content_range(value)


# ---- many ranges


@untimed
@given(st.lists(checked_ranges(), max_size=12), st.integers(0, 1000), st.integers(0, 300), st.integers(1, 1500))
def test_ranges_fetched_together_are_the_slices(ranges, size, max_gap, max_size):
    content = OBJECT[:size]
    got: dict[int, bytes] = {}
    for group in coalesce(ranges, max_gap, max_size):
        fetched = b"" if group.span.is_empty else served(content, range_header(*group.span))[0]
        for place, part in group.cut(fetched):
            assert place not in got
            got[place] = part
    assert [got[place] for place in range(len(ranges))] == [content[slice(*wanted)] for wanted in ranges]


@untimed
@given(st.lists(checked_ranges(), max_size=12), st.integers(0, 300), st.integers(1, 1500))
def test_groups_keep_to_their_limits(ranges, max_gap, max_size):
    for group in coalesce(ranges, max_gap, max_size):
        assert byte_range(group.start, group.end) == group.span
        closed = [wanted for _, wanted in group.members if wanted.end is not None and not wanted.is_empty]
        if group.end is not None and closed:
            longest = max(wanted.end - (wanted.start or 0) for wanted in closed)
            assert group.end - group.start <= max(max_size, longest)
            covered = group.start
            for wanted in sorted(closed, key=lambda wanted: wanted.start or 0):
                assert (wanted.start or 0) - covered <= max_gap
                covered = max(covered, wanted.end)
            assert covered == group.end


def spans(*ranges, **limits):
    return [tuple(group.span) for group in coalesce([byte_range(*edges) for edges in ranges], **limits)]


def test_near_ranges_share_a_request_and_far_ones_do_not():
    assert spans((0, 10), (10, 20), (25, 30), (100, 110), max_gap=5) == [(0, 30), (100, 110)]
    assert spans((25, 30), (0, 10), max_gap=14) == [(0, 10), (25, 30)]
    assert spans((25, 30), (0, 10), max_gap=15) == [(0, 30)]
    assert spans((0, 10), (5, 20), (0, 10), max_gap=0) == [(0, 20)]


def test_groups_grow_to_the_size_limit():
    assert spans((0, 10), (10, 20), (20, 30), max_gap=0, max_size=20) == [(0, 20), (20, 30)]
    assert spans((0, 100), (10, 20), (95, 101), max_gap=0, max_size=20) == [(0, 100), (95, 101)]


def test_open_ends_suffixes_and_empty_ranges():
    assert spans((50,), (60, 70), (40, 45), (0, 5), max_gap=5) == [(0, 5), (40, None)]
    assert spans((-5,), (-10,), (0, 5)) == [(0, 5), (-10, None)]
    assert spans((7, 7), (0, 5), (900, 900), max_gap=0) == [(0, 5)]
    assert spans((7, 7), (9, 9)) == [(7, 7)]
    assert spans() == []


@pytest.mark.parametrize("limits", [{"max_gap": -1}, {"max_size": 0}])
def test_limits_are_checked(limits):
    with pytest.raises(InvalidInputError, match="expected max_gap >= 0"):
        coalesce([], **limits)
