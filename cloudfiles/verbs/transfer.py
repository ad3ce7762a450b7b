"""The methods of `CloudFiles` that copy, move and compare. Each imports its implementation when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cloudfiles import paths as _paths
from cloudfiles.batch.processes import Parallel
from cloudfiles.batch.store import Store
from cloudfiles.cloudpath_parser import check_typing
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import KeyPatterns, TransferRequest, as_path
from cloudfiles.lib import StrPath
from cloudfiles.option_checks import checked_callback
from cloudfiles.progress import Progress, checked_progress
from cloudfiles.verbs.batch_runner import BatchRunner

if TYPE_CHECKING:
    from cloudfiles.transfer.result import ObjectOutcome, TransferResult
    from cloudfiles.transfer.sync import SyncResult
    from cloudfiles.transfer.verify import VerifyResult


class AsyncTwin(Protocol):
    """An `AsyncCloudFiles`."""

    @property
    def sync(self) -> TransferVerbs:
        """The `CloudFiles` of the same store."""


StoreLike: TypeAlias = "StrPath | TransferVerbs | AsyncTwin"
"""A cloudpath or local path, a `CloudFiles`, or an `AsyncCloudFiles`."""


class TransferVerbs(BatchRunner):
    """Methods of `CloudFiles` that copy, move, synchronize and compare objects between stores."""

    def transfer_to(self, cf_dest: StoreLike, paths: StrPath | Iterable[TransferRequest] | None = None,
                    block_size: int = 64, reencode: str | bool | None = None, content_type: str | None = None,
                    allow_missing: bool = False, progress: Progress = None, resumable: bool = False, *,
                    total: int | None = None, raise_errors: bool = True, parallel: Parallel | None = None,
                    cache_control: str | None = None, storage_class: str | None = None, max_rate: float | None = None,
                    raw: bool = False, on_outcome: Callable[[ObjectOutcome], Any] | None = None) -> TransferResult:
        """Copy objects from here to `cf_dest`.

        Within one store its own copy operation is used, and between local files that of the kernel; everything else is
        copied through this process, in bounded memory, and large objects in parts. Each object appears at the target
        completely or not at all. Stored bytes are copied as they are, with their encoding, content type, cache control
        and metadata.

        Args:
            cf_dest: a CloudFiles, an AsyncCloudFiles or a cloudpath.
            paths: the objects to copy: None for all, a path, or an iterable of paths, of `{'path', 'dest_path'}`
                or of `(path, dest_path)`.
            block_size: accepted for compatibility; objects are assigned to workers one by one.
            reencode: store the copies with this encoding ('gzip', 'br', ...); False or '' decodes them.
            content_type: the content type of the copies.
            allow_missing: skip objects that are missing at the source.
            resumable: skip objects that the target already has, by size and digest, or by size and time. Large objects
                that an earlier run left incomplete, because it was killed or failed, are resumed from their parts, and
                its other partial files are removed. The state for this is saved in `transfers/` of CLOUD_FILES_DIR or
                `~/.cloudfiles`, without secrets, until the transfer is finished; if that is not possible, a warning is
                shown.
            raise_errors: the first failure ends the transfer; False collects failures in `errors` of the result.
            parallel: processes, or an executor, to distribute the objects over; None: the setting of this CloudFiles.
                If one side is `mem://`, which exists in this process only, everything is done here.
            cache_control, storage_class: the Cache-Control and the storage class of the copies.
            max_rate: bytes per second that may pass through each process; copies within a store are not limited.
            raw: copy the stored bytes as they are, also to local files under their own names
                (`encoding_suffixes=False`), which have no encoding; otherwise, those are written decoded.
            on_outcome: called by any worker with the `ObjectOutcome` of each object that is copied, skipped or missing.

        Raises:
            MissingObjectError: (also a FileNotFoundError) the source does not exist.
            CloudFilesError: the first failure; the message, and the TransferResult in the attribute `result`, tell
                what was done. Objects copied before remain, and are complete.
        """
        from cloudfiles.transfer.copier import TransferOptions, target_encoding
        from cloudfiles.transfer.engine import transfer

        options = TransferOptions(target_encoding(reencode), content_type, allow_missing, resumable, raise_errors,
                                  cache_control, storage_class, max_rate, bool(raw))
        return transfer(self._store, self._other(cf_dest), paths, options, progress=self._chosen_progress(progress),
                        total=total, parallel=self._chosen_parallel(parallel),
                        on_outcome=checked_callback("on_outcome", on_outcome))

    def transfer_from(self, cf_src: StoreLike, paths: StrPath | Iterable[TransferRequest] | None = None,
                      block_size: int = 64, reencode: str | bool | None = None, content_type: str | None = None,
                      allow_missing: bool = False, progress: Progress = None, resumable: bool = False, *,
                      total: int | None = None, raise_errors: bool = True, parallel: Parallel | None = None,
                      cache_control: str | None = None, storage_class: str | None = None, max_rate: float | None = None,
                      raw: bool = False, on_outcome: Callable[[ObjectOutcome], Any] | None = None) -> TransferResult:
        """Copy objects from `cf_src` to here; see `transfer_to`."""
        from cloudfiles.transfer.copier import TransferOptions, target_encoding
        from cloudfiles.transfer.engine import transfer

        options = TransferOptions(target_encoding(reencode), content_type, allow_missing, resumable, raise_errors,
                                  cache_control, storage_class, max_rate, bool(raw))
        return transfer(self._other(cf_src), self._store, paths, options, progress=self._chosen_progress(progress),
                        total=total, parallel=self._chosen_parallel(parallel),
                        on_outcome=checked_callback("on_outcome", on_outcome))

    def move(self, src: StrPath, dest: StrPath) -> None:
        """Move one object, within this store or to another; see `moves`.

        dest: a cloudpath or a local path; or a path within this store.
        """
        from cloudfiles.addresses import split_object
        from cloudfiles.transfer.move import move_objects

        dest = as_path(dest)
        store, key = self._store, dest
        if not _is_full(dest):
            check_typing(dest, "For an object of this name in the same store, use moves()")
        else:
            directory, key = split_object(dest)
            store = self._other(directory)
        if not key:
            raise InvalidInputError(f"expected the path of an object, got one that ends with a separator: {dest!r}")
        move_objects(self._store, store, [(src, key)])

    def moves(self, cf_dest: StoreLike, paths: StrPath | Iterable[TransferRequest], block_size: int = 64,
              total: int | None = None, progress: Progress = None, *, raise_errors: bool = True,
              max_rate: float | None = None, on_outcome: Callable[[ObjectOutcome], Any] | None = None
              ) -> TransferResult:
        """Move objects to another store: rename them within a file system, otherwise copy, verify and delete them.

        This runs in this process only, whatever `parallel` is. A source is only deleted once its copy has been
        verified, by digest or by reading it back.

        Args:
            cf_dest, paths: as for `transfer_to`, except that `paths` has no default.
            raise_errors, on_outcome: as for `transfer_to`.
            max_rate: bytes per second to be copied; reading copies back, to verify them, is not limited.

        Raises:
            IntegrityError: a copy could not be verified; the source was not deleted.
            InvalidInputError: an object of a collection is the target of one item and the source of another; nothing
                was moved.
            Others: as `transfer_to`.
        """
        from cloudfiles.transfer.move import move_objects

        return move_objects(self._store, self._other(cf_dest), paths, total=total,
                            progress=self._chosen_progress(progress), raise_errors=raise_errors, max_rate=max_rate,
                            on_outcome=checked_callback("on_outcome", on_outcome))

    def sync_to(self, cf_dest: StoreLike, delete: bool = False, compare: str = "auto",
                include: KeyPatterns | None = None, exclude: KeyPatterns | None = None, dry_run: bool = False,
                max_delete: int | None = 1000, progress: Progress = None, parallel: Parallel | None = None, *,
                raise_errors: bool = True, max_rate: float | None = None,
                on_outcome: Callable[[ObjectOutcome], Any] | None = None) -> SyncResult:
        """Make `cf_dest` like this store.

        Everything is planned before the first object is copied: both listings are read completely, in constant memory.
        If either of them fails, nothing is copied or deleted. Then missing and different objects are copied. Last, if
        all copies have succeeded, objects that the source does not have are deleted.

        Two objects of the same size are considered equal if both listings have the same MD5 digest or, where a listing
        has none, if the object at `cf_dest` is newer. If both were modified within the same second, or if the source is
        newer and one store is local, their digests are compared, which are computed for local files if necessary.

        Local files are used under their own names, whatever their suffix, unless `encoding_suffixes` is True.

        Args:
            cf_dest: a CloudFiles, an AsyncCloudFiles or a cloudpath.
            delete: delete objects that exist only at `cf_dest`. Objects below a symlink are kept, because they may
                belong to another key.
            compare: 'auto' as above; 'size' only; 'time'; 'digest', which is computed if one side is local.
            include, exclude: globs that match whole keys (`*` also matches slashes), regular expressions, functions of
                the key, or lists of them. Objects that are left out are neither copied nor deleted.
            dry_run: do nothing, but report in `actions` what would be done.
            max_delete: the maximum number of objects to delete; if more would be deleted, nothing is done at all. None:
                no limit. An empty source deletes nothing, unless this is None.
            parallel: processes, or an executor, to distribute the copies over; None: the setting of this CloudFiles.
            raise_errors: the first copy that fails ends the sync; False: the other objects are copied, nothing is
                deleted, and `result.transfer.errors` has the errors by path.
            max_rate, on_outcome: as for `transfer_to`.

        Raises:
            InvalidInputError: one store is inside the other, or more than `max_delete` objects would be deleted.
            InvalidPathError: keys conflict at `cf_dest`, as file names.
            CloudFilesError: the first failure of a copy; `error.result` has what was done, and nothing was deleted.
        """
        from cloudfiles.transfer.sync import sync

        return sync(self._store.by_exact_names(), self._other(cf_dest).by_exact_names(), delete=delete,
                    compare=compare, include=include, exclude=exclude, dry_run=dry_run,
                    max_delete=max_delete, progress=self._chosen_progress(progress),
                    parallel=self._chosen_parallel(parallel), raise_errors=raise_errors, max_rate=max_rate,
                    on_outcome=checked_callback("on_outcome", on_outcome))

    def verify(self, cf_dest: StoreLike, paths: StrPath | Iterable[TransferRequest] | None = None, read: bool = False,
               progress: Progress = None) -> VerifyResult:
        """Compare the objects here with those at `cf_dest`: by size, then by digest.

        Local files are used under their own names, as by `sync_to`.

        Args:
            cf_dest: a CloudFiles, an AsyncCloudFiles or a cloudpath.
            paths: as for `transfer_to`; None for all objects that this store lists.
            read: read both objects if the stores have no digests in common. Local files are always read.

        Raises:
            MissingObjectError: (also a FileNotFoundError) this store does not exist.
            CloudFilesError: an object could not be read, or a listing failed. Differences are not errors: they are in
                the result, which is true if all objects are equal.
        """
        from cloudfiles.transfer.verify import verify

        return verify(self._store.by_exact_names(), self._other(cf_dest).by_exact_names(), paths, read=read,
                      progress=self._chosen_progress(progress))

    def discard_partial(self, prefix: StrPath = "", older_than: float = 24 * 3600) -> int:
        """Remove what interrupted writes below `prefix` left behind: incomplete uploads and temporary files.

        Returns how many were removed. Only those that started more than `older_than` seconds ago are removed: choose a
        time longer than any write that may be in progress elsewhere.
        """
        return self._store.here().discard_partial(as_path(prefix), older_than)

    def _chosen_progress(self, progress: Progress) -> Progress:
        return self.progress if progress is None else checked_progress(progress)

    def _other(self, given: Any) -> Store:
        """The store of a CloudFiles; a cloudpath is opened with the options of this one."""
        if isinstance(given, TransferVerbs):
            return given._store
        if isinstance(twin := getattr(given, "sync", None), TransferVerbs):  # of an AsyncCloudFiles
            return twin._store
        if isinstance(given, str) or hasattr(given, "__fspath__"):
            return self._store.at(_paths.absolute(given))
        raise InvalidInputError(f"expected a CloudFiles or a cloudpath, got {type(given).__name__}: {given!r}")


def _is_full(path: str) -> bool:
    """Whether it is a cloudpath or a local path of its own, and not a key."""
    return _paths.get_protocol(path) is not None or path.startswith(("/", "~", "./", "../"))
