"""The command itself: help, version, verbosity, what it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

import cloudfiles
from cloudfiles.cli.sizes import format_size, parse_size
from tests.cli.conftest import Outcome

Cli = Callable[..., Outcome]


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"{cloudfiles.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_names_the_commands(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert outcome.status == 0
    assert "explain-auth" in outcome.output


def test_help_of_a_command(cli: Cli) -> None:
    outcome = cli("bench", "--help")
    assert (outcome.status, "--objects" in outcome.output) == (0, True)


def test_an_unknown_command(cli: Cli) -> None:
    assert cli("unknown") == (2, "", "cloudfiles: No such command 'unknown'.\n")


def test_a_traceback_only_when_asked_for(cli: Cli) -> None:
    assert "Traceback" not in cli("bench", "ftp://x").errors
    outcome = cli("-v", "bench", "ftp://x")
    assert "Traceback" in outcome.errors
    assert outcome.errors.splitlines()[-1].startswith("cloudfiles: ")


def test_nothing_is_loaded_before_a_command_needs_it() -> None:
    script = "import sys, cloudfiles.cli; print(sorted({'click', 'gevent', 'urllib3', 'tqdm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"[]\n"


@pytest.mark.parametrize(("text", "size"), [
    ("0", 0), ("4096", 4096), ("4KiB", 4096), ("4 kib", 4096), ("1MiB", 1 << 20), ("1MB", 10**6), ("2GiB", 2 << 30),
])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KiB", "-1", "1.5KiB", "4Q", "1 2"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 4096"):
        parse_size(text)


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1000, "1000 B"), (4096, "4 KiB"), (3 << 20, "3 MiB")])
def test_sizes_are_shown(size: int, text: str) -> None:
    assert format_size(size) == text
