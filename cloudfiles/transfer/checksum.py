"""Verifies a whole object by the digests of its parts, which arrive in any order."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

from cloudfiles import crc, integrity
from cloudfiles.integrity import Digest
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime

COMPUTED = "crc32c"
"""The digest that is computed if one is needed and no store reports any: it costs next to nothing."""

_AHEAD = 8
"""Parts that may wait for an earlier one: some digests must be computed in order."""

_PAUSE = 0.002  # seconds


class ObjectChecksum:
    """Verifies the cheapest of the digests that a store reports for an object.

    CRCs are computed part by part and combined. An md5 is computed in order, in the background. The ETag of a multipart
    upload is the md5 of the md5s of its parts, and is verified if it probably had the same parts.
    """

    def __init__(self, digests: Sequence[Digest], etag: str | None, size: int, part_size: int,
                 runtime: Runtime | None) -> None:
        self._digest = next((d for d in digests if crc.combinable(d.algorithm)), digests[0] if digests else None)
        self._etag = "" if self._digest else _etag_of_parts(etag, size, part_size)
        self._size = size
        self._runtime = runtime
        self._parts: dict[int, tuple[bytes, int]] = {}  # digests and lengths, by their beginning
        self._is_sequential = self._digest is not None and not crc.combinable(self._digest.algorithm)
        self._hasher = integrity.hasher(self._digest.algorithm) if self._digest and self._is_sequential else None
        self._waiting: dict[int, bytes] = {}
        self._hashed = 0  # bytes from the beginning
        self._is_hashing = False
        self._lock = threading.Lock()

    @property
    def part_algorithm(self) -> str | None:
        """The algorithm of the digests of parts that the whole is verified by; '' if nothing is verified, None if the
        digests of parts cannot be combined, as those of md5."""
        if self._digest is None:
            return "md5" if self._etag else ""
        return None if self._is_sequential else self._digest.algorithm

    def part_value(self, start: int) -> bytes:
        """The digest of a part that was added."""
        return self._parts[start][0]

    def add_part_value(self, start: int, value: bytes, length: int) -> None:
        """Add a part of which only the digest is known, computed with `part_algorithm`."""
        if self.part_algorithm:
            self._parts[start] = value, length

    def add(self, start: int, content: bytes) -> None:
        """Add the part that starts at `start`; waits while too many parts are ahead of the next one in order."""
        if self._hasher is not None:
            self._add_in_order(start, content)
        elif self._digest is not None:
            self._parts[start] = self._computed(self._digest.algorithm, content), len(content)
        elif self._etag:
            self._parts[start] = self._computed("md5", content), len(content)

    def _computed(self, algorithm: str, content: bytes) -> bytes:
        def compute() -> bytes:
            hasher = integrity.hasher(algorithm)
            hasher.update(content)
            return hasher.digest()

        cheap = algorithm.startswith("crc") or len(content) < RUN_IN_THREAD_BYTES
        return compute() if cheap or self._runtime is None else self._runtime.run_in_thread(compute)

    def _add_in_order(self, start: int, content: bytes) -> None:
        with self._lock:
            self._waiting[start] = content
        del content
        self._hash_in_order()
        while start in self._waiting and len(self._waiting) > _AHEAD and self._runtime is not None:
            self._runtime.sleep(_PAUSE)
            self._hash_in_order()

    def _hash_in_order(self) -> None:
        with self._lock:
            if self._is_hashing or self._hashed not in self._waiting:
                return
            self._is_hashing = True
        try:
            while (content := self._waiting.get(self._hashed)) is not None:
                self._hash(content)
                with self._lock:
                    del self._waiting[self._hashed]
                    self._hashed += len(content)
                    if self._hashed not in self._waiting:
                        self._is_hashing = False
                        return
        except BaseException:
            self._is_hashing = False
            raise

    def _hash(self, content: bytes) -> None:
        assert self._hasher is not None
        if len(content) < RUN_IN_THREAD_BYTES or self._runtime is None:
            self._hasher.update(content)
        else:
            self._runtime.run_in_thread(self._hasher.update, content)

    def check(self, path: str) -> str:
        """The name of the digest that the object was verified by, or ''. Raises IntegrityError."""
        if self._digest is None:
            return self._check_etag()
        if self._hasher is not None:
            value = self._hasher.digest()
        else:
            value = crc.combine(self._digest.algorithm, (self._parts[start] for start in sorted(self._parts)))
        integrity.verify_value(value, self._digest, self._size, path)
        return self._digest.algorithm

    def _check_etag(self) -> str:
        """A different ETag does not prove damage: the upload may have had other parts."""
        if not self._etag:
            return ""
        joined = b"".join(self._parts[start][0] for start in sorted(self._parts))
        ours = f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(self._parts)}"
        return "md5" if ours == self._etag else ""


def _etag_of_parts(etag: str | None, size: int, part_size: int) -> str:
    """The ETag of an upload in parts of this size, without quotes; '' if it is not one."""
    text = (etag or "").strip('"').lower()
    md5, _, parts = text.partition("-")
    try:
        is_one = integrity.md5_from_etag(md5) is not None and int(parts) == -(-size // part_size)
    except ValueError:
        return ""
    return text if is_one else ""
