"""Chooses what the workers of file objects are: those that send and receive beside the program."""

from __future__ import annotations

from cloudfiles.batch.store import Store
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.hub_engine import current_runtime


def worker_runtime(store: Store) -> Runtime:
    """OS threads, unless green ones were asked for, or this thread runs a hub.

    Blocks of megabytes are received faster by threads: a hub in another thread competes with the program for the
    interpreter at every 64 KiB. Local stores gain nothing from greenlets.
    """
    return current_runtime(store.green is True and not store.is_local)
