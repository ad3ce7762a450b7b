"""Programs of others on the stores of the conformance suite; a test that needs a program that is missing is skipped."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.conformance.stores import STORES, StoreUnderTest

OBJECT_STORES = ["mem", "file", "scripted", *(
    pytest.param(name, marks=pytest.mark.full) for name in ("rclone", "moto", "gs-scripted", "az"))]
"""Those that take writes: in memory, on disk and S3 by default, and servers of others with `--full`."""


@pytest.fixture(params=OBJECT_STORES)
def place(request: pytest.FixtureRequest) -> StoreUnderTest:
    """An empty place on each store."""
    return STORES[request.param](request)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own. (zarr's are written for a plugin that does.)"""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True
