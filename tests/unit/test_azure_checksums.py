"""Azure's CRC64 against what the service itself has answered, and against Microsoft's library."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles import integrity
from cloudfiles.exceptions import IntegrityError
from cloudfiles.interfaces.azure.objects import check_range, crc64_of

pytestmark = pytest.mark.skipif(not integrity.is_available("crc64nvme"), reason="awscrt is not installed")

# `x-ms-content-crc64` as Azure answered it to Put Blob (x-ms-version 2019-12-12) and Put Page (2019-07-07): recorded in
# the repository Azure/azure-sdk-for-js, sdk/storage/storage-blob/recordings.
RECORDED = {b"Hello World": "YeJLfssylmU=", b"a" * 512: "u661BimQ84c=", b"b" * 1024: "pK+ypU+jreM="}


@pytest.mark.parametrize("content", RECORDED)
def test_what_the_service_has_answered(content: bytes) -> None:
    assert crc64_of(content) == RECORDED[content]
    check_range(content, RECORDED[content], "key")
    with pytest.raises(IntegrityError, match="crc64"):
        check_range(content[:-1] + b"?", RECORDED[content], "key")


def test_the_polynomial_by_definition() -> None:
    """The one that Microsoft's Azure SDK for Go names, CRC64Polynomial in its structured messages, little endian."""
    crc = 0xFFFF_FFFF_FFFF_FFFF
    for byte in b"123456789":
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    value = crc ^ 0xFFFF_FFFF_FFFF_FFFF
    assert value == 0xAE8B14860A799888
    assert crc64_of(b"123456789") == b64encode(value.to_bytes(8, "little")).decode()


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_the_vendors_library(content: bytes) -> None:
    crc64 = pytest.importorskip("azure.storage.extensions.checksums").crc64
    assert crc64_of(content) == b64encode(crc64.compute(content, 0).to_bytes(8, "little")).decode()
