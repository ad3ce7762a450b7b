"""Byte ranges that require the object's size: empty ones, and those relative to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.object_read import size_of
from cloudfiles.types import StoredObject

_TRIES = 4  # to read two things of one object between two writes of it


def get_range_by_size(key: str, start: int | None, end: int | None, head: Callable[[str], Mapping[str, str] | None],
                    get: Callable[[str, int, int], StoredObject | None]) -> StoredObject | None:
    """`key[start:end]` as in Python, with one `head` and one `get`; None if the object is missing.

    Their ETags and sizes ensure that both refer to the same version. Raises ObjectChangedError if the object is
    replaced repeatedly.
    """
    for _ in range(_TRIES):
        headers = head(key)
        if headers is None:
            return None
        first, last, _ = slice(start, end).indices(size_of(headers, key))
        if first >= last:
            return StoredObject(b"", headers.get("content-encoding", ""), "", headers.get("etag"))
        found = get(key, first, last)
        if found is None or (found.etag == headers.get("etag") and len(found.content) == last - first):
            return found
    raise ObjectChangedError(f"the object was replaced {_TRIES} times between determining its size and reading it",
                             path=key)
