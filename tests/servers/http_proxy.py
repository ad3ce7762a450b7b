"""A forward proxy: requests in absolute form, CONNECT tunnels, optional Basic authentication, and a record of both."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from cloudfiles.testing.controlled_process import ControlledProcess

_HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}


@dataclass(frozen=True)
class Seen:
    """One request to the proxy. `authorization` is its Proxy-Authorization; `headers` are those meant for it."""

    method: str
    host: str  # "name:port"
    target: str
    authorization: str | None
    headers: tuple[tuple[str, str], ...]
    status: int


class ProxyApp:
    """One request a connection, then it closes; tunnels last as long as both ends want.

    Args:
        user, password: what clients must show by Basic authentication; None asks nothing.
    """

    def __init__(self, user: str | None = None, password: str = "") -> None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._expected = None if user is None else f"Basic {token}"
        self._seen: list[Seen] = []

    async def start(self) -> dict[str, Any]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        return {"port": self._server.sockets[0].getsockname()[1]}

    def seen(self) -> list[Seen]:
        return self._seen

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # a broken or senseless connection ends here, and closes
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = tuple((name.lower(), value.strip()) for name, value in pairs)
        authorization = dict(headers).get("proxy-authorization")
        url = urlsplit(target if method != "CONNECT" else f"//{target}")
        host, port = url.hostname or "", url.port or 80
        allowed = self._expected is None or authorization == self._expected
        self._seen.append(Seen(method, f"{host}:{port}", target, authorization, headers, 200 if allowed else 407))
        if not allowed:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n"
                         b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            kept = "".join(f"{name}: {value}\r\n" for name, value in headers if name not in _HOP_BY_HOP)
            far_writer.write(f"{method} {path} HTTP/1.1\r\n{kept}Connection: close\r\n\r\n".encode("latin-1"))
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


class HttpProxy:
    """The test's hold on a proxy; `url` is what `http_proxy` and `https_proxy` take, with the user if there is one."""

    def __init__(self, user: str | None = None, password: str = "") -> None:
        self._process = ControlledProcess("tests.servers.http_proxy:ProxyApp", user=user, password=password)
        self.port: int = self._process.facts["port"]
        login = f"{user}:{password}@" if user is not None else ""
        self.url = f"http://{login}127.0.0.1:{self.port}"

    def __enter__(self) -> HttpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def seen(self) -> list[Seen]:
        """The requests so far."""
        seen: list[Seen] = self._process.call("seen")
        return seen

    def stop(self) -> None:
        self._process.stop()
