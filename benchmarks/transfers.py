"""Measurements of transfers: between a server and files, inside a server, between directories.

Clients read the directory `source` of their scratch directory and write to `fetched`, both in memory if the system
supports it. The results are compared byte by byte after the clock has stopped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.trials import Mismatch, Trial, compare

SOURCE, FETCHED, COPIES = "source", "fetched", "copies"


class _Transfer(Trial):
    """All keys at once, after a warm-up with a few of them if there are many."""

    through_server = False  # written by the server

    def prepare(self) -> None:
        self.keys = self.job.names()
        self.operations, self.volume = len(self.keys), len(self.keys) * self.job.size
        self.scratch = Path(self.job.target.scratch)
        self.lay_out()
        self.make_room()
        if len(self.keys) > 1 and not self.job.fresh:
            self.transfer(self.keys[:40])
            shutil.rmtree(self.arrives_in(), ignore_errors=True)
            self.make_room()

    def make_room(self) -> None:
        """An empty directory for the results."""
        self.arrives_in().mkdir(parents=True, exist_ok=True)
        if self.through_server:
            time.sleep(1.5)  # the server keeps directory listings for a second

    def lay_out(self) -> None:
        """Store what the client reads."""

    def transfer(self, keys: Sequence[str]) -> Any:
        raise NotImplementedError

    def arrives_in(self) -> Path:
        """The directory in which the objects appear."""
        raise NotImplementedError

    def run(self) -> Any:
        return self.transfer(self.keys)

    def check(self, result: Any) -> None:
        for key in self.keys:
            path = self.arrives_in() / key
            compare(key, path.read_bytes() if path.exists() else None, data.body(key, self.job.size))
        extra = len(list(self.arrives_in().iterdir())) - len(self.keys)
        if extra:
            raise Mismatch(f"{extra} files more than there should be")
        shutil.rmtree(self.arrives_in())


class Download(_Transfer):
    """The server has the objects."""

    def transfer(self, keys: Sequence[str]) -> Any:
        return self.client.download(keys)

    def arrives_in(self) -> Path:
        return self.scratch / FETCHED


class _FromFiles(_Transfer):
    def lay_out(self) -> None:
        data.write_tree(self.scratch / SOURCE, self.keys, lambda key: data.pieces(key, self.job.size))


class Upload(_FromFiles):
    through_server = True

    def transfer(self, keys: Sequence[str]) -> Any:
        return self.client.upload(keys)

    def arrives_in(self) -> Path:
        return self.directory


class CopyWithin(_Transfer):
    """The server has the objects, and the copies below `copies`."""

    through_server = True

    def lay_out(self) -> None:
        data.write_tree(self.directory, self.keys, lambda key: data.pieces(key, self.job.size))

    def transfer(self, keys: Sequence[str]) -> Any:
        return self.client.copy_within(keys)

    def arrives_in(self) -> Path:
        return self.directory / COPIES


class CopyTree(_FromFiles):
    """Between two directories; no server."""

    def transfer(self, keys: Sequence[str]) -> Any:
        return self.client.copy_tree(keys)

    def arrives_in(self) -> Path:
        return self.scratch / FETCHED
