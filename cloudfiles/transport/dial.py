"""Opens connections: TCP, TLS with verification, proxies. urllib3 does the work, on sockets of the runtime."""

from __future__ import annotations

import base64
import errno
import math
import os
import socket
import ssl
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

import urllib3.connection
import urllib3.exceptions
import urllib3.util

from cloudfiles.exceptions import (
    AuthorizationError,
    CertificateError,
    ConfigurationError,
    ConnectionFailedError,
    RequestTimeoutError,
)
from cloudfiles.runtime.contract import Runtime, Stream
from cloudfiles.runtime.descriptors import is_descriptor_shortage, is_exhausted
from cloudfiles.transport.request import Origin
from cloudfiles.transport.socket_errors import is_local, is_permanent, is_unreachable
from cloudfiles.types import Tls


class Proxy(NamedTuple):
    """A forward proxy. `authorization` is the value of Proxy-Authorization, '' for none."""

    origin: Origin
    authorization: str

    def __repr__(self) -> str:
        return f"Proxy({self.origin})"


def proxy_for(origin: Origin) -> Proxy | None:
    """The proxy that the environment names for `origin` (http_proxy, https_proxy, all_proxy, no_proxy)."""
    proxies = urllib.request.getproxies()
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or urllib.request.proxy_bypass(origin.authority):
        return None
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"unsupported proxy scheme {parts.scheme}:// in the environment for {origin}; supported: http://, https://"
        )
    authorization = ""
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(user.encode()).decode()
    return Proxy(Origin.of(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"), authorization)


class Dialer:
    """Opens streams of one runtime with one set of TLS files and timeouts (seconds)."""

    def __init__(self, runtime: Runtime, tls: Tls, connect_timeout: float, read_timeout: float) -> None:
        self._runtime = runtime
        self._tls = tls
        self._connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self._context: ssl.SSLContext | None = None

    def dial(self, origin: Origin, proxy: Proxy | None = None, max_seconds: float = math.inf) -> Stream:
        """A stream to `origin`: direct, through a tunnel for https, or to the proxy itself for plain http.

        max_seconds: limit, if less than the connect timeout.
        Raises ConnectionFailedError, RequestTimeoutError, CertificateError (never worth a retry),
        AuthorizationError if the proxy requires credentials.
        """
        try:
            connection = self._connection(origin, proxy, min(self._connect_timeout, max_seconds))
        except OSError as error:
            raise _dial_error(error, origin, proxy) from error
        try:
            connection.connect()
        except Exception as error:
            connection.close()
            raise _dial_error(error, origin, proxy) from error
        except BaseException:  # cancelled during the handshake
            connection.close()
            raise
        sock, connection.sock = connection.sock, None
        return self._runtime.stream(sock, self.read_timeout)

    def _connection(self, origin: Origin, proxy: Proxy | None, timeout: float) -> Any:
        target = proxy.origin if proxy else origin
        secure = target.scheme == "https" or origin.scheme == "https"
        if not secure:
            return _PlainConnection(target.host, target.port, runtime=self._runtime, timeout=timeout)
        connection = _TlsConnection(
            target.host, target.port, runtime=self._runtime, timeout=timeout,
            ssl_context=self._ssl_context(), proxy_config=_PROXY_CONFIG if proxy else None,
            proxy=urllib3.util.parse_url(str(target)) if proxy else None,
        )
        if proxy and origin.scheme == "https":
            headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
            connection.set_tunnel(origin.host, origin.port, headers=headers, scheme=target.scheme)
        return connection

    def _ssl_context(self) -> ssl.SSLContext:
        """Created once: loading the authorities takes tens of milliseconds."""
        if self._context is None:
            tls = self._tls
            try:
                context = self._runtime.ssl_context(tls.ca_bundle or os.environ.get("AWS_CA_BUNDLE") or _certifi())
                if tls.client_cert:
                    context.load_cert_chain(tls.client_cert, tls.client_key)
                if is_exhausted():  # authorities that cannot be opened are skipped silently
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            except OSError as error:
                if is_descriptor_shortage(error):
                    raise
                files = ", ".join(f for f in (tls.ca_bundle, tls.client_cert, tls.client_key) if f) or "(system)"
                raise ConfigurationError(f"cannot read the TLS files {files}: {error}") from error
            self._context = context
        return self._context


_PROXY_CONFIG = urllib3.connection.ProxyConfig(None, False, None, None)


def _certifi() -> str | None:
    """certifi's bundle if the system has none; None if it has one, or SSL_CERT_FILE names it."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return None
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


class _RuntimeConnection:
    """A mixin for urllib3's connections that creates their sockets with the runtime."""

    def __init__(self, *args: Any, runtime: Runtime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._runtime = runtime

    def _new_conn(self) -> socket.socket:
        return self._runtime.connect(self._dns_host, self.port, self.timeout)  # type: ignore[attr-defined]


class _PlainConnection(_RuntimeConnection, urllib3.connection.HTTPConnection):
    pass


class _TlsConnection(_RuntimeConnection, urllib3.connection.HTTPSConnection):
    pass


def _dial_error(error: Exception, origin: Origin, proxy: Proxy | None) -> Exception:
    to = f"{origin} through the proxy {proxy.origin}" if proxy else str(origin)
    cause = error.__cause__ if isinstance(error, urllib3.exceptions.ProxyError) and error.__cause__ else error
    if isinstance(error, ConfigurationError):
        return error
    if is_descriptor_shortage(cause):
        failure = _not_sent(f"{to}: no connection: the process has run out of file descriptors (raise the limit with "
                            f"ulimit -n): {cause}")
        failure.is_local = True
        return failure
    if isinstance(cause, ssl.SSLCertVerificationError | ssl.CertificateError):
        return CertificateError(
            f"{to}: certificate verification failed: {cause.verify_message or cause}. To trust a private authority, "
            "set SSL_CERT_FILE=bundle.pem or ca_bundle="
        )
    if "407" in str(cause) and proxy:
        return AuthorizationError(f"{to}: the proxy requires credentials: http_proxy=http://USER:PASSWORD@HOST:PORT")
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return RequestTimeoutError(f"{to}: connecting timed out")
    failure = _not_sent(f"{to}: {_kind(cause)}: {cause}")
    failure.is_permanent, failure.is_unreachable = is_permanent(cause), is_unreachable(cause)
    failure.is_local = is_local(cause)
    return failure


def _not_sent(message: str) -> ConnectionFailedError:
    failure = ConnectionFailedError(message)
    failure.nothing_sent = True
    return failure


def _kind(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return "the host name cannot be resolved"
    return "no TLS connection" if isinstance(cause, ssl.SSLError) else "no connection"
