"""Large contents, made once and shared by all tests that ask for the same."""

from __future__ import annotations

import functools

import numpy as np

MIB = 1 << 20


@functools.cache
def numbered(size: int, first: int = 0) -> bytes:
    """The 32-bit numbers from `first` on: no two parts are alike, so that parts in the wrong order are noticed."""
    return np.arange(first, first + size // 4 + 1, dtype=">u4").tobytes()[:size]
