"""Connections over TLS through proxies. urllib3 opens them, on sockets of the runtime."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import urllib3.connection
import urllib3.exceptions
import urllib3.util

from cloudfiles.runtime.connect import AddressInfo
from cloudfiles.transport.proxy import Proxy
from cloudfiles.transport.request import Origin

_PROXY_CONFIG = urllib3.connection.ProxyConfig(None, False, None, None)


class _Connection(urllib3.connection.HTTPSConnection):
    """One whose sockets are made by a function."""

    def __init__(self, *args: Any, connect: Callable[[], tuple[socket.socket, AddressInfo]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connect = connect
        self.address: AddressInfo

    def _new_conn(self) -> socket.socket:
        sock, self.address = self._connect()
        return sock


def open_tunnel(origin: Origin, proxy: Proxy, context: ssl.SSLContext, timeout: float,
                connect: Callable[[], tuple[socket.socket, AddressInfo]]) -> tuple[Any, AddressInfo]:
    """A tunnel to `origin` if that is https, else a TLS connection to the proxy itself; and the proxy's address.

    connect: returns a socket that is connected to the proxy, and the address.
    Raises OSError, urllib3's errors only if there is no cause that is one.
    """
    connection = _Connection(proxy.origin.host, proxy.origin.port, connect=connect, timeout=timeout,
                             ssl_context=context, proxy_config=_PROXY_CONFIG,
                             proxy=urllib3.util.parse_url(str(proxy.origin)))
    if origin.scheme == "https":
        headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        connection.set_tunnel(origin.host, origin.port, headers=headers, scheme=proxy.origin.scheme)
    try:
        connection.connect()
    except urllib3.exceptions.TimeoutError as error:
        connection.close()
        raise TimeoutError(str(error)) from error
    except urllib3.exceptions.ProxyError as error:
        connection.close()
        raise (error.__cause__ or error) from error
    except BaseException:  # also if cancelled during the handshake
        connection.close()
        raise
    sock, connection.sock = connection.sock, None
    return sock, connection.address
