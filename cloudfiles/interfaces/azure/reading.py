"""Reading a blob and its properties. Directories of a hierarchical namespace are no objects.

Byte ranges are asked for by Range, which Azure takes as well as its own x-ms-range, and signs.

Source: Azure Storage REST reference, "Get Blob", "Get Blob Properties"; Data Lake Storage documentation, "Known issues"
(a directory shows on the Blob endpoint as an empty blob with the metadata hdi_isfolder).
"""

from __future__ import annotations

from typing import Any

from cloudfiles.interfaces.azure.checksums import HEADER, check_range
from cloudfiles.interfaces.bounded_read import BoundedRead
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead, head_from_headers
from cloudfiles.transport.request import Response
from cloudfiles.types import StoredObject


def is_directory(headers: dict[str, str]) -> bool:
    return headers.get("x-ms-resource-type") == "directory" or headers.get("x-ms-meta-hdi_isfolder") == "true"


class BlobRead(ObjectRead):
    """A GET of a blob, or a byte range of it."""

    __slots__ = ()

    def accept(self, response: Response) -> StoredObject | None:
        if response.status == 206:
            return self._checked(response)
        if not response.content and response.status == 200 and is_directory(response.headers):
            return None
        return super().accept(response)

    def _checked(self, response: Response) -> StoredObject | None:
        """A part, checked by itself where its CRC64 was asked for."""
        crc64 = response.headers.get(HEADER)
        if crc64 is not None:
            check_range(response.content, crc64, self.path)
        stored = super().accept(response)
        if crc64 is not None and stored is not None and stored.content is response.content:
            stored.verified = "crc64nvme"
        return stored


class BlobBoundedRead(BlobRead, BoundedRead):
    """A GET of a whole blob of at most so many bytes, with its headers. `Client.send` raises BodyTooLargeError."""

    __slots__ = ()


class BlobHead(ObjectHead):
    """A HEAD of a blob; gives the headers, None where it is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str] | None:
        headers = super().accept(response)
        return None if headers is None or is_directory(headers) else headers


def head_of_blob(headers: dict[str, str]) -> dict[str, Any]:
    """An answer's headers as the fields of `types.HEAD_FIELDS`."""
    head = head_from_headers(headers)
    head["Storage-Class"] = headers.get("x-ms-access-tier")
    return head
