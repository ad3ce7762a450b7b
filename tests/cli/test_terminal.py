"""The installed command on a pseudo-terminal and in pipes: progress, Ctrl-C, a reader that stops."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server, Stall

COMMAND = [sys.executable, "-c", "import sys; from cloudfiles.cli import main; sys.exit(main())"]


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Run the command with a terminal as standard error; returns its status and what the terminal showed."""
    leader, follower = pty.openpty()
    shown = b""
    with subprocess.Popen([*COMMAND, *arguments], stderr=follower, stdout=subprocess.DEVNULL) as process:
        while True:
            has_ended = process.poll() is not None
            if select.select([leader], [], [], 0.05)[0]:
                shown += os.read(leader, 4096)
            elif has_ended:
                break
    os.close(leader)
    os.close(follower)  # not earlier: some systems drop what has not been read yet
    return process.returncode, shown.decode()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    CloudFiles(tmp_path / "a").puts((f"{n % 10}/{n}", bytes(100)) for n in range(500))
    return tmp_path / "a"


def test_progress_on_a_terminal_only(tree: Path, tmp_path: Path) -> None:
    status, shown = on_terminal("cp", "-r", str(tree), str(tmp_path / "b"))
    assert status == 0
    assert "Copying" in shown
    piped = subprocess.run([*COMMAND, "cp", "-r", str(tree), str(tmp_path / "c")], capture_output=True, check=True)
    assert piped.stderr == piped.stdout == b""
    status, shown = on_terminal("cp", "-r", "--no-progress", str(tree), str(tmp_path / "d"))
    assert (status, shown) == (0, "")


def test_a_reader_that_stops(tree: Path) -> None:
    with subprocess.Popen([*COMMAND, "ls", str(tree)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("error", "status"), [("KeyboardInterrupt", 130), ("click.UsageError('wrong')", 2),
                                               ("ValueError('wrong')", 1)])
def test_a_failure_after_the_reader_has_stopped(error: str, status: int) -> None:
    script = f"""
import sys, click
from cloudfiles.cli import group, main

@click.command()
def fails():
    print("is buffered")
    raise {error}

group.commands = fails
sys.exit(main([]))
"""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as output:
        process = subprocess.run([sys.executable, "-c", script], stdout=output, stderr=subprocess.PIPE, check=False,
                                 env={**os.environ, "PYTHONUNBUFFERED": ""})
    assert process.returncode == status
    assert [line[:12] for line in process.stderr.splitlines() if line] == [b"cloudfiles: "]


def test_binary_content_through_pipes(tmp_path: Path) -> None:
    content, there = os.urandom(1 << 20), str(tmp_path / "object")
    subprocess.run([*COMMAND, "put", there], input=content, check=True)
    assert subprocess.run([*COMMAND, "cat", there], capture_output=True, check=True).stdout == content


def test_interrupted(store: S3Server, cf: CloudFiles, tmp_path: Path) -> None:
    """Ctrl-C ends a copy that waits for a server: it says how to go on, and nothing incomplete is left."""
    cf.put("large", bytes(100_000))
    store.forget()
    store.fail(Stall(1000), method="GET", key=f"{cf._path.path}large", times=None)
    environment = {**os.environ, **{name: str(value) for name, value in store.secrets.items()}}
    with subprocess.Popen([*COMMAND, "cp", "-r", cf.cloudpath, str(tmp_path / "b")], stderr=subprocess.PIPE,
                          env=environment) as process:
        assert process.stderr is not None
        while not store.requests("GET", f"{cf._path.path}large"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    store.script()
    assert process.returncode == 130
    assert b"interrupted after 0 objects" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_installed_command() -> None:
    installed = shutil.which("cloudfiles", path=str(Path(sys.executable).parent))
    if installed is None:
        pytest.skip("the package is not installed as a command in this environment")
    assert b"cloudfiles cp -r" in subprocess.run([installed], capture_output=True, check=True).stdout
