"""Which tests a run consists of, and which of them one worker of pytest-xdist runs after another.

A run without options leaves out the tests marked `full`, which repeat on one more server, in one more runtime or with
one more size what another test shows; `--full` runs them too. A test that is named (`path::test`) is always run.

With `-n`, the tests of one file stay together, and so do all that use the same real server: it is started once.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

REAL_SERVERS = frozenset({"azurite", "caddy", "gcs_emulator", "moto_s3", "nginx", "rclone_http", "rclone_s3"})
"""The fixtures that start them."""

_OF_STORES = {"az": "azurite", "caddy": "caddy", "gs": "gcs_emulator", "moto": "moto_s3", "nginx": "nginx",
              "rclone": "rclone_s3"}
"""The server behind a store of the conformance suite, for those that have one."""

_MOST_WORKERS = 4
"""Of `-n auto`: the longest group of tests takes a quarter of the time of all of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which repeat others on "
                     "more servers, in more runtimes and with more sizes; .ci/run does")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: run by `--full` only")
    config.addinivalue_line("markers", "long: takes seconds; xdist is to begin with it")
    if getattr(config.option, "dist", "no") == "load":  # `-n` without `--dist`
        config.option.dist = "loadgroup"
        config.option.loadscopereorder = False


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether `--full` was given: for tests that then try more of the same."""
    return bool(request.config.getoption("full"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("full") and not any("::" in argument for argument in config.args):
        left_out = [item for item in items if _repeats_others(item)]
        config.hook.pytest_deselected(items=left_out)
        unwanted = set(left_out)
        items[:] = [item for item in items if item not in unwanted]
    if hasattr(config, "workerinput"):
        _group(items)


def servers_of(item: pytest.Item) -> set[str]:
    """The real servers that a test asks for, by their fixtures."""
    fixtures = set(getattr(item, "fixturenames", ()))
    found = {value for value in _parameters(item).values() if isinstance(value, str)}
    servers = (fixtures | found) & REAL_SERVERS
    if "store" in fixtures:
        servers |= {_OF_STORES[name] for name in found & _OF_STORES.keys()}
    return servers


def _parameters(item: pytest.Item) -> dict[str, object]:
    spec = getattr(item, "callspec", None)
    return dict(spec.params) if spec is not None else {}


def _repeats_others(item: pytest.Item) -> bool:
    """Whether it is marked so, or asks a real server in a second runtime, or for several real servers."""
    if item.get_closest_marker("full") is not None:
        return True
    servers, parameters = servers_of(item), _parameters(item)
    second_runtime = (parameters.get("green") is False or parameters.get("runtime") in ("threads", "inline")
                      or parameters.get("run") == "uvloop")
    return bool(servers) and (second_runtime or len(servers) > 1)


def _groups_of_servers(items: list[pytest.Item]) -> dict[str, str]:
    """The group of every real server: servers that one test asks side by side are of one group."""
    group_of = {server: server for server in REAL_SERVERS}
    for item in items:
        together = {group_of[server] for server in servers_of(item)}
        if len(together) > 1:
            group_of.update({server: min(together) for server, group in group_of.items() if group in together})
    return group_of


def _group(items: list[pytest.Item]) -> None:
    """Mark the tests that belong together, and put the groups that take longest first."""
    group_of = _groups_of_servers(items)
    names = {}
    for item in items:
        servers = servers_of(item)
        names[item] = group_of[min(servers)] if servers else item.nodeid.partition("::")[0]
        if item.get_closest_marker("long") is not None and not servers:
            names[item] = item.nodeid
        else:
            item.add_marker(pytest.mark.xdist_group(names[item]))
    size = Counter(names.values())
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, -size[names[item]], names[item]))
