"""s3fs, gcsfs, adlfs: with their own batch functions if available, 20 requests at a time."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

from benchmarks.clients.base import Client, Items, Target


class _Fsspec(Client):
    """One file system object without a directory cache; `cat`, `pipe`, `find`, `rm` in bulk."""

    fs: Any

    def setup(self, target: Target) -> None:
        self.root = f"{target.bucket}/{target.prefix}/"
        self.batch = {"batch_size": target.connections} if target.connections else {}
        self.fs = self.open(target)

    def open(self, target: Target) -> Any:
        """The file system."""
        raise NotImplementedError

    def _paths(self, keys: Sequence[str]) -> list[str]:
        return [self.root + key for key in keys]

    def get(self, keys: Sequence[str]) -> list[bytes]:
        paths = self._paths(keys)
        found = self.fs.cat(paths, **self.batch)
        return [found[path] for path in paths]

    def get_decoded(self, keys: Sequence[str]) -> list[bytes]:
        return [gzip.decompress(content) for content in self.get(keys)]

    def put(self, items: Items) -> None:
        self.fs.pipe({self.root + key: content for key, content in items}, **self.batch)

    def exists(self, keys: Sequence[str]) -> list[bool]:
        from fsspec.asyn import _run_coros_in_chunks, sync

        checks = [self.fs._exists(path) for path in self._paths(keys)]
        found: list[bool] = sync(self.fs.loop, _run_coros_in_chunks, checks, **self.batch)
        return found

    def list(self) -> list[str]:
        return list(self.fs.find(self.root))

    def delete(self, keys: Sequence[str]) -> None:
        self.fs.rm(self._paths(keys))

    def get_big(self, key: str) -> bytes:
        content: bytes = self.fs.cat_file(self.root + key)
        return content

    def put_big(self, key: str, content: bytes) -> None:
        self.fs.pipe_file(self.root + key, content)


class S3fs(_Fsspec):
    name = "s3fs"
    needs = ("s3fs",)
    width = 10  # connections of its pool
    statement = "import s3fs"

    def open(self, target: Target) -> Any:
        import s3fs

        config = {"max_pool_connections": target.connections, "s3": {"addressing_style": "path"},
                  "request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        if target.connections is None:
            config = {}
        client: dict[str, Any] = {"region_name": target.region}
        if target.ca_file:
            client["verify"] = target.ca_file
        fs = s3fs.S3FileSystem(key=target.access_key, secret=target.secret_key, endpoint_url=target.endpoint,
                               config_kwargs=config, client_kwargs=client, use_listings_cache=False)
        fs.connect()  # reads the descriptions of the service, which a client of boto3 does when it is made
        return fs


class Gcsfs(_Fsspec):
    name = "gcsfs"
    needs = ("gcsfs",)
    schemes = frozenset({"gs"})
    statement = "import gcsfs"

    def open(self, target: Target) -> Any:
        from gcsfs.core import GCSFileSystem  # the top-level class queries Google's gRPC service about each bucket
        from google.oauth2.credentials import Credentials

        return GCSFileSystem(project=target.bucket, token=Credentials(target.access_key),
                             endpoint_url=target.endpoint, use_listings_cache=False)


class Adlfs(_Fsspec):
    name = "adlfs"
    needs = ("adlfs",)
    schemes = frozenset({"az"})
    statement = "import adlfs"

    def open(self, target: Target) -> Any:
        import adlfs

        known = (f"DefaultEndpointsProtocol=http;AccountName={target.access_key};AccountKey={target.secret_key};"
                 f"BlobEndpoint={target.endpoint};")
        return adlfs.AzureBlobFileSystem(connection_string=known, max_concurrency=target.connections,
                                         use_listings_cache=False)
