"""azure-storage-blob: one call per key on 20 threads."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients.base import Items, Target, ThreadedClient


class Azure(ThreadedClient):
    """One client shared by the threads, with a pool of the same size."""

    name = "azure-storage-blob, 20 threads"
    needs = ("azure.storage.blob",)
    schemes = frozenset({"az"})
    statement = "import azure.storage.blob"

    def setup(self, target: Target) -> None:
        import requests
        from azure.core.pipeline.transport import RequestsTransport
        from azure.storage.blob import ContainerClient
        from requests.adapters import HTTPAdapter

        self.start(target)
        self.target = target
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=target.connections))
        self.container = ContainerClient(
            target.endpoint, target.bucket, transport=RequestsTransport(session=session, session_owner=False),
            credential={"account_name": target.access_key, "account_key": target.secret_key}, retry_total=2)

    def _get(self, key: str) -> bytes:
        content: bytes = self.container.download_blob(self.target.key(key)).readall()
        return content

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return self.each(self._get, keys)

    def _put(self, item: tuple[str, bytes]) -> None:
        self.container.upload_blob(self.target.key(item[0]), item[1], overwrite=True)

    def put(self, items: Items) -> None:
        self.each(self._put, items)

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return self.each(lambda key: self.container.get_blob_client(self.target.key(key)).exists(), keys)

    def list(self) -> list[str]:
        return list(self.container.list_blob_names(name_starts_with=self.target.prefix + "/"))
