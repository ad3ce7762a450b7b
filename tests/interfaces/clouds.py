"""A scripted store of any cloud, and an interface of it."""

from __future__ import annotations

from typing import Any

from cloudfiles.batch.lister import list_paths
from cloudfiles.testing import Fault, Rule, S3Server
from tests.interfaces.s3_setup import Worker, in_worker

KEYS = ["dir/a", "dir/b", "dir/sub/c", "dir2/d", "zzzzzz"]


class Cloud:
    """A scripted store that holds KEYS, and an interface at `dir/` of it."""

    def __init__(self, server: S3Server, worker: Worker, names: dict[str, str]) -> None:
        self.server = server
        self.at = worker
        self.names = names  # of the query's parameters

    def lies(self, *faults: Fault) -> None:
        self.server.script(*(Rule(fault, query=self.names["listing"], times=None) for fault in faults))

    def list(self, *args: Any, **options: Any) -> list[Any]:
        found: list[Any] = in_worker(self.at.runtime, lambda: list(list_paths(self.at.interface, *args, **options)))
        return found
