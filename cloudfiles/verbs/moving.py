"""The verbs of `CloudFiles` that move data. Each loads what it needs when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudfiles import paths as _paths
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import as_path
from cloudfiles.parallel import Parallel
from cloudfiles.progress import Progress
from cloudfiles.store import Store

if TYPE_CHECKING:
    from cloudfiles.transfer.carrying.result import TransferResult
    from cloudfiles.transfer.sync import SyncResult
    from cloudfiles.transfer.verify import VerifyResult


class MovingVerbs:
    """What `CloudFiles` inherits them from."""

    _store: Store
    progress: Progress
    parallel: Parallel

    def transfer_to(self, cf_dest: Any, paths: Any = None, block_size: int = 64, reencode: str | bool | None = None,
                    content_type: str | None = None, allow_missing: bool = False, progress: Progress = None,
                    resumable: bool = False, *, total: int | None = None, raise_errors: bool = True,
                    parallel: Parallel | None = None) -> TransferResult:
        """Copy objects from here to `cf_dest`, by the best way that both offer.

        Inside one store its own copy is used, between local files the kernel's; all else goes through this process, in
        bounded memory, large objects in parts. Each object appears at its target whole, or not at all. Stored
        bytes go as they are, with their encoding, content type, cache control and metadata.

        Args:
            cf_dest: a CloudFiles or a cloudpath.
            paths: what to copy: None for everything, a path, or an iterable of paths, of `{'path', 'dest_path'}`
                or of `(path, dest_path)`.
            block_size: accepted for compatibility; objects are handed out one by one.
            reencode: store them in this encoding ('gzip', 'br', ...); False or '' decodes them.
            content_type: describe the copies as this.
            allow_missing: pass over what is missing at the source.
            resumable: pass over what the target has already, by size and digest, or size and time. Large objects that
                a run before this one left half-done, killed or broken off, go on from their parts, and what else it
                left is removed. What that takes is kept in `transfers/` of CLOUD_FILES_DIR or `~/.cloudfiles`, without
                secrets, until the transfer is done; where it cannot be, a warning says so.
            raise_errors: the first failure ends the transfer; False keeps each in the result's `errors`.
            parallel: processes, or an executor, that the objects are spread over; None: as this CloudFiles has it.
                Where one side is `mem://`, which is in this process alone, everything is done here.

        Raises:
            MissingObjectError: (also a FileNotFoundError) there is no such source.
            CloudFilesError: the first failure; the message, and the TransferResult in its attribute `result`, tell
                what was done. What was copied before stays, and is whole.
        """
        from cloudfiles.transfer.between import transfer

        return transfer(self._store, self._other(cf_dest), paths, reencode=reencode, content_type=content_type,
                        allow_missing=allow_missing, resumable=resumable, progress=self._shown(progress), total=total,
                        raise_errors=raise_errors, parallel=self._spread(parallel))

    def transfer_from(self, cf_src: Any, paths: Any = None, block_size: int = 64, reencode: str | bool | None = None,
                      content_type: str | None = None, allow_missing: bool = False, progress: Progress = None,
                      resumable: bool = False, *, total: int | None = None, raise_errors: bool = True,
                      parallel: Parallel | None = None) -> TransferResult:
        """Copy objects from `cf_src` to here; as `transfer_to`."""
        from cloudfiles.transfer.between import transfer

        return transfer(self._other(cf_src), self._store, paths, reencode=reencode, content_type=content_type,
                        allow_missing=allow_missing, resumable=resumable, progress=self._shown(progress), total=total,
                        raise_errors=raise_errors, parallel=self._spread(parallel))

    def move(self, src: str, dest: str) -> None:
        """Move one object, within this store or to another; as `moves`.

        dest: a cloudpath or a local path, or a plain path, which is one of this store.
        """
        from cloudfiles.addresses import split_object
        from cloudfiles.transfer.moves import move_objects

        dest = as_path(dest)
        store, key = self._store, dest
        if not _is_full(dest):
            _paths.check_typing(dest, "For an object of this name in the same store, use moves()")
        else:
            directory, key = split_object(dest)
            store = self._other(directory)
        if not key:
            raise InvalidInputError(f"expected the path of an object, got one that ends with a separator: {dest!r}")
        move_objects(self._store, store, [(src, key)])

    def moves(self, cf_dest: Any, paths: Any, block_size: int = 64, total: int | None = None,
              progress: Progress = None) -> TransferResult:
        """Move objects to another store: renamed inside a file system, else copied, compared, and then removed here.

        It is done in this process, whatever `parallel` is.

        Nothing is removed whose copy is not proven to be the same, by digest or by reading it back.

        Args:
            cf_dest, paths: as for `transfer_to`, but for `paths`, which has no default.

        Raises:
            IntegrityError: a copy could not be proven; the source is still there.
            Others as `transfer_to`.
        """
        from cloudfiles.transfer.moves import move_objects

        return move_objects(self._store, self._other(cf_dest), paths, total=total, progress=self._shown(progress))

    def sync_to(self, cf_dest: Any, delete: bool = False, compare: str = "auto", include: Any = None,
                exclude: Any = None, dry_run: bool = False, max_delete: int | None = 1000,
                progress: Progress = None, parallel: Parallel | None = None) -> SyncResult:
        """Make `cf_dest` like this store; see `cloudfiles.transfer.sync`. The copies are spread over `parallel`.

        Local files are taken by their own names, whatever suffix they have, unless `encoding_suffixes` is True.
        """
        from cloudfiles.transfer.sync import sync

        return sync(self._store.by_exact_names(), self._other(cf_dest).by_exact_names(), delete=delete,
                    compare=compare, include=include, exclude=exclude, dry_run=dry_run,
                    max_delete=max_delete, progress=self._shown(progress), parallel=self._spread(parallel))

    def verify(self, cf_dest: Any, paths: Any = None, read: bool = False, progress: Progress = None) -> VerifyResult:
        """Compare what is here with what is at `cf_dest`; see `cloudfiles.transfer.verify`.

        Local files are taken by their own names, as by `sync_to`.
        """
        from cloudfiles.transfer.verify import verify

        return verify(self._store.by_exact_names(), self._other(cf_dest).by_exact_names(), paths, read=read,
                      progress=self._shown(progress))

    def discard_partial(self, prefix: str = "", older_than: float = 24 * 3600) -> int:
        """Remove what interrupted writes below `prefix` have left: uploads that were never completed, temporary files.

        Gives how many. Only those are touched that began over `older_than` seconds ago: choose a time longer than
        any write takes that may be under way elsewhere.
        """
        return self._store.here().discard_partial(as_path(prefix), older_than)

    def _shown(self, progress: Progress) -> Progress:
        return self.progress if progress is None else progress

    def _spread(self, parallel: Parallel | None) -> Parallel:
        return self.parallel if parallel is None else parallel

    def _other(self, given: Any) -> Store:
        """The store of a CloudFiles, or of a cloudpath, reached as this one is."""
        if isinstance(given, MovingVerbs):
            return given._store
        if isinstance(given, str) or hasattr(given, "__fspath__"):
            return self._store.at(_paths.absolute(given))
        raise InvalidInputError(f"expected a CloudFiles or a cloudpath, got {type(given).__name__}: {given!r}")


def _is_full(path: str) -> bool:
    """Whether it is a cloudpath or a local path of its own, and not a key."""
    return _paths.get_protocol(path) is not None or path.startswith(("/", "~", "./", "../"))
