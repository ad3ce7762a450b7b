"""Azure interfaces as a batch uses them: each call in a worker of the runtime, failures retried without a pause."""

from __future__ import annotations

from typing import Any

from cloudfiles.interfaces.azure import AzureInterface
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import current_runtime
from cloudfiles.transport.client import Client
from cloudfiles.types import Clock, StoreOptions, Tls
from tests.interfaces.s3_setup import IMPATIENT, Worker, _opened


def open_azure(cloudpath: str, green: bool, *, clock: Clock | None = None, policy: RetryPolicy = IMPATIENT,
               provider: Any = None, **options: Any) -> Worker:
    """`cloudpath` with a client of its own; `close_opened` of `s3_setup` closes it."""
    runtime = current_runtime(green)
    client = Client(runtime, options.get("tls") or Tls(), 5.0, 10.0, policy=policy, clock=clock)
    _opened.append((client, runtime))
    return Worker(AzureInterface(extract(cloudpath), StoreOptions(**options), runtime, client=client,
                                 provider=provider), runtime)  # type: ignore[arg-type]
