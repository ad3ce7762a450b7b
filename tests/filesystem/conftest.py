"""File systems on the stores of the conformance suite."""

from __future__ import annotations

from typing import Any

import pytest

from cloudfiles.testing import S3Server
from tests.conformance.stores import STORES


@pytest.fixture(params=["mem", "file", "scripted"])
def fs(request: pytest.FixtureRequest) -> Any:
    """A file system with an empty root, in memory, on local files, and on S3."""
    pytest.importorskip("fsspec")
    from cloudfiles.filesystem import CloudFileSystem

    store = STORES[request.param](request)
    return CloudFileSystem(store.cloudpath, **store.options)


@pytest.fixture
def s3(fault_server: S3Server) -> Any:
    """A file system on the scripted server, which counts requests."""
    pytest.importorskip("fsspec")
    from cloudfiles.filesystem import CloudFileSystem

    return CloudFileSystem(fault_server.cloudpath(), endpoint=fault_server.url, secrets=fault_server.secrets,
                           skip_instance_cache=True)
