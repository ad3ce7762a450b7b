"""The blocks that a blob is made of, or may be made of.

Source: Azure Storage REST reference, "Get Block List".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.interfaces.documents import count, parse_xml, required_text
from cloudfiles.transport.request import Request, Response

_WHAT = "the list of blocks"


class BlockList(NamedTuple):
    """Blocks in their order: their bytes by their ids; and the blob's ETag, where it has been committed."""

    sizes: Mapping[str, int]
    etag: str | None = None


def list_blocks(container: AzureContainer, key: str, kind: Literal["committed", "uncommitted"]) -> BlockList:
    """None at all where there is no trace of the blob."""
    found: BlockList = container.client.send(_GetBlockList(container, key, kind))
    return found


class _GetBlockList(Request):
    """Gives a BlockList."""

    __slots__ = ("_kind",)

    def __init__(self, container: AzureContainer, key: str, kind: str) -> None:
        target = container.query_target(key, {"comp": "blocklist", "blocklisttype": kind})
        Request.__init__(self, container.origin, "GET", target, {}, protocol=container.protocol, path=key)
        self._kind = kind.capitalize()

    def accept(self, response: Response) -> BlockList:
        if self.protocol.is_missing(response):
            return BlockList({})
        if response.status != 200:
            raise self.protocol.to_error(self, response)
        document = parse_xml(response, _WHAT, self.path)
        blocks = document.iterfind(f"{self._kind}Blocks/Block")
        return BlockList({required_text(block, "Name", _WHAT, self.path):
                          count(required_text(block, "Size", _WHAT, self.path), "Size", _WHAT, self.path)
                          for block in blocks},
                         response.headers.get("etag"))
