"""The proxies forward, delay, reset, and keep their records."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from cloudfiles.testing import S3Server
from tests.servers.http_proxy import HttpProxy
from tests.servers.tls import Certificates


def _through(proxy: HttpProxy, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
    with urllib3.ProxyManager(proxy.url, retries=False, **more) as pool:
        return pool.request("GET", url)


def test_absolute_form(http_proxy: HttpProxy, fault_server: S3Server) -> None:
    fault_server.put("a", b"content")
    assert _through(http_proxy, f"{fault_server.url}/bucket/a?x=1").data == b"content"
    assert fault_server.requests()[0].target == "/bucket/a?x=1"
    seen = http_proxy.seen()
    assert [(s.method, s.host, s.status) for s in seen] == [("GET", f"127.0.0.1:{fault_server.port}", 200)]


def test_tunnel(http_proxy: HttpProxy, tls_fault_server: S3Server, certificates: Certificates) -> None:
    tls_fault_server.put("a", b"x" * 1_000_000)
    got = _through(http_proxy, f"{tls_fault_server.url}/bucket/a", ca_certs=str(certificates.authority))
    assert got.data == b"x" * 1_000_000
    assert [(s.method, s.target) for s in http_proxy.seen()] == [("CONNECT", f"127.0.0.1:{tls_fault_server.port}")]


def test_authentication(fault_server: S3Server) -> None:
    fault_server.put("a", b"content")
    url = f"{fault_server.url}/bucket/a"
    with HttpProxy("user", "secret") as proxy:
        assert _through(proxy, url).status == 407
        headers = urllib3.make_headers(proxy_basic_auth="user:secret")
        assert _through(proxy, url, proxy_headers=headers).data == b"content"
        assert [s.status for s in proxy.seen()] == [407, 200]
    assert fault_server.requests()[0].header("proxy-authorization") is None


def test_nobody_there_is_502(http_proxy: HttpProxy) -> None:
    assert _through(http_proxy, "http://127.0.0.1:9/x").status == 502


def test_delay(delay_proxy: Callable[..., int], fault_server: S3Server) -> None:
    fault_server.put("a", b"x" * 3_000_000)
    connection = http.client.HTTPConnection("127.0.0.1", delay_proxy(fault_server.port, 0.1))
    start = time.monotonic()
    for _ in range(2):
        connection.request("GET", "/bucket/a")
        assert connection.getresponse().read() == b"x" * 3_000_000
    # A lower bound, which a busy machine cannot break: a round trip to connect, and one for each request.
    assert time.monotonic() - start >= 0.3 - 0.01
    connection.close()


def test_reset_after_some_bytes(delay_proxy: Callable[..., int], fault_server: S3Server) -> None:
    fault_server.put("a", b"x" * 3_000_000)
    connection = http.client.HTTPConnection("127.0.0.1", delay_proxy(fault_server.port, 0.0, 1_000_000))
    connection.request("GET", "/bucket/a")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        connection.getresponse().read()
    connection.close()


def test_tls_is_verified_and_asks_for_a_client_certificate(mtls_fault_server: S3Server, certificates: Certificates,
                                                          ) -> None:
    mtls_fault_server.put("a", b"content")

    def get(context: ssl.SSLContext) -> bytes:
        connection = http.client.HTTPSConnection("localhost", mtls_fault_server.port, context=context)
        try:
            connection.request("GET", "/bucket/a")
            return connection.getresponse().read()
        finally:
            connection.close()

    assert get(certificates.client_context(client_certificate=True)) == b"content"
    with pytest.raises(OSError):  # an alert, a reset or a close: which of them comes first is a race
        get(certificates.client_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        get(ssl.create_default_context(cafile=str(certificates.stranger)))
