"""One blob that is written in blocks by many workers, or by several processes one after the other.

Source: Azure Storage REST reference, "Put Block", "Get Block List", "Put Block List".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.interfaces.azure.block_list import list_blocks
from cloudfiles.interfaces.azure.blocks import BlockIds, block_size, commit_blocks, stage_block
from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.interfaces.azure.upload import blob_headers, condition_headers
from cloudfiles.interfaces.part_writer import PartLayout, PartWriter
from cloudfiles.types import WriteOptions


class BlockWriter(PartWriter):
    """Azure keeps uncommitted blocks for a week: so long a write can be gone on with.

    Each block is checked as it arrives; the blob gets no Content-MD5, as nobody sees its bytes in order.
    """

    def __init__(self, container: AzureContainer, key: str, size: int, options: WriteOptions,
                 state: Mapping[str, Any] | None) -> None:
        self._container = container
        self._key = key
        self._headers = {**blob_headers(options), **condition_headers(options)}
        known = state if state and state.get("upload") and state.get("part_size") else None
        self.part_size = int(known["part_size"]) if known else block_size(1, size)
        self._cut = PartLayout(key, size, self.part_size)
        self._ids = BlockIds(str(known["upload"])) if known else BlockIds()
        self._written = self._look() if known else set[int]()

    def _look(self) -> set[int]:
        """The numbers of the whole blocks that Azure has of this write."""
        sizes = list_blocks(self._container, self._key, "uncommitted").sizes
        return {number for number in self._cut.numbers if sizes.get(self._ids(number)) == self._cut.length(number)}

    def write(self, start: int, content: bytes | memoryview) -> None:
        number = self._cut.number_of(start, content)
        stage_block(self._container, self._key, self._ids(number), content)
        self._written.add(number)

    def finish(self) -> str | None:
        self._cut.check_complete(self._written)
        return commit_blocks(self._container, self._key, self._ids, len(self._cut.numbers), self._headers)

    def abort(self) -> None:
        """Nothing to do: blocks that are not committed show nowhere, and Azure drops them within a week."""

    def written(self) -> frozenset[int]:
        return frozenset(map(self._cut.start, self._written))

    def state(self) -> Mapping[str, Any]:
        return {"upload": self._ids.upload, "part_size": self.part_size}
