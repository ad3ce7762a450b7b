"""S3 interfaces as a batch uses them: each call in a worker of the runtime, failures retried without a pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudfiles.interfaces.s3 import S3Interface
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.hub_engine import current_runtime
from cloudfiles.transport.client import Client
from cloudfiles.types import Clock, StoreOptions, Tls

IMPATIENT = RetryPolicy(attempts=12, window=0.0)

_opened: list[tuple[Client, Runtime]] = []


def in_worker(runtime: Runtime, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function` in a worker of `runtime`; gives or raises what it does."""
    outcome: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        try:
            outcome.append((function(*args, **kwargs), None))
        except Exception as error:
            outcome.append((None, error))

    worker_group = runtime.worker_group()
    worker_group.start(work, 1)
    while not worker_group.finished:
        worker_group.wait_caller(5.0)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


class Worker:
    """An interface whose methods run in a worker."""

    def __init__(self, interface: S3Interface, runtime: Runtime) -> None:
        self.interface = interface
        self.runtime = runtime

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.interface, name)
        return lambda *args, **kwargs: in_worker(self.runtime, method, *args, **kwargs)


def open_s3(cloudpath: str, green: bool, *, clock: Clock | None = None, policy: RetryPolicy = IMPATIENT,
            provider: Any = None, read_timeout: float = 10.0, **options: Any) -> Worker:
    """`cloudpath` with a client of its own."""
    runtime = current_runtime(green)
    client = Client(runtime, options.get("tls") or Tls(), 5.0, read_timeout, policy=policy, clock=clock)
    _opened.append((client, runtime))
    interface = S3Interface(extract(cloudpath), StoreOptions(**options), runtime, client=client, provider=provider)
    return Worker(interface, runtime)


def close_opened() -> None:
    """Close the connections of all that `open_s3` has opened."""
    while _opened:
        client, runtime = _opened.pop()
        in_worker(runtime, client.close)
