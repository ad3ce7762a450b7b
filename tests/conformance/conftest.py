"""Every test that takes `store` runs against every store, every one that takes `cf` in every runtime besides.

Marks: `writes` leaves out the stores that are read-only; `stores(names...)` names those it is about.
"""

from __future__ import annotations

from typing import Any

import pytest

from cloudfiles import CloudFiles
from tests.conformance.exceptions import EXCEPTIONS, EXCEPTIONS_OF_SOME, SLOW
from tests.conformance.stores import DEFAULT_STORES, INLINE, READ_ONLY, RUNTIMES, STORES, StoreUnderTest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "writes: the test puts objects by the store's own protocol")
    config.addinivalue_line("markers", "stores(*names): the stores that the test is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" not in metafunc.fixturenames:
        return
    chosen = metafunc.definition.get_closest_marker("stores")
    names = list(chosen.args) if chosen else list(STORES)
    if metafunc.definition.get_closest_marker("writes"):
        names = [name for name in names if name not in READ_ONLY]
    test = metafunc.definition.originalname
    if "runtime" not in metafunc.fixturenames:
        metafunc.parametrize("store", [_parameter(name, test) for name in names], indirect=True)
        return
    pairs = [_parameter(name, test, runtime) for name in names for runtime in RUNTIMES
             if runtime != "inline" or name in INLINE]
    metafunc.parametrize(("store", "runtime"), pairs, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _deselect_other_stores(config, items)
    for item in items:
        spec = getattr(item, "callspec", None)
        if spec is None or not isinstance(item, pytest.Function):
            continue
        text, reason = EXCEPTIONS_OF_SOME.get((spec.params.get("store"), item.originalname), ("", ""))
        if text and text in spec.id.partition("-")[2]:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _deselect_other_stores(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the stores that `--stores` names, and every test that asks none."""
    wanted = config.getoption("--stores")
    if wanted is None:
        return
    names = set(wanted.split(","))
    if unknown := names - set(STORES):
        raise pytest.UsageError(f"--stores: no such store: {', '.join(sorted(unknown))}; there are {', '.join(STORES)}")
    others = [item for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")
              and item.callspec.params.get("store", next(iter(names))) not in names]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


def _parameter(name: str, test: str, *runtime: str) -> Any:
    reason = EXCEPTIONS.get((name, test))
    marks: list[pytest.MarkDecorator] = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    if (name, test) in SLOW or any(name not in DEFAULT_STORES.get(one, STORES) for one in runtime):
        marks.append(pytest.mark.full)
    if "threads" in runtime and name == "webhdfs":
        marks.append(pytest.mark.full)
    return pytest.param(name, *runtime, id="-".join((name, *runtime)), marks=marks)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> StoreUnderTest:
    return STORES[request.param](request)


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options that choose who does the work of a batch."""
    return RUNTIMES[request.param]


@pytest.fixture
def cf(store: StoreUnderTest, runtime: dict[str, Any]) -> CloudFiles:
    return store.cf(**runtime)
