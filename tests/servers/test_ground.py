"""The guards around the tests do their duty."""

from __future__ import annotations

import os
import pkgutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.testing import S3Server
from cloudfiles.testing.controlled_process import ControlledProcess
from tests.internals import INTERNALS
from tests.servers import ROOT
from tests.servers.guard import is_local

NoLeaks = Callable[..., AbstractContextManager[None]]


@pytest.mark.parametrize(("address", "local"), [
    (("127.0.0.1", 80), True), (("127.8.9.10", 80), True), (("localhost", 80), True), (("::1", 80, 0, 0), True),
    (("bucket.localhost", 80), True), ("/run/socket", True), (b"\0abstract", True),
    (("192.0.2.1", 80), False), (("example.com", 80), False), (("2001:db8::1", 80, 0, 0), False),
    (("localhost.example.com", 80), False),
])
def test_what_is_local(address: object, local: bool) -> None:
    assert is_local(address) == local


_ESCAPES = """
import socket

def test_it():
    with socket.socket() as sock:
        try:
            sock.connect(("192.0.2.1", 80))
        except OSError:
            pass
"""


def test_a_test_that_leaves_the_machine_fails_even_if_it_swallows_the_error(tmp_path: Path) -> None:
    (tmp_path / "test_escapes.py").write_text(_ESCAPES)
    result = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", str(tmp_path)], cwd=ROOT,
                            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "connections to the outside were tried: [\"('192.0.2.1', 80)\"]" in result.stdout


def test_the_environment_is_empty(home: Path) -> None:
    assert Path.home() == home
    assert os.listdir(home) == []
    names = [name for name in os.environ if name.startswith("AWS_")]
    assert names == ["AWS_EC2_METADATA_DISABLED"]
    assert not [name for name in os.environ if name.upper().endswith("_PROXY")]


@given(st.integers())
def test_the_guards_do_not_disturb_property_tests(n: int) -> None:
    assert n == int(str(n))


def test_no_leaks_passes_what_cleans_up(no_leaks: NoLeaks, tmp_path: Path) -> None:
    with no_leaks(tmp_path):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        with socket.socket():
            (tmp_path / "file").touch()
        (tmp_path / "file").unlink()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.leaks._GRACE", 0.0)


@pytest.mark.usefixtures("_quick")
def test_no_leaks_finds_a_socket_a_thread_and_a_file(no_leaks: NoLeaks, tmp_path: Path) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="straggler")
    left: list[socket.socket] = []

    def leave_all_of_them() -> None:
        with no_leaks(tmp_path):
            left.append(socket.socket())
            thread.start()
            (tmp_path / "file").touch()

    with pytest.raises(AssertionError, match="left behind") as caught:
        leave_all_of_them()
    left[0].close()
    ended.set()
    thread.join()
    for what in ("descriptor", "thread straggler", "file "):
        assert what in str(caught.value)


@pytest.mark.usefixtures("_quick")
def test_no_leaks_allows_what_is_named(no_leaks: NoLeaks, tmp_path: Path) -> None:
    with no_leaks(tmp_path, allow=("kept",)):
        (tmp_path / "kept").touch()


def test_both_runtimes_are_tested(green: bool, request: pytest.FixtureRequest) -> None:
    assert request.node.callspec.id == ("green" if green else "threads")


@pytest.mark.parametrize("path", [path for paths in INTERNALS.values() for path in paths])
def test_internals_that_tests_replace_are_there(path: str) -> None:
    pkgutil.resolve_name(path)


# ---- processes of our own


def test_errors_of_a_controlled_process_are_raised_here(fault_server: S3Server) -> None:
    with pytest.raises(TypeError, match="nonsense"):
        fault_server.configure(nonsense=1)


def test_a_controlled_process_ends_with_its_pipes(no_leaks: NoLeaks) -> None:
    with no_leaks():
        process = ControlledProcess("cloudfiles.testing.server_app:ServerApp")
        process.stop()
        process.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_stopped_server_answers_no_more() -> None:
    with S3Server() as server:
        url = server.url
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url)
