"""`AsyncDataLake`: the methods of `DataLake`, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cloudfiles.aio.async_runner import awaited
from cloudfiles.datalake import DataLake


class AsyncDataLake:
    """Async counterpart of `DataLake`, returned by `await AsyncCloudFiles.data_lake()`. Arguments, results and
    exceptions are the same.

    Attributes:
        sync: the `DataLake` of the same store.
    """

    def __init__(self, lake: DataLake, call: Callable[..., Awaitable[Any]]) -> None:
        """call: `AsyncCloudFiles._call`."""
        self.sync = lake
        self._call = call

    def __repr__(self) -> str:
        return f"Async{self.sync!r}"

    rename = awaited(DataLake.rename)
    mkdir = awaited(DataLake.mkdir)
    rmdir = awaited(DataLake.rmdir)
    isdir = awaited(DataLake.isdir)
    get_acl_status = awaited(DataLake.get_acl_status)
    set_acl = awaited(DataLake.set_acl)
    modify_acl_entries = awaited(DataLake.modify_acl_entries)
    remove_acl_entries = awaited(DataLake.remove_acl_entries)
    remove_default_acl = awaited(DataLake.remove_default_acl)
    remove_acl = awaited(DataLake.remove_acl)
    chown = awaited(DataLake.chown)
    chmod = awaited(DataLake.chmod)
    create = awaited(DataLake.create)
    append = awaited(DataLake.append)
    flush = awaited(DataLake.flush)
    truncate = awaited(DataLake.truncate)
    set_times = awaited(DataLake.set_times)
    set_expiry = awaited(DataLake.set_expiry)
