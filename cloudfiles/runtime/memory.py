"""The memory that this process may still use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def available_memory(root: str | Path = "/") -> int | None:
    """Bytes that are available on the machine and within the limits of the control groups of this process (those of a
    container, or of a job of a batch system); None if the system does not tell (it is not Linux).

    root: the directory in which `proc` and `sys` are.
    """
    from pathlib import Path  # imported here because it takes 4 ms, with urllib.parse

    return min(_free(Path(root)), default=None)


def _free(root: Path) -> Iterator[int]:
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:  # version 2: https://docs.kernel.org/admin-guide/cgroup-v2.html
                yield from _free_in(root / "sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):  # version 1
                yield from _free_in(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes",
                                    "memory.usage_in_bytes", "total_inactive_file")


def _free_in(mount: Path, path: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    """In a control group and those around it. Within a container, the path may be one that is not visible there.

    cache: the field of memory.stat with the usage that the system gives up when memory is needed.
    """
    group = mount / path.strip("/")
    for directory in (group, *group.parents):
        with suppress(OSError, ValueError):  # there may be no limit ("max")
            most = int((directory / limit).read_text())
            fields = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
            yield max(0, most - int((directory / usage).read_text()) + int(fields.get(cache, 0)))
        if directory == mount:
            return
