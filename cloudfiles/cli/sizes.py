"""Sizes and durations as text, such as `4KiB` and `7d`."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"([0-9]+)\s*([A-Za-z]*)")


def parse_size(text: str) -> int:
    """`text` in bytes: `4096`, `4KiB`, `1 MB`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError(f"expected a size such as 4096, 4KiB, 1MiB or 1MB, got {text!r}")
    return int(match[1]) * _UNITS[match[2].upper()]


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_duration(text: str, *, allows_seconds: bool = True) -> float:
    """`text` in seconds: `900`, `15m`, `12h`, `7d`, `2w`. Raises ValueError.

    allows_seconds: a number without a unit is a number of seconds, otherwise an error.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not (match[2] or allows_seconds):
        raise ValueError(f"expected a time such as {'900' if allows_seconds else '900s'}, 15m, 12h or 7d, got {text!r}")
    return float(match[1]) * _SECONDS[match[2]]


def format_size(size: int) -> str:
    """`size` bytes in the largest binary unit that divides it: `4 KiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        factor = _UNITS[unit.upper()]
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


class SizeType(click.ParamType[Any]):
    """A size of at least `least` bytes as the value of an option."""

    name = "size"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            size = parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size < self._least:
            self.fail(f"expected at least {self._least} bytes, got {value}", param, ctx)
        return size
