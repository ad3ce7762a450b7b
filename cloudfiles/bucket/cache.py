"""The cache of a bucket: its listing, and which local files are fresh copies."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfiles.bucket.storage import BucketFile
from cloudfiles.lib import file_signature
from cloudfiles.types import Clock


class TimedCache:
    """Entries expire after `ttl` seconds; with None nothing is cached.

    A local file that was changed since it was downloaded is not fresh.
    """

    def __init__(self, ttl: float | None, clock: Clock) -> None:
        self._ttl = ttl
        self._now = clock.monotonic
        self._listing: tuple[float, list[BucketFile]] | None = None
        self._files: dict[tuple[str, str], tuple[float, object]] = {}

    def listing(self) -> list[BucketFile] | None:
        """The complete listing, or None if it is not cached."""
        return list(self._listing[1]) if self._listing and self._is_young(self._listing[0]) else None

    def keep_listing(self, entries: Sequence[BucketFile]) -> None:
        if self._ttl is not None:
            self._listing = self._now(), list(entries)

    def is_fresh(self, key: str, local: str) -> bool:
        """Whether the file is a copy of the object and neither is known to have changed."""
        learnt, signature = self._files.get((key, local), (0.0, None))
        return signature is not None and self._is_young(learnt) and signature == file_signature(local)

    def keep_file(self, key: str, local: str) -> None:
        """Record that the file has just been copied from the object."""
        if self._ttl is not None:
            self._files[key, local] = self._now(), file_signature(local)

    def _is_young(self, learnt: float) -> bool:
        return self._ttl is not None and self._now() - learnt < self._ttl

    def drop(self) -> None:
        """Clear the cache, after a write or at the user's request."""
        self._listing = None
        self._files.clear()
