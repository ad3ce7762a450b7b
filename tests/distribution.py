"""How `-n` of pytest-xdist spreads the tests: those of one file stay together, and so do all that use one real server.

So each server is started once. Every worker finds the same groups and leaves them in a file, where the scheduler reads
them. (`--dist=loadgroup` appends the group to a test's name, which pytest 9.2 no longer lets it do.)
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.selection import REAL_SERVERS, servers_of

_MOST_WORKERS = 4
"""Of `-n auto`: the longest group takes about a quarter of the time of all. It starts one more than there are cores,
as tests wait for servers and processes a fifth of their time."""

_GROUPS = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes many seconds: begin with it")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, _MOST_WORKERS)


# ---- in the workers


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """As pytest's own, but of a test that passes the other process is told once, not four times: a quarter of its work.

    What setup and teardown of it took is known to `--durations` and `--junitxml` only if they are told, too.
    """
    options = item.config.option
    if not hasattr(item.config, "workerinput") or options.durations is not None or options.xmlpath:
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return
    groups = find_groups(items)
    order = {nodeid: number for number, nodeid in enumerate(groups)}
    items.sort(key=lambda item: order[item.nodeid])
    file = Path(config.workerinput["groups"])
    new = file.with_name(f"{file.name}.{config.workerinput['workerid']}")
    new.write_text(json.dumps(groups))
    new.replace(file)


def find_groups(items: list[pytest.Item]) -> dict[str, str]:
    """The group of every test, by its name; the groups that take longest come first."""
    group_of = _groups_of_servers(items)
    names, long = {}, set()
    for item in items:
        servers = servers_of(item)
        names[item.nodeid] = group_of[min(servers)] if servers else item.nodeid.partition("::")[0]
        if item.get_closest_marker("long") is not None and not servers:
            names[item.nodeid] = item.nodeid  # alone
            long.add(item.nodeid)
    size = Counter(names.values())
    return dict(sorted(names.items(), key=lambda named: (named[0] not in long, -size[named[1]], named[1])))


def _groups_of_servers(items: list[pytest.Item]) -> dict[str, str]:
    """The group of every real server: servers that one test asks side by side are of one group."""
    group_of = {server: server for server in REAL_SERVERS}
    for item in items:
        together = {group_of[server] for server in servers_of(item)}
        if len(together) > 1:
            group_of.update({server: min(together) for server, group in group_of.items() if group in together})
    return group_of


# ---- in the process that starts the workers


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    if _GROUPS not in node.config.stash:
        node.config.stash[_GROUPS] = Path(tempfile.mkdtemp(prefix="cloudfiles-tests-")) / "groups"
    node.workerinput["groups"] = str(node.config.stash[_GROUPS])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "load":  # asked for another
        return None
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # the workers have put the tests in order

    class GroupScheduling(LoadScopeScheduling):
        def schedule(self) -> None:
            if self.collection is None:
                self._groups: dict[str, str] = json.loads(config.stash[_GROUPS].read_text())
            super().schedule()

        def _reschedule(self, node: Any) -> None:
            if node in self.registered_collections:  # one that takes the place of another is given work later
                super()._reschedule(node)

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            super().mark_test_complete(node, item_index, duration)
            group = self._split_scope(self.registered_collections[node][item_index])
            if all(self.assigned_work[node][group].values()):
                del self.assigned_work[node][group]  # else it is counted again with every test that ends

        def remove_node(self, node: Any) -> str | None:
            """Forget a worker that has ended; returns the test during which it did, if any.

            xdist alone would run that test again in the next worker, and so end one worker after the other.
            """
            running = None
            for unit in self.assigned_work[node].values():
                running = running or next((nodeid for nodeid, done in unit.items() if not done), None)
                if running in unit:
                    unit[running] = True
            self.assigned_work[node] = {
                group: unit for group, unit in self.assigned_work[node].items() if not all(unit.values())}
            super().remove_node(node)
            return running

        def _split_scope(self, nodeid: str) -> str:
            return self._groups[nodeid]

    return GroupScheduling(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (groups := config.stash.get(_GROUPS, None)) is not None:
        groups.unlink(missing_ok=True)
        groups.parent.rmdir()
