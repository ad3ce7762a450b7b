"""Which tests are left out without `--full`, and which of them one worker of xdist runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.distribution import find_groups
from tests.selection import repeats_others, repeats_with_other_values, servers_of
from tests.servers import ROOT


class Spec(NamedTuple):
    params: dict[str, Any]


class Item:
    """As much of a collected test as is looked at."""

    def __init__(self, nodeid: str, *marks: str, fixtures: tuple[str, ...] = (), **params: Any) -> None:
        self.nodeid, self.fixturenames, self.callspec = nodeid, [*fixtures, *params], Spec(params)
        self._marks = marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self._marks else None


@pytest.mark.parametrize(("item", "servers"), [
    (Item("t", fixtures=("fault_server",), green=True), set()),
    (Item("t", fixtures=("moto_s3", "home")), {"moto_s3"}),
    (Item("t", http_server="caddy"), {"caddy"}),
    (Item("t", store="az", runtime="green"), {"azurite"}),
    (Item("t", fixtures=("store",), source="rclone", target="gs"), {"rclone_s3", "gcs_emulator"}),
    (Item("t", cloud="gs"), set()),  # a scripted one: no store of the conformance suite
])
def test_servers_are_found(item: Any, servers: set[str]) -> None:
    assert servers_of(item) == servers


@pytest.mark.parametrize(("item", "left_out"), [
    (Item("t", store="file", runtime="threads"), False),
    (Item("t", store="scripted", runtime="inline"), False),
    (Item("t", store="rclone", runtime="green"), False),
    (Item("t", store="rclone", runtime="threads"), True),
    (Item("t", store="moto", runtime="green"), True),
    (Item("t", fixtures=("azurite",), green=True), False),
    (Item("t", fixtures=("azurite",), green=False), True),
    (Item("t", fixtures=("store",), source="rclone", target="mem"), False),
    (Item("t", fixtures=("store",), source="rclone", target="az"), True),
    (Item("t", fixtures=("fault_server",), green=False), False),
    (Item("t", "one_runtime", fixtures=("fault_server",), green=True), False),
    (Item("t", "one_runtime", fixtures=("fault_server",), green=False), True),
    (Item("t", "own_servers", store="scripted"), False),
    (Item("t", "own_servers", store="rclone"), True),
    (Item("t", "full"), True),
])
def test_repetitions_are_left_out(item: Any, left_out: bool) -> None:
    assert repeats_others(item) is left_out


def test_real_servers_are_asked_once_for_each_function() -> None:
    again: Any = Item("a.py::one[gs-green-2]", store="gs", kind="2")
    items: list[Any] = [
        Item("a.py::one[gs-green-1]", store="gs", kind="1"), again, Item("a.py::one[az-green-1]", store="az", kind="1"),
        Item("a.py::two[gs-green-1]", store="gs", kind="1"), Item("a.py::one[file-1]", store="file", kind="1"),
        Item("a.py::one[file-2]", store="file", kind="2")]
    assert repeats_with_other_values(items) == [again]


def test_a_server_has_one_worker_and_long_tests_come_first() -> None:
    items: list[Any] = [
        Item("a.py::one"), Item("a.py::two"), Item("b.py::long", "long"), Item("b.py::other"),
        Item("a.py::moto", fixtures=("moto_s3",)), Item("c.py::moto", fixtures=("moto_s3",)),
        Item("c.py::nginx", fixtures=("nginx",)), Item("c.py::both", fixtures=("moto_s3", "azurite")),
        Item("d.py::azurite", fixtures=("azurite",))]
    groups = find_groups(items)
    assert groups == {
        "b.py::long": "b.py::long", "b.py::other": "b.py", "a.py::one": "a.py", "a.py::two": "a.py",
        "a.py::moto": "azurite", "c.py::moto": "azurite", "c.py::both": "azurite", "d.py::azurite": "azurite",
        "c.py::nginx": "nginx"}
    assert list(groups)[:5] == ["b.py::long", "a.py::moto", "c.py::moto", "c.py::both", "d.py::azurite"]


_FATAL = """
import os

def test_before(): pass
def test_fatal(): os._exit(1)
def test_afterwards(): pass
"""


@pytest.mark.full
def test_a_test_that_ends_its_worker_fails_and_is_not_run_again(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    for name in ("test_fatal.py", "test_fatal_too.py"):  # at the same time
        (tmp_path / name).write_text(_FATAL)
    (tmp_path / "test_other.py").write_text("def test_other(): pass")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "tests.distribution",
                          "-p", "tests.selection", "-p", "no:cacheprovider", "--max-worker-restart=3", str(tmp_path)],
                         cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert "test_fatal.py::test_fatal'\n" in run.stdout.partition("crashed while running")[2], run.stdout + run.stderr
    assert "2 failed, 5 passed" in run.stdout
