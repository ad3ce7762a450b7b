"""General-purpose HTTP clients, without signatures: the cost of the exchange alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.clients.base import Client, Items, Target, ThreadedClient


class Urllib3(ThreadedClient):
    name = "urllib3, 20 threads"
    needs = ("urllib3",)
    statement = "import urllib3"
    signs = False

    def setup(self, target: Target) -> None:
        import urllib3

        self.start(target)
        parts = urlsplit(target.base_url)
        self.path = parts.path + "/"
        secure = {"ca_certs": target.ca_file} if target.ca_file else {}
        self.http = urllib3.connection_from_url(target.endpoint, maxsize=target.connections, block=True, **secure)

    def _request(self, method: str, key: str, body: bytes | None = None) -> Any:
        answer = self.http.urlopen(method, self.path + key, body, retries=False)
        if answer.status // 100 != 2:
            raise RuntimeError(f"{method} {key}: status {answer.status}")
        return answer

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return self.each(lambda key: self._request("GET", key).data, keys)

    def get_decoded(self, keys: Sequence[str]) -> list[bytes]:
        return self.get(keys)  # it decodes the Content-Encoding

    def put(self, items: Items) -> None:
        self.each(lambda item: self._request("PUT", *item), items)

    def get_big(self, key: str) -> bytes:
        content: bytes = self._request("GET", key).data
        return content


class Geventhttpclient(Client):
    name = "geventhttpclient"
    needs = ("geventhttpclient",)
    statement = "import geventhttpclient"
    signs = False

    def setup(self, target: Target) -> None:
        from gevent.pool import Pool
        from geventhttpclient import HTTPClient

        self.path = urlsplit(target.base_url).path + "/"
        secure = {"ssl_options": {"ca_certs": target.ca_file}} if target.ca_file else {}
        self.http = HTTPClient.from_url(target.endpoint, concurrency=target.connections, network_timeout=60, **secure)
        self.pool = Pool(target.connections)

    def _request(self, method: str, key: str, body: bytes = b"") -> bytes:
        answer = self.http.request(method, self.path + key, body)
        content = bytes(answer.read())
        if answer.status_code // 100 != 2:
            raise RuntimeError(f"{method} {key}: status {answer.status_code}")
        return content

    def get(self, keys: Sequence[str]) -> list[bytes]:
        return list(self.pool.map(lambda key: self._request("GET", key), keys))

    def put(self, items: Items) -> None:
        self.pool.map(lambda item: self._request("PUT", *item), items)

    def get_big(self, key: str) -> bytes:
        return self._request("GET", key)
