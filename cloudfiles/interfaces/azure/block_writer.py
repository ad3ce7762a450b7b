"""One blob that is written in blocks by many workers, or by several processes one after the other.

Source: Azure Storage REST reference, "Put Block", "Get Block List", "Put Block List".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.interfaces.azure.block_list import list_blocks
from cloudfiles.interfaces.azure.blocks import BlockIds, block_size, commit_blocks, stage_block
from cloudfiles.interfaces.azure.container import Container
from cloudfiles.interfaces.azure.upload import blob_headers, condition_headers
from cloudfiles.interfaces.moving import PartWriter
from cloudfiles.types import WriteOptions


class BlockWriter(PartWriter):
    """Azure keeps uncommitted blocks for a week: so long a write can be gone on with.

    Each block is checked as it arrives; the blob gets no Content-MD5, as nobody sees its bytes in order.
    """

    def __init__(self, container: Container, key: str, size: int, options: WriteOptions,
                 state: Mapping[str, Any] | None) -> None:
        self._container = container
        self._key = key
        self._headers = {**blob_headers(options), **condition_headers(options)}
        self._size = size
        known = state if state and state.get("upload") and state.get("part_size") else None
        self.part_size = int(known["part_size"]) if known else block_size(1, size)
        self._ids = BlockIds(str(known["upload"])) if known else BlockIds()
        self._written = self._look() if known else set[int]()

    def _look(self) -> set[int]:
        """Where the whole blocks begin that Azure has of this write."""
        sizes = list_blocks(self._container, self._key, "uncommitted").sizes
        starts = range(0, self._size, self.part_size)
        return {start for number, start in enumerate(starts, 1)
                if sizes.get(self._ids(number)) == min(self.part_size, self._size - start)}

    def write(self, start: int, content: bytes | memoryview) -> None:
        if start % self.part_size or len(content) != min(self.part_size, self._size - start):
            raise InvalidInputError(f"{len(content)} bytes from {start} on are no part of {self._size} bytes in parts "
                                    f"of {self.part_size}", path=self._key)
        stage_block(self._container, self._key, self._ids(start // self.part_size + 1), content)
        self._written.add(start)

    def finish(self) -> str | None:
        starts = range(0, self._size, self.part_size)
        missing = next((start for start in starts if start not in self._written), None)
        if missing is not None:
            raise InvalidInputError(f"the part from byte {missing} on has not been written", path=self._key)
        return commit_blocks(self._container, self._key, self._ids, len(starts), self._headers)

    def abort(self) -> None:
        """Nothing to do: blocks that are not committed show nowhere, and Azure drops them within a week."""

    def written(self) -> frozenset[int]:
        return frozenset(self._written)

    def state(self) -> Mapping[str, Any]:
        return {"upload": self._ids.upload, "part_size": self.part_size}
