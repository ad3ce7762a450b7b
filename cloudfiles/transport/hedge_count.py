"""Tells those who record a batch how many of its requests were sent a second time."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_listener: ContextVar[Callable[[], None] | None] = ContextVar("cloudfiles_hedges", default=None)


class counting_hedges:  # noqa: N801 -- used like a function, and faster than a generator
    """A block during which `count` is called for each request of this worker that is sent a second time."""

    __slots__ = ("_count", "_token")

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._token = _listener.set(self._count)

    def __exit__(self, *_: object) -> None:
        _listener.reset(self._token)


def count_hedge() -> None:
    """A request of this worker was sent again."""
    count = _listener.get()
    if count is not None:
        count()
