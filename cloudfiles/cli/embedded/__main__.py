"""`python -m cloudfiles.cli.embedded`: prints the server's URL, serves until standard input ends."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

from cloudfiles.cli.embedded.http import Connection
from cloudfiles.cli.embedded.service import Service


async def serve() -> None:
    loop = asyncio.get_running_loop()
    service = Service()
    server = await loop.create_server(lambda: Connection(service.answer), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    threading.Thread(target=_watch_input, args=(loop, ended), daemon=True).start()
    await ended.wait()
    server.close()


def _watch_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(ended.set)


# Ctrl-C in a terminal reaches the whole group of processes; the parent may still have to clean up here.
signal.signal(signal.SIGINT, signal.SIG_IGN)
asyncio.run(serve())
