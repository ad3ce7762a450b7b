"""Writes to the logger "cloudfiles".

`logging` is imported when there is a warning to log, as most programs never log anything.
"""

from __future__ import annotations

import sys


def debug(message: str, *values: object) -> None:
    _log_if_used("debug", message, *values)


def info(message: str, *values: object) -> None:
    _log_if_used("info", message, *values)


def warning(message: str, *values: object) -> None:
    try:
        from logging import getLogger
    except OSError:  # no descriptor is left to read the module with
        return
    getLogger("cloudfiles").warning(message, *values)


def _log_if_used(level: str, message: str, *values: object) -> None:
    """Log if the program has imported `logging`; otherwise it cannot have asked for messages of this level."""
    logging = sys.modules.get("logging")
    if logging is not None:
        getattr(logging.getLogger("cloudfiles"), level)(message, *values)
