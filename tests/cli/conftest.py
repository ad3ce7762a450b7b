"""An S3 server, and the command line called as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from cloudfiles import CloudFiles
from cloudfiles.cli import main
from cloudfiles.testing import S3Server


class Outcome(NamedTuple):
    status: int
    output: str
    errors: str


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`cli("bench", "--help")` runs the command in this process."""
    def run(*arguments: str) -> Outcome:
        status = main(arguments)
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def store() -> Iterator[S3Server]:
    """An S3 server in which signed requests create buckets."""
    with S3Server() as server:
        server.configure(create_buckets=True)
        yield server


@pytest.fixture
def cf(store: S3Server, request: pytest.FixtureRequest) -> CloudFiles:
    """A bucket of the test's own."""
    return CloudFiles(store.cloudpath(f"{abs(hash(request.node.nodeid))}/dir/"), secrets=store.secrets)
