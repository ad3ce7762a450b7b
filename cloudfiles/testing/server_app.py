"""What the server's process runs: connections, a service that answers them, a script of faults, and a record."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfiles.testing.http_messages import RecordedRequest, ServerRequest, ServerResponse
from cloudfiles.testing.rules import IncomingRequest, Script
from cloudfiles.testing.s3_objects import Bucket, StoredObject
from cloudfiles.testing.s3_service import S3Service
from cloudfiles.testing.server_connection import Pending, ServerConnection
from cloudfiles.testing.server_faults import Fault, WireResponse

_NO_FAULT = Fault()
_LARGE = 64 * 1024  # bytes: larger bodies are sent without being copied behind their headers


def _tls_context(certificate: str | os.PathLike[str], client_ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class ServerApp:
    """One server. The parent process calls the methods under "control"; `service` is replaced by subclasses."""

    def __init__(self, certificate: str | os.PathLike[str] | None = None,
                 client_ca: str | os.PathLike[str] | None = None) -> None:
        self._tls = _tls_context(certificate, client_ca) if certificate else None
        self._open: set[ServerConnection] = set()
        self._opened = 0
        self.reset()

    async def start(self) -> dict[str, Any]:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ServerConnection(self), "127.0.0.1", 0, ssl=self._tls,
                                                backlog=1024)
        return {"port": self._server.sockets[0].getsockname()[1]}

    # ---- for connections

    def connected(self, connection: ServerConnection) -> int:
        """Register a connection; returns its number."""
        self._open.add(connection)
        self._opened += 1
        return self._opened

    def disconnected(self, connection: ServerConnection) -> None:
        self._open.discard(connection)

    def receive(self, request: ServerRequest) -> tuple[IncomingRequest, Fault | None]:
        """Count a request whose headers have arrived, and find its fault."""
        self._n += 1
        if not self._script and not self._recording:
            return IncomingRequest(self._n, request, "", "", 1), None
        bucket, key = self.service.locate(request)
        same = (request.method, request.target, request.header("range"))
        self._attempts[same] += 1
        incoming = IncomingRequest(self._n, request, bucket, key, self._attempts[same])
        fault = next((fault for rule in self._script if (fault := rule(incoming)) is not None), None)
        return incoming, fault

    def respond(self, pending: Pending, body: bytes, connection: int) -> WireResponse:
        """Carry out a request, as far as its fault allows, and record it."""
        incoming, fault = pending.incoming, pending.fault or _NO_FAULT
        request = incoming.request
        request.body = body
        response = self.service.respond(fault.prepare(request)) if fault.acts else self._empty(request)
        stored = fault.replacement()
        if stored is not None:
            self.service.buckets[incoming.bucket].objects[incoming.key] = stored
        if self._recording:
            self._record(pending, body, connection, fault.status or response.status)
        if pending.fault is None and len(response.body) > _LARGE:
            return WireResponse(response.head(), body=response.body)
        return fault.deliver(response)

    def _empty(self, request: ServerRequest) -> ServerResponse:
        """The response that a fault starts from where the server does not carry the request out."""
        length = 0 if request.method == "HEAD" else None
        return ServerResponse(200, (self.service.date_header(),), announced_length=length)

    def _record(self, pending: Pending, body: bytes, connection: int, status: int) -> None:
        incoming, request = pending.incoming, pending.incoming.request
        self._requests.append(RecordedRequest(
            incoming.n, request.method, request.target, request.headers, len(body), hashlib.sha256(body).hexdigest(),
            pending.time, connection, incoming.bucket, incoming.key,
            type(pending.fault).__name__ if pending.fault else "",
            status if pending.fault is None or pending.fault.acts or pending.fault.status else None))

    # ---- control

    def reset(self) -> None:
        """As new: an empty bucket named 'bucket', no script, no record, no connection."""
        self.drop_connections()
        self.service: Any = S3Service()
        self._script: Script = ()
        self._recording = True
        self.forget()

    def forget(self) -> None:
        """Forget the requests received so far, with the counts of attempts."""
        self._n = 0
        self._attempts: Counter[tuple[str, str, str | None]] = Counter()
        self._requests: list[RecordedRequest] = []

    def configure(self, changes: dict[str, Any]) -> Any:
        self.service.settings = settings = replace(self.service.settings, **changes)
        self._recording = getattr(settings, "record", True)
        return settings

    def script(self, rules: Script) -> None:
        self._script = rules

    def extend_script(self, rules: Script) -> None:
        self._script = (*self._script, *rules)

    def requests(self) -> list[RecordedRequest]:
        return self._requests

    def put(self, bucket: str, objects: Mapping[str, StoredObject]) -> None:
        held = self.service.buckets.setdefault(bucket, Bucket()).objects
        for key, stored in objects.items():
            held[key] = stored

    def get(self, bucket: str, key: str) -> StoredObject | None:
        found: StoredObject | None = self.service.buckets[bucket].objects.get(key)
        return found

    def objects(self, bucket: str) -> dict[str, StoredObject]:
        return dict(self.service.buckets[bucket].objects)

    def uploads(self, bucket: str) -> list[str]:
        return [upload.key for upload in self.service.buckets[bucket].uploads.values()]

    def make_bucket(self, bucket: str) -> None:
        self.service.buckets.setdefault(bucket, Bucket())

    def connections(self) -> tuple[int, int]:
        return self._opened, len(self._open)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            connection.close()
