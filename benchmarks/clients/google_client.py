"""google-cloud-storage: one call per key on 20 threads."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients.base import Items, Target, ThreadedClient


class Google(ThreadedClient):
    """One client shared by the threads, with a pool of the same size."""

    name = "google-cloud-storage, 20 threads"
    needs = ("google.cloud.storage",)
    schemes = frozenset({"gs"})
    statement = "import google.cloud.storage"

    def setup(self, target: Target) -> None:
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud import storage
        from google.oauth2.credentials import Credentials
        from requests.adapters import HTTPAdapter

        self.start(target)
        self.target = target
        session = AuthorizedSession(Credentials(target.access_key))
        session.mount("http://", HTTPAdapter(pool_maxsize=target.connections))
        client = storage.Client(project=target.bucket, credentials=session.credentials, _http=session,
                                client_options={"api_endpoint": target.endpoint})
        self.bucket = client.bucket(target.bucket)

    def _get(self, key: str) -> bytes:
        content: bytes = self.bucket.blob(self.target.key(key)).download_as_bytes()
        return content

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return self.each(self._get, keys)

    def _put(self, item: tuple[str, bytes]) -> None:
        self.bucket.blob(self.target.key(item[0])).upload_from_string(item[1])

    def put(self, items: Items) -> None:
        self.each(self._put, items)

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return self.each(lambda key: self.bucket.blob(self.target.key(key)).exists(), keys)

    def list(self) -> list[str]:
        return [blob.name for blob in self.bucket.list_blobs(prefix=self.target.prefix + "/")]
