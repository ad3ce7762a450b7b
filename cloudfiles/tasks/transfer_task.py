"""A transfer as an object: it runs here or in the background, reports its progress, and is saved while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from cloudfiles.batch.store import Store
from cloudfiles.cloudfiles import CloudFiles, CloudFilesOptions
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    LockingError,
    PreconditionFailedError,
    TransportError,
    redact,
)
from cloudfiles.interfaces.file.temporaries import process_mark
from cloudfiles.lib import StrPath
from cloudfiles.option_checks import checked_count
from cloudfiles.secret_references import has_secret
from cloudfiles.transfer.copier import Copier, TransferOptions
from cloudfiles.transfer.engine import copy_objects, plan_between
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.resume_state import ResumeState, StateFile, TransferFile, saved_state_files, state_directory
from cloudfiles.transfer.resume_store import ResumeStore, clean_up
from cloudfiles.types import Clock

if TYPE_CHECKING:
    from typing_extensions import Unpack

Progress = Callable[[int, "int | None"], object]
Task = TypeVar("Task", bound="TransferTask")

_SHOWN = 5
"""Existing files that an error names."""

_REQUEST = ("rpath", "lpath", "root", "nthreads", "chunksize", "buffersize", "blocksize", "overwrite", "verbose",
            "timeout")
_STORE_OPTIONS = ("endpoint", "request_payer", "no_sign_request", "encoding_suffixes", "follow_external_symlinks")


class TransferTimeoutError(TransportError, TimeoutError):
    """The transfer took longer than its `timeout`. Finished files are kept; `run` resumes the transfer."""


class TargetExistsError(PreconditionFailedError, FileExistsError):
    """The target already exists, and `overwrite` was not given."""


class TransferTask(ABC):
    """Base class of `Uploader` and `Downloader`.

    Attributes:
        hash: identifies the transfer: equal for the same store, paths and sizes.
        errors: the failures of the last run, by key.
        skipped_symlinks: local symlinks that lead out of the directory, or to nothing, and were not followed.
    """

    kind: ClassVar[str]
    _encoding: ClassVar[str | None] = None

    def __init__(self, store: CloudFiles | StrPath, rpath: StrPath, lpath: StrPath,
                 nthreads: int | None = None, chunksize: int = 2**28, buffersize: int = 2**22,
                 blocksize: int = 2**22, client: None = None, run: bool = True, overwrite: bool = False,
                 verbose: bool = False, progress_callback: Progress | None = None, timeout: float = 0, *,
                 clock: Clock | None = None, **options: Unpack[CloudFilesOptions]) -> None:
        if client is not None:
            raise InvalidInputError(f"client: expected None, got {client!r}; control the transfer with nthreads= and "
                                    "the options of CloudFiles")
        for name, size in (("chunksize", chunksize), ("buffersize", buffersize), ("blocksize", blocksize)):
            checked_count(name, size, 1)
        if not blocksize <= buffersize <= chunksize:
            raise InvalidInputError(f"expected blocksize <= buffersize <= chunksize, got blocksize={blocksize}, "
                                    f"buffersize={buffersize}, chunksize={chunksize}")
        self.rpath = os.fspath(rpath)
        self.lpath: str = os.path.expanduser(os.fspath(lpath) or ".")
        self.root: str = ""
        self.nthreads = nthreads if nthreads is None else checked_count("nthreads", nthreads)
        self.chunksize, self.buffersize, self.blocksize = chunksize, buffersize, blocksize
        self.overwrite, self.verbose, self.timeout = overwrite, verbose, timeout
        self._begin(store if isinstance(store, CloudFiles) else CloudFiles(store, **options),
                    progress_callback, clock)
        files = self._select()
        before = self._file.read()
        partial_uploads = {} if before is None else before.partial_uploads
        self._resume_store.state = ResumeState(self._request(), files, partial_uploads=partial_uploads)
        if run:
            self.run()

    def _begin(self, cf: CloudFiles, progress_callback: Progress | None, clock: Clock | None) -> None:
        self.progress_callback = progress_callback
        self.errors: dict[str, Exception] = {}
        self.skipped_symlinks: list[str] = []
        self._cf = cf._by_exact_names()
        self._clock = clock or Clock()
        self._now = self._clock.monotonic
        identity = [self.kind, redact(cf.cloudpath), self.rpath, os.path.abspath(self.lpath), self.chunksize,
                    self.blocksize]
        self.hash = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
        file = StateFile(os.path.join(state_directory(self.kind), f"{self.hash}.jsonl"))
        self._resume_store = ResumeStore(file, ResumeState({}, []), self._clock)
        self._lock = self._resume_store.lock  # also held while a callback is called
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running = False
        self._resumes = False  # files that are done according to the saved state are not transferred again
        self._failure: BaseException | None = None

    @property
    def _state(self) -> ResumeState:
        return self._resume_store.state

    @property
    def _file(self) -> StateFile:
        return self._resume_store.file

    @abstractmethod
    def _select(self) -> list[TransferFile]:
        """The files to transfer. Raises if they cannot be, before anything is transferred."""

    @abstractmethod
    def _sides(self, files: list[TransferFile], store: Store) -> tuple[Store, Store, list[Item]]:
        """Source, target, and the items to copy; the remote side is `store`."""

    def __repr__(self) -> str:
        return (f"{type(self).__name__}({self._cf!r}, {self.rpath!r}, {self.lpath!r}: "
                f"{len(self._state.done)} of {len(self._state.files)} files done)")

    # ---- running

    def run(self, nthreads: int | None = None, monitor: bool = True) -> None:
        """Transfer the remaining files.

        Args:
            nthreads: number of workers, instead of the one given before.
            monitor: wait until the transfer is finished. False: return at once; `wait` waits for it.

        Raises:
            CloudFilesError: the first failure, after all other files were tried. Finished files are kept; the state
                is saved, and another `run` resumes from it, here or in another process.
            TransferTimeoutError: (also a TimeoutError) the timeout has expired.
            LockingError: another process is running the same transfer; nothing was done here.
        """
        with self._starting:
            if self._running:
                raise InvalidInputError("the transfer is already running; wait() waits for it")
            self._file.acquire()
            self._running = True
        self._failure, self.errors = None, {}
        width = nthreads if nthreads is not None else self.nthreads
        if monitor:
            self._run(width)
            self.wait()
        else:
            self._thread = threading.Thread(target=self._run, args=(width,), name=f"cloudfiles-{self.kind}",
                                            daemon=True)
            self._thread.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until a transfer in the background is finished, for at most `timeout` seconds. Raises as `run`."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        if not self._running and self._failure is not None:
            raise self._failure

    def _run(self, width: int | None) -> None:
        try:
            self._transfer(width, self._read_saved())
        except Exception as error:
            self._failure = error
        finally:
            self._save_rest()
            self._file.release()
            self._running = False

    def _read_saved(self) -> ResumeState | None:
        """The state that another process may have saved in the meantime."""
        now = self._file.read()
        if now is not None:
            self._state.partial_uploads = dict(now.partial_uploads)
            if self._resumes:
                self._state.done |= now.done
        self._resumes = True
        self._state.request = {**self._request(), "process": process_mark(), "since": self._clock.wall()}
        return now

    def _save_rest(self) -> None:
        """At the end of a run: save what is left to do, if anything. Nothing has to be cleaned up."""
        self._state.begun.clear()
        try:
            if self._left():
                self._file.write(self._state)
            else:
                self._file.remove()
        except OSError as error:
            self._failure = self._failure or error

    def _transfer(self, width: int | None, before: ResumeState | None) -> None:
        store = self._cf._store if width is None else self._cf._store.replace(width=checked_count("nthreads", width))
        source, target, items = self._sides(self._left(), store)
        if before is not None:
            clean_up(target.here(), before)
        self._resume_store.start()  # not before: until then the file contains what the last run has left behind
        plan, here, there = plan_between(source, target)
        self._start()
        copier = Copier(here, there, plan, TransferOptions(self._encoding, raise_errors=False),
                        resume=self._resume_store.tracker(there), progress=self._written)
        result = copy_objects(copier, items, plan, report=lambda _: self._check_time(), on_outcome=self._record)
        self.errors = result.errors
        if result.errors:
            raise self._explained(next(iter(result.errors.values())))

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, CloudFilesError):
            error.args = (f"{error.args[0] if error.args else ''} ({len(self.errors)} of {len(self._state.files)} "
                          f"files failed, {len(self._state.done)} are done; run() retries the others)",)
        return error

    def _left(self) -> list[TransferFile]:
        return [file for file in self._state.files if file.remote not in self._state.done]

    # ---- progress; called by workers

    def _start(self) -> None:
        sizes = [file.size for file in self._state.files]
        self._sizes = {file.remote: file.size for file in self._state.files}
        self._total = None if None in sizes else sum(size or 0 for size in sizes)
        self._bytes = {key: self._sizes[key] or 0 for key in self._state.done}
        self._current = sum(self._bytes.values())
        self._deadline = self._now() + self.timeout if self.timeout else None

    def _check_time(self) -> None:
        if self._deadline is not None and self._now() >= self._deadline:
            raise TransferTimeoutError(f"the timeout of {self.timeout} s has expired; {len(self._state.done)} of "
                                       f"{len(self._state.files)} files are done, run() resumes")

    def _written(self, item: Item, size: int) -> None:
        self._check_time()
        if size:
            with self._lock:
                self._advance(item.source, self._bytes.get(item.source, 0) + size, self._sizes[item.source])

    def _record(self, outcome: ObjectOutcome) -> None:
        key = outcome.item.source
        with self._lock:
            self._resume_store.done(key, outcome.item.target)
            if self.verbose:
                print(f"{key}: {outcome.status}")
            size = self._sizes[key]
            self._advance(key, outcome.size or 0 if size is None else size, size)

    def _advance(self, key: str, moved: int, size: int | None) -> None:
        moved = moved if size is None else min(moved, size)
        before = self._bytes.get(key, -1)
        if moved <= before:
            return
        self._bytes[key] = moved
        self._current += moved - max(0, before)
        if self.progress_callback is not None:
            self.progress_callback(self._current, self._total)

    # ---- results

    def active(self) -> bool:
        """Whether it is running."""
        return self._running

    def successful(self) -> bool:
        """Whether every file has been transferred. Raises AssertionError while it is running."""
        if self._running:
            raise AssertionError("the transfer is still running")
        return not self._left() and self._failure is None

    @property
    def status(self) -> dict[str, str]:
        """For each file, by its key: 'done', 'failed' in the last run, or 'left' to do."""
        with self._lock:
            done, failed = set(self._state.done), set(self.errors)
        return {key: "done" if key in done else "failed" if key in failed else "left"
                for key in (file.remote for file in self._state.files)}

    # ---- saving

    def _request(self) -> dict[str, Any]:
        options = self._cf._store.options
        return {"cloudpath": redact(self._cf.cloudpath),
                "has_secret": has_secret(self._cf.cloudpath) or self._cf._store.lacks_secret,
                **{name: getattr(options, name) for name in _STORE_OPTIONS},
                **{name: getattr(self, name) for name in _REQUEST}}

    def save(self, keep: bool = True) -> None:
        """Save the state to disk if files remain; a running transfer does this by itself.

        keep: False deletes the saved state, and the uploaded parts of incomplete large objects.
        Raises LockingError while another process is running the transfer.
        """
        with nullcontext() if self._running else self._file.locked():
            self._save(keep)

    def _save(self, keep: bool) -> None:
        if keep and self._left():
            with self._lock:
                self._file.write(self._state)
            return
        if not keep and not self._running:
            _, target, _ = self._sides(self._state.files, self._cf._store)
            for key, partial in self._state.partial_uploads.items():
                partial.discard(target.here(), key)
            self._state.partial_uploads.clear()
        self._file.remove()

    @overload
    @classmethod
    def load(cls: type[Task], filename: None = None, **options: Any) -> dict[str, Task]: ...
    @overload
    @classmethod
    def load(cls: type[Task], filename: str | os.PathLike[str], **options: Any) -> Task: ...

    @classmethod
    def load(cls: type[Task], filename: str | os.PathLike[str] | None = None, **options: Any) -> Task | dict[str, Task]:
        """The saved or interrupted transfers by their hash; none of them is running. `run` resumes them.

        Args:
            filename: load only the transfer in this file.
            options: options of CloudFiles, such as `secrets`, which are not saved; `progress_callback`; `clock`; and
                `store`, a CloudFiles or a cloudpath, if the cloudpath contained a secret (`https://user:password@host/`,
                `?sig=`), which is not saved either. It is used for transfers whose cloudpath is otherwise the same.

        Raises ConfigurationError if a file cannot be read. A transfer whose secret is missing cannot be `run`.
        """
        if filename is not None:
            return cls._loaded(StateFile(os.path.abspath(os.fspath(filename))), options)
        loaded = [cls._loaded(file, options) for file in saved_state_files(cls.kind)]
        return {task.hash: task for task in loaded}

    @classmethod
    def _loaded(cls: type[Task], file: StateFile, options: dict[str, Any]) -> Task:
        state = file.read()
        if state is None:
            raise InvalidInputError("the saved transfer does not exist; load() returns all saved "
                                    "transfers", path=file.path)
        task, known, options = cls.__new__(cls), state.request, dict(options)
        for name in _REQUEST:
            setattr(task, name, known[name])
        callback, clock = options.pop("progress_callback", None), options.pop("clock", None)
        store_options = {name: known[name] for name in _STORE_OPTIONS if known.get(name) is not None}
        task._begin(_store_of(known, options.pop("store", None), {**store_options, **options}), callback, clock)
        task._resume_store.file = file
        task._resume_store.state = state
        task._resumes = True
        task.hash = os.path.basename(file.path).removesuffix(".jsonl")
        return task

    @classmethod
    def clear_saved(cls) -> None:
        """Delete all saved transfers of this kind, except running ones. Uploaded parts that remain in the stores can be
        removed with `discard_partial`."""
        for file in saved_state_files(cls.kind):
            with suppress(LockingError), file.locked():
                file.remove()


def _store_of(known: Mapping[str, Any], given: Any, options: dict[str, Any]) -> CloudFiles:
    """The store of a saved transfer: the given one if it is the same except for secrets, otherwise the saved one."""
    saved = known["cloudpath"]
    if isinstance(given, CloudFiles) and redact(given.cloudpath) == redact(saved):
        return given
    if given is not None and not isinstance(given, CloudFiles):
        cf = CloudFiles(os.fspath(given), **options)
        if redact(cf.cloudpath) == redact(saved):
            return cf
    cf = CloudFiles(saved, **options)
    cf._store.lacks_secret = bool(known.get("has_secret"))
    return cf


def target_exists(targets: list[str], where: str) -> TargetExistsError:
    shown = ", ".join(targets[:_SHOWN]) + (f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else "")
    return TargetExistsError(f"{where} already has {shown}; nothing was transferred. Use overwrite=True to replace "
                             "existing files, or load() to resume an interrupted transfer")
