"""TLS to servers: verification, client certificates, and sessions that are resumed."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from cloudfiles.exceptions import ConfigurationError
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.descriptors import is_descriptor_shortage, is_exhausted
from cloudfiles.transport.request import Origin
from cloudfiles.types import Tls


class TlsHandshakes:
    """Opens TLS connections of one runtime with one set of TLS files.

    The last session that a server has offered is resumed by the next connections to the same origin (RFC 8446 2.2): the
    handshake then transfers and verifies no certificates, which takes most of its CPU time.
    """

    def __init__(self, runtime: Runtime, tls: Tls) -> None:
        self._runtime = runtime
        self._tls = tls
        self._context: dict[Tls, ssl.SSLContext] = {}
        self._sessions: dict[Origin, ssl.SSLSession] = {}

    def wrap(self, sock: socket.socket, origin: Origin) -> ssl.SSLSocket:
        """A verified TLS connection over a connected socket, which is closed on errors. Raises OSError."""
        try:
            name = origin.host.rstrip(".").partition("%")[0]  # certificates contain no root dot and no IPv6 zone
            secure = self.context().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False,
                                                session=self._sessions.get(origin))
        except BaseException:
            sock.close()
            raise
        try:
            secure.do_handshake()
        except BaseException:  # also if cancelled
            secure.close()
            raise
        return secure

    def keep_session(self, origin: Origin, session: ssl.SSLSession) -> None:
        """Resume `session` in later connections to `origin`. In TLS 1.3 servers offer one after the handshake."""
        if session.has_ticket or session.id:
            self._sessions[origin] = session

    def context(self) -> ssl.SSLContext:
        """Created once: loading the authorities takes tens of milliseconds."""
        # One for all threads, as a session can be resumed only in the context that it comes from.
        return self._context.get(self._tls) or self._context.setdefault(self._tls, self._new_context())

    def _new_context(self) -> ssl.SSLContext:
        tls = self._tls
        try:
            context = self._runtime.ssl_context(tls.ca_bundle or os.environ.get("AWS_CA_BUNDLE") or _certifi())
            context.set_alpn_protocols(["http/1.1"])
            if tls.client_cert:
                context.load_cert_chain(tls.client_cert, tls.client_key)
            if is_exhausted():  # authorities that cannot be opened are skipped silently
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        except OSError as error:
            if is_descriptor_shortage(error):
                raise
            files = ", ".join(f for f in (tls.ca_bundle, tls.client_cert, tls.client_key) if f) or "(system)"
            raise ConfigurationError(f"cannot read the TLS files {files}: {error}") from error
        return context


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
