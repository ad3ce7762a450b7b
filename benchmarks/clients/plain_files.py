"""`open()` in a loop: the cost of local files without any library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.clients.base import Client, Items, Target


class Loop(Client):
    name = "open() loop"
    remote = False
    on_disk = True

    def setup(self, target: Target) -> None:
        self.root = target.directory + "/"
        Path(self.root).mkdir(parents=True, exist_ok=True)

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return [self._read(key) for key in keys]

    def _read(self, key: str) -> bytes:
        with open(self.root + key, "rb") as file:
            return file.read()

    def put(self, items: Items) -> None:
        for key, content in items:
            with open(self.root + key, "wb") as file:
                file.write(content)
