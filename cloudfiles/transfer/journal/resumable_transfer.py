"""`ResumableTransfer`: a transfer of any number of objects, which survives kills of the processes that work on it.

    rt = ResumableTransfer("transfer.db")
    rt.init("s3://bucket/dir/", "file:///data/dir/")
    rt.execute(progress=True)  # in any number of processes; call it again after a kill
    print(rt.report())
    rt.close()
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from cloudfiles import paths as _paths
from cloudfiles.batch.store import Store
from cloudfiles.content_encoding import stored_encoding
from cloudfiles.exceptions import (
    InvalidInputError,
    JournalError,
    LockingError,
    MissingCredentialsError,
    TransferFailedError,
    UnsupportedOperationError,
    redact,
)
from cloudfiles.option_checks import checked_count
from cloudfiles.progress import Progress, bar_for, is_shown
from cloudfiles.secret_references import has_secret
from cloudfiles.transfer.items import Item, as_item, listed_items, without_conflicts
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.journal.records import Failure, TransferRecord
from cloudfiles.transfer.journal.report import Report, report_of
from cloudfiles.transfer.journal.worker import JournalWorker
from cloudfiles.transfer.sources import check_source
from cloudfiles.transfer.verify import VerifyResult, verify
from cloudfiles.types import Clock, StoreOptions, Tls

_LEASE = 600.0
"""The default duration of a lease in seconds. A process that is gone loses its lease at once."""


class ResumableTransfer:
    """A transfer whose state is kept in a journal, which is a SQLite file on a disk of this machine.

    The journal records for each object whether it is pending, leased by a running process, done, skipped, failed or
    unverifiable, with cause, digest, attempts, bytes and time. Processes may be killed at any time: the next one takes
    over their work, resumes incomplete large objects from their parts, and removes what they left behind.

    Nothing is kept open between calls: an instance may be pickled, or used after a fork.

    Args:
        db: the path of the journal, which `init` creates.
        lease_msec: milliseconds until the lease of a process expires if it is not renewed; it is renewed several times
            in this period. 0: ten minutes. A process that has ended loses its lease at once.
        db_path: another name for `db`.
        src, dest: a CloudFiles or a cloudpath, to access the stores with options that a journal does not keep: with
            secrets, including those in a cloudpath (`https://user:password@host/`, `?sig=`). They may differ from those
            used before.
    """

    def __init__(self, db: Any = None, lease_msec: float = 0, *, db_path: Any = None, src: Any = None, dest: Any = None,
                 clock: Clock | None = None) -> None:
        path = db if db is not None else db_path
        if path is None:
            raise InvalidInputError("db: expected the path of the journal file, got None")
        self.db_path: str = os.path.abspath(os.path.expanduser(os.fspath(path)))
        self.lease_msec = _checked_lease(lease_msec)
        self._stores = tuple(None if given is None else _store_of(given) for given in (src, dest))
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"ResumableTransfer({self.db_path!r})"

    def __len__(self) -> int:
        """The number of objects that are not at the target yet. Raises JournalError if there is no journal."""
        with self._opened() as journal:
            counts, _ = journal.counts()
            return counts["pending"] + counts["leased"] + counts["failed"]

    def __bool__(self) -> bool:
        return True

    # ---- initializing

    def init(self, src: Any, dest: Any, paths: Any = None, reencode: str | bool | None = None) -> int:
        """Record the objects to transfer in the journal, in bounded memory; returns their number.

        This always starts a new transfer: to resume one, call `execute`. Nothing is transferred yet.

        Args:
            src, dest: a CloudFiles or a cloudpath. Its options are kept in the journal, except secrets.
            paths: None for all objects of the source; a CloudFiles or a cloudpath for the keys that it lists; or an
                iterable of keys, of `{'path', 'dest_path'}` or of `(path, dest_path)`.
            reencode: store the copies with this encoding ('gzip', 'br', ...); False or '' decodes them, None keeps it.

        Raises:
            JournalError: the file is not a journal, or belongs to another transfer that is not finished.
            LockingError: other processes are using it.
            DuplicatePathError: two objects have the same target.
            InvalidPathError: two keys conflict at the target, as `a` and `a.gz` do on a file system.
        """
        source, target = _store_of(src), _store_of(dest)
        encoding = None if reencode is None else stored_encoding(reencode)
        options = {"encoding": encoding, "source": _options_of(source), "target": _options_of(target)}
        with closing(Journal(self.db_path, create=True, clock=self._clock)) as journal:
            self._make_room(journal, source, target)
            journal.begin(redact(source.cloudpath), redact(target.cloudpath), options)
            skipped: list[str] = []
            items = _items(source, paths, skipped)
            count = journal.list_all(without_conflicts(source, target, items), skipped)
        self._stores = (source, target)
        return count

    def _make_room(self, journal: Journal, source: Store, target: Store) -> None:
        before = journal.transfer
        if before is None:
            return
        if journal.is_in_use():
            raise LockingError(f"other processes are using the journal {self.db_path}; wait until they finish, or "
                               "choose another file")
        left = report_of(journal, before)
        if before.is_listed and not left and _shown(before) != (redact(source.cloudpath), redact(target.cloudpath)):
            raise JournalError(
                f"the journal {self.db_path} belongs to the transfer from {redact(before.source)} to "
                f"{redact(before.target)}, which has {left.total - left.done - left.skipped - left.unverifiable} "
                "objects left; finish it with execute() or abandon it with discard()")
        _discard_partial_uploads(journal, target)

    # ---- working

    def execute(self, progress: Progress = False, block_size: int = 200, lease_msec: float | None = None, *,
                failed: bool = False, raise_errors: bool = True) -> Report:
        """Transfer pending objects, and those that killed processes have left. Call it again after a kill.

        Any number of processes may do so at once. Objects leased by others are left to them, and not waited for.

        Args:
            progress: show a progress bar: True, a str, or a bar of the caller.
            block_size: number of objects leased at once.
            lease_msec: overrides that of the constructor.
            failed: retry objects that failed before.
            raise_errors: False returns the report even if objects failed.

        Raises:
            JournalError: there is no journal, it is incomplete, or belongs to another transfer than `src` and `dest`.
            TransferFailedError: objects failed, now or before, and are not at the target; either all others were
                transferred, or the failure would have affected every object, and the rest is still pending. See its
                `report`.
        """
        block = checked_count("block_size", block_size, 1)
        lease = self.lease_msec if lease_msec is None else _checked_lease(lease_msec)
        with self._opened() as journal:
            transfer = self._transfer(journal)
            if failed:
                journal.retry_failed()
            stopped_by = self._work(journal, transfer, lease / 1000 or _LEASE, block, progress)
            report = report_of(journal, transfer)
        if raise_errors and (stopped_by is not None or report.failed):
            raise _failure(report, stopped_by) from stopped_by
        return report

    def _work(self, journal: Journal, transfer: TransferRecord, lease: float, block: int,
              progress: Progress) -> Exception | None:
        counts = journal.counts()[0] if is_shown(progress) else {}
        total = sum(counts.values())
        with bar_for(progress, total, "Transfer") as bar:
            bar.update(total - counts.get("pending", 0) - counts.get("leased", 0))
            source, target = self._stores_of(transfer)
            worker = JournalWorker(journal, source, target, transfer, lease=lease, block=block, clock=self._clock,
                                   report=bar.update)
            worker.work()
        return worker.stopped_by

    def retry_failed(self) -> int:
        """Let the next `execute` retry failed objects; returns their number."""
        with self._opened() as journal:
            return journal.retry_failed()

    # ---- inspecting

    def report(self) -> Report:
        """Counts, bytes and failures, at any time, even while processes are running. It can be printed."""
        with self._opened() as journal:
            return report_of(journal, self._transfer(journal))

    def failures(self) -> Iterator[Failure]:
        """Iterate over all failed objects, with their causes, in bounded memory."""
        with self._opened() as journal:
            yield from journal.failures()

    def records(self) -> Iterator[dict[str, Any]]:
        """Iterate over everything that the journal records of each object, in bounded memory."""
        with self._opened() as journal:
            yield from journal.records()

    def verify(self, read: bool = False, progress: Progress = None) -> VerifyResult:
        """Compare the transferred objects with the source as it is now; see `CloudFiles.verify`.

        Raises UnsupportedOperationError if the objects were re-encoded, because their stored bytes differ.
        """
        with self._opened() as journal:
            transfer = self._transfer(journal)
            if transfer.options["encoding"] is not None:
                raise UnsupportedOperationError("the objects were re-encoded, so their stored bytes differ from the "
                                                "source and cannot be compared")
            source, target = self._stores_of(transfer)
            return verify(source, target, journal.items("done", "skipped", "unverifiable"), read=read,
                          progress=progress)

    # ---- ending

    def close(self) -> bool:
        """Remove the journal if nothing is left to do; returns whether it was removed.

        If objects remain, or other processes are running, it is kept, so that `execute` can be called again. The
        uploaded parts of failed objects are removed from the target.
        """
        if not os.path.exists(self.db_path):
            return False
        with self._opened() as journal:
            transfer = journal.transfer
            if journal.is_in_use():
                return False
            if transfer is not None:
                _discard_partial_uploads(journal, self._stores_of(transfer)[1], only_failed=True)
                if transfer.is_listed and not report_of(journal, transfer):
                    return False
            journal.remove()
        return True

    def discard(self) -> None:
        """Abandon the transfer: remove uploaded parts from the target, then the journal, whatever is left to do.

        Raises LockingError while other processes are using it.
        """
        with self._opened() as journal:
            if journal.is_in_use():
                raise LockingError(f"other processes are using the journal {self.db_path}; wait until they finish")
            if journal.transfer is not None:
                _discard_partial_uploads(journal, self._stores_of(journal.transfer)[1])
            journal.remove()

    # ---- the journal and the stores

    def _opened(self) -> closing[Journal]:
        return closing(Journal(self.db_path, clock=self._clock))

    def _transfer(self, journal: Journal) -> TransferRecord:
        transfer = journal.transfer
        if transfer is None or not transfer.is_listed:
            raise JournalError(f"the journal {self.db_path} is incomplete, because init() did not finish; call it "
                               "again")
        return transfer

    def _stores_of(self, transfer: TransferRecord) -> tuple[Store, Store]:
        """The stores that were passed here, otherwise those of the journal."""
        return (_store(self._stores[0], transfer.source, transfer.options["source"], "src"),
                _store(self._stores[1], transfer.target, transfer.options["target"], "dest"))


def _store(given: Store | None, cloudpath: str, saved: dict[str, Any], name: str) -> Store:
    if given is not None:
        if redact(given.cloudpath) != redact(cloudpath):
            raise JournalError(f"{name} is {redact(given.cloudpath)}, but the journal has {redact(cloudpath)}")
        view = saved["options"].get("encoding_suffixes") is not False
        given = given.with_default_suffixes(view)
        if given.location.protocol == "file" and given.shows_encodings_as_suffixes != view:
            raise JournalError(f"{name} has encoding_suffixes={not view}, but the journal was created with {view}: its "
                               "keys would refer to other files")
        return given
    if saved.get("has_secret"):
        raise MissingCredentialsError(f"{redact(cloudpath)} contained a secret, which is not stored in the journal; "
                                      f"pass it again: ResumableTransfer(..., {name}=CLOUDPATH)")
    options = StoreOptions(**{**saved["options"], "tls": Tls(**saved["options"]["tls"])})
    return Store(cloudpath, options, saved["green"], saved["width"], saved["use_https"])


def _options_of(store: Store) -> dict[str, Any]:
    """The options of a store as JSON values, without secrets."""
    options = {**vars(store.with_default_suffixes(True).options)}
    options["tls"] = {**vars(options["tls"])}
    del options["secrets"]
    if options["endpoint"]:
        options["endpoint"] = redact(options["endpoint"])
    return {"options": options, "green": store.green, "width": store.width, "use_https": store.use_https,
            "has_secret": has_secret(store.cloudpath) or has_secret(store.options.endpoint or "")}


def _shown(transfer: TransferRecord) -> tuple[str, str]:
    """Source and target without secrets, to compare them by: a secret may have been renewed."""
    return redact(transfer.source), redact(transfer.target)


def _store_of(given: Any) -> Store:
    store = getattr(given, "_store", None)  # of a CloudFiles, which is in a layer above this one
    if isinstance(store, Store):
        return store
    if isinstance(given, str | os.PathLike):
        return Store(_paths.absolute(given))
    raise InvalidInputError(f"expected a CloudFiles or a cloudpath, got {type(given).__name__}: {given!r}")


def _items(source: Store, paths: Any, skipped: list[str]) -> Iterable[Item]:
    listed: Store | None = source if paths is None else None
    if isinstance(getattr(paths, "_store", None), Store):
        listed = _store_of(paths)
    elif isinstance(paths, str):
        listed = source.at(_paths.absolute(paths))
    if listed is not None:
        check_source(listed)
        return listed_items(listed, skipped)
    if isinstance(paths, bytes) or not isinstance(paths, Iterable):
        raise InvalidInputError("paths: expected a cloudpath, a CloudFiles or an iterable of keys, got "
                                f"{type(paths).__name__}: {paths!r}")
    return map(as_item, paths)


def _discard_partial_uploads(journal: Journal, target: Store, only_failed: bool = False) -> None:
    """Remove the parts of objects that nobody will resume from the target."""
    partial_uploads = journal.partial_uploads("failed") if only_failed else journal.partial_uploads()
    for leased, partial in partial_uploads:
        partial.discard(target.here(), leased.item.target)
        journal.delete_partial_uploads([leased.id])


def _checked_lease(lease_msec: Any) -> float:
    if isinstance(lease_msec, bool) or not isinstance(lease_msec, int | float) or not 0 <= lease_msec < float("inf"):
        raise InvalidInputError(f"lease_msec: expected a number of milliseconds >= 0, got {lease_msec!r}")
    return lease_msec


def _failure(report: Report, stopped_by: Exception | None) -> TransferFailedError:
    there = report.done + report.skipped + report.unverifiable
    text = f"{report.failed} of {report.total} objects failed, and their targets are unchanged; {there} are at the " \
           "target, complete"
    if stopped_by is not None:
        text = f"the transfer was stopped, because the error would also affect the other objects: {stopped_by}. " \
               f"{text}; {report.pending} were not started"
    elif report.failures:
        first = report.failures[0]
        text += f". The first: {first.path}: {first.cause}"
    error = TransferFailedError(f"{text}. To retry, call execute(failed=True)")
    error.report = report
    return error
