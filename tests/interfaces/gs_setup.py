"""gs interfaces as a batch uses them: each call in a worker of the runtime, failures retried without a pause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfiles.credentials.google import GoogleProvider
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.gs import GsInterface
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.hub_engine import current_runtime
from cloudfiles.transport.client import Client
from cloudfiles.types import StoreOptions, Tls, WriteOptions
from tests.interfaces.s3_setup import Worker, in_worker
from tests.servers.gcs_server import GcsServer

IMPATIENT = RetryPolicy(attempts=12, window=0.0)

_opened: list[tuple[Client, Runtime]] = []


def open_gs(server: GcsServer, green: bool, path: str = "place/", *, bucket: str = "bucket",
            provider: GoogleProvider | None = None, **options: Any) -> Worker:
    """A place on `server` with a client of its own."""
    runtime = current_runtime(green)
    client = Client(runtime, Tls(), 5.0, 10.0, policy=IMPATIENT)
    _opened.append((client, runtime))
    interface = GsInterface(extract(f"gs://{server.url}/{bucket}/{path}"), StoreOptions(**options), runtime,
                            client=client, provider=provider)
    return Worker(interface, runtime)  # type: ignore[arg-type]


def concat(gs: Worker, keys: Sequence[str], key: str, options: WriteOptions) -> Any:
    """Concatenate objects as they are now, on the server."""
    sources = [ConcatSource(name, gs.describe(name)) for name in keys]
    return Worker(gs.capability(Concatenation), gs.runtime).concat(sources, key, options)


def close_opened() -> None:
    """Close the connections of all that `open_gs` has opened."""
    while _opened:
        client, runtime = _opened.pop()
        in_worker(runtime, client.close)
