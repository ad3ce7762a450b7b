"""Saves the state of a run on disk, so that the next one resumes it after a kill, and cleans up after it.

An Uploader or a Downloader, which one process at a time runs, uses a `ResumeStore`. `transfer_to(resumable=True)`
uses a `SharedResumeStore`: any number of processes may transfer between the same two stores at once. Each run has a
file of its own in the user's settings directory, named after source and target, and locks it. The next run between
the same stores takes over the partial uploads of runs that are gone, and removes whatever else they left behind:
temporary files, and uploads without saved parts. A run that finishes removes its file, unless partial uploads remain.
The file contains no cloudpath, and no secret.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from cloudfiles import paths
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, ConfigurationError, TransportError, redact
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.temporaries import process_mark
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.partial_upload import PartialUpload, PartTracker, ResumeTracker, SaveThrottle
from cloudfiles.transfer.resume_state import FileLock, NewerFormatError, ResumeState, StateFile, state_directory
from cloudfiles.types import Clock

CLOCK_SKEW = 900.0
"""Seconds by which the clock of a store may differ from the local one: S3 rejects requests beyond that."""

_KIND = "resumable"
_SCOPES_IN_MEMORY = 10_000
_GUARD_SECONDS, _PAUSE = 60.0, 0.01
_counter = itertools.count()


class ResumeStore:
    """The state of one run, and the file that it is saved in. Its methods may be called by any worker."""

    def __init__(self, file: StateFile, state: ResumeState, clock: Clock) -> None:
        self.file = file
        self.state = state
        self.lock = threading.RLock()  # of the state
        self._throttle = SaveThrottle(clock.monotonic)
        self._inherited: dict[str, PartialUpload] = {}

    def start(self) -> None:
        """Save the state. From now on its partial uploads are resumed."""
        self._inherited.clear()
        self._inherited.update(self.state.partial_uploads)
        self.file.write(self.state)

    def tracker(self, target: Interface) -> ResumeTracker:
        """What a copier that writes to this interface reports to."""
        return _StoreTracker(self, target, self._inherited)

    def begin(self, target: Interface, key: str, is_large: bool) -> None:
        """From now on a kill may leave something of this object behind."""
        scope = _cleanup_scope(target, key, is_large)
        if scope is not None and scope not in self.state.begun:
            self._begin(target, scope)

    def _begin(self, target: Interface, scope: str) -> None:
        with self.lock:
            if scope not in self.state.begun:
                self._add(begun=scope)
                self.state.begun.add(scope)  # not before: other workers rely on it being in the file

    def end(self, target: Interface, key: str) -> None:
        """Nothing of this object can be resumed any more, or has to be cleaned up."""
        partial = self._inherited.pop(key, None)
        if partial is not None:  # it was not resumed
            partial.discard(target, key)
        with self.lock:
            if key in self.state.partial_uploads or key in self.state.begun:
                self.state.apply({"ended": key})
                self._add(ended=key)

    def done(self, key: str, target: str) -> None:
        """The object `key` has been transferred, to `target`."""
        with self.lock:
            self.state.apply({"done": key, "target": target})
            self._add(done=key, target=target)

    def save_parts(self, key: str, tracker: PartTracker) -> None:
        """More parts of this object have been written."""
        with self.lock:
            partial = tracker.snapshot() if self._throttle.is_due(key) else None
            if partial is not None:
                self._throttle.saved(key, partial)
                self._save(key, partial)

    def _save(self, key: str, partial: PartialUpload) -> None:
        self.state.partial_uploads[key] = partial
        self._add(half=key, state=partial.dump())

    def _add(self, **entry: Any) -> None:
        self.file.add(**entry)


class _StoreTracker(ResumeTracker):
    def __init__(self, store: ResumeStore, target: Interface, saved: dict[str, PartialUpload]) -> None:
        super().__init__(target, store.save_parts, saved)
        self._store = store

    def begin(self, item: Item, is_large: bool) -> None:
        self._store.begin(self.target, item.target, is_large)

    def end(self, item: Item) -> None:
        self._store.end(self.target, item.target)


# ---- cleaning up


def _cleanup_scope(target: Interface, key: str, is_large: bool) -> str | None:
    """What to record before an object is written: the directory of a local file, for its temporary files; the key of a
    large object in any other store; None: nothing can be left behind."""
    if target.traits.is_local:
        return key[:key.rfind("/") + 1]
    return key if is_large else None


def clean_up(target: Interface, state: ResumeState, under_way: Collection[str] = ()) -> None:
    """Remove what a run that is gone has left behind, except what can be resumed.

    under_way: keys that other runs are writing: uploads are identified by their key, temporary files by their process.
    Raises TransportError; any other failure is a warning.
    """
    keys = [f"{scope}x" for scope in state.begun] if target.traits.is_local else [*state.begun.difference(under_way)]
    if not keys:
        return
    kept = [partial.state for partial in state.partial_uploads.values()]
    process, since = state.request.get("process", ""), state.request.get("since", 0.0)
    try:
        target.discard_interrupted(InterruptedWrites(keys, since - CLOCK_SKEW, [process], kept))
    except TransportError:
        raise
    except CloudFilesError as error:
        _warn(f"partial uploads of an interrupted run could not be removed: {error}. Try again with discard_partial()")


# ---- several runs at once


@contextmanager
def open_resume_store(source: Store, target: Store, clock: Clock | None = None) -> Iterator[SharedResumeStore | None]:
    """The store of a run between two stores, after taking over from runs that are gone. Raises TransportError if the
    target cannot be reached for that.

    None, with a warning, if nothing can be saved; None also if the target is memory, which ends with the process.
    """
    store = None if target.keeps_live_objects else _opened(source, target, clock or Clock())
    if store is None:
        yield None
        return
    try:
        store.take_over(target.here())
        yield store
    finally:
        store.close()


def _opened(source: Store, target: Store, clock: Clock) -> SharedResumeStore | None:
    try:
        return SharedResumeStore(_name_of(source, target), clock)
    except (OSError, CloudFilesError) as error:
        _warn(f"cannot save progress in {state_directory(_KIND)}: {error}. Interrupted transfers of large objects will "
              "restart from the beginning; set CLOUD_FILES_DIR to a writable directory")
        return None


def _name_of(source: Store, target: Store) -> str:
    identity = [[redact(paths.asprotocolpath(store.location)), redact(store.options.endpoint or "") or None,
                 *(() if store.options.encoding_suffixes is not False else ("exact names",))]
                for store in (source, target)]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


class SharedResumeStore(ResumeStore):
    """That of one of several runs between the same two stores. If its file cannot be written, it warns once and saves
    nothing more."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._directory = state_directory(_KIND)
        self._name = name
        file = StateFile(os.path.join(self._directory, f"{name}-{process_mark()}-{next(_counter)}.jsonl"))
        super().__init__(file, ResumeState({"process": process_mark(), "since": clock.wall()}, []), clock)
        self._is_broken = False
        try:
            self.file.acquire()
            self.start()
        except BaseException:
            self.file.release()
            raise

    def close(self) -> None:
        """Leave what can be resumed, and nothing else."""
        with self.lock:
            try:
                if self.state.partial_uploads and not self._is_broken:
                    # This process lives on: its temporary files must not be cleaned up.
                    self.state.request = {"process": "", "since": 0.0}
                    self.state.begun.clear()
                    self.file.write(self.state)
                else:
                    self.file.remove()
            except OSError as error:
                _warn(f"cannot update {self.file.path}: {error.strerror}")
            finally:
                self.file.release()

    def _begin(self, target: Interface, scope: str) -> None:
        with self._guarded(not target.traits.is_local), self.lock:
            if len(self.state.begun) >= _SCOPES_IN_MEMORY and target.traits.is_local:
                self.state.begun.clear()  # they are still in the file
            super()._begin(target, scope)

    def _add(self, **entry: Any) -> None:
        if self._is_broken:
            return
        try:
            super()._add(**entry)
        except OSError as error:
            self._is_broken = True
            _warn(f"cannot write {self.file.path}: {error.strerror}. Interrupted transfers of large objects will "
                  "restart from the beginning")

    # ---- runs that are gone

    def take_over(self, target: Interface) -> None:
        """Clean up after runs that are gone, and take over their partial uploads."""
        gone: list[StateFile] = []
        under_way: set[str] = set()
        with self._guarded(not target.traits.is_local):
            others = self._others()
            try:
                for file in others:
                    if file.try_acquire():
                        gone.append(file)
                    else:
                        under_way |= _begun(file)
                for file in gone:
                    self._inherit(file, target, under_way)
            finally:
                for file in others:
                    file.release()

    def _others(self) -> list[StateFile]:
        """The files of other runs between the two stores, including those that a run did not get to write."""
        # A further suffix is that of a lock, or of what is about to replace the file.
        names = {name.partition(".jsonl")[0] + ".jsonl" for name in os.listdir(self._directory)
                 if name.startswith(f"{self._name}-")}
        return [StateFile(os.path.join(self._directory, name)) for name in sorted(names)
                if name != os.path.basename(self.file.path)]

    def _inherit(self, file: StateFile, target: Interface, under_way: set[str]) -> None:
        try:
            state = file.read()
        except NewerFormatError as error:
            _warn(f"{error}. It was left as it is")
            return
        except ConfigurationError as error:
            _warn(f"{error}. It was removed; remove the partial uploads of that run with discard_partial()")
            state = None
        if state is not None:
            clean_up(target, state, under_way)
            for key, partial in state.partial_uploads.items():
                self._take(key, partial, target, key in under_way)
        file.remove()

    def _take(self, key: str, partial: PartialUpload, target: Interface, is_under_way: bool) -> None:
        if is_under_way or key in self._inherited:
            partial.discard(target, key)  # another run copies it from its beginning, or from parts of its own
            return
        self._inherited[key] = partial
        self._save(key, partial)

    @contextmanager
    def _guarded(self, is_needed: bool) -> Iterator[None]:
        """No run starts an upload while another determines which are under way, and vice versa: uploads are identified
        by their key alone, and one that was just started must not be mistaken for one that was left behind."""
        guard = FileLock(os.path.join(self._directory, self._name))
        try:
            if is_needed:
                self._wait_for(guard)
            yield
        finally:
            guard.release()

    def _wait_for(self, guard: FileLock) -> None:
        try:
            for _ in range(round(_GUARD_SECONDS / _PAUSE)):
                if guard.try_acquire():
                    return
                time.sleep(_PAUSE)
        except OSError:
            return  # the file cannot be written either, which is reported
        _warn(f"{guard.path} was held by others for {_GUARD_SECONDS:.0f} s; continuing without it")


def _begun(file: StateFile) -> set[str]:
    """What another run has started."""
    try:
        state = file.read()
    except ConfigurationError:
        return set()
    return set() if state is None else state.begun
