"""Stores of each kind for the contract tests of capabilities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.facade.capability_stores import KINDS, open_store
from tests.servers.adl_server import AdlServer
from tests.servers.azure_server import AzureServer


@pytest.fixture(scope="session")
def adl_server() -> Iterator[AdlServer]:
    with AdlServer() as server:
        yield server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[AzureServer]:
    with AzureServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(params=KINDS)
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    """An empty store of each kind."""
    return open_store(request.param, request, tmp_path)
