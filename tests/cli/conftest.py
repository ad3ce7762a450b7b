"""The embedded server, and the command line called as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from cloudfiles import CloudFiles
from cloudfiles.cli import main
from cloudfiles.cli.embedded import SECRETS, object_server


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
def embedded() -> Iterator[str]:
    """The URL of an embedded server."""
    with object_server() as url:
        yield url


@pytest.fixture
def cf(embedded: str, request: pytest.FixtureRequest) -> CloudFiles:
    """A bucket of the test's own on the embedded server."""
    return CloudFiles(f"s3://{embedded}/{abs(hash(request.node.nodeid))}/dir/", secrets=SECRETS)
