"""The order of keys in sorted listings."""

from __future__ import annotations


def order_of(key: str) -> bytes:
    """The bytes that keys are sorted by: UTF-8; undecodable bytes of file names are kept (PEP 383)."""
    try:
        return key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return key.encode("utf-8", "surrogatepass")
