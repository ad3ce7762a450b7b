"""The state of a transfer, as it is saved on disk while it runs, so that another process can resume it.

Each transfer has a file of JSON lines: first its format, what it transfers and its files, then a line for each file
that is started or done, and for each large one whenever more of its parts are written. A line that a kill has cut short
is ignored.
"""

from __future__ import annotations

import glob
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cloudfiles.exceptions import ConfigurationError, FileSystemError, LockingError
from cloudfiles.interfaces.file.locks import try_lock
from cloudfiles.lib import open_private, replace_file, settings_dir
from cloudfiles.transfer.partial_upload import PartialUpload
from cloudfiles.values import NamedTuple

FORMAT = 1
"""The version of the format. Files of cloudfiles 1.0 have this format too, without saying so."""


class NewerFormatError(ConfigurationError):
    """The file was written by a newer version of cloudfiles."""


class TransferFile(NamedTuple):
    """One file of a transfer: its key, its local path, and its size in bytes if it is known."""

    remote: str
    local: str
    size: int | None


@dataclass
class ResumeState:
    """How far a transfer is.

    Attributes:
        request: what is transferred, and how, as JSON.
        done: keys that have been transferred.
        partial_uploads: what is known of large objects that are not complete, by the key of the target.
        begun: what a kill may leave behind: keys of uploads, or directories (ending with a slash) with temporary files.
    """

    request: Mapping[str, Any]
    files: list[TransferFile]
    done: set[str] = field(default_factory=set)
    partial_uploads: dict[str, PartialUpload] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[str]:
        yield _line({"version": FORMAT, "request": self.request, "files": self.files})
        for key in self.done:
            yield _line({"done": key})
        for key, partial in self.partial_uploads.items():
            yield _line({"half": key, "state": partial.dump()})
        for scope in self.begun:
            yield _line({"begun": scope})

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Update it by another line."""
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


class FileLock:
    """An advisory lock next to a file, `flock` on `PATH.lock`, held by this object alone. The system releases it when
    the process ends, however it ends. On Windows there is none, and everybody acquires it.

    Its methods raise OSError if the directory cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path + ".lock"
        self._opened: list[int] = []  # its descriptor, while it is held

    def try_acquire(self) -> bool:
        """Whether it is held from now on; False: another process, or another object of this one, holds it."""
        if sys.platform == "win32":
            return True
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        return try_lock(self.path, exclusive=True, opened=self._opened)

    def release(self) -> None:
        """Release it if it is held, and remove the lock file."""
        opened, self._opened = self._opened, []
        for descriptor in opened:
            try:
                with suppress(OSError):
                    os.unlink(self.path)
            finally:
                os.close(descriptor)


class StateFile:
    """The file with the state of a transfer, used by any thread of one process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file_lock = FileLock(path)

    def try_acquire(self) -> bool:
        """Lock it against other processes until `release`; False if another process is using it.

        Raises FileSystemError if that cannot be determined.
        """
        try:
            return self._file_lock.try_acquire()
        except OSError as error:
            raise FileSystemError(f"cannot save {self.path}: {error.strerror}", errno=error.errno) from error

    def acquire(self) -> None:
        """The same, but raises LockingError if another process is using it."""
        if not self.try_acquire():
            raise LockingError("the transfer is already running in another process, or in another object of this one, "
                               f"which holds {self._file_lock.path}; wait until it finishes")

    def release(self) -> None:
        self._file_lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock it for the duration of the block."""
        try:
            self.acquire()
            yield
        finally:
            self.release()

    def write(self, state: ResumeState) -> None:
        """Replace the file by this state."""
        with self._lock:
            replace_file(self.path, "".join(state.lines()).encode("utf-8", "surrogatepass"))

    def add(self, **entry: Any) -> None:
        """Append a line."""
        with self._lock, open(self.path, "ab", opener=open_private) as file:
            file.write(_line(entry).encode("utf-8", "surrogatepass"))

    def remove(self) -> None:
        """Remove it, and any replacement of it that a kill has left incomplete."""
        with self._lock:
            for path in [self.path, *glob.glob(f"{glob.escape(self.path)}.*")]:
                if not path.endswith(".lock"):
                    with suppress(FileNotFoundError):
                        os.unlink(path)

    def read(self) -> ResumeState | None:
        """The saved state; None if the file does not exist.

        Raises:
            ConfigurationError: it is not such a file.
            NewerFormatError: it was written by a newer version.
        """
        try:
            with open(self.path, "rb") as file:
                first, *others = file.read().decode("utf-8", "surrogatepass").split("\n")
            head = json.loads(first)
            if head.get("version", 1) > FORMAT:
                raise NewerFormatError(f"{self.path} was written by a newer version of cloudfiles (format "
                                       f"{head['version']}; this version reads {FORMAT}); upgrade to resume it")
            state = ResumeState(head["request"], [TransferFile(*given) for given in head["files"]])
            for line in others[:-1]:  # what follows the last line break was cut short
                state.apply(json.loads(line))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"{self.path} is not a readable saved transfer: {type(error).__name__}; "
                                     "clear_saved() removes all saved transfers") from error
        return state


def state_directory(kind: str) -> str:
    """Where the states of transfers of one kind are saved."""
    return os.path.join(settings_dir(), "transfers", kind)


def saved_state_files(kind: str) -> list[StateFile]:
    """All that are saved."""
    with suppress(FileNotFoundError):
        directory = state_directory(kind)
        return [StateFile(os.path.join(directory, name)) for name in sorted(os.listdir(directory))
                if name.endswith(".jsonl")]
    return []
