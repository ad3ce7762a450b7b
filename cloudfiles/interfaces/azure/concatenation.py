"""Concatenates blobs of Azure by a list of blocks that the service copies itself.

Source: Azure Storage REST reference, "Put Block From URL", "Put Block List".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from cloudfiles.exceptions import ObjectChangedError, PreconditionFailedError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.azure.copy import BLOCK, NO_BLOCKS_FROM_URL, ServerSideCopy
from cloudfiles.interfaces.azure.multipart import MAX_BLOCKS, BlockIds, BlockUpload, block_size, commit_blocks
from cloudfiles.interfaces.azure.objects import AzureContainer, blob_headers, condition_headers
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.multipart import parts_of_file, put_in_order, send_parts
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.transport.budget import Budget
from cloudfiles.types import WriteOptions


class AzureConcatenation(Concatenation):
    """The blobs of a container. slots: see `send_parts`."""

    def __init__(self, container: AzureContainer, slots: Budget | None) -> None:
        self._container = container
        self._slots = slots

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        container, ids = self._container, BlockIds()
        blocks = [(source, start) for source in sources for start in range(0, source.size, BLOCK)]
        if not 0 < len(blocks) <= MAX_BLOCKS:
            raise UnsupportedOperationError(f"expected 1 to {MAX_BLOCKS} blocks, got {len(blocks)}", path=key)
        send_parts(container.runtime, blocks, lambda number, block: self._copy(key, ids(number), *block),
                   container.origin, slots=self._slots)
        return commit_blocks(container, key, ids, len(blocks), {**blob_headers(options), **condition_headers(options)})

    def extend(self, source: ConcatSource, key: str, content: BinaryIO, options: WriteOptions) -> str | None:
        container, upload = self._container, BlockUpload(self._container, key, options)
        starts = range(0, source.size, BLOCK)
        present = len(starts)

        def copy(number: int, start: int) -> None:
            self._copy(key, upload.ids(number), source, start)
            upload.sent[number] = min(BLOCK, source.size - start)

        send_parts(container.runtime, starts, copy, container.origin, slots=self._slots)
        return put_in_order(container.runtime, upload, key, parts_of_file(
            container.runtime, content, lambda number: block_size(present + number, None)), present=present,
                            slots=self._slots)

    def _copy(self, key: str, block_id: str, source: ConcatSource, start: int) -> None:
        copy = ServerSideCopy(self._container, key, self._container, source.key, CopyOptions())
        try:
            copy.copy_block(copy.origin(source.stored.etag or ""), block_id, start, source.size)
        except PreconditionFailedError as error:
            raise _changed(source) from error
        except ServerError as error:
            is_missing = error.status == 404 and error.code == "CannotVerifyCopySource"
            if is_missing:
                raise _changed(source) from error
            if error.status not in NO_BLOCKS_FROM_URL and error.code != "CannotVerifyCopySource":
                raise
            raise UnsupportedOperationError(f"the service cannot copy blocks of the source: {error}",
                                            path=key) from error


def _changed(source: ConcatSource) -> ObjectChangedError:
    return ObjectChangedError("the object was replaced or removed before it was concatenated", path=source.key)
