"""TLS: sessions are resumed, and what is resumed was verified."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from cloudfiles.exceptions import CertificateError, RequestTimeoutError
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.green import GreenRuntime
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.transport.client import Client
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.request import Origin, Request
from cloudfiles.types import Tls
from tests.core.scripted import idle_pool, unwatched
from tests.servers.content_server import ContentServer
from tests.servers.tls import Certificates


@pytest.fixture(params=["green", "threads"])
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    if request.param == "threads":
        yield ThreadRuntime()
    else:
        runtime = GreenRuntime(gevent.get_hub())
        yield runtime
        runtime.close()


@pytest.fixture(params=["TLSv1.2", "TLSv1.2 without tickets", "TLSv1.3"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[ContentServer]:
    context = certificates.server_context()
    if request.param != "TLSv1.3":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if "without" in request.param:
        context.options |= ssl.OP_NO_TICKET
    with ContentServer("127.0.0.1", tls=context) as server:
        server.version = request.param  # type: ignore[attr-defined]
        yield server


def client_of(runtime: Runtime, certificates: Certificates, **files: str) -> Client:
    return Client(runtime, Tls(ca_bundle=str(certificates.authority), **files), 30.0, 30.0, descriptors=unwatched())


def socket_of(connection: Connection) -> Any:
    return connection._stream._sock  # type: ignore[attr-defined]


def get(client: Client, origin: Origin) -> None:
    client.send(Request(origin, "GET", "/key"))


def test_sessions_are_resumed(runtime: Runtime, server: ContentServer, certificates: Certificates) -> None:
    client, origin = client_of(runtime, certificates), Origin("https", "127.0.0.1", server.port)
    get(client, origin)
    pool = idle_pool(client, origin)
    (first,) = pool._idle
    assert not socket_of(first).session_reused
    connections = [pool.fresh() for _ in range(3)]
    assert [socket_of(connection).session_reused for connection in connections] == [True] * 3
    assert {socket_of(connection).version() for connection in connections} == {server.version[:7]}  # type: ignore[attr-defined]
    for connection in (*connections, first):
        connection.close()


def test_another_origin_has_its_own(runtime: Runtime, certificates: Certificates) -> None:
    context = certificates.server_context()
    with ContentServer("127.0.0.1", tls=context) as one, ContentServer("127.0.0.1", tls=context) as other:
        client = client_of(runtime, certificates)
        get(client, Origin("https", "127.0.0.1", one.port))
        connection = idle_pool(client, Origin("https", "127.0.0.1", other.port)).fresh()
        assert not socket_of(connection).session_reused
        connection.close()
        client.close()


def test_what_the_server_has_forgotten_is_negotiated_again(runtime: Runtime, certificates: Certificates) -> None:
    with ContentServer("127.0.0.1", tls=certificates.server_context()) as server:
        client, origin = client_of(runtime, certificates), Origin("https", "127.0.0.1", server.port)
        get(client, origin)
        client.close()
    with ContentServer("127.0.0.1", origin.port, tls=certificates.server_context()):  # with other ticket keys
        connection = idle_pool(client, origin).fresh()
        assert not socket_of(connection).session_reused
        connection.close()


def test_the_certificate_is_verified(runtime: Runtime, certificates: Certificates) -> None:
    with ContentServer("127.0.0.1", tls=certificates.server_context()) as server:
        stranger = Client(runtime, Tls(ca_bundle=str(certificates.stranger)), 30.0, 30.0, descriptors=unwatched())
        with pytest.raises(CertificateError, match="certificate verification failed"):
            get(stranger, Origin("https", "127.0.0.1", server.port))


def test_the_name_is_verified(runtime: Runtime, certificates: Certificates) -> None:
    """127.0.0.2 is the same server, but the certificate is for 127.0.0.1 and localhost."""
    with ContentServer("127.0.0.2", tls=certificates.server_context()) as server:
        client = client_of(runtime, certificates)
        with pytest.raises(CertificateError):
            get(client, Origin("https", "127.0.0.2", server.port))


@pytest.mark.parametrize("host", ["localhost", "localhost."])
def test_the_root_dot_is_no_part_of_the_name(runtime: Runtime, certificates: Certificates, host: str,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    with ContentServer("127.0.0.1", tls=certificates.server_context()) as server:
        resolve = type(runtime).resolve
        monkeypatch.setattr(runtime, "resolve", lambda host, port: resolve(runtime, "127.0.0.1", port))
        client = client_of(runtime, certificates)
        get(client, Origin("https", host, server.port))
        client.close()


def test_client_certificates(runtime: Runtime, certificates: Certificates) -> None:
    with ContentServer("127.0.0.1", tls=certificates.server_context(client_certificate=True)) as server:
        origin = Origin("https", "127.0.0.1", server.port)
        client = client_of(runtime, certificates, client_cert=str(certificates.client))
        for _ in range(2):  # the second connection resumes the session, which contains the certificate
            get(client, origin)
            client.close()


def test_a_handshake_that_is_not_answered_ends_with_its_socket(runtime: Runtime, certificates: Certificates) -> None:
    client = Client(runtime, Tls(ca_bundle=str(certificates.authority)), 0.05, 30.0, descriptors=unwatched())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(RequestTimeoutError):
            idle_pool(client, Origin("https", "127.0.0.1", silent.getsockname()[1])).fresh()
        accepted, _ = silent.accept()
        with accepted:
            accepted.settimeout(30)
            while accepted.recv(65536):  # what was sent, and then the end of the stream
                pass
