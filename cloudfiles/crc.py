"""Combining CRCs: the CRC of the whole from those of its parts, which may be computed in any order.

A CRC is the remainder of a polynomial over GF(2). That of A followed by B is that of A, shifted by the length of B
(multiplied by x to the power of its bits), plus that of B. The initial and final inversions cancel out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_POLYNOMIALS = {"crc32": 0xEDB88320, "crc32c": 0x82F63B78, "crc64nvme": 0x9A6C9329AC4BC9B5}  # reflected


def combinable(algorithm: str) -> bool:
    """Whether `combine` supports the algorithm."""
    return algorithm in _POLYNOMIALS


def combine(algorithm: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The CRC of the whole, big endian, from (CRC, size) of its parts in their order."""
    polynomial = _POLYNOMIALS[algorithm]
    size = 8 if polynomial >> 32 else 4
    whole = 0
    for crc, length in parts:
        moved = _product(_power(8 * length, polynomial, 8 * size), whole, polynomial, 8 * size) if length else whole
        whole = moved ^ int.from_bytes(crc, "big")
    return whole.to_bytes(size, "big")


def _product(a: int, b: int, polynomial: int, width: int) -> int:
    """a times b modulo the polynomial; the highest bit is the coefficient of x^0."""
    product = 0
    for place in range(width - 1, -1, -1):
        if a >> place & 1:
            product ^= b
        b = b >> 1 ^ (polynomial if b & 1 else 0)
    return product


@lru_cache(maxsize=256)
def _power(exponent: int, polynomial: int, width: int) -> int:
    """x^exponent modulo the polynomial, by squaring."""
    power, square = 1 << width - 1, 1 << width - 2  # x^0 and x^1
    while exponent:
        if exponent & 1:
            power = _product(power, square, polynomial, width)
        square = _product(square, square, polynomial, width)
        exponent >>= 1
    return power
