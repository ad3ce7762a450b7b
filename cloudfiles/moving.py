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
        src, dest: cloudpaths, or CloudFiles where they are to be reached in other ways.
        delete: remove what is only at `dest`, after both listings and all copies have ended cleanly.
        compare: 'auto', 'size', 'time' or 'digest'.
        options: the others of `CloudFiles.sync_to`: include, exclude, dry_run, max_delete, progress, parallel.

    Raises what `CloudFiles.sync_to` does.
    """
    return _store_of(src).sync_to(_store_of(dest), delete, compare, **options)


def verify(src: Any, dest: Any, paths: Any = None, read: bool = False, progress: Any = None) -> VerifyResult:
    """Compare what is at `src` with what is at `dest`; as `CloudFiles.verify`.

    src, dest: cloudpaths, or CloudFiles.
    """
    return _store_of(src).verify(_store_of(dest), paths, read, progress)


def _store_of(given: Any) -> CloudFiles:
    return given if isinstance(given, CloudFiles) else CloudFiles(given)
