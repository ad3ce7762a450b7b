"""Azure's CRC64 of what is on its way: of a block that is uploaded, and of a byte range that is read.

It is the CRC-64/NVME, little endian: the polynomial is in Microsoft's own libraries (azure-storage-extensions for
Python, CRC64Polynomial of the Azure SDK for Go), and the service's recorded answers say the same. The headers are in
the Azure Storage REST reference, "Put Block" and "Get Blob". A thirtieth of what an md5 costs.
"""

from __future__ import annotations

from base64 import b64encode

from cloudfiles import integrity
from cloudfiles.exceptions import IntegrityError

HEADER = "x-ms-content-crc64"
ASK = "x-ms-range-get-content-crc64"
MAX_RANGE = 4 << 20
"""Bytes of a range of which Azure computes it."""


def crc64_of(content: integrity.Buffer) -> str:
    """The header's value.

    >>> crc64_of(b"123456789")
    'iJh5CoYUi64='
    """
    crc = integrity.hasher("crc64nvme")
    crc.update(content)
    return b64encode(crc.digest()[::-1]).decode("ascii")


def block_header(content: integrity.Buffer, *, crc64: bool) -> dict[str, str]:
    """The header by which the server checks a block."""
    return {HEADER: crc64_of(content)} if crc64 else {"content-md5": integrity.content_md5(content)}


def check_range(content: bytes, sent: str, path: str | None) -> None:
    """Raise IntegrityError where a body is not what the answer's CRC64 is of."""
    got = crc64_of(content)
    if got != sent:
        raise IntegrityError(f"crc64 mismatch: the {len(content)} bytes received have {got}, the response says {sent}",
                             path=path)
