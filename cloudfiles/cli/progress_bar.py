"""Progress bars on standard error: on a terminal by default, elsewhere only if they are asked for."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cloudfiles.cli.operands import below
from cloudfiles.cli.outcome import Outcome
from cloudfiles.cli.tables import human_size

if TYPE_CHECKING:
    from cloudfiles.cli.copy_plan import Pair
    from cloudfiles.transfer.result import ObjectOutcome

T = TypeVar("T")

_REFRESH = 0.2
"""Seconds between two updates of the total."""

_TICK = 1.0
"""Seconds between two updates of the elapsed time."""


@contextmanager
def progress_of(description: str, wanted: bool | None, total: int | None = None) -> Iterator[Any]:
    """A bar of objects, to be passed as `progress=`; False if none is to be shown.

    wanted: None: only if standard error is a terminal.
    """
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        yield False
        return
    from shutil import get_terminal_size

    from tqdm import tqdm

    screen = get_terminal_size()  # some terminals report 0 lines, for which tqdm shows nothing
    with tqdm(total=total, desc=description, unit=" objects", leave=bool(wanted), file=sys.stderr, smoothing=0.05,
              ncols=screen.columns, nrows=screen.lines) as bar, _ticking(bar):
        yield bar


def counted(items: Iterable[T], bar: Any) -> Iterator[T]:
    """The items, which are counted by a bar of `progress_of`."""
    if bar is False:
        yield from items
        return
    for item in items:
        yield item
        bar.update()


@contextmanager
def _ticking(bar: Any) -> Iterator[None]:
    """Show the elapsed time also while nothing is counted, as in a long listing."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(_TICK):
            bar.refresh()

    ticker = threading.Thread(target=tick, name="cloudfiles-progress", daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()


class TransferBar:
    """Counts the objects and bytes of a transfer, and shows them if there is a bar; called by any thread.

    Attributes:
        counter: to be passed as `progress=`: False if no bar is shown.
    """

    def __init__(self, bar: Any, outcome: Outcome) -> None:
        self.outcome = outcome
        self.counter = bar
        self._bar = bar
        self._began = self._refreshed = time.monotonic()
        self._retries = _RetryCounter()
        self._source = self._target = ""
        self._targets: dict[str, str] = {}
        if bar is not False:
            outcome.say = bar.write

    def begin(self, source: str, target: str) -> None:
        """The following outcomes are objects that are copied from one cloudpath to the other."""
        self._source, self._target = source, target
        self._targets.clear()

    def counted(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """The pairs, while they are added to the total."""
        for pair in pairs:
            if self._bar is not False:
                self._bar.total = (self._bar.total or 0) + 1
                self._refresh()
            if pair.target != pair.source:
                self._targets[pair.source] = pair.target
            yield pair

    def _refresh(self) -> None:
        """Show the total while it grows: listing may take long before the first object is done."""
        now = time.monotonic()
        if now - self._refreshed > _REFRESH:
            self._refreshed = now
            self._bar.refresh()

    def target_of(self, key: str) -> str:
        """The cloudpath of the target of an object."""
        return below(self._target, self._targets.get(key, key))

    def note(self, one: ObjectOutcome) -> None:
        """One object was copied, or left out."""
        path, target = below(self._source, one.item.source), below(self._target, one.item.target)
        if one.status == "copied":
            self.outcome.add(path, one.size, target=target)
        else:
            self.outcome.skip(path, "the destination has it" if one.status == "skipped" else one.status, target=target)
        if self._bar is not False:
            self._bar.set_postfix_str(self._text(), refresh=False)

    def _text(self) -> str:
        rate = self.outcome.bytes / max(0.001, time.monotonic() - self._began)
        parts = [human_size(self.outcome.bytes), f"{human_size(int(rate))}/s"]
        parts += [f"{count} {name}" for count, name in ((self._retries.count, "retries"),
                                                        (self.outcome.failed, "failed")) if count]
        return ", ".join(parts)


class _RetryCounter(logging.Handler):
    """Counts the requests of this process that are repeated, by what the library logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "retrying in" in str(record.msg)


@contextmanager
def transfer_bar(verb: str, wanted: bool | None, outcome: Outcome) -> Iterator[TransferBar]:
    """The progress of a transfer."""
    log = logging.getLogger("cloudfiles")
    with progress_of({"copy": "Copying", "move": "Moving", "sync": "Synchronizing"}[verb], wanted) as bar:
        shown = TransferBar(bar, outcome)
        level = log.level
        if bar is not False:
            log.addHandler(shown._retries)
            log.setLevel(min(logging.INFO, log.getEffectiveLevel()))
        try:
            yield shown
        finally:
            log.removeHandler(shown._retries)
            log.setLevel(level)
