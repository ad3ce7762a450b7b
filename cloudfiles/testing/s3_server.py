"""An S3 server for tests, in a process of its own: keeps objects in memory, records requests, fails on request."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pickle import PicklingError
from types import TracebackType
from typing import Any, TypeVar

from cloudfiles.exceptions import InvalidInputError, MissingExtraError
from cloudfiles.testing.controlled_process import ControlledProcess
from cloudfiles.testing.http_messages import RecordedRequest
from cloudfiles.testing.rules import IncomingRequest, Rule
from cloudfiles.testing.s3_objects import StoredObject, checksum, make_object
from cloudfiles.testing.s3_settings import S3Settings
from cloudfiles.testing.server_faults import Fault

Server = TypeVar("Server", bound="S3Server")


class S3Server:
    """An S3 server on a free port of 127.0.0.1, from construction until `stop` or the end of a `with` block.

    It answers requests in path style (`/bucket/key`) and in virtual-hosted style (`Host: bucket.localhost`), and plain
    web pages (`put_page`) at all other paths. It has one bucket, named 'bucket', which is empty. It runs in a process
    of its own, which ends with this process, however that ends.

    Args:
        certificate: path of a PEM file with a private key and its certificate chain: serve HTTPS with it.
        client_ca: path of a PEM file with a certificate authority: accept clients with a certificate of it only.

    Attributes:
        url: the endpoint, such as 'http://127.0.0.1:41231'.
        port: of 127.0.0.1.
        pid: of the server's process.
        settings: the current `S3Settings`.
        bucket: the name of the bucket that is there from the start.

    Raises:
        CloudFilesError: the server's process does not start, or has ended; raised by every method.
    """

    app = "cloudfiles.testing.server_app:ServerApp"
    bucket = "bucket"
    initial_settings: Any = S3Settings()
    settings: S3Settings

    def __init__(self, certificate: str | os.PathLike[str] | None = None,
                 client_ca: str | os.PathLike[str] | None = None) -> None:
        self._process = ControlledProcess(self.app, certificate=certificate, client_ca=client_ca)
        self.port: int = self._process.facts["port"]
        self.pid = self._process.pid
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.settings = self.initial_settings
        atexit.register(self.stop)

    def __enter__(self: Server) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server's process. Safe to call twice."""
        self._process.stop()
        atexit.unregister(self.stop)

    # ---- access

    def cloudpath(self, path: str = "bucket/") -> str:
        """The cloudpath of `path`, which begins with a bucket."""
        return f"s3://{self.url}/{path}"

    @property
    def secrets(self) -> dict[str, str]:
        """Credentials, for `CloudFiles(secrets=)`. They are verified after `configure(secret_key=...)` only."""
        return {"AWS_ACCESS_KEY_ID": self.settings.access_key, "AWS_DEFAULT_REGION": self.settings.region,
                "AWS_SECRET_ACCESS_KEY": self.settings.secret_key or "secretkey1234567"}

    # ---- faults

    def fail(self, fault: Fault, *, method: str | None = None, key: str | None = None, prefix: str = "",
             query: str | None = None, skip: int = 0, times: int | None = 1, each_key: bool = False) -> None:
        """Let the next matching request meet a fault: adds a `Rule` at the end of the script.

        A request that meets the fault of an earlier rule is not counted by later ones: faults added one after the
        other are met one after the other.

        Args:
            fault: such as `slow_down()`, `Status(403)`, `ResetInBody()`, `Stall()`, `FlipBit()`.
            method, key, prefix, query, skip, times, each_key: which requests, as for `Rule`.
        """
        self._send_rules("extend_script", Rule(fault, method, key, prefix, query, skip, times, each_key))

    def script(self, *rules: Callable[[IncomingRequest], Fault | None]) -> None:
        """Replace the script: the first rule that returns a fault for a request decides.

        Args:
            rules: `Rule`, `mix(...)`, or functions of an importable module. None of them: no faults.

        Raises InvalidInputError where the server's process cannot import a function.
        """
        self._send_rules("script", *rules)

    def _send_rules(self, method: str, *rules: Callable[[IncomingRequest], Fault | None]) -> None:
        try:
            self._process.call(method, rules)
        except (PicklingError, AttributeError, ImportError, TypeError) as error:
            raise InvalidInputError("expected Rule, mix(...) or functions that can be imported from a module, got "
                                    f"{rules!r}: {error}") from error

    def drop_connections(self) -> None:
        """Close every open connection, as servers do with idle ones."""
        self._process.call("drop_connections")

    # ---- state

    def configure(self, **changes: Any) -> None:
        """Change settings; the names are those of `S3Settings`.

        Raises:
            TypeError: there is no such setting.
            MissingExtraError: `secret_key` is set, and botocore, which verifies signatures, is not installed.
        """
        if changes.get("secret_key") is not None and find_spec("botocore") is None:
            raise MissingExtraError("verifying signatures requires botocore: pip install 'cloudfiles[s3]'")
        self.settings = self._process.call("configure", changes)

    def reset(self) -> None:
        """As new: no objects, no script, initial settings, no recorded requests, no open connections."""
        self._process.call("reset")
        self.settings = self.initial_settings

    def forget(self) -> None:
        """Forget the requests recorded so far."""
        self._process.call("forget")

    def make_bucket(self, name: str) -> str:
        """Create a bucket, if there is none of this name; returns its name."""
        self._process.call("make_bucket", name)
        return name

    # ---- objects

    def put(self, key: str, content: bytes, *, bucket: str = bucket, headers: Mapping[str, str] | None = None,
            etag: str | None = None, checksums: Iterable[str] | Mapping[str, str] = ()) -> StoredObject:
        """Store an object, without a request.

        Args:
            headers: by name in lower case: content-type, content-encoding, x-amz-meta-NAME.
            etag: without quotes, in place of the md5 of the content; '' for none.
            checksums: algorithms of which to store checksums ('crc32c'), or their values, which may be wrong.
        """
        if not isinstance(checksums, Mapping):
            checksums = {name: checksum(name, content) for name in checksums}
        stored = make_object(content, dict(headers or {}), etag=etag, checksums=dict(checksums))
        self._process.call("put", bucket, {key: stored})
        return stored

    def put_many(self, contents: Mapping[str, bytes], *, bucket: str = bucket) -> None:
        """Store many objects, without requests."""
        self._process.call("put", bucket, {key: make_object(content) for key, content in contents.items()})

    def put_page(self, path: str, content: bytes, *, headers: Mapping[str, str] | None = None,
                 etag: str | None = None, checksums: Iterable[str] | Mapping[str, str] = ()) -> StoredObject:
        """Store a web page at `url`/`path`, for clients that do not sign; the arguments are those of `put`."""
        return self.put(path, content, bucket="", headers=headers, etag=etag, checksums=checksums)

    def get(self, key: str, *, bucket: str = bucket) -> StoredObject | None:
        """The object as it is stored, None if there is none."""
        found: StoredObject | None = self._process.call("get", bucket, key)
        return found

    def contents(self, *, bucket: str = bucket) -> dict[str, bytes]:
        """The contents of all objects of a bucket, by key."""
        objects: dict[str, StoredObject] = self._process.call("objects", bucket)
        return {key: stored.content for key, stored in objects.items()}

    def uploads(self, *, bucket: str = bucket) -> list[str]:
        """The keys of multipart uploads that are neither complete nor aborted."""
        keys: list[str] = self._process.call("uploads", bucket)
        return keys

    # ---- record

    def requests(self, method: str | None = None, key: str | None = None) -> list[RecordedRequest]:
        """The requests since the start or the last `reset` or `forget`, in the order of their arrival.

        Args:
            method, key: only requests with these.
        """
        recorded: list[RecordedRequest] = self._process.call("requests")
        return sorted((request for request in recorded
                       if method in (None, request.method) and key in (None, request.key)),
                      key=lambda request: request.n)

    def connections(self) -> tuple[int, int]:
        """The number of connections opened so far, and of those open now."""
        opened, still_open = self._process.call("connections")
        return opened, still_open
