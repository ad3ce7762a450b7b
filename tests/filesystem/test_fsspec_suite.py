"""fsspec's own tests of file systems, on every store."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("fsspec")

from fsspec.tests import abstract

from cloudfiles.filesystem import CloudFileSystem
from tests.conformance.stores import STORES

DEFAULT = ("mem", "file")
"""The others run with --full."""

SERVERS = ("scripted", "rclone", "moto", "gs", "gs-scripted", "az", "webhdfs", "hadoop")

HAVE_DIRECTORIES = ("file", "webhdfs", "hadoop")


@pytest.fixture(params=[*DEFAULT, *(pytest.param(name, marks=pytest.mark.full) for name in SERVERS)])
def store_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Fixtures(abstract.AbstractFixtures):
    """What the tests of fsspec need."""

    @pytest.fixture
    def fs(self, store_name: str, request: pytest.FixtureRequest) -> CloudFileSystem:
        store = STORES[store_name](request)
        return CloudFileSystem(store.cloudpath, **store.options)

    @pytest.fixture
    def fs_path(self, fs: CloudFileSystem) -> str:
        fs.makedirs("work", exist_ok=True)
        return "work"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def supports_empty_directories(self, store_name: str) -> bool:
        return store_name in HAVE_DIRECTORIES

    @pytest.fixture
    def local_path(self, tmp_path: Any) -> str:
        return str(tmp_path)


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    pass
