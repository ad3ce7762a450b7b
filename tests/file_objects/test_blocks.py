"""`read_block`, compared with a simple implementation in memory."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.file_objects import blocks
from cloudfiles.file_objects.blocks import read_block


def boundary(content: bytes, offset: int, delimiter: bytes) -> int:
    if offset == 0:
        return 0
    found = content.find(delimiter, offset)
    return len(content) if found < 0 else found + len(delimiter)


def simple(content: bytes, offset: int, length: int | None, delimiter: bytes | None) -> bytes:
    end = len(content) if length is None else offset + length
    if delimiter is None:
        return content[offset:end]
    start = boundary(content, offset, delimiter)
    return content[start:len(content) if length is None else boundary(content, end, delimiter)]


CONTENTS = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\r\n", b"ab", b"aab"]), max_size=60).map(b"".join)
DELIMITERS = st.sampled_from([b"\n", b"\r\n", b"ab", b"aab", b"a", b"bb"])


@given(CONTENTS, st.integers(0, 70), st.none() | st.integers(0, 70), st.none() | DELIMITERS, st.integers(1, 9))
def test_it_equals_a_simple_implementation(content: bytes, offset: int, length: int | None, delimiter: bytes | None,
                                           searched: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_SEARCHED", searched)  # delimiters fall across the pieces that are read
        assert read_block(io.BytesIO(content), offset, length, delimiter) == simple(content, offset, length, delimiter)


@given(CONTENTS, DELIMITERS, st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_blocks_without_gaps_have_every_record_once(content: bytes, delimiter: bytes, lengths: list[int]) -> None:
    file, offset, parts = io.BytesIO(content), 0, []
    while offset < len(content):
        length = lengths[len(parts) % len(lengths)]
        parts.append(read_block(file, offset, length, delimiter))
        offset += length
    assert b"".join(parts) == content
    assert all(part.endswith(delimiter) or content.endswith(part) for part in parts)


@pytest.mark.parametrize(("offset", "length", "delimiter"), [(-1, 3, b"\n"), (0, -3, None), (0, 3, b"")])
def test_invalid_arguments(offset: int, length: int, delimiter: bytes | None) -> None:
    with pytest.raises(InvalidInputError):
        read_block(io.BytesIO(b"content"), offset, length, delimiter)
