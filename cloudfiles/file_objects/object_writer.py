"""`ObjectWriter`: an object open for writing."""

from __future__ import annotations

import io
import warnings
from typing import Any

from cloudfiles import compression
from cloudfiles.exceptions import ExistingObjectError, InvalidInputError, PreconditionFailedError
from cloudfiles.file_objects.uploads import Upload
from cloudfiles.inputs import as_buffer

BLOCK_BYTES = 8 << 20
"""Bytes that are kept before they are sent: an object of fewer is stored by one request."""


class ObjectWriter(io.BufferedIOBase):
    """An object that appears, complete, when it is closed. If a `with` block ends with an exception, nothing appears.

    Attributes:
        name: the key.
        mode: 'wb', 'ab' or 'xb'.
        etag: the ETag of the written object, once closed, if the store reports it.
    """

    def __init__(self, key: str, mode: str, upload: Upload, encoder: compression.Encoder | None = None,
                 blocksize: int = BLOCK_BYTES) -> None:
        self.name = key
        self.mode = mode
        self.etag: str | None = None
        self._upload = upload
        self._encoder = encoder
        self._blocksize = blocksize
        self._pieces: list[bytes | memoryview] = []  # not sent yet
        self._kept = 0  # bytes of them
        self._position = 0
        self._is_over = False  # closed or failed

    # ---- writing

    def writable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return False

    def tell(self) -> int:
        self._check_open()
        return self._position

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._position

    def write(self, data: Any, /) -> int:
        """Add bytes; returns their number. They are sent in blocks, while the program continues.

        Raises the errors of the upload so far: nothing is published then.
        """
        self._check_open()
        piece = _own(data)
        self._keep(piece if self._encoder is None else self._encoder.update(piece))
        self._position += len(piece)
        return len(piece)

    def _keep(self, piece: bytes | memoryview) -> None:
        if piece:
            self._pieces.append(piece)
            self._kept += len(piece)
            if self._kept >= self._blocksize:
                self._push()

    def _push(self) -> None:
        """Send whole blocks; the rest is kept."""
        content = self._take()
        whole = len(content) - len(content) % self._blocksize
        try:
            for at in range(0, whole, self._blocksize):
                self._upload.push(memoryview(content)[at:at + self._blocksize])
        except BaseException:
            self.abort()
            raise
        if whole < len(content):
            self._pieces, self._kept = [memoryview(content)[whole:]], len(content) - whole

    def _take(self) -> bytes | memoryview:
        pieces, self._pieces, self._kept = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # ---- the end

    def flush(self) -> None:
        """Does nothing: an object that is not complete cannot be published. Blocks are sent as they fill up."""
        self._check_open()

    def close(self) -> None:
        """Send the rest, and publish the object. If this fails, nothing is published."""
        if self._is_over:
            return
        try:
            if self._encoder is not None:
                self._pieces.append(self._encoder.finish())
            self.etag = self._upload.commit(bytes(self._take()))
        except PreconditionFailedError as error:
            self.abort()
            if self.mode == "xb":
                raise ExistingObjectError("the object exists already", path=self.name) from error
            raise
        except BaseException:
            self.abort()
            raise
        self._is_over = True

    def abort(self) -> None:
        """Close without publishing anything: what was sent is removed."""
        if not self._is_over:
            self._is_over = True
            self._pieces, self._kept = [], 0
            self._upload.abort()

    @property
    def closed(self) -> bool:
        return self._is_over

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if not getattr(self, "_is_over", True):
            warnings.warn(f"{self!r} was not closed: the object was not written", ResourceWarning, source=self,
                          stacklevel=2)
            self.abort()

    def _check_open(self) -> None:
        if self._is_over:
            raise ValueError("I/O operation on closed file")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} mode={self.mode!r}{' closed' if self._is_over else ''}>"


def _own(data: Any) -> bytes:
    """A copy of `data` that does not change. Raises TypeError for a str, InvalidInputError for scattered bytes."""
    if type(data) is bytes:
        return data
    buffer = None if isinstance(data, str) else as_buffer(data)
    if buffer is None:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}")
    return bytes(buffer)


def checked_blocksize(blocksize: Any) -> int | None:
    """Raises InvalidInputError unless it is a number of bytes, or None."""
    if blocksize is not None and (isinstance(blocksize, bool) or not isinstance(blocksize, int) or blocksize < 1):
        raise InvalidInputError(f"blocksize: expected a number of bytes > 0, or None, got {blocksize!r}")
    return blocksize
