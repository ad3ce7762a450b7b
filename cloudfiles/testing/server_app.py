"""The scripted server's process: sockets in front of the service, a script between the two, a record of it all."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfiles.testing.http_messages import RecordedRequest, S3Settings, ServerRequest, ServerResponse
from cloudfiles.testing.rules import IncomingRequest, Script
from cloudfiles.testing.s3_objects import Bucket, StoredObject
from cloudfiles.testing.s3_service import Service
from cloudfiles.testing.server_connection import Connection, Pending
from cloudfiles.testing.server_faults import Fault, WireResponse

_PLAIN = Fault()


def _context(certificate: str, client_ca: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class ServerApp:
    """Public methods other than those of connections are the control interface."""

    def __init__(self, certificate: str | None = None, client_ca: str | None = None) -> None:
        self._tls = _context(certificate, client_ca) if certificate else None
        self._open: set[Connection] = set()
        self._opened = 0
        self.reset()

    async def start(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        return {"port": self._server.sockets[0].getsockname()[1]}

    # ---- for connections

    def connected(self, connection: Connection) -> int:
        self._open.add(connection)
        self._opened += 1
        return self._opened

    def disconnected(self, connection: Connection) -> None:
        self._open.discard(connection)

    def sight(self, request: ServerRequest) -> tuple[IncomingRequest, Fault | None]:
        """Take note of a request at its head's arrival, and decide what happens to it."""
        self._n += 1
        bucket, key = self._service.locate(request)
        same = (request.method, request.target, request.header("range"))
        self._attempts[same] += 1
        sighting = IncomingRequest(self._n, request, bucket, key, self._attempts[same])
        fault = next((fault for rule in self._script if (fault := rule(sighting)) is not None), None)
        self._arrivals[self._n] = time.monotonic()
        return sighting, fault

    def answer(self, pending: Pending, body: bytes, connection: int) -> WireResponse:
        """Carry out a request, as far as its fault lets it be, and record it."""
        sighting, fault = pending.sighting, pending.fault or _PLAIN
        request = replace(sighting.request, body=body) if body else sighting.request
        answer = self._service.respond(fault.prepare(request)) if fault.acts else self._empty(request)
        stored = fault.replacement()
        if stored is not None:
            self._service.buckets[sighting.bucket].objects[sighting.key] = stored
        self._record(pending, body, connection, fault.status or answer.status)
        return fault.deliver(answer)

    def _empty(self, request: ServerRequest) -> ServerResponse:
        """What a fault that keeps the server from acting has to start from."""
        length = 0 if request.method == "HEAD" else None
        return ServerResponse(200, (self._service.date_header(),), announced_length=length)

    def _record(self, pending: Pending, body: bytes, connection: int, status: int) -> None:
        sighting, request = pending.sighting, pending.sighting.request
        self._requests.append(RecordedRequest(
            sighting.n, request.method, request.target, request.headers, len(body), hashlib.sha256(body).hexdigest(),
            self._arrivals.pop(sighting.n), connection, sighting.bucket, sighting.key,
            type(pending.fault).__name__ if pending.fault else "",
            status if pending.fault is None or pending.fault.acts or pending.fault.status else None))

    # ---- control

    def reset(self) -> None:
        """As new: an empty bucket named 'bucket', no script, no record, no connection."""
        self.drop_connections()
        self._service = Service()
        self._script: Script = ()
        self.forget()

    def forget(self) -> None:
        """Forget the requests seen so far, with the counts of attempts."""
        self._n = 0
        self._attempts: Counter[tuple[str, str, str | None]] = Counter()
        self._arrivals: dict[int, float] = {}
        self._requests: list[RecordedRequest] = []

    def configure(self, changes: dict[str, Any]) -> S3Settings:
        self._service.settings = replace(self._service.settings, **changes)
        return self._service.settings

    def script(self, rules: Script) -> None:
        self._script = rules

    def requests(self) -> list[RecordedRequest]:
        return self._requests

    def put(self, bucket: str, objects: Mapping[str, StoredObject]) -> None:
        self._service.buckets.setdefault(bucket, Bucket()).objects.update(objects)

    def get(self, bucket: str, key: str) -> StoredObject | None:
        return self._service.buckets[bucket].objects.get(key)

    def objects(self, bucket: str) -> dict[str, StoredObject]:
        return self._service.buckets[bucket].objects

    def uploads(self, bucket: str) -> list[str]:
        return [upload.key for upload in self._service.buckets[bucket].uploads.values()]

    def make_bucket(self, bucket: str) -> None:
        self._service.buckets.setdefault(bucket, Bucket())

    def connections(self) -> tuple[int, int]:
        return self._opened, len(self._open)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            connection.deaf = True
            connection.transport.close()
