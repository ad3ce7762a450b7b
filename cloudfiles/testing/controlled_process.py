"""An application in a process of its own, controlled by method calls over its standard streams.

Pipes rather than sockets: they do not show up in a count of the test's sockets, and their end of file tells the child
that the parent is gone, so that no child is left behind, even where the parent is killed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from typing import IO, Any, Protocol

from cloudfiles.exceptions import CloudFilesError
from cloudfiles.workers.launch import boot_code
from cloudfiles.workers.process_state import current_state

_LENGTH = struct.Struct(">Q")


class App(Protocol):
    """What runs in the child: `start` returns what the parent has to know, such as the port."""

    async def start(self) -> dict[str, Any]: ...


def _send(stream: IO[bytes], value: object) -> None:
    frame = pickle.dumps(value)
    stream.write(_LENGTH.pack(len(frame)) + frame)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("the other side is gone")
    return pickle.loads(stream.read(_LENGTH.unpack(head)[0]))


class ControlledProcess:
    """The parent's side: starts `app` ("module:Class") with `arguments`, and calls its methods.

    Raises CloudFilesError if the process ends by itself; what it printed is on standard error.
    """

    def __init__(self, app: str, **arguments: Any) -> None:
        boot = boot_code(current_state().path, __name__, app)
        self._process = subprocess.Popen([sys.executable, "-c", boot], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lock = threading.Lock()
        self.facts: dict[str, Any] = self._exchange(arguments)

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call `method` of the application; returns its result or raises its exception."""
        return self._exchange((method, args, kwargs))

    def stop(self) -> None:
        """End the child and wait for it. Safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _exchange(self, value: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                _send(self._process.stdin, value)
                result = _receive(self._process.stdout)
            except (EOFError, OSError) as error:
                raise CloudFilesError(f"the server process ended with status {self._process.wait()}") from error
        if isinstance(result, BaseException):
            raise result
        return result


async def _serve(app_name: str, commands: IO[bytes], results: IO[bytes]) -> None:
    module, _, name = app_name.partition(":")
    app: App = getattr(importlib.import_module(module), name)(**_receive(commands))
    _send(results, await app.start())
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    threading.Thread(target=_obey, args=(app, commands, results, loop, ended), daemon=True).start()
    await ended.wait()


def _obey(app: App, commands: IO[bytes], results: IO[bytes], loop: asyncio.AbstractEventLoop,
          ended: asyncio.Event) -> None:
    """Run each command in the loop's thread, until the parent closes the pipe."""
    async def run(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return getattr(app, method)(*args, **kwargs)

    try:
        while True:
            try:
                result = asyncio.run_coroutine_threadsafe(run(*_receive(commands)), loop).result()
            except EOFError:
                break
            except Exception as error:
                result = error
            _send(results, result)
    except OSError:
        pass  # the parent ended between a command and its result
    loop.call_soon_threadsafe(ended.set)


def main(app: str) -> None:
    """What the child runs: `app` ("module:Class") until its standard input ends."""
    # Ctrl-C in a terminal reaches the whole group of processes; the parent may still have to clean up here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the application prints must not get between the results.
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(app, sys.stdin.buffer, results))
