"""A part of a large object that is written as it arrives."""

from __future__ import annotations

from collections.abc import Collection

from cloudfiles import integrity
from cloudfiles.interfaces.part_writer import PartWriter

PIECE_BYTES = 256 << 10
"""Memory that is needed for one: that of the largest piece."""


class StreamedPart:
    """Writes the pieces of a part, and computes digests of it.

    algorithms: of the digests; '' is ignored.
    """

    def __init__(self, writer: PartWriter, start: int, algorithms: Collection[str]) -> None:
        self._writer = writer
        self._start = start
        self._algorithms = [name for name in algorithms if name]
        self._hashers: dict[str, integrity.Hasher] = {}

    def take(self, at: int, piece: bytes | memoryview) -> None:
        """The next piece, at this offset of the object. The part begins anew with one at its start."""
        if at == self._start:
            self._hashers = {name: integrity.hasher(name) for name in self._algorithms}
        for hasher in self._hashers.values():
            hasher.update(piece)
        self._writer.write_piece(at, piece)

    def value(self, algorithm: str) -> bytes:
        """The digest of the whole part."""
        return self._hashers[algorithm].digest() if algorithm else b""
