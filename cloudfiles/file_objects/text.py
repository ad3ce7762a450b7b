"""Text on top of the binary file objects."""

from __future__ import annotations

import io
import warnings
from typing import Any, BinaryIO, SupportsIndex, cast

from cloudfiles.file_objects.object_writer import ObjectWriter
from cloudfiles.file_objects.publishing import PublishedOnExit


def as_text(file: Any, mode: str, encoding: str | None = None, errors: str | None = None, newline: str | None = None
            ) -> io.TextIOWrapper:
    """A text file on a binary one. mode: that of the text, in which 'r' means reading."""
    text = (TextReader if "r" in mode else TextWriter)(file, encoding or "utf-8", errors, newline)
    text.mode = mode  # type: ignore[misc]  # which io declares as read-only
    return text


class TextReader(io.TextIOWrapper):
    """An object open for reading text."""

    def __init__(self, reader: Any, encoding: str, errors: str | None = None, newline: str | None = None) -> None:
        super().__init__(reader, encoding, errors, newline)
        self._CHUNK_SIZE = 64 << 10  # bytes that are decoded at once, eight times the default

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle continues at the position. Raises OSError while lines are iterated over, as `tell` does."""
        return _reopened, (self.buffer, self.encoding, self.errors, self.tell(), self.mode)

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]:
        return self.__reduce__()  # from Python 3.13 on, io defines one that refuses


def _reopened(buffer: Any, encoding: str, errors: str | None, position: int, mode: str) -> TextReader:
    buffer.seek(0)
    reader = TextReader(buffer, encoding, errors)
    reader.seek(position)
    reader.mode = mode  # type: ignore[misc]  # which io declares as read-only
    return reader


class TextWriter(PublishedOnExit, io.TextIOWrapper):
    """An object open for writing text, which is published as that of an `ObjectWriter` is."""

    def __init__(self, writer: ObjectWriter, encoding: str, errors: str | None, newline: str | None) -> None:
        # Only of seekable files TextIOWrapper asks for the position, which decides about a byte order mark.
        writer.claims_seekable = True
        super().__init__(cast("BinaryIO", writer), encoding, errors, newline)
        writer.claims_seekable = False

    def abort(self) -> None:
        """Close without publishing anything."""
        self.buffer.abort()  # type: ignore[attr-defined]

    def __del__(self) -> None:
        # Not that of the base class, which would publish the object.
        if not self.closed:
            warnings.warn(f"{self.buffer!r} was not closed: the object was not written", ResourceWarning, source=self,
                          stacklevel=2)
            self.abort()
