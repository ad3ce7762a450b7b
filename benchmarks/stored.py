"""What a server has stored, read independently of the client: as files, or by plain GETs without credentials."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.clients.base import Target

Read = Callable[[str], bytes | None]


@contextmanager
def held(target: Target) -> Iterator[Read]:
    """A function that returns the content of a key, or None."""
    if target.shows_files:
        yield lambda key: _file(Path(target.directory) / key)
        return
    parts = urlsplit(target.base_url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        yield lambda key: _answer(connection, f"{parts.path}/{key}")
    finally:
        connection.close()


def _file(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _answer(connection: http.client.HTTPConnection, path: str) -> bytes | None:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status not in (200, 404):
        raise OSError(f"GET {path}: status {answer.status}")
    return content if answer.status == 200 else None
