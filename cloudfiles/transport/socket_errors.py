"""Translates and classifies socket errors: permanent ones, those of an unreachable server, those of this machine."""

from __future__ import annotations

import errno
import socket

from cloudfiles.exceptions import ConnectionFailedError, RequestTimeoutError
from cloudfiles.runtime.tls_errors import is_tls_error
from cloudfiles.transport.deadline import PastDeadlineError, past_deadline
from cloudfiles.transport.throughput import TooSlowError

_PERMANENT = frozenset({
    # The server does not use TLS, or no common version of it
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG", "BAD_RECORD_TYPE", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE",
    "TLSV1_ALERT_PROTOCOL_VERSION", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL", "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    # It rejects the server name, or the client certificate or its absence
    "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED",
})
"""OpenSSL's reasons of permanent errors. Others, such as a record that cannot be decrypted, may be network errors."""


def is_permanent(error: BaseException | None) -> bool:
    """Whether every later attempt would fail in the same way."""
    return is_tls_error(error) and getattr(error, "reason", None) in _PERMANENT


def is_unreachable(error: BaseException | None) -> bool:
    """Whether there may be no such server: unknown name, closed port, or no TLS."""
    return isinstance(error, socket.gaierror | ConnectionRefusedError) or is_tls_error(error, "SSLEOFError")


_LOCAL = frozenset({errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""No free local port, or no memory. `runtime.descriptors` handles missing file descriptors."""


def is_local(error: BaseException | None) -> bool:
    """Whether this machine could not open a connection, whatever the state of the server."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _LOCAL:
            return True
        error = error.__cause__
    return False


def transport_error(error: Exception, when: str) -> Exception:
    """The TransportError for an error of a connection; other errors are returned unchanged. when: ends the message."""
    if isinstance(error, PastDeadlineError):
        return past_deadline(when)
    if isinstance(error, TooSlowError):
        return RequestTimeoutError(f"the transfer was too slow {when}: {error}")
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(f"the server did not respond for too long {when}")
    if isinstance(error, OSError):
        failure = ConnectionFailedError(f"the connection was lost {when}: {error}")
        # In TLS 1.3 a server may demand a client certificate only now (RFC 8446 4.4.2).
        failure.is_permanent = is_permanent(error)
        return failure
    return error
