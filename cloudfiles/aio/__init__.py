"""Awaitable twins, for asyncio (and uvloop): `AsyncCloudFiles`, `download_file`, `upload_file`."""

from __future__ import annotations

from cloudfiles.aio.async_cloudfiles import AsyncCloudFiles
from cloudfiles.aio.async_datalake import AsyncDataLake
from cloudfiles.aio.files import download_file, download_fileobj, upload_file, upload_fileobj

__all__ = ["AsyncCloudFiles", "AsyncDataLake", "download_file", "download_fileobj", "upload_file", "upload_fileobj"]
