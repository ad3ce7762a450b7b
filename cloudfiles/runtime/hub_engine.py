"""Chooses the runtime of a call, and runs the engine: the one thread of a process with a gevent hub of cloudfiles.

With one hub, all threads of a program share a connection pool, and none of them leaves a hub behind.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import FileSystemError
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.descriptors import require_descriptors, with_descriptor

if TYPE_CHECKING:
    from cloudfiles.runtime.green import GreenRuntime

_HUB_DESCRIPTORS = 8
"""Descriptors that a hub may need: for waits, wake-ups, timers and signals."""

_threads: Runtime | None = None
_lock = threading.Lock()
_engine: Engine | None = None


def current_runtime(green: bool) -> Runtime:
    """The runtime for a batch of this thread.

    If this thread runs a hub, or `socket` or `threading` is patched, it is that of the hub, whatever `green` says:
    any other would block the hub.
    """
    hub = _current_hub()
    if hub is not None:
        return _runtime_of(hub)
    return engine().runtime if green else _thread_runtime()


def _thread_runtime() -> Runtime:
    """The runtime of this process for OS threads, created by the first call."""
    global _threads
    if _threads is None:
        # Here, as `socket` takes long to import.
        threads = with_descriptor(import_module, "cloudfiles.runtime.threads")
        with _lock:
            _threads = _threads or threads.ThreadRuntime()
    return _threads


def background_runtime() -> Runtime:
    """The green runtime for a thread that runs an event loop.

    A hub of this thread does not run meanwhile, unless `socket` or `threading` is patched: then the waits of the event
    loop run it.
    """
    hub = _current_hub()
    return _runtime_of(hub) if hub is not None and _is_patched() else engine().runtime


def blocking_runtime() -> Runtime:
    """The runtime for a single call that blocks its thread, or its greenlet."""
    return current_runtime(green=False)


def _current_hub() -> Any:
    """The hub of this thread; None if it has none. Never creates one in an unpatched process."""
    if "gevent" not in sys.modules:
        return None
    get_hub, get_hub_if_exists, _ = _gevent_functions()
    return get_hub() if _is_patched() else get_hub_if_exists()


def _is_patched() -> bool:
    """Whether the standard library waits by running a hub, of which the caller may be a greenlet."""
    *_, is_module_patched = _gevent_functions()
    return is_module_patched("socket") or is_module_patched("threading")


@functools.cache
def _gevent_functions() -> tuple[Callable[[], Any], Callable[[], Any], Callable[[str], bool]]:
    """`get_hub`, `get_hub_if_exists`, and `is_module_patched`: single calls look for a hub, and an import statement in
    a function takes a microsecond."""
    from gevent import get_hub
    from gevent._hub_local import get_hub_if_exists  # gevent has no public function that does not create one
    from gevent.monkey import is_module_patched

    return get_hub, get_hub_if_exists, is_module_patched


def _runtime_of(hub: Any) -> GreenRuntime:
    """The runtime of a hub of this thread, stored on the hub so that it ends with it."""
    runtime: GreenRuntime | None = getattr(hub, "cloudfiles_runtime", None)
    if runtime is None:
        from cloudfiles.runtime.green import GreenRuntime

        runtime = hub.cloudfiles_runtime = GreenRuntime(hub)
    return runtime


class Engine:
    """A daemon thread that runs a hub until it is closed."""

    def __init__(self) -> None:
        import gevent  # here, so that an ImportError is raised in the caller
        import gevent.event

        import cloudfiles.runtime.green  # noqa: F401

        self._gevent = gevent
        self._is_lost = False
        self._is_ready = threading.Lock()  # not an Event, in which a Ctrl-C would block the thread
        self._is_ready.acquire()
        self._thread = threading.Thread(target=self._main, name="cloudfiles-engine", daemon=True)
        try:
            self._thread.start()
            self._is_ready.acquire()
        except BaseException:  # Ctrl-C: nobody will close it
            self._is_lost = True
            if hasattr(self, "runtime"):
                self.runtime.post(self._stop.set)
            raise

    def _main(self) -> None:
        self._hub = self._gevent.get_hub()
        self._stop = self._gevent.event.Event()
        keep_alive = self._hub.loop.async_()  # a hub with nothing to wait for would end
        keep_alive.start(lambda: None)
        self.runtime = _runtime_of(self._hub)
        self._is_ready.release()
        try:
            if not self._is_lost:
                self._stop.wait()
        finally:  # also if the hub ends by itself: waiting callers are woken
            self.runtime.close()
            keep_alive.close()
            self._hub.destroy(destroy_loop=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop the thread and destroy its hub. Streams that are still open cannot be used afterwards."""
        if _is_patched():
            return  # after the thread was started: `threading` cannot join it any more; it ends with the process
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self.runtime.post(self._stop.set)
            self._thread.join(1.0)


def engine() -> Engine:
    """The engine of this process, started by the first call."""
    global _engine
    with _lock:
        if _engine is None or not _engine.is_alive:
            _check_descriptors()
            _engine = Engine()
        return _engine


def _check_descriptors() -> None:
    """Without its own descriptors libev neither starts nor fails, but tries forever."""
    try:
        with_descriptor(require_descriptors, _HUB_DESCRIPTORS)
    except OSError as error:
        raise FileSystemError(f"cannot start the engine for green threads: {error}", errno=error.errno) from error


def close_engine() -> None:
    """Stop the engine; the next batch starts another."""
    global _engine
    with _lock:
        engine, _engine = _engine, None
    if engine is not None:
        engine.close()


def close_after_interrupt(runtime: Runtime | None) -> None:
    """After an interrupt: close the idle connections of `runtime`, and the engine if no other batch uses it."""
    runtime = runtime or blocking_runtime()
    runtime.call(runtime.close_resources)
    if _engine is not None and runtime is _engine.runtime and not _engine.runtime.worker_groups:
        close_engine()


def _after_fork_in_child() -> None:
    global _engine, _lock
    _engine, _lock = None, threading.Lock()  # the thread exists only in the parent
    if "gevent" in sys.modules:
        from gevent._hub_local import get_hub_if_exists

        runtime: GreenRuntime | None = getattr(get_hub_if_exists(), "cloudfiles_runtime", None)
        if runtime is not None:  # the hub of this thread, and so its greenlets, exist in the child as well
            runtime.stop_after_fork()


def is_exiting() -> bool:
    """Whether the interpreter is exiting, for daemon threads."""
    return not threading.main_thread().is_alive()


def block_if_exiting() -> None:
    """In a daemon thread of a program that exits: do not return.

    Nothing waits for it any more, and an error would be printed as that of a thread.
    """
    while is_exiting() and threading.current_thread().daemon:
        time.sleep(3600)


atexit.register(close_engine)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
