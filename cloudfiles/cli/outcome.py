"""What a command did with each object: counts, one line for each failure, the log, and the exit status."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from cloudfiles.cli.tables import human_size, json_line
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    ConnectionFailedError,
    InvalidInputError,
    MissingExtraError,
    RequestTimeoutError,
    redact,
)

DONE, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses. UNREACHABLE: nothing succeeded, as no store could be reached, or nothing was allowed."""

_OPTIONS = {"no_sign_request=True": "--no-sign-request", "recursive=True": "-r", "exclude=": "--exclude",
            "create it with init()": "create it with `cloudfiles xfer init`", "max_delete=": "--max-delete ",
            "transfer it, pass its directory as source and its name in paths=": "copy it, use `cloudfiles cp`"}
"""What the errors of the library name, and how it is said on the command line."""


def status_of(error: BaseException) -> int:
    """The exit status of a command that an error has ended before it did anything."""
    if isinstance(error, AuthorizationError | ConnectionFailedError | RequestTimeoutError):
        return UNREACHABLE
    return USAGE if isinstance(error, InvalidInputError | MissingExtraError) else FAILED


class Outcome:
    """Counts objects that are done, skipped and failed; called by any thread.

    Args:
        log: a file to append one JSON object per line to: the path, what was done, and why not.
        say: prints a line to standard error, above a progress bar if there is one.
    """

    def __init__(self, log: str | None = None) -> None:
        self.done = 0
        self.skipped = 0
        self.failed = 0
        self.bytes = 0
        self._unreachable = 0
        self._log: TextIO | None = None if log is None else open(log, "a", encoding="utf-8")  # noqa: SIM115
        self.say = _say

    def add(self, path: str, size: int | None = None, **facts: Any) -> None:
        """One object is done."""
        self.done += 1
        self.bytes += size or 0
        self._write(path, "done", size=size, **facts)

    def skip(self, path: str, why: str, **facts: Any) -> None:
        """One object was left out."""
        self.skipped += 1
        self._write(path, "skipped", why=why, **facts)

    def fail(self, path: str, error: BaseException, **facts: Any) -> None:
        """One object failed: say so now, in one line."""
        self.failed += 1
        self._unreachable += status_of(error) == UNREACHABLE
        why = one_line(error)
        self._write(path, "failed", why=why, **facts)
        shown = _escaped(redact(path))
        self.say(f"cloudfiles: {why}" if shown in why else f"cloudfiles: {shown}: {why}")

    @property
    def status(self) -> int:
        """The exit status."""
        if not self.failed:
            return DONE
        is_unreachable = self._unreachable == self.failed and not (self.done or self.skipped)
        return UNREACHABLE if is_unreachable else FAILED

    def interrupted(self, verb: str, advice: str) -> int:
        """Say what was done before Ctrl-C, and how to continue; returns the exit status."""
        done = f"{self.done} object{'s' * (self.done != 1)} ({human_size(self.bytes)})"
        _say(f"cloudfiles: interrupted after {done} of this {verb}; no object is incomplete at the destination. To "
             f"continue, {advice}")
        return INTERRUPTED

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _write(self, path: str, status: str, **facts: Any) -> None:
        if self._log is not None:
            known = {name: value for name, value in facts.items() if value is not None}
            line = {"time": round(time.time(), 3), "path": redact(path), "status": status, **known}
            self._log.write(json_line(line) + "\n")
            self._log.flush()

    def __enter__(self) -> Outcome:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def one_line(error: BaseException) -> str:
    """The message of an error, without line breaks and secrets, and with the options of the command line."""
    message = _escaped(redact(" ".join(str(error).split()))) or type(error).__name__
    for name, option in _OPTIONS.items():
        message = message.replace(name, option)
    return message


def _escaped(text: str) -> str:
    """The text with escapes for control characters, which names of files may contain, and terminals act on."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


def _say(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def failing(outcome: Outcome, path: str) -> Iterator[None]:
    """A block whose CloudFilesError is the failure of one object."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (CloudFilesError, OSError) as error:
        outcome.fail(path, error)
