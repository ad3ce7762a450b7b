"""This package, through its facade: green threads, and OS threads."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from benchmarks.clients.base import Client, Items, Target


class Green(Client):
    """`CloudFiles(...)` with `green=True`."""

    name = "cloudfiles"
    needs: ClassVar[tuple[str, ...]] = ()
    statement: ClassVar[str | None] = "import cloudfiles"
    on_disk = True
    green: ClassVar[bool] = True

    def setup(self, target: Target) -> None:
        sys.path.insert(0, target.project)
        from cloudfiles import CloudFiles  # type: ignore[attr-defined, unused-ignore]

        self.scratch = target.scratch
        self.folder = CloudFiles
        path = f"file://{target.directory}" if target.local else f"s3://{target.base_url}"
        secrets = {"AWS_ACCESS_KEY_ID": target.access_key, "AWS_SECRET_ACCESS_KEY": target.secret_key,
                   "AWS_DEFAULT_REGION": target.region}
        self.store = CloudFiles(path, green=self.green, num_threads=target.connections,
                                secrets=None if target.local else secrets)

    def get(self, keys: Sequence[str]) -> Any:
        return self.store.get(keys, raw=True)

    def get_decoded(self, keys: Sequence[str]) -> Any:
        return self.store.get(keys)

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        return (record["content"] for record in result)

    def put(self, items: Items) -> None:
        self.store.puts(items)

    def exists(self, keys: Sequence[str]) -> list[bool]:
        found = self.store.exists(keys)
        return [found[key] for key in keys]

    def list(self) -> list[str]:
        return list(self.store.list())

    def delete(self, keys: Sequence[str]) -> None:
        self.store.delete(keys)

    def get_big(self, key: str) -> Any:
        return self.store.get(key, raw=True)

    def put_big(self, key: str, content: bytes) -> None:
        self.store.put(key, content)

    def download(self, keys: Sequence[str]) -> None:
        self.store.transfer_to(f"file://{self.scratch}/fetched", keys)

    def upload(self, keys: Sequence[str]) -> None:
        self.store.transfer_from(f"file://{self.scratch}/source", keys)

    def copy_within(self, keys: Sequence[str]) -> None:
        self.store.transfer_to(self.store, [{"path": key, "dest_path": f"copies/{key}"} for key in keys])

    def copy_tree(self, keys: Sequence[str]) -> None:
        self.folder(f"file://{self.scratch}/source").transfer_to(f"file://{self.scratch}/fetched", keys)

    def stream(self, keys: Iterable[str]) -> Iterable[Any]:
        return (record["content"] for record in self.store.stream(keys))


class Threads(Green):
    """`CloudFiles(...)` with `green=False`."""

    name = "cloudfiles, threads"
    statement = None
    green = False
