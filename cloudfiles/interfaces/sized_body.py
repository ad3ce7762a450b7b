"""Content as the body of one request, for servers that take no parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from cloudfiles.interfaces.local_store import chunks
from cloudfiles.transport.request import Body, FileBody
from cloudfiles.types import Content

_SPOOLED = 8 << 20
"""Bytes of a file of unknown length that are kept in memory; the rest goes to a temporary file."""


@contextmanager
def body_of(content: Content) -> Iterator[Body]:
    """`content` as a request body that has a known length and can be sent again.

    A file without a length or without seeking (a pipe, an encoder) is copied to a temporary file, or to memory if
    it is small.
    """
    if isinstance(content, (bytes, bytearray)):
        yield content
    elif isinstance(content, memoryview):
        yield content.cast("B") if content.c_contiguous else content.tobytes()
    elif content.seekable():
        yield _file_body(content)
    else:
        with SpooledTemporaryFile(_SPOOLED) as copy:
            for piece in chunks(content):
                copy.write(piece)
            copy.seek(0)
            yield _file_body(cast("BinaryIO", copy))


def _file_body(file: BinaryIO) -> FileBody:
    here = file.tell()
    length = max(0, file.seek(0, 2) - here)
    file.seek(here)
    return FileBody(file, length)
