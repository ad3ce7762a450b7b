"""Which tests a run consists of.

A run without options leaves out the tests marked `full`, which repeat on one more server, in one more runtime or with
one more size what another test shows; `--full` runs them too. A test that is named (`path::test`) is always run.
"""

from __future__ import annotations

import pytest

REAL_SERVERS = frozenset({"azurite", "caddy", "gcs_emulator", "moto_s3", "nginx", "rclone_http", "rclone_s3"})
"""The fixtures that start them."""

_OF_STORES = {"az": "azurite", "caddy": "caddy", "gs": "gcs_emulator", "moto": "moto_s3", "nginx": "nginx",
              "rclone": "rclone_s3"}
"""The server behind a store of the conformance suite, for those that have one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which repeat others on "
                     "more servers, in more runtimes and with more sizes; .ci/run does")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: run by `--full` only")
    config.addinivalue_line("markers", "one_runtime: what it tests is alike in every runtime: "
                            "in the second one by `--full` only")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether `--full` was given: for tests that then try more of the same."""
    return bool(request.config.getoption("full"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("full") and not any("::" in argument for argument in config.args):
        left_out = [item for item in items if repeats_others(item)]
        config.hook.pytest_deselected(items=left_out)
        unwanted = set(left_out)
        items[:] = [item for item in items if item not in unwanted]


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


def repeats_others(item: pytest.Item) -> bool:
    """Whether it is marked so, or asks a real server in a second runtime, or for several real servers."""
    if item.get_closest_marker("full") is not None:
        return True
    servers, parameters = servers_of(item), _parameters(item)
    in_second_runtime = parameters.get("green") is False or bool(
        {"threads", "inline", "uvloop"}.intersection(value for value in parameters.values() if isinstance(value, str)))
    return len(servers) > 1 or (
        in_second_runtime and (bool(servers) or item.get_closest_marker("one_runtime") is not None))
