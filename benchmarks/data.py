"""The objects of the benchmarks: every body is determined by the last digits of its key.

There are `VARIANTS` bodies per size, so that a response for another key is detected, and bodies can be
checked without keeping a second copy of the data.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

BLOCK = 1 << 20  # larger bodies are numbered repeats of a block
VARIANTS = 13  # shares no factor with 20 connections, so neighbors in time have different bodies


def names(count: int, start: int = 0) -> list[str]:
    """`count` object names, in the order of a listing."""
    return [f"{i:07d}" for i in range(start, start + count)]


def grouped(count: int) -> list[str]:
    """Names whose directory determines the body, for servers that send one digest per directory."""
    return [f"{i % VARIANTS:02d}/{i:07d}" for i in range(count)]


def number(key: str) -> int:
    """The number at the end of a key."""
    return int(key[-7:])


@lru_cache(maxsize=16 * VARIANTS)
def _variant(size: int, variant: int) -> bytes:
    return b"".join(_pieces(size, variant))


def _pieces(size: int, variant: int) -> Iterator[bytes]:
    block = random.Random(size * VARIANTS + variant).randbytes(min(size, BLOCK))
    if size <= BLOCK:
        yield block
        return
    for at in range(0, size, BLOCK):
        yield ((at // BLOCK).to_bytes(4, "big") + block[4:])[:size - at]


def body(key: str, size: int) -> bytes:
    """The `size` bytes stored under `key`."""
    return _variant(size, number(key) % VARIANTS)


def pieces(key: str, size: int) -> Iterator[bytes]:
    """`body(key, size)` in pieces."""
    return _pieces(size, number(key) % VARIANTS)


@lru_cache(maxsize=VARIANTS)
def _document(size: int, variant: int) -> bytes:
    source = random.Random(variant)
    rows: list[dict[str, Any]] = []
    while len(rows) * 90 < size:
        position = [round(source.uniform(0, 4096), 2) for _ in range(3)]
        rows.append({"id": source.getrandbits(40), "label": f"cell {source.randrange(5000)}", "xyz": position,
                     "checked": bool(source.randrange(2))})
    return json.dumps(rows).encode()


def document(key: str, size: int) -> bytes:
    """About `size` bytes of JSON that belong to `key`."""
    return _document(size, number(key) % VARIANTS)


@lru_cache(maxsize=VARIANTS)
def _zipped(size: int, variant: int) -> bytes:
    return gzip.compress(_document(size, variant), mtime=0)


def zipped_document(key: str, size: int) -> bytes:
    """`document(key, size)` as gzip."""
    return _zipped(size, number(key) % VARIANTS)


def write_tree(directory: Path, keys: list[str], content: Callable[[str], Iterable[bytes]]) -> None:
    """Write the objects as files, except those that already exist."""
    for parent in {(directory / key).parent for key in keys}:
        parent.mkdir(parents=True, exist_ok=True)
    for key in keys:
        path = directory / key
        if not path.exists():
            with open(path, "wb") as file:
                file.writelines(content(key))
