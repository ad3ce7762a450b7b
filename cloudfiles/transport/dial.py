"""Opens connections: TCP, TLS with verification, proxies; to one of the addresses of a host."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import (
    AuthorizationError,
    CertificateError,
    ConfigurationError,
    ConnectionFailedError,
    RequestTimeoutError,
)
from cloudfiles.runtime.connect import AddressInfo
from cloudfiles.runtime.contract import Runtime, Stream
from cloudfiles.runtime.descriptors import is_descriptor_shortage
from cloudfiles.runtime.tls_errors import is_tls_error
from cloudfiles.transport.host_addresses import HostAddresses
from cloudfiles.transport.proxy import Proxy
from cloudfiles.transport.request import Origin
from cloudfiles.transport.socket_errors import is_local, is_permanent, is_unreachable
from cloudfiles.types import Tls

if TYPE_CHECKING:
    import ssl

    from cloudfiles.transport.tls import TlsHandshakes


class Dialer:
    """Opens streams of one runtime with one set of TLS files and timeouts (seconds)."""

    def __init__(self, runtime: Runtime, tls: Tls, connect_timeout: float, read_timeout: float,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._tls = tls
        self._handshakes: dict[Tls, TlsHandshakes] = {}  # created when needed
        self._monotonic = monotonic
        self._hosts: dict[Origin, HostAddresses] = {}
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout

    def dial(self, origin: Origin, proxy: Proxy | None = None, max_seconds: float = math.inf,
             avoid: Any = None) -> Stream:
        """A stream to `origin`: direct, through a tunnel for https, or to the proxy itself for plain http.

        max_seconds: limit, if less than the connect timeout.
        avoid: a socket address (`Stream.peer`). Another one is used where there is one.
        Raises ConnectionFailedError, RequestTimeoutError, CertificateError (never worth a retry),
        AuthorizationError if the proxy requires credentials.
        """
        try:
            return self._dial(origin, proxy, min(self.connect_timeout, max_seconds), avoid)
        except ConfigurationError:
            raise
        except Exception as error:
            raise _dial_error(error, origin, proxy) from error

    def _dial(self, origin: Origin, proxy: Proxy | None, timeout: float, avoid: Any) -> Stream:
        addresses = self._addresses(proxy.origin if proxy else origin)
        first, *others = addresses.candidates(avoid)
        first.dialing += 1
        try:
            connect = partial(self._runtime.connect, [each.info for each in (first, *others)], timeout,
                              lambda info: addresses.failed(info[4]))
            sock, info = self._open(origin, proxy, timeout, connect)
            stream = self._runtime.stream(sock, self.read_timeout)
            stream.peer = info[4]
            addresses.connected(info, stream)
            return stream
        finally:
            first.dialing -= 1

    def _open(self, origin: Origin, proxy: Proxy | None, timeout: float,
              connect: Callable[[], tuple[socket.socket, AddressInfo]]) -> tuple[socket.socket, AddressInfo]:
        if proxy and "https" in (proxy.origin.scheme, origin.scheme):
            from cloudfiles.transport.tunnel import open_tunnel  # imports urllib3

            return open_tunnel(origin, proxy, self._tls_handshakes().context(), timeout, connect)
        if origin.scheme != "https":
            return connect()
        self._tls_handshakes().context()  # reads files: before the connection, whose server would wait
        sock, info = connect()
        try:
            return self._tls_handshakes().wrap(sock, origin), info
        except OSError as error:
            if not is_tls_error(error, "SSLCertVerificationError"):
                self.address_failed(origin, info[4])
            raise

    def _tls_handshakes(self) -> TlsHandshakes:
        from cloudfiles.transport.tls import TlsHandshakes  # imports ssl, which takes long

        return self._handshakes.get(self._tls) or self._handshakes.setdefault(
            self._tls, TlsHandshakes(self._runtime, self._tls))

    def _addresses(self, origin: Origin) -> HostAddresses:
        return self._hosts.get(origin) or self._hosts.setdefault(
            origin, HostAddresses(origin.host, origin.port, self._runtime, self._monotonic))

    def address_failed(self, origin: Origin, where: Any) -> None:
        """A server did not respond at this socket address: others are preferred for a while."""
        addresses = self._hosts.get(origin)
        if addresses is not None:
            addresses.failed(where)

    def has_others(self, origin: Origin, where: Any) -> bool:
        """Whether the host is known to have other addresses than this one that are not known to fail."""
        addresses = self._hosts.get(origin)
        return addresses is not None and addresses.has_others(where)

    def keep_session(self, origin: Origin, session: ssl.SSLSession | None) -> None:
        """Resume this TLS session in later connections to `origin`."""
        if session is not None:
            self._tls_handshakes().keep_session(origin, session)

    def forget(self) -> None:
        """In the child after a fork: it has none of the connections that are counted."""
        self._hosts.clear()


def _dial_error(error: Exception, origin: Origin, proxy: Proxy | None) -> Exception:
    to = f"{origin} through the proxy {proxy.origin}" if proxy else str(origin)
    if is_descriptor_shortage(error):
        failure = _not_sent(f"{to}: no connection: the process has run out of file descriptors (raise the limit with "
                            f"ulimit -n): {error}")
        failure.is_local = True
        return failure
    if is_tls_error(error, "CertificateError"):
        reason = getattr(error, "verify_message", "") or error
        return CertificateError(f"{to}: certificate verification failed: {reason}. To trust a private authority, set "
                                "SSL_CERT_FILE=bundle.pem or ca_bundle=")
    if "407" in str(error) and proxy:
        return AuthorizationError(f"{to}: the proxy requires credentials: http_proxy=http://USER:PASSWORD@HOST:PORT")
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(f"{to}: connecting timed out")
    failure = _not_sent(f"{to}: {_kind(error)}: {error}")
    failure.is_permanent, failure.is_unreachable = is_permanent(error), is_unreachable(error)
    failure.is_local = is_local(error)
    return failure


def _not_sent(message: str) -> ConnectionFailedError:
    failure = ConnectionFailedError(message)
    failure.nothing_sent = True
    return failure


def _kind(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    return "no TLS connection" if is_tls_error(error) else "no connection"
