"""Storing content of any kind and size: by one Put Blob, or in blocks."""

from __future__ import annotations

from cloudfiles.interfaces import parts
from cloudfiles.interfaces.azure.blocks import block_size, put_in_blocks
from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.interfaces.azure.upload import put_whole
from cloudfiles.types import Content, WriteOptions

MAX_PUT = 5000 << 20
"""Bytes that Azure takes by one Put Blob."""


def put_content(container: AzureContainer, key: str, content: Content, options: WriteOptions,
                threshold: int) -> str | None:
    """Store `content`: in blocks where it has more than `threshold` bytes, or where a file does not tell how many."""
    return parts.put_content(container.runtime, key, content, min(threshold, MAX_PUT), block_size,
                             lambda body: put_whole(container, key, body, options),
                             lambda blocks: put_in_blocks(container, key, blocks, options))
