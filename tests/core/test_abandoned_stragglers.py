"""Callers that give up while a request and the additional one for it are in progress: nothing is left of either."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
import pytest

from cloudfiles import CloudFiles, reset_connection_pools
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.exceptions import CloudFilesError, DeadlineError
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.client import client_for
from cloudfiles.transport.request import PLAIN, Origin
from cloudfiles.types import StoreOptions
from tests.core.scripted import answer
from tests.core.stalling_server import RIGHT, WAIT, Server, Step, hold, policy_for, then
from tests.servers.leaks import no_leaks

STALLS: dict[str, Step] = {
    "no response": hold, "half a head": then(RIGHT[:20], hold), "half a body": then(RIGHT[:-2], hold)}
KEPT = ("cloudfiles-", "anon_inode", "pipe:", "Thread-")  # the engine's thread, and the server's


@pytest.fixture(params=STALLS.values(), ids=STALLS)
def first(request: pytest.FixtureRequest) -> Step:
    """What the server does with the first request."""
    step: Step = request.param
    return step


def held_twice(server: Server, first: Step, then: Callable[[], Any] = lambda: None) -> None:
    """Script two requests for `/a` that are held, and call `then` when the second one has come."""

    def held(sock: socket.socket, server: Server) -> None:
        then()
        hold(sock, server)

    server.script("/a", first, held)


def test_a_cancelled_batch(server: Server, green: bool, impatient: None, first: Step) -> None:
    """An error of another object ends the batch."""
    policy = policy_for(server.url)
    asked_twice = threading.Event()
    held_twice(server, first, asked_twice.set)

    def fails(sock: socket.socket, server: Server) -> None:
        assert asked_twice.wait(WAIT)
        sock.sendall(answer(400))

    server.script("/b", fails)
    CloudFiles(server.url, green=green).get([])
    with no_leaks(allow=KEPT):
        with pytest.raises(CloudFilesError):
            CloudFiles(server.url, green=green).get(["a", "b"])
        reset_connection_pools()  # that of the other object is idle
    assert server.second_ended.wait(WAIT)
    assert policy.waiting == 0


@pytest.mark.skipif(os.name == "nt", reason="no signals to a process")
@pytest.mark.parametrize("paths", ["a", ["a"]])
def test_an_interrupt(server: Server, green: bool, impatient: None, first: Step, paths: Any) -> None:
    policy = policy_for(server.url)
    held_twice(server, first, lambda: os.kill(os.getpid(), signal.SIGINT))
    cf = CloudFiles(server.url, green=green)
    with no_leaks(allow=KEPT), pytest.raises(KeyboardInterrupt):
        cf.get(paths)
    assert server.second_ended.wait(WAIT)
    assert (policy.hedged, policy.waiting) == (1, 0)


def test_a_deadline(server: Server, impatient: None, first: Step) -> None:
    policy = policy_for(server.url)
    held_twice(server, first)
    client = client_for(blocking_runtime(), StoreOptions())
    request = ObjectRead(Origin.of(server.url), "/a", {}, PLAIN, "a")
    request.deadline = monotonic() + 3.0  # long enough for a busy machine to send the second request
    with no_leaks(allow=KEPT), pytest.raises(DeadlineError):
        client.send(request)
    assert server.second_ended.wait(WAIT)
    assert (policy.hedged, policy.waiting) == (1, 0)


def test_a_greenlet_that_is_killed(server: Server, impatient: None, first: Step) -> None:
    """The caller is a greenlet of the hub in which the requests wait."""
    policy = policy_for(server.url)
    asked_twice = threading.Event()
    held_twice(server, first, asked_twice.set)

    def run() -> None:
        gevent.get_hub()
        caller = gevent.spawn(CloudFiles(server.url).get, ["a"])
        while not asked_twice.is_set():
            gevent.sleep(0.01)
        caller.kill(timeout=WAIT)
        outcome.append(caller.dead and policy.waiting == 0)
        reset_connection_pools()
        gevent.get_hub().destroy(destroy_loop=True)

    outcome: list[bool] = []
    with no_leaks(allow=KEPT):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(WAIT)
    assert outcome == [True]
    assert server.second_ended.wait(WAIT)


def test_a_task_that_is_cancelled(server: Server, impatient: None, first: Step) -> None:
    policy = policy_for(server.url)
    asked_twice = threading.Event()
    held_twice(server, first, asked_twice.set)

    async def run() -> None:
        task = asyncio.create_task(AsyncCloudFiles(server.url).get(["a"]))
        while not asked_twice.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with no_leaks(allow=KEPT):
        asyncio.run(run())
    assert server.second_ended.wait(WAIT)
    assert (policy.hedged, policy.waiting) == (1, 0)
