"""Progress bars on standard error: on a terminal by default, elsewhere only if they are asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from cloudfiles.cli.operands import below
from cloudfiles.cli.outcome import Outcome
from cloudfiles.cli.tables import human_size

if TYPE_CHECKING:
    from cloudfiles.cli.copy_plan import Copying
    from cloudfiles.transfer.result import ObjectOutcome


@contextmanager
def progress_of(description: str, wanted: bool | None, total: int | None = None) -> Iterator[Any]:
    """A bar of objects, to be passed as `progress=`; False if none is to be shown.

    wanted: None: only if standard error is a terminal.
    """
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        yield False
        return
    from tqdm import tqdm

    screen = get_terminal_size()  # some terminals report 0 lines, for which tqdm shows nothing
    with tqdm(total=total, desc=description, unit=" objects", leave=bool(wanted), file=sys.stderr, smoothing=0.05,
              ncols=screen.columns, nrows=screen.lines) as bar:
        yield bar


class TransferBar:
    """Counts the objects and bytes of a transfer, and shows them if there is a bar; called by any thread.

    Attributes:
        counter: to be passed as `progress=`: False if no bar is shown.
    """

    def __init__(self, bar: Any, outcome: Outcome) -> None:
        self.outcome = outcome
        self.counter = bar
        self._bar = bar
        self._began = time.monotonic()
        self._source = ""
        if bar is not False:
            outcome.say = bar.write

    def begin(self, copying: Copying) -> None:
        """The following outcomes are objects of this source."""
        self._source = copying.source.cloudpath

    def note(self, one: ObjectOutcome) -> None:
        """One object was copied, or left out."""
        path = below(self._source, one.item.source)
        if one.status == "copied":
            self.outcome.add(path, one.size, target=one.item.target)
        else:
            self.outcome.skip(path, "the destination has it" if one.status == "skipped" else one.status)
        if self._bar is not False:
            rate = self.outcome.bytes / max(0.001, time.monotonic() - self._began)
            failed = f", {self.outcome.failed} failed" if self.outcome.failed else ""
            self._bar.set_postfix_str(f"{human_size(self.outcome.bytes)}, {human_size(int(rate))}/s{failed}",
                                      refresh=False)


@contextmanager
def transfer_bar(verb: str, wanted: bool | None, outcome: Outcome) -> Iterator[TransferBar]:
    """The progress of a transfer."""
    with progress_of({"copy": "Copying", "move": "Moving"}.get(verb, verb), wanted) as bar:
        yield TransferBar(bar, outcome)
