"""`dl` from many stores: as many at once as is useful, and never more workers than were asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles import CloudFiles, clear_memory, dl


class Watched:
    """Counts calls of `get`, and their workers. Each waits until `expected` workers are in use, but not for long."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, expected: int) -> None:
        self.most = self._now = 0
        self.widths: list[int | None] = []
        changed = threading.Condition()
        get = CloudFiles.get

        def watched(cf: CloudFiles, paths: Any, *args: Any, **options: Any) -> Any:
            width = cf._store.width
            workers = 1 if width is None else width
            with changed:
                self.widths.append(width)
                self._now += workers
                self.most = max(self.most, self._now)
                changed.notify_all()
                changed.wait_for(lambda: self.most >= expected, 10)
            try:
                return get(cf, paths, *args, **options)
            finally:
                with changed:
                    self._now -= workers

        monkeypatch.setattr(CloudFiles, "get", watched)


@pytest.fixture(autouse=True)
def _stores() -> Iterator[None]:
    for bucket in range(40):
        CloudFiles(f"mem://dl-workers-{bucket}/").puts([(f"{key}", f"{bucket} {key}".encode()) for key in range(3)])
    yield
    clear_memory()


def paths(objects: int = 1) -> list[str]:
    return [f"mem://dl-workers-{bucket}/{key}" for bucket in range(40) for key in range(objects)]


def contents(objects: int = 1) -> list[bytes]:
    return [f"{bucket} {key}".encode() for bucket in range(40) for key in range(objects)]


def test_many_stores_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, 40)
    assert [found["content"] for found in dl(paths(), raw=True)] == contents()
    assert watched.most == 40
    assert set(watched.widths) == {None}


@pytest.mark.parametrize("number", [1, 5, 6])
def test_a_given_number_of_workers_over_all_stores(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    expected = number // min(number, 3) * min(number, 3)
    watched = Watched(monkeypatch, expected)
    assert [found["content"] for found in dl(paths(3), raw=True, num_threads=number)] == contents(3)
    assert watched.most == expected
    assert set(watched.widths) == {min(number, 3)}


def test_in_the_thread_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, 0)
    assert [found["content"] for found in dl(paths(), raw=True, num_threads=0)] == contents()
    assert set(watched.widths) == {0}
    assert watched.most == 0
