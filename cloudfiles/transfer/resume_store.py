"""What a transfer with `resumable=True` keeps on disk while it runs, so that the next one goes on where it was killed.

Each run has a file of its own among the user's settings, named after source and target, and holds it. Of a run that
is gone the next one for the same two places takes over what is known of half-done large objects, and removes what
else it left: temporary files, uploads that were begun. A run that comes to its end removes its file, unless large
objects are left to go on with. No cloudpath is in it, and no secret.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cloudfiles import paths
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, ConfigurationError, redact
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.names import process_mark
from cloudfiles.transfer.cleanup import clean_up, cleanup_scope
from cloudfiles.transfer.file_lock import FileLock
from cloudfiles.transfer.partial_upload import PartialUpload, PartTracker, PartTrackers, SaveThrottle
from cloudfiles.transfer.resume_state import ResumeState, StateFile, state_directory
from cloudfiles.types import Clock

_KIND = "resumable"
_PLACES_KNOWN = 10_000
_PATIENCE, _PAUSE = 60.0, 0.01  # seconds
_counter = itertools.count()


@contextmanager
def open_resume_store(source: Store, target: Store, clock: Clock | None = None) -> Iterator[ResumeStore | None]:
    """The shelf of a run; None, with a warning, where nothing can be kept. What runs that are gone have left is taken
    over and cleared up. Raises TransportError where the target cannot be reached for that.

    None also where the target is memory: what it has is gone with the process.
    """
    resume_store = None if target.keeps_live_objects else _opened(source, target, clock or Clock())
    if resume_store is None:
        yield None
        return
    try:
        resume_store.take_over(target.here())
        yield resume_store
    finally:
        resume_store.close()


def _opened(source: Store, target: Store, clock: Clock) -> ResumeStore | None:
    try:
        return ResumeStore(_name_of(source, target), clock)
    except (OSError, CloudFilesError) as error:
        _warn(f"cannot save progress in {state_directory(_KIND)}: {error}. Interrupted transfers of large objects will "
              "restart from the beginning; set CLOUD_FILES_DIR to a writable directory")
        return None


def _name_of(source: Store, target: Store) -> str:
    told = [[redact(paths.asprotocolpath(store.location)), redact(store.options.endpoint or "") or None,
             *(() if store.options.encoding_suffixes is not False else ("exact names",))] for store in (source, target)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)


class ResumeStore:
    """The file of one run. `begin`, `end` and the logs may be used by any worker.

    Attributes:
        kept: what is known of half-done objects that this run has not come to, by their targets.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._directory = state_directory(_KIND)
        self._name = name
        self._file = StateFile(os.path.join(self._directory, f"{name}-{process_mark()}-{next(_counter)}.jsonl"))
        self._state = ResumeState({"process": process_mark(), "since": clock.wall()}, [])
        self._lock = threading.Lock()  # of the state
        self._is_broken = False
        self._throttle = SaveThrottle(clock.monotonic)
        self.kept: dict[str, PartialUpload] = {}
        self._file.acquire()
        try:
            self._file.write(self._state)
        except BaseException:
            self._file.release()
            raise

    def close(self) -> None:
        """Leave what can be gone on with, and nothing else."""
        with self._lock:
            try:
                if self._state.partial_uploads and not self._is_broken:
                    # This process lives on: its temporary files are not to be cleared up.
                    self._state.request = {"process": "", "since": 0.0}
                    self._state.begun.clear()
                    self._file.write(self._state)
                else:
                    self._file.remove()
            except OSError as error:
                _warn(f"cannot update {self._file.path}: {error.strerror}")
            finally:
                self._file.release()

    def trackers(self, target: Interface) -> PartTrackers:
        """Of large objects that go to this interface."""
        trackers = PartTrackers(target, self._note)
        trackers.kept = self.kept
        return trackers

    def _note(self, key: str, tracker: PartTracker) -> None:
        with self._lock:
            partial = tracker.snapshot() if self._throttle.is_due(key) else None
            if partial is not None:
                self._throttle.saved(key, partial)
                self._state.partial_uploads[key] = partial
                self._add(half=key, state=partial.dump())

    def begin(self, target: Interface, key: str, is_large: bool) -> None:
        """From now on something of this object may be left behind: an upload of a large one, a temporary file in the
        directory of any."""
        scope = cleanup_scope(target, key, is_large)
        if scope is None or scope in self._state.begun:
            return
        with self._guarded(not target.is_local), self._lock:
            if len(self._state.begun) >= _PLACES_KNOWN and target.is_local:
                self._state.begun.clear()  # the file still knows them
            self._state.begun.add(scope)
            self._add(begun=scope)

    def end(self, target: Interface, key: str) -> None:
        """Nothing of this object is left to go on with, or to clear up."""
        partial = self.kept.pop(key, None)
        if partial is not None:  # nobody has gone on with it
            partial.discard(target, key)
        with self._lock:
            if key in self._state.partial_uploads or key in self._state.begun:
                self._state.apply({"ended": key})
                self._add(ended=key)

    def _add(self, **entry: Any) -> None:
        if self._is_broken:
            return
        try:
            self._file.add(**entry)
        except OSError as error:
            self._is_broken = True
            _warn(f"cannot write {self._file.path}: {error.strerror}. Interrupted transfers of large objects will "
                  "restart from the beginning")

    # ---- after runs that are gone

    def take_over(self, target: Interface) -> None:
        """Clear up after runs that are gone, and keep what is known of their large objects."""
        gone: list[StateFile] = []
        under_way: set[str] = set()
        with self._guarded(not target.is_local):
            for file in self._others():
                if file.try_acquire():
                    gone.append(file)
                else:
                    under_way |= _begun(file)
            for file in gone:
                try:
                    self._inherit(file, target, under_way)
                finally:
                    file.release()

    def _others(self) -> list[StateFile]:
        """The files of other runs between the two places, and those that a run did not come to write."""
        # What stands behind the suffix is a lock, or what one of them is about to replace its file by.
        names = {name.partition(".jsonl")[0] + ".jsonl" for name in os.listdir(self._directory)
                 if name.startswith(f"{self._name}-")}
        ours = sorted(names)
        return [StateFile(os.path.join(self._directory, name)) for name in ours
                if name != os.path.basename(self._file.path)]

    def _inherit(self, file: StateFile, target: Interface, under_way: set[str]) -> None:
        try:
            state = file.read()
        except ConfigurationError as error:
            _warn(f"{error}. It was removed; remove the partial uploads of that run with discard_partial()")
            state = None
        if state is not None:
            clean_up(target, state, under_way)
            for key, partial in state.partial_uploads.items():
                self._take(key, partial, target, key in under_way)
        file.remove()

    def _take(self, key: str, partial: PartialUpload, target: Interface, is_under_way: bool) -> None:
        if is_under_way or key in self.kept:
            partial.discard(target, key)  # another run carries it from its beginning, or from parts of its own
            return
        self.kept[key] = self._state.partial_uploads[key] = partial
        self._add(half=key, state=partial.dump())

    @contextmanager
    def _guarded(self, is_needed: bool) -> Iterator[None]:
        """While it is told what is under way nobody begins, and the other way round: uploads are known by their key
        alone, and one that was just begun must not be taken for one that was left."""
        guard = FileLock(os.path.join(self._directory, self._name))
        if is_needed:
            self._wait_for(guard)
        try:
            yield
        finally:
            guard.release()

    def _wait_for(self, guard: FileLock) -> None:
        try:
            for _ in range(round(_PATIENCE / _PAUSE)):
                if guard.try_acquire():
                    return
                time.sleep(_PAUSE)
        except OSError:
            return  # the file cannot be written either, and says so
        _warn(f"{guard.path} was held by others for {_PATIENCE:.0f} s; continuing without it")


def _begun(file: StateFile) -> set[str]:
    """What another run is at."""
    try:
        state = file.read()
    except ConfigurationError:
        return set()
    return set() if state is None else state.begun
