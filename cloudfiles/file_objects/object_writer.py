"""`ObjectWriter`: an object open for writing."""

from __future__ import annotations

import io
import warnings
from typing import Any

from cloudfiles import encoding_streams
from cloudfiles.exceptions import ExistingObjectError, PreconditionFailedError
from cloudfiles.file_objects.publishing import PublishedOnExit
from cloudfiles.file_objects.uploads import Upload
from cloudfiles.inputs import as_buffer
from cloudfiles.runtime.guard import Guard

BLOCK_BYTES = 8 << 20
"""Bytes that are kept before they are sent: an object of fewer is stored by one request."""

_LONGEST_RECORD = 8
"""Blocks after which content without a delimiter is sent as it is."""


class ObjectWriter(PublishedOnExit, io.BufferedIOBase):
    """An object that appears, complete, when it is closed. If a `with` block ends with an exception, nothing appears.

    Attributes:
        name: the key.
        mode: 'wb', 'ab' or 'xb'.
        etag: the ETag of the written object, once closed, if the store reports it.
        claims_seekable: what `seekable` returns.
    """

    claims_seekable = False

    def __init__(self, key: str, mode: str, upload: Upload, encoder: encoding_streams.Encoder | None = None,
                 blocksize: int | None = None, delimiter: bytes | None = None, position: int = 0) -> None:
        self.name = key
        self.mode = mode
        self.etag: str | None = None
        self._upload = upload
        self._encoder = encoder
        self._blocksize = blocksize or BLOCK_BYTES
        self._delimiter = delimiter
        self._pieces: list[bytes | memoryview] = []  # not sent yet
        self._kept = 0  # bytes of them
        self._position = position
        self._guard = Guard()
        self._is_over = False  # closed or failed

    # ---- writing

    def writable(self) -> bool:
        """True."""
        self._check_open()
        return True

    def seekable(self) -> bool:
        """False: bytes that were written cannot be changed."""
        self._check_open()
        return self.claims_seekable

    def tell(self) -> int:
        """The size of the object so far; of an encoded object that is appended to, what was written."""
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
        piece = _own(data)
        with self._guard.held():
            self._check_open()
            self._position += len(piece)
            self._keep(piece if self._encoder is None else self._encoder.update(piece))
        return len(piece)

    def truncate(self, size: int | None = None, /) -> int:
        """Cut what was written to `size` bytes, where writing continues; None: the current size.

        Raises io.UnsupportedOperation if bytes to be removed were sent already, or are encoded.
        """
        with self._guard.held():
            self._check_open()
            removed = 0 if size is None else self._position - size
            if removed < 0 or (removed and (removed > self._kept or self._encoder is not None)):
                raise io.UnsupportedOperation(f"cannot truncate to {size} bytes: of {self._position} bytes, "
                                              f"{self._position - self._kept} were sent")
            if removed:
                content = memoryview(self._take())
                self._kept = len(content) - removed
                self._pieces = [content[:self._kept]]
                self._position -= removed
            return self._position

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._kept += len(piece)
            if self._kept >= self._blocksize:
                content = self._take()
                self._push(content, self._whole_blocks(content))

    def _whole_blocks(self, content: bytes | memoryview) -> int:
        """How much of what is kept is sent: whole blocks, or all up to the last delimiter."""
        if self._delimiter is None:
            return len(content) - len(content) % self._blocksize
        after = _end_of_last(content, self._delimiter)
        return after or (len(content) if len(content) >= _LONGEST_RECORD * self._blocksize else 0)

    def _push(self, content: bytes | memoryview, size: int) -> None:
        """Send the first `size` bytes of the content, and keep the rest."""
        view = memoryview(content)
        try:
            for at in range(0, size, self._blocksize):
                self._upload.push(view[at:min(size, at + self._blocksize)])
        except BaseException:
            self._end_in_failure()
            raise
        if size < len(view):
            self._pieces, self._kept = [view[size:]], len(view) - size

    def _take(self) -> bytes | memoryview:
        pieces, self._pieces, self._kept = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # ---- the end

    def flush(self) -> None:
        """Append what was written so far, where the store appends to objects by itself; with a delimiter, up to the
        last one.

        Otherwise this does nothing, because an object that is not complete is not published: blocks are sent as they
        fill up.
        """
        with self._guard.held():
            self._check_open()
            if self._upload.appends_in_place:
                content = self._take()
                self._push(content, len(content) if self._delimiter is None
                           else _end_of_last(content, self._delimiter))
                self._upload.flush()

    def close(self) -> None:
        """Send the rest, and publish the object. If this fails, nothing is published."""
        if self._is_over:
            return
        with self._guard.held():
            try:
                if self._encoder is not None and not (self._upload.continues and not self._position):
                    self._pieces.append(self._encoder.finish())
                self.etag = self._upload.commit(bytes(self._take()))
            except PreconditionFailedError as error:
                self._end_in_failure()
                if self.mode == "xb":
                    raise ExistingObjectError("the object exists already", path=self.name) from error
                raise
            except BaseException:
                self._end_in_failure()
                raise
            self._is_over = True

    def abort(self) -> None:
        """Close without publishing anything: what was sent is removed."""
        if not self._is_over:
            self._end_in_failure()

    def _end_in_failure(self) -> None:
        self._is_over = True
        self._pieces, self._kept = [], 0
        self._upload.abort()

    @property
    def closed(self) -> bool:
        return self._is_over

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


def _end_of_last(content: bytes | memoryview, delimiter: bytes) -> int:
    """The end of the last delimiter in the content; 0 if there is none."""
    return bytes(content).rfind(delimiter) + len(delimiter) if delimiter in bytes(content) else 0
