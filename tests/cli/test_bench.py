"""`cloudfiles bench`: what it measures, what it leaves behind (nothing), how it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, clear_memory
from cloudfiles.cli.store_benchmark import StoreBenchmark, WrongResultError
from cloudfiles.testing import S3Server
from tests.cli.conftest import Outcome

Cli = Callable[..., Outcome]
OPERATIONS = ["put", "exists", "get", "list", "delete"]


def test_without_a_cloudpath_a_local_server_is_measured(cli: Cli) -> None:
    outcome = cli("bench", "--objects", "300", "--size", "1KiB")
    assert (outcome.status, outcome.errors) == (0, "")
    lines = outcome.output.splitlines()
    assert lines[0].startswith("300 objects of 1 KiB at s3://http://127.0.0.1:")
    assert [line.split()[0] for line in lines[2:7]] == OPERATIONS
    assert all(float(line.split()[3].replace(",", "")) > 0 for line in lines[2:7])
    assert lines[7].startswith("single gets: p50 ")


def test_the_local_server_is_reached_without_the_proxy_of_the_environment(
        cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert cli("bench", "--objects", "2").status == 0


def test_json(cli: Cli) -> None:
    report = json.loads(cli("bench", "mem://bench/json", "--objects", "50", "--size", "100", "--json").output)
    assert (report["objects"], report["size"]) == (50, 100)
    assert report["cloudpath"].startswith("mem://bench/json/cloudfiles-bench-")
    assert [row["operation"] for row in report["operations"]] == OPERATIONS
    assert [row["bytes"] for row in report["operations"]] == [5000, 0, 5000, 0, 0]
    assert all(row["objects"] == 50 and row["seconds"] > 0 for row in report["operations"])
    assert 0 < report["get_latency_seconds"]["p50"] <= report["get_latency_seconds"]["p99"]


@pytest.mark.parametrize("size", ["0", "3", "5"])
def test_objects_too_small_for_their_number(cli: Cli, size: str) -> None:
    assert cli("bench", "mem://bench/small", "--objects", "300", "--size", size).status == 0


def test_a_store_that_is_named(cli: Cli, store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.secrets.items():
        monkeypatch.setenv(name, value)
    CloudFiles("s3://named/", endpoint=store.url)["kept"] = b"1"
    for green in ("--green", "--no-green"):
        assert cli("bench", "s3://named/", "--endpoint", store.url, "--objects", "20", green).status == 0
    assert list(CloudFiles("s3://named/", endpoint=store.url).list()) == ["kept"]


def test_a_directory_is_left_as_it_was(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"1")
    assert cli("bench", str(tmp_path), "--objects", "20", "--threads", "0").status == 0
    assert os.listdir(tmp_path) == ["kept"]


def test_ctrl_c_removes_what_was_put(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; from cloudfiles.cli import main; sys.exit(main())",
               "bench", str(tmp_path), "--objects", "1000000", "--size", "8"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not any(tmp_path.glob("*/*")):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, errors.strip()) == (130, b"cloudfiles: interrupted")
    assert os.listdir(tmp_path) == []


# ---- failures


@pytest.mark.parametrize(("arguments", "status", "message"), [
    (["ftp://host/x"], 2, "ftp"),
    (["s3://bucket/x"], 3, "no AWS credentials"),
    (["mem://b/x", "--size", "4Q"], 2, "4Q"),
    (["mem://b/x", "--objects", "0"], 2, "--objects"),
    (["mem://b/x", "--threads", "-1"], 2, "--threads"),
])
def test_an_error_is_one_line(cli: Cli, arguments: list[str], status: int, message: str) -> None:
    outcome = cli("bench", "--objects", "3", *arguments)
    assert outcome.status == status
    assert outcome.errors.startswith("cloudfiles: ")
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1


def _silent(operation: str, objects: int) -> Any:
    class Bar:
        def update(self, count: int) -> None:
            pass

    return nullcontext(Bar())


class _Forgetful(CloudFiles):
    """A store that goes wrong in one verb."""

    wrong = ""

    def exists(self, paths: Any, **options: Any) -> Any:
        answers = super().exists(paths, **options)
        return {**answers, "00000003": False} if self.wrong == "exists" and not isinstance(paths, str) else answers

    def get(self, paths: Any, **options: Any) -> Any:
        results = super().get(paths, **options)
        if self.wrong == "get" and not isinstance(paths, str):
            results[3]["content"] = results[2]["content"]
        return results

    def list(self, *args: Any, **options: Any) -> Any:
        return (path for path in super().list() if self.wrong != "list" or path != "00000003")

    def delete(self, paths: Any, **options: Any) -> int:
        kept = len(paths) - 1 if self.wrong == "delete" and self.num_threads == 1 else None
        self._store.width = 2  # wrong only once: the clean-up works
        return super().delete(list(paths)[:kept], **options)


@pytest.mark.parametrize("wrong", ["exists", "get", "list", "delete"])
def test_a_wrong_answer_is_an_error(wrong: str) -> None:
    clear_memory()
    cf = _Forgetful("mem://bench/wrong/", num_threads=1)
    cf.wrong = wrong
    benchmark = StoreBenchmark(cf, 10, 16, _silent)
    with pytest.raises(WrongResultError, match=f"{wrong}: "):
        list(benchmark.run())
    benchmark.clean_up()
    assert list(CloudFiles("mem://bench/wrong/").list()) == []


def test_what_cannot_be_removed_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise ValueError("not today")

    monkeypatch.setattr(CloudFiles, "exists", refuse)
    monkeypatch.setattr(CloudFiles, "delete", refuse)
    outcome = cli("bench", "mem://bench/stuck", "--objects", "3")
    assert outcome.status == 1
    assert "could not be removed" in outcome.errors.splitlines()[0]
    assert outcome.errors.splitlines()[1] == "cloudfiles: not today"
    clear_memory()
