"""Uploads and downloads kept on disk while they run, so that another process can go on with them.

One file each, of JSON lines: first what it is and its files, then a line for each file that is done, and for each
large one whose parts have grown. A line that a kill cut short is passed over.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloudfiles.exceptions import ConfigurationError, FileSystemError, LockingError
from cloudfiles.lib import replace_file, settings_dir
from cloudfiles.transfer.halfdone import HalfDone
from cloudfiles.transfer.holding import Hold


class File(NamedTuple):
    """One file of a transfer: its key, its local place, and its bytes where they are known."""

    remote: str
    local: str
    size: int | None


@dataclass
class State:
    """How far a transfer is.

    Attributes:
        request: what was asked for, as JSON.
        done: keys that have been transferred.
        halves: what is known of large objects under way, by the key of the target.
    """

    request: Mapping[str, Any]
    files: list[File]
    done: set[str] = field(default_factory=set)
    halves: dict[str, HalfDone] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        yield _line({"request": self.request, "files": self.files})
        for key in self.done:
            yield _line({"done": key})
        for key, half in self.halves.items():
            yield _line({"half": key, "state": half.dump()})

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take note of one more line."""
        if "done" in entry:
            self.done.add(entry["done"])
            self.halves.pop(entry.get("target", ""), None)
        else:
            self.halves[entry["half"]] = HalfDone.load(entry["state"])


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":")) + "\n"


class StateFile:
    """The file that a transfer is kept in, by any thread of one process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._hold = Hold(path)

    def hold(self) -> None:
        """Keep other processes from it until `release`.

        Raises LockingError where one is at work on it, FileSystemError where that cannot be told.
        """
        try:
            if self._hold.take():
                return
        except OSError as error:
            raise FileSystemError(f"{self.path} cannot be kept: {error.strerror}", errno=error.errno) from error
        raise LockingError(f"the transfer is running in another process, or by another object of this one, which holds "
                           f"{self._hold.path}; wait for its end")

    def release(self) -> None:
        self._hold.release()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it meanwhile."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def write(self, state: State) -> None:
        """Replace the file by this state."""
        with self._lock:
            replace_file(self.path, "".join(state.lines()).encode("utf-8", "surrogatepass"))

    def add(self, **entry: Any) -> None:
        """One more line."""
        with self._lock, open(self.path, "ab") as file:
            file.write(_line(entry).encode("utf-8", "surrogatepass"))

    def remove(self) -> None:
        with self._lock, suppress(FileNotFoundError):
            os.unlink(self.path)

    def read(self) -> State | None:
        """What the file tells; None where there is none. Raises ConfigurationError where it is no such file."""
        try:
            with open(self.path, "rb") as file:
                first, *others = file.read().decode("utf-8", "surrogatepass").split("\n")
            head = json.loads(first)
            state = State(head["request"], [File(*given) for given in head["files"]])
            for line in others[:-1]:  # what stands behind the last line break was cut short
                state.apply(json.loads(line))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{self.path} is no saved transfer that can be read: {type(error).__name__}; "
                                     "clear_saved() removes all of them") from error
        return state


def directory_of(kind: str) -> str:
    """Where transfers of one kind are kept."""
    return os.path.join(settings_dir(), "transfers", kind)


def saved_files(kind: str) -> list[StateFile]:
    """All that are kept."""
    with suppress(FileNotFoundError):
        directory = directory_of(kind)
        return [StateFile(os.path.join(directory, name)) for name in sorted(os.listdir(directory))
                if name.endswith(".jsonl")]
    return []
