"""Which errors of a socket no later try can change, may mean that the address is wrong, or are of this machine."""

from __future__ import annotations

import errno
import socket
import ssl

_LASTING = frozenset({
    # The other side speaks no TLS, or no version of it that we do
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG", "BAD_RECORD_TYPE", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE",
    "TLSV1_ALERT_PROTOCOL_VERSION", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL", "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    # It will not have us: the name, or the certificate that we show or do not show
    "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED",
})
"""OpenSSL's reasons for errors that stay. Others, such as a record that does not decrypt, may be the network's."""


def is_permanent(error: BaseException | None) -> bool:
    """Whether the same would happen at every later try."""
    return isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _LASTING


def is_unreachable(error: BaseException | None) -> bool:
    """Whether there may be no such server at all: no such name, nothing on the port, or nothing that speaks TLS."""
    return isinstance(error, socket.gaierror | ConnectionRefusedError | ssl.SSLEOFError)


_LOCAL = frozenset({errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""No free port for the connection's own end, no memory for it. `runtime.descriptors` knows of descriptors."""


def is_local(error: BaseException | None) -> bool:
    """Whether this machine could not open a connection, whatever the server does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _LOCAL:
            return True
        error = error.__cause__
    return False
