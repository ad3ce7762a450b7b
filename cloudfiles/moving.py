"""`sync` and `verify`: of two stores, named by cloudpaths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudfiles.cloudfiles import CloudFiles

if TYPE_CHECKING:
    from cloudfiles.transfer.sync import SyncResult
    from cloudfiles.transfer.verify import VerifyResult


def sync(src: Any, dest: Any, delete: bool = False, compare: str = "auto", **options: Any) -> SyncResult:
    """Make `dest` like `src`.

    Args:
        src, dest: cloudpaths, or CloudFiles objects to set their options.
        delete: delete objects that exist only at `dest`, after both listings and all copies have succeeded.
        compare: 'auto', 'size', 'time' or 'digest'.
        options: the other options of `CloudFiles.sync_to`: include, exclude, dry_run, max_delete, progress, parallel.

    Raises the same exceptions as `CloudFiles.sync_to`.
    """
    return _store_of(src).sync_to(_store_of(dest), delete, compare, **options)


def verify(src: Any, dest: Any, paths: Any = None, read: bool = False, progress: Any = None) -> VerifyResult:
    """Compare the objects at `src` with those at `dest`; see `CloudFiles.verify`.

    src, dest: cloudpaths or CloudFiles objects.
    """
    return _store_of(src).verify(_store_of(dest), paths, read, progress)


def _store_of(given: Any) -> CloudFiles:
    return given if isinstance(given, CloudFiles) else CloudFiles(given)
