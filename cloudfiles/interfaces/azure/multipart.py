"""Large blobs: blocks are staged in parallel and checked, and one commit creates the blob from them.

A blob appears, or changes, only with the commit. Blocks that are never committed are not visible, and Azure discards
them after a week, so there is nothing to abort after a failure.

Source: Azure Storage REST reference, "Put Block", "Put Block List", "Get Block List", and its remarks on limits.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError
from cloudfiles.interfaces.azure.objects import AzureContainer, BlobPut, blob_headers, block_header, condition_headers
from cloudfiles.interfaces.documents import count, parse_xml, required_text
from cloudfiles.interfaces.multipart import MultipartUpload, UploadWriter, size_of_part
from cloudfiles.interfaces.part_writer import PartLayout, PartWriter
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.request import Request, Response
from cloudfiles.types import WriteOptions

_WHAT = "the list of blocks"


class BlockList(NamedTuple):
    """The sizes of blocks by id, in order, and the ETag of the blob if it has been committed."""

    sizes: Mapping[str, int]
    etag: str | None = None


def list_blocks(container: AzureContainer, key: str, kind: Literal["committed", "uncommitted"]) -> BlockList:
    """Empty if there is no trace of the blob."""
    found: BlockList = container.client.send(_GetBlockList(container, key, kind))
    return found


class _GetBlockList(Request):
    """Returns a BlockList."""

    __slots__ = ("_kind",)

    def __init__(self, container: AzureContainer, key: str, kind: str) -> None:
        target = container.query_target(key, {"comp": "blocklist", "blocklisttype": kind})
        Request.__init__(self, container.origin, "GET", target, {}, protocol=container.protocol, path=key)
        self._kind = kind.capitalize()

    def accept(self, response: Response) -> BlockList:
        if self.protocol.is_missing(response):
            return BlockList({})
        if response.status != 200:
            raise self.to_error(response)
        document = parse_xml(response, _WHAT, self.path)
        blocks = document.iterfind(f"{self._kind}Blocks/Block")
        return BlockList({required_text(block, "Name", _WHAT, self.path):
                          count(required_text(block, "Size", _WHAT, self.path), "Size", _WHAT, self.path)
                          for block in blocks},
                         response.headers.get("etag"))


MAX_BLOCKS = 50_000
MIN_BLOCK = 8 << 20
"""Size of a block in bytes: large enough to hide latency, small enough to lose little in an interruption."""

_GROWS_EVERY = 5000
"""Number of blocks after which the size doubles for content of unknown size: 50 000 then make the largest blob."""


def block_size(number: int, size: int | None) -> int:
    """Size of block `number` (from 1) of content of `size` bytes; all are equal if the size is known.

    >>> block_size(1, 10 << 30) >> 20, block_size(1, 1 << 40) >> 20, block_size(12_000, None) >> 20
    (8, 32, 32)
    """
    return size_of_part(number, size, MIN_BLOCK, MAX_BLOCKS, _GROWS_EVERY)


class BlockIds:
    """The ids of the blocks of one upload: of equal length, and unique, so that two uploads of one blob never mix.

    Attributes:
        upload: the id of the upload, 32 hexadecimal digits.
    """

    def __init__(self, upload: str | None = None) -> None:
        self.upload = upload or secrets.token_hex(16)

    def __call__(self, number: int) -> str:
        return b64encode(f"{self.upload}{number:06}".encode("ascii")).decode("ascii")

    def numbered(self, count: int) -> list[str]:
        """The ids of blocks 1 to `count`."""
        return [self(number) for number in range(1, count + 1)]

    def document(self, count: int) -> bytes:
        """The body of the commit of blocks 1 to `count`."""
        blocks = "".join([f"<Uncommitted>{block}</Uncommitted>" for block in self.numbered(count)])
        return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode("ascii")


class BlockUpload(MultipartUpload):
    """One upload in blocks. Azure keeps blocks that are not committed for a week: it can be resumed for that long.

    Each block is checked as it arrives. The blob gets a Content-MD5 only if the blocks are sent in order.

    upload: of another process, to resume it.

    Attributes:
        ids: of the blocks, by number.
        sent: the sizes of the blocks, by number.
    """

    max_parts: ClassVar[int | None] = MAX_BLOCKS

    def __init__(self, container: AzureContainer, key: str, options: WriteOptions, upload: str | None = None) -> None:
        self._container = container
        self.origin = container.origin
        self._key = key
        self._headers = {**blob_headers(options), **condition_headers(options)}
        self.ids = BlockIds(upload)
        self._md5: integrity.Hasher | None = None
        self.sent: dict[int, int] = {}

    def find_blocks(self, layout: PartLayout) -> None:
        """Count the complete blocks that Azure has of this upload as sent."""
        sizes = list_blocks(self._container, self._key, "uncommitted").sizes
        self.sent = {number: layout.length(number) for number in layout.numbers
                     if sizes.get(self.ids(number)) == layout.length(number)}

    def add_in_order(self, runtime: Runtime, content: integrity.Buffer) -> None:
        self._md5 = self._md5 or integrity.hasher("md5")
        runtime.run_in_thread(self._md5.update, content)

    def send_part(self, number: int, content: integrity.Buffer) -> None:
        stage_block(self._container, self._key, self.ids(number), content)
        self.sent[number] = len(content)

    def complete(self) -> str | None:
        headers = self._headers
        if self._md5 is not None:
            headers = {**headers, "x-ms-blob-content-md5": b64encode(self._md5.digest()).decode("ascii")}
        return commit_blocks(self._container, self._key, self.ids, len(self.sent), headers)

    def abort(self) -> None:
        """Nothing to do: blocks that are not committed are not visible, and Azure discards them within a week."""

    def state(self) -> Mapping[str, Any]:
        return {"upload": self.ids.upload}


def open_part_writer(container: AzureContainer, key: str, size: int, options: WriteOptions,
                     state: Mapping[str, Any] | None) -> PartWriter:
    """As `Interface.open_writer`."""
    known = state if state and state.get("upload") and state.get("part_size") else None
    layout = PartLayout(key, size, int(known["part_size"]) if known else block_size(1, size))
    upload = BlockUpload(container, key, options, str(known["upload"]) if known else None)
    if known:
        upload.find_blocks(layout)
    return UploadWriter(upload, layout)


def stage_block(container: AzureContainer, key: str, block_id: str, content: integrity.Buffer) -> None:
    """Upload a block, which the server checks. It is not visible before it is committed."""
    check = partial(block_header, content, crc64=container.crc64)
    headers = container.runtime.run_in_thread(check) if len(content) > RUN_IN_THREAD_BYTES else check()
    target = container.query_target(key, {"comp": "block", "blockid": block_id})
    container.client.send(BlobPut(container, target, headers, content, key))


def commit_blocks(container: AzureContainer, key: str, ids: BlockIds, count: int,
                  headers: dict[str, str]) -> str | None:
    """Create the blob from blocks 1 to `count`. Returns the ETag."""
    body = ids.document(count)
    request = BlobPut(container, container.query_target(key, {"comp": "blocklist"}),
                      {**headers, "content-type": "application/xml", "content-md5": integrity.content_md5(body)},
                      body, key)
    try:
        etag: str | None = container.client.send(request)
    except CloudFilesError as error:
        # A repeated commit fails if an earlier attempt succeeded: the blocks are no longer
        # uncommitted, and a condition applies to our own blob, which is recognized by its blocks.
        again = isinstance(error, PreconditionFailedError) or getattr(error, "code", "") == "InvalidBlockList"
        found = list_blocks(container, key, "committed") if again and request.may_have_acted else None
        if found is None or not count or list(found.sizes) != ids.numbered(count):
            raise
        etag = found.etag
    return etag
