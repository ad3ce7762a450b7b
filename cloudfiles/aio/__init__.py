"""Awaitable twins, for asyncio (and uvloop): `AsyncCloudFiles`."""

from __future__ import annotations

from cloudfiles.aio.cloudfiles import AsyncCloudFiles

__all__ = ["AsyncCloudFiles"]
