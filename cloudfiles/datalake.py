"""Data Lake Storage Gen2: what `az://` and `abfss://` can do beyond objects, where the account can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from cloudfiles.exceptions import redact
from cloudfiles.interfaces.azure.acl import AclChanges, AclEntry
from cloudfiles.interfaces.azure.datalake import Access

if TYPE_CHECKING:
    from cloudfiles.batch.store import Store
    from cloudfiles.interfaces.azure.datalake import DataLake as Operations

__all__ = ["Access", "AclChanges", "AclEntry", "DataLake"]


class DataLake:
    """The files and directories of a `CloudFiles`, in an account with a hierarchical namespace.

    `CloudFiles.data_lake()` gives it. Paths are those of the `CloudFiles`; '' is its cloudpath itself. Each call is
    atomic, but for those that are recursive, which may be repeated. An ACL is text such as
    `user:OBJECT-ID:r-x,default:user:OBJECT-ID:r-x`, or an iterable of `AclEntry`.

    Raises:
        UnsupportedOperationError: the store is of another protocol, or the account has no such namespace.
        ServerError: (status 404) a path is missing. Other failures are CloudFilesErrors, too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._here()

    def _here(self) -> Operations:
        """For the runtime of the caller, which need not be that of the one before."""
        return cast("Operations", self._store.here().data_lake())

    def __repr__(self) -> str:
        return redact(f"DataLake({self._store.cloudpath!r})")

    # ---- the tree

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """Move a file, or a directory with all that is in it, in one step.

        overwrite: whether a file, or an empty directory, may be replaced; PreconditionFailedError otherwise.
        """
        self._here().rename(source, target, overwrite=overwrite)

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """Create a directory, and those above it. Raises PreconditionFailedError where there is a file of the name, or,
        without `exist_ok`, anything."""
        self._here().mkdir(path, exist_ok=exist_ok)

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a directory; with `recursive`, and all that is in it. Raises ServerError with the code
        DirectoryNotEmpty where it is not empty."""
        self._here().rmdir(path, recursive=recursive)

    def isdir(self, path: str) -> bool:
        """Whether there is a directory, with anything in it or not."""
        return self._here().isdir(path)

    # ---- access

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """Owner, group, permissions and ACL. names: principal names rather than object ids, where they are known."""
        return self._here().get_acl_status(path, names=names)

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Replace the whole ACL, `user::`, `group::` and `other::` included."""
        return self._here().set_acl(path, acl, recursive=recursive)

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Add entries, or change the rights of those that are there; the others stay."""
        return self._here().modify_acl_entries(path, acl, recursive=recursive)

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Remove entries: `user:OBJECT-ID` or `default:group:OBJECT-ID`, without rights."""
        return self._here().remove_acl_entries(path, acl, recursive=recursive)

    def remove_default_acl(self, path: str) -> AclChanges:
        """Remove what a directory has for new children."""
        return self._here().remove_default_acl(path)

    def remove_acl(self, path: str) -> AclChanges:
        """Remove all but the rights of the owner, the owning group and all others."""
        return self._here().remove_acl(path)

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group, by object id; None leaves it."""
        self._here().chown(path, owner, group)

    def chmod(self, path: str, permissions: str | int) -> None:
        """Set what owner, group and others may: 'rwxr-x---', '0750' or 0o750. The ACL changes with it."""
        self._here().chmod(path, permissions)

    # ---- content

    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file, to append to. Raises PreconditionFailedError where there is one, with `if_absent`."""
        self._here().create(path, if_absent=if_absent)

    def append(self, path: str, position: int, content: bytes) -> None:
        """Hand over bytes that belong at `position`; twice does no harm. They do not show before `flush`."""
        self._here().append(path, position, content)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Make all that was appended a part of the file, which then has `length` bytes. Gives the ETag.

        close: say in the file's events that it is complete. Where bytes are lacking it is a ServerError, and the file
        stays as it is.
        """
        return self._here().flush(path, length, close=close)

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Let a file be deleted at a time (seconds since the epoch), or so many seconds from now; else never."""
        self._here().set_expiry(path, at, after=after)
