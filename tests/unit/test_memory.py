"""The memory that a process may use: that of the machine, and the limits of its control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfiles.batch import processes
from cloudfiles.runtime.memory import available_memory

GIB = 1 << 30


def write(root: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    write(tmp_path, {"proc/meminfo": "MemTotal: 67108864 kB\nMemFree: 1024 kB\nMemAvailable: 33554432 kB"})
    return tmp_path


def test_of_the_machine(machine: Path) -> None:
    assert available_memory(machine) == 32 * GIB


def test_of_a_job(machine: Path) -> None:
    """The lowest limit counts, without what is only cached."""
    write(machine, {
        "proc/self/cgroup": "0::/slurm/job_7/step_0",
        "sys/fs/cgroup/slurm/job_7/memory.max": 8 * GIB, "sys/fs/cgroup/slurm/job_7/memory.current": 5 * GIB,
        "sys/fs/cgroup/slurm/job_7/memory.stat": f"anon {2 * GIB}\ninactive_file {3 * GIB}",
        "sys/fs/cgroup/slurm/job_7/step_0/memory.max": "max", "sys/fs/cgroup/slurm/job_7/step_0/memory.current": GIB})
    assert available_memory(machine) == 6 * GIB


def test_of_control_groups_of_version_1(machine: Path) -> None:
    group = "sys/fs/cgroup/memory/job"
    write(machine, {
        "proc/self/cgroup": "3:cpuset:/\n4:memory:/job\n0::/",
        f"{group}/memory.limit_in_bytes": 4 * GIB, f"{group}/memory.usage_in_bytes": 3 * GIB,
        f"{group}/memory.stat": f"cache {GIB}\ntotal_inactive_file {GIB}"})
    assert available_memory(machine) == 2 * GIB


def test_of_a_container(machine: Path) -> None:
    """It sees its own control group at the top, whatever the path is outside."""
    write(machine, {
        "proc/self/cgroup": "0::/../../docker/abc", "sys/fs/cgroup/memory.max": 2 * GIB,
        "sys/fs/cgroup/memory.current": 3 * GIB, "sys/fs/cgroup/memory.stat": "inactive_file 0"})
    assert available_memory(machine) == 0


def test_of_another_system(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


@pytest.mark.parametrize(("memory", "expected"), [(None, 64), (64 * GIB, 64), (4 * GIB, 20), (0, 1)])
def test_as_many_processes_as_fit_into_it(memory: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_cores", lambda: 64)
    monkeypatch.setattr(processes, "available_memory", lambda: memory)
    assert processes.processes(0) == processes.processes(True) == expected
    assert processes.processes(100) == 100
