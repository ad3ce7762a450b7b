"""Transfers kept on disk while they run, so that another process can go on with them.

One file each, of JSON lines: first what it is and its files, then a line for each file that is begun or done, and for
each large one whose parts have grown. A line that a kill cut short is passed over.
"""

from __future__ import annotations

import glob
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloudfiles.exceptions import ConfigurationError, FileSystemError, LockingError
from cloudfiles.lib import replace_file, settings_dir
from cloudfiles.transfer.file_lock import FileLock
from cloudfiles.transfer.partial_upload import PartialUpload


class TransferFile(NamedTuple):
    """One file of a transfer: its key, its local place, and its bytes where they are known."""

    remote: str
    local: str
    size: int | None


@dataclass
class ResumeState:
    """How far a transfer is.

    Attributes:
        request: what was asked for, as JSON.
        done: keys that have been transferred.
        halves: what is known of large objects under way, by the key of the target.
        begun: where something may be left behind if nobody comes to the end of it: keys, or directories with a slash.
    """

    request: Mapping[str, Any]
    files: list[TransferFile]
    done: set[str] = field(default_factory=set)
    partial_uploads: dict[str, PartialUpload] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[str]:
        yield _line({"request": self.request, "files": self.files})
        for key in self.done:
            yield _line({"done": key})
        for key, partial in self.partial_uploads.items():
            yield _line({"half": key, "state": partial.dump()})
        for place in self.begun:
            yield _line({"begun": place})

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take note of one more line."""
        if "done" in entry:
            self.done.add(entry["done"])
            self.partial_uploads.pop(entry.get("target", ""), None)
        elif "begun" in entry:
            self.begun.add(entry["begun"])
        elif "ended" in entry:
            self.begun.discard(entry["ended"])
            self.partial_uploads.pop(entry["ended"], None)
        else:
            self.partial_uploads[entry["half"]] = PartialUpload.load(entry["state"])


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":")) + "\n"


class StateFile:
    """The file that a transfer is kept in, by any thread of one process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file_lock = FileLock(path)

    def try_acquire(self) -> bool:
        """Whether other processes are kept from it from now on, until `release`; False where one is at work on it.

        Raises FileSystemError where that cannot be told.
        """
        try:
            return self._file_lock.try_acquire()
        except OSError as error:
            raise FileSystemError(f"cannot save {self.path}: {error.strerror}", errno=error.errno) from error

    def acquire(self) -> None:
        """The same, but raises LockingError where another process is at work on it."""
        if not self.try_acquire():
            raise LockingError("the transfer is already running in another process, or in another object of this one, "
                               f"which holds {self._file_lock.path}; wait until it finishes")

    def release(self) -> None:
        self._file_lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold it meanwhile."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def write(self, state: ResumeState) -> None:
        """Replace the file by this state."""
        with self._lock:
            replace_file(self.path, "".join(state.lines()).encode("utf-8", "surrogatepass"))

    def add(self, **entry: Any) -> None:
        """One more line."""
        with self._lock, open(self.path, "ab", opener=_private) as file:
            file.write(_line(entry).encode("utf-8", "surrogatepass"))

    def remove(self) -> None:
        """And what was to replace it, where a kill came between."""
        with self._lock:
            for path in [self.path, *glob.glob(f"{glob.escape(self.path)}.*")]:
                if not path.endswith(".lock"):
                    with suppress(FileNotFoundError):
                        os.unlink(path)

    def read(self) -> ResumeState | None:
        """What the file tells; None where there is none. Raises ConfigurationError where it is no such file."""
        try:
            with open(self.path, "rb") as file:
                first, *others = file.read().decode("utf-8", "surrogatepass").split("\n")
            head = json.loads(first)
            state = ResumeState(head["request"], [TransferFile(*given) for given in head["files"]])
            for line in others[:-1]:  # what stands behind the last line break was cut short
                state.apply(json.loads(line))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{self.path} is not a readable saved transfer: {type(error).__name__}; "
                                     "clear_saved() removes all saved transfers") from error
        return state


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def state_directory(kind: str) -> str:
    """Where transfers of one kind are kept."""
    return os.path.join(settings_dir(), "transfers", kind)


def saved_state_files(kind: str) -> list[StateFile]:
    """All that are kept."""
    with suppress(FileNotFoundError):
        directory = state_directory(kind)
        return [StateFile(os.path.join(directory, name)) for name in sorted(os.listdir(directory))
                if name.endswith(".jsonl")]
    return []
