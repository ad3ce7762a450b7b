"""The objects of one bucket, in memory, and their listing in key order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Object:
    """A stored object; `headers` are those that reading it gives back, the ETag among them."""

    content: bytes
    headers: dict[str, str]

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


class Page(NamedTuple):
    """One page of a listing: keys, common prefixes, and the key at which the next page begins (None: done)."""

    keys: list[bytes]
    prefixes: list[bytes]
    next_key: bytes | None


class Bucket:
    """A mapping of keys (bytes, so that they sort as S3 sorts them) to objects."""

    def __init__(self) -> None:
        self._objects: dict[bytes, Object] = {}
        self._sorted: list[bytes] | None = None  # the keys, while no key has come or gone

    def get(self, key: bytes) -> Object | None:
        return self._objects.get(key)

    def put(self, key: bytes, stored: Object) -> None:
        if key not in self._objects:
            self._sorted = None
        self._objects[key] = stored

    def delete(self, key: bytes) -> None:
        if self._objects.pop(key, None) is not None:
            self._sorted = None

    def page(self, prefix: bytes, delimiter: bytes, after: bytes, begin: bytes, limit: int) -> Page:
        """Up to `limit` keys and common prefixes behind `after`, from `begin` on."""
        if self._sorted is None:
            self._sorted = sorted(self._objects)
        order = self._sorted
        at = max(bisect_left(order, max(prefix, begin)), bisect_right(order, after) if after else 0)
        page = Page([], [], None)
        while at < len(order) and order[at].startswith(prefix):
            if len(page.keys) + len(page.prefixes) >= limit:
                return page._replace(next_key=order[at])
            cut = order[at].find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                page.keys.append(order[at])
                at += 1
            else:
                page.prefixes.append(order[at][:cut + len(delimiter)])
                at = _behind(order, page.prefixes[-1], at)
        return page


def _behind(order: list[bytes], prefix: bytes, at: int) -> int:
    """The index of the first key behind all those that begin with `prefix`, which ends in ASCII."""
    return bisect_left(order, prefix[:-1] + bytes([prefix[-1] + 1]), lo=at)
