"""The asyncio API, which also works with uvloop: `AsyncCloudFiles`, `download_file`, `upload_file`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudfiles.aio.async_cloudfiles import AsyncCloudFiles
from cloudfiles.aio.files import download_file, download_fileobj, upload_file, upload_fileobj

if TYPE_CHECKING:
    from cloudfiles.aio.async_datalake import AsyncDataLake

__all__ = ["AsyncCloudFiles", "AsyncDataLake", "download_file", "download_fileobj", "upload_file", "upload_fileobj"]


def __getattr__(name: str) -> Any:
    if name == "AsyncDataLake":  # imports the protocol of Azure
        from cloudfiles.aio.async_datalake import AsyncDataLake

        return AsyncDataLake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
