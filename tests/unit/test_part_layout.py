"""Objects cut into numbered parts."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.interfaces import part_writer
from cloudfiles.interfaces.part_writer import PartLayout


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(part_writer).failed == 0


@given(size=st.integers(0, 300), part_size=st.integers(1, 100))
def test_parts_make_the_whole(size: int, part_size: int) -> None:
    parts = PartLayout("key", size, part_size)
    content = bytes(range(256)) * 2
    pieces = [content[parts.start(number):parts.start(number) + parts.length(number)] for number in parts.numbers]
    assert b"".join(pieces) == content[:size]
    assert [parts.number_of(parts.start(number), piece) for number, piece in enumerate(pieces, 1)] == list(
        parts.numbers)
    parts.check_complete(parts.numbers)
    if size:
        with pytest.raises(InvalidInputError, match="at offset 0"):
            parts.check_complete([])
        with pytest.raises(InvalidInputError, match="not a part of"):
            parts.number_of(parts.start(parts.numbers[-1]), pieces[-1] + b"x")
