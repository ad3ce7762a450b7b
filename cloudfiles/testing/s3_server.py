"""A scripted HTTP/1.1 and S3 server in a process of its own: holds objects, records requests, misbehaves on request.

    with S3Server() as server:
        server.put("a", b"content")
        server.script(Rule(slow_down(), key="a"), mix(7, FLAKY))
        ...
        assert [r.status for r in server.requests(key="a")] == [503, 200]

S3 is at `server.url`, path-style (`/bucket/key`) or virtual-hosted (`Host: bucket.localhost`), with the bucket
`server.bucket` there from the start. Other paths are plain web pages, see `put_page`.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from cloudfiles.testing.controlled_process import ControlledProcess
from cloudfiles.testing.http_messages import RecordedRequest, S3Settings
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.testing.s3_objects import StoredObject, checksum, make_object
from cloudfiles.testing.server_faults import Fault


class S3Server:
    """The test's hold on the server.

    Args:
        certificate: path of a PEM file with a private key and its certificate chain: serve HTTPS with it.
        client_ca: path of a PEM file with a certificate authority: refuse clients that present no certificate of it.
    """

    app = "cloudfiles.testing.server_app:ServerApp"
    bucket = "bucket"

    def __init__(self, certificate: str | os.PathLike[str] | None = None,
                 client_ca: str | os.PathLike[str] | None = None) -> None:
        self._process = ControlledProcess(self.app, certificate=certificate, client_ca=client_ca)
        self.port: int = self._process.facts["port"]
        self.pid = self._process.pid
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.settings = S3Settings()
        atexit.register(self.stop)

    def __enter__(self) -> S3Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.stop()
        atexit.unregister(self.stop)

    # ---- what it does

    def script(self, *rules: Callable[[IncomingRequest], Fault | None]) -> None:
        """What happens to requests from now on: `Rule`, `mix(...)`, or functions of a test module's top level."""
        self._process.call("script", rules)

    def configure(self, **changes: Any) -> None:
        """Change fields of `Settings`."""
        self.settings = self._process.call("configure", changes)

    def reset(self) -> None:
        """As new: no objects, no script, no settings, no record, no open connection."""
        self._process.call("reset")
        self.settings = S3Settings()

    def forget(self) -> None:
        """Forget the requests seen so far."""
        self._process.call("forget")

    def drop_connections(self) -> None:
        """Close every open connection, as a server does with idle ones."""
        self._process.call("drop_connections")

    # ---- what it holds

    @property
    def secrets(self) -> dict[str, str]:
        """Credentials as a secrets file has them. They are checked once `configure(secret_key=...)` was called."""
        return {"AWS_ACCESS_KEY_ID": self.settings.access_key, "AWS_DEFAULT_REGION": self.settings.region,
                "AWS_SECRET_ACCESS_KEY": self.settings.secret_key or "secretkey1234567"}

    def put(self, key: str, content: bytes, *, bucket: str = bucket, headers: Mapping[str, str] | None = None,
            etag: str | None = None, checksums: Iterable[str] | Mapping[str, str] = ()) -> StoredObject:
        """Store an object.

        Args:
            headers: entity headers by lower case name (`content-type`, `content-encoding`, `x-amz-meta-*`).
            etag: another than the md5 of the content; '' for none.
            checksums: algorithms to compute ('crc32c'), or a mapping to values, which may be wrong on purpose.
        """
        if not isinstance(checksums, Mapping):
            checksums = {name: checksum(name, content) for name in checksums}
        stored = make_object(content, dict(headers or {}), etag=etag, checksums=dict(checksums))
        self._process.call("put", bucket, {key: stored})
        return stored

    def put_many(self, contents: Mapping[str, bytes], *, bucket: str = bucket) -> None:
        """Store many plain objects at once."""
        self._process.call("put", bucket, {key: make_object(content) for key, content in contents.items()})

    def put_page(self, path: str, content: bytes, **more: Any) -> StoredObject:
        """Store a plain web page at `url`/`path`: no bucket, and errors are not XML."""
        return self.put(path, content, bucket="", **more)

    def get(self, key: str, *, bucket: str = bucket) -> StoredObject | None:
        found: StoredObject | None = self._process.call("get", bucket, key)
        return found

    def contents(self, *, bucket: str = bucket) -> dict[str, bytes]:
        """Everything a bucket holds."""
        objects: dict[str, StoredObject] = self._process.call("objects", bucket)
        return {key: stored.content for key, stored in objects.items()}

    def uploads(self, *, bucket: str = bucket) -> list[str]:
        """The keys of multipart uploads that are neither complete nor aborted."""
        keys: list[str] = self._process.call("uploads", bucket)
        return keys

    def make_bucket(self, name: str) -> str:
        self._process.call("make_bucket", name)
        return name

    # ---- what it saw

    def requests(self, method: str | None = None, key: str | None = None) -> list[RecordedRequest]:
        """The requests answered since the start or the last `reset` or `forget`, in the order of their arrival."""
        recorded: list[RecordedRequest] = self._process.call("requests")
        return sorted((r for r in recorded if method in (None, r.method) and key in (None, r.key)),
                      key=lambda r: r.n)

    def connections(self) -> tuple[int, int]:
        """Connections opened so far, and those open now."""
        opened, still_open = self._process.call("connections")
        return opened, still_open
