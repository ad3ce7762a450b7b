"""How far a chunked download is: which ranges come next, and whether the chunks belong to one version of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from cloudfiles import integrity
from cloudfiles.exceptions import (
    CloudFilesError,
    ObjectChangedError,
)
from cloudfiles.files.chunk_sources import Chunk, Source, match_condition
from cloudfiles.files.exchange_errors import ExchangeError
from cloudfiles.interfaces.throughput_monitor import FAST_BYTES_PER_SECOND, MIN_REMAINING_BYTES

_CHANGES = 3
"""How often a download starts again because the object was replaced or damaged."""

_IN_MEMORY = 64 << 20
"""Bytes of chunks that are read concurrently, at most."""


class Download:
    """The state of a download: which ranges come next, and whether the chunks are of the same version.

    Attributes:
        done: bytes received.
        total: the size of the object, None before the first chunk.
        etag: of the object, '' if there is none, or none yet.
        in_one: it must be read by a single request, as nothing proves that several would get the same version.
    """

    def __init__(self, chunk_size: int) -> None:
        self._chunk_size = chunk_size
        self._changes = 0
        self._is_slow = False
        self.in_one = False
        self._expected = 0
        self._reset()

    def _reset(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.etag = ""
        self._digest: integrity.Digest | None = None
        self._hasher: integrity.Hasher | None = None

    @property
    def is_whole(self) -> bool:
        return self.total is not None and self.done >= self.total

    def spans(self, source: Source) -> list[tuple[int, int]]:
        """The ranges to request next, as many at once as is worthwhile; none when the download is complete.

        More than one if chunks arrive slowly, and the object is large and has a strong ETag.
        """
        if self.is_whole or self.in_one:
            return []
        left = 0 if self.total is None else self.total - self.done
        count = 1
        if self._is_slow and source.origin is not None and left >= MIN_REMAINING_BYTES and match_condition(self.etag):
            count = max(1, min(_IN_MEMORY // self._chunk_size, -(-left // self._chunk_size)))
        starts = range(self.done, self.done + count * self._chunk_size, self._chunk_size)
        return [(start, start + self._chunk_size) for start in starts]

    def note_speed(self, chunks: Sequence[Chunk], seconds: float) -> None:
        """Record how long it took to read them. Once a single connection was slow, several are used."""
        self._is_slow |= len(chunks[0].content) < seconds * FAST_BYTES_PER_SECOND

    def in_order(self, spans: Iterable[tuple[int, int]], chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Add the chunks of these ranges, one by one. Ends after one that is shorter than requested."""
        for (start, _), chunk in zip(spans, chunks, strict=True):
            if start != self.done:
                return
            if self.total is None and len(chunk.content) < chunk.total and not match_condition(chunk.etag):
                self.in_one, self._expected = True, chunk.total
                return
            self.take(chunk)
            yield chunk

    def take(self, chunk: Chunk) -> None:
        """Add a chunk.

        Raises ObjectChangedError if it is of another version than those before, and IntegrityError if it is the last
        one and the digest of the server does not match.
        """
        if self.total is None:
            self._begin(chunk)
        elif (chunk.total, chunk.etag) != (self.total, self.etag):
            raise ObjectChangedError(f"the object was replaced while it was being downloaded: it had {self.total} "
                                     f"bytes and the ETag {self.etag}, now {chunk.total} and {chunk.etag}")
        if not chunk.content and self.done < chunk.total:
            raise ExchangeError(f"the server sent no bytes although {chunk.total - self.done} are left")
        self.done += len(chunk.content)
        if self._hasher is not None:
            self._hasher.update(chunk.content)
        if self.is_whole and self._digest is not None and self._hasher is not None:
            integrity.verify_value(self._hasher.digest(), self._digest, self.done)

    def _begin(self, chunk: Chunk) -> None:
        self.total, self.etag = chunk.total, chunk.etag
        # Content-MD5 is ignored: servers disagree on whether that of a part is of the part or of the whole.
        headers = {name: value for name, value in chunk.headers.items() if name != "content-md5"}
        digests = integrity.digests_from_headers(headers)
        if digests:
            self._digest = digests[0]
            self._hasher = integrity.hasher(self._digest.algorithm)

    def read_in_one(self, source: Source, write: Callable[[bytes | memoryview], object],
                    report: Callable[[int, int], object] | None) -> None:
        """Pass the whole object to `write`, and call `report` after each `chunk_size` bytes."""
        reported = 0

        def take(piece: bytes | memoryview) -> None:
            nonlocal reported
            write(piece)
            self.done += len(piece)
            if report is not None and self.done - reported >= self._chunk_size:
                reported = self.done
                report(self.done, max(self.done, self._expected))

        self.total = source.read_whole(take).total
        if report is not None and self.done != reported:
            report(self.done, self.total)

    def restart(self, cause: CloudFilesError) -> None:
        """Start again. Raises the cause if that has happened too often."""
        self._changes += 1
        if self._changes >= _CHANGES:
            raise cause
        self._reset()
