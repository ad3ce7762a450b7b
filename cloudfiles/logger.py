"""The logger of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger


def logger() -> Logger:
    """The logger "cloudfiles". `logging` is imported when there is something to log, as most programs never log."""
    from logging import getLogger

    return getLogger("cloudfiles")
