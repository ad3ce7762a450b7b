"""Progress bars. tqdm is imported only when it is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from cloudfiles.exceptions import InvalidInputError


class ProgressBar(Protocol):
    """A progress bar of the caller's own, such as a tqdm."""

    def update(self, n: Any, /) -> object:
        """`n` more items (or bytes) are done."""


Progress: TypeAlias = bool | str | ProgressBar | None
"""True shows a progress bar, a str one with that description. False shows none. None: the setting of the CloudFiles."""


def checked_progress(progress: Any) -> Any:
    """`progress`; True or False for 1 or 0. Raises InvalidInputError if it is of another type."""
    if progress is None or isinstance(progress, bool | str):
        return progress
    if hasattr(progress, "update") and not isinstance(progress, dict | set):  # whose `update` is another method
        return progress
    if isinstance(progress, int) and progress in (0, 1):
        return bool(progress)
    raise InvalidInputError("progress: expected True, False, a str or an object with update(count), got "
                            f"{progress!r}")


def is_shown(progress: Progress) -> bool:
    """Whether there is a bar to update: a tqdm without a total has no truth value."""
    return hasattr(progress, "update") or bool(progress)


class _SilentBar:
    """A bar that is not displayed."""

    def update(self, count: int = 1) -> None:
        pass


class SharedBar:
    """A bar that several threads update."""

    def __init__(self, bar: Any, total: int) -> None:
        self.total = total
        self._bar = bar
        self._lock = threading.Lock()

    def update(self, count: int = 1) -> None:
        with self._lock:
            self._bar.update(count)


@contextmanager
def bar_for(progress: Progress, total: int | None, description: str, unit: str = "it") -> Iterator[Any]:
    """The progress bar, an object with `update(count)`. Closed at the end, unless the caller has passed it."""
    bar: Any
    progress = checked_progress(progress)
    if not is_shown(progress):
        yield _SilentBar()
    elif progress is True or isinstance(progress, str):
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=progress if isinstance(progress, str) else description, unit=unit,
                  unit_scale=unit == "B", smoothing=0.05) as bar:
            yield bar
    else:
        bar = progress
        if getattr(bar, "total", None) is None and total is not None:
            bar.total = total
        yield bar
