"""Which tests a run consists of.

A run without options leaves out the tests marked `full`, which repeat on one more server, in one more runtime or with
one more size what another test shows; `--full` runs them too. A test that is named (`path::test`) is always run.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import hypothesis
import pytest

REAL_SERVERS = frozenset({"azurite", "caddy", "gcs_emulator", "hadoop", "moto_s3", "nginx", "rclone_http", "rclone_s3"})
"""The fixtures that start them."""

_OF_STORES = {"az": "azurite", "caddy": "caddy", "gs": "gcs_emulator", "hadoop": "hadoop", "moto": "moto_s3",
              "nginx": "nginx", "rclone": "rclone_s3"}
"""The server behind a store of the conformance suite, for those that have one."""

_SLOW_STORES = frozenset({"webhdfs"})
"""Stores of the conformance suite on scripted servers that take several requests for most operations."""

_SECOND = frozenset({"hadoop", "moto_s3"})
"""Servers of a protocol that a default run asks another server for, which takes a tenth of the time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which repeat others on "
                     "more servers, in more runtimes and with more sizes; .ci/run does")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: run by `--full` only")
    config.addinivalue_line("markers", "one_runtime: what it tests is alike in every runtime: "
                            "in the second one by `--full` only")
    config.addinivalue_line("markers", "own_servers: what it tests is alike on every server: "
                            "on real ones by `--full` only")
    # How long an example takes says something about the machine, not about the code.
    hypothesis.settings.register_profile("default run", deadline=None, max_examples=30)
    hypothesis.settings.register_profile("full run", deadline=None, max_examples=100)
    hypothesis.settings.load_profile("full run" if config.getoption("full") else "default run")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether `--full` was given: for tests that then try more of the same."""
    return bool(request.config.getoption("full"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("full") and not any("::" in argument for argument in config.args):
        left_out = {item for item in items if repeats_others(item)}
        left_out.update(repeats_with_other_values([item for item in items if item not in left_out]))
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


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


def examples(count: int) -> int:
    """Of `max_examples` with `--full`, as many as a run tries."""
    return count * hypothesis.settings.default.max_examples // 100


def some(values: Iterable[object], keep: Container[object]) -> list[Any]:
    """Parameters of a test, of which a run without `--full` tries those in `keep`."""
    return [value if value in keep else pytest.param(value, marks=pytest.mark.full) for value in values]


def repeats_with_other_values(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of the tests that ask a real or a slow server, all runs of a function but the first: the others are asked all."""
    seen: set[object] = set()
    repeats = []
    for item in items:
        if servers := servers_of(item) | (_SLOW_STORES & set(map(str, _parameters(item).values()))):
            function = (item.nodeid.partition("[")[0], *servers)
            repeats += [item] if function in seen else []
            seen.add(function)
    return repeats


def repeats_others(item: pytest.Item) -> bool:
    """Whether it is marked so, or asks a real server in a second runtime, several of them, or a second of one kind."""
    if item.get_closest_marker("full") is not None:
        return True
    servers, parameters = servers_of(item), _parameters(item)
    in_second_runtime = parameters.get("green") is False or bool(
        {"threads", "inline", "uvloop"}.intersection(value for value in parameters.values() if isinstance(value, str)))
    if servers and item.get_closest_marker("own_servers") is not None:
        return True
    return len(servers) > 1 or bool(servers & _SECOND) or (
        in_second_runtime and (bool(servers) or item.get_closest_marker("one_runtime") is not None))
