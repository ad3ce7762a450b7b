"""Sizes and times as people read them, and objects as lines of JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click


def human_size(size: int) -> str:
    """`size` bytes with three digits: `1.5 KiB`, `312 MiB`.

    >>> human_size(9), human_size(1536), human_size(327155712)
    ('9 B', '1.5 KiB', '312 MiB')
    """
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        if value < 1023.5 or unit == "PiB":
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def shown_size(size: int | None, human: bool) -> str:
    """A size as a column; '-' if it is unknown."""
    return "-" if size is None else human_size(size) if human else str(size)


def shown_time(modified: str | None) -> str:
    """A time of any store in local time: `2026-11-21 13:37:02`; '-' if it is unknown."""
    from cloudfiles.transfer.compare import when  # here, as not every command shows times

    seconds = when(modified)
    return "-" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def print_line(text: str) -> None:
    """A line of standard output. `click.echo`, which flushes each line, takes ten times as long."""
    sys.stdout.write(text + "\n")


json_lines_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


def print_json(**fields: Any) -> None:
    """One object on a line of its own."""
    print_line(json_line(fields))


def json_line(fields: dict[str, Any]) -> str:
    r"""An object of JSON in one line, of valid text: names of files that are not UTF-8 are shown by escapes.

    >>> json_line({"path": "a\udcff"})
    '{"path": "a\\udcff"}'
    """
    return json.dumps(fields, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace").decode()
