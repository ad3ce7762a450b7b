"""Storing content of any kind and size: by one Put Blob, or in blocks."""

from __future__ import annotations

from typing import BinaryIO

from cloudfiles.interfaces.azure.blocks import block_size, put_in_blocks
from cloudfiles.interfaces.azure.container import Container
from cloudfiles.interfaces.azure.upload import put_whole
from cloudfiles.interfaces.parts import bytes_left, parts_of_memory, put_file
from cloudfiles.types import Content, WriteOptions

MAX_PUT = 5000 << 20
"""Bytes that Azure takes by one Put Blob."""


def put_content(container: Container, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    """Store `content`: in blocks where it has more than `threshold` bytes, or where a file does not tell how many."""
    limit = min(threshold, MAX_PUT)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return _put_file(container, key, content, options, limit)
    if isinstance(content, memoryview):
        content = content.cast("B") if content.c_contiguous else content.tobytes()
    if len(content) > limit:
        return put_in_blocks(container, key, parts_of_memory(content, block_size(1, len(content))), options)
    return put_whole(container, key, content, options)


def _put_file(container: Container, key: str, file: BinaryIO, options: WriteOptions, limit: int) -> str | None:
    return put_file(container.runtime, file, bytes_left(file, key), limit, block_size,
                    lambda body: put_whole(container, key, body, options),
                    lambda parts: put_in_blocks(container, key, parts, options))
