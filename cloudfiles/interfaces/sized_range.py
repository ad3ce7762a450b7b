"""Byte ranges that need the object's size: empty ones, and those whose numbers count from the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.object_read import size_of
from cloudfiles.types import StoredObject

_TRIES = 4  # to read two things of one object between two writes of it


def get_range_by_size(key: str, start: int | None, end: int | None, head: Callable[[str], Mapping[str, str] | None],
                    get: Callable[[str, int, int], StoredObject | None]) -> StoredObject | None:
    """`key[start:end]` as Python counts, by one `head` and one `get`; None where the object is missing.

    Both are of the same object, as their ETags and sizes say. Raises ObjectChangedError where it is replaced again and
    again.
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
