"""The places that files are moved between elsewhere are those of the awaitable twins too."""

from __future__ import annotations

from tests.transfer.conftest import known, server, store

__all__ = ["known", "server", "store"]
