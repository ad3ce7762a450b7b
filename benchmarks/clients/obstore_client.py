"""obstore (object_store in Rust): its blocking calls on 20 threads, and its asyncio calls."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.clients.base import FIRST_OBJECT, FIRST_OBJECT_TLS, AsyncClient, Client, Items, Target, ThreadedClient


def open_store(target: Target) -> Any:
    """The store at the prefix; certificates are found through SSL_CERT_FILE."""
    from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

    if target.local:
        return LocalStore(target.directory, mkdir=True)
    common: dict[str, Any] = {"client_options": {"allow_http": True}, "prefix": target.prefix}
    if target.connections:
        common["client_options"]["timeout"] = timedelta(seconds=60)
        common["retry_config"] = {"max_retries": 2}
    if target.scheme == "gs":
        return GCSStore(target.bucket, base_url=target.endpoint, bearer_token=target.access_key, **common)
    if target.scheme == "az":
        return AzureStore(target.bucket, endpoint=target.endpoint, account_name=target.access_key,
                          account_key=target.secret_key, **common)
    return S3Store(target.bucket, endpoint=target.endpoint, region=target.region, access_key_id=target.access_key,
                   secret_access_key=target.secret_key, virtual_hosted_style_request=False, **common)


class _Obstore(Client):
    needs = ("obstore",)
    on_disk = True
    schemes = frozenset({"s3", "gs", "az"})
    store: Any

    def list(self) -> list[str]:
        return [meta["path"] for page in self.store.list(chunk_size=1000) for meta in page]

    def delete(self, keys: Sequence[str]) -> None:
        self.store.delete(list(keys))

    def get_big(self, key: str) -> Any:
        return self.store.get(key).bytes()

    def put_big(self, key: str, content: bytes) -> None:
        self.store.put(key, content)


class Threads(_Obstore, ThreadedClient):
    name = "obstore, 20 threads"
    width = 20
    statement = "import obstore.store"
    starts: ClassVar[Mapping[str, str]] = {
        label: f"from obstore.store import S3Store; S3Store('{{bucket}}', endpoint='{{{endpoint}}}', "
               "client_options={{'allow_http': True}}).get('{key}').bytes()"
        for label, endpoint in ((FIRST_OBJECT, "endpoint"), (FIRST_OBJECT_TLS, "tls_endpoint"))}

    def setup(self, target: Target) -> None:
        self.store = open_store(target)
        self.scratch = target.scratch
        self.start(target)

    def _get(self, key: str) -> Any:
        return self.store.get(key).bytes()

    def get(self, keys: Sequence[str]) -> Any:
        return self.each(self._get, keys)

    def get_decoded(self, keys: Sequence[str]) -> Any:
        return self.each(lambda key: gzip.decompress(self._get(key)), keys)

    def _download(self, key: str) -> None:
        with open(f"{self.scratch}/fetched/{key}", "wb") as file:
            for piece in self.store.get(key):
                file.write(piece)

    def download(self, keys: Sequence[str]) -> None:
        self.each(self._download, keys)

    def upload(self, keys: Sequence[str]) -> None:
        self.each(lambda key: self.store.put(key, Path(f"{self.scratch}/source/{key}")), keys)

    def copy_tree(self, keys: Sequence[str]) -> None:
        from obstore.store import LocalStore

        fetched = LocalStore(f"{self.scratch}/fetched")
        self.each(lambda key: fetched.put(key, Path(f"{self.scratch}/source/{key}")), keys)

    def copy_within(self, keys: Sequence[str]) -> None:
        self.each(lambda key: self.store.copy(key, f"copies/{key}"), keys)

    def _put(self, item: tuple[str, bytes]) -> None:
        self.store.put(item[0], item[1], use_multipart=False)

    def put(self, items: Items) -> None:
        self.each(self._put, items)

    def _exists(self, key: str) -> bool:
        try:
            self.store.head(key)
        except FileNotFoundError:
            return False
        return True

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return self.each(self._exists, keys)


class Async(_Obstore, AsyncClient):
    name = "obstore, asyncio"
    hides = frozenset({"list", "delete", "get_big", "put_big"})  # the same calls as on threads

    def setup(self, target: Target) -> None:
        self.store = open_store(target)
        self.start(target)

    async def _get(self, key: str) -> Any:
        return await (await self.store.get_async(key)).bytes_async()

    def get(self, keys: Sequence[str]) -> Any:
        return self.each(self._get, keys)

    async def _get_decoded(self, key: str) -> bytes:
        return gzip.decompress(await self._get(key))

    def get_decoded(self, keys: Sequence[str]) -> Any:
        return self.each(self._get_decoded, keys)

    async def _put(self, item: tuple[str, bytes]) -> None:
        await self.store.put_async(item[0], item[1], use_multipart=False)

    def put(self, items: Items) -> None:
        self.each(self._put, items)

    async def _exists(self, key: str) -> bool:
        try:
            await self.store.head_async(key)
        except FileNotFoundError:
            return False
        return True

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return self.each(self._exists, keys)


class Gather(Async):
    """`asyncio.gather` of all calls at once: nothing limits their number by default."""

    name = "obstore, asyncio.gather"
    equal = False
    note = "every request at once, each on its own connection"
