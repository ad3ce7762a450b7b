"""Data Lake Storage Gen2: operations of `az://` and `abfss://` that require a hierarchical namespace."""

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

    Returned by `CloudFiles.data_lake()`. Paths are relative to the `CloudFiles`; '' is its cloudpath itself. Calls are
    atomic, except recursive ones, which may be repeated. An ACL is a str such as
    `user:OBJECT-ID:r-x,default:user:OBJECT-ID:r-x`, or an iterable of `AclEntry`.

    Raises:
        UnsupportedOperationError: the store has another protocol, or the account has no hierarchical namespace.
        ServerError: (status 404) a path is missing. Other failures raise a CloudFilesError as well.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._here()

    def _here(self) -> Operations:
        """The interface for the runtime of the caller, which may differ from call to call."""
        return cast("Operations", self._store.here().data_lake())

    def __repr__(self) -> str:
        return redact(f"DataLake({self._store.cloudpath!r})")

    # ---- the tree

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """Move a file, or a directory with everything in it, in one step.

        overwrite: replace an existing file or empty directory; if False, PreconditionFailedError is raised.
        """
        self._here().rename(source, target, overwrite=overwrite)

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """Create a directory and its parents. Raises PreconditionFailedError if a file has this name or, without
        `exist_ok`, if the directory exists."""
        self._here().mkdir(path, exist_ok=exist_ok)

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a directory and, with `recursive`, everything in it. Otherwise raises ServerError with the code
        DirectoryNotEmpty if it is not empty."""
        self._here().rmdir(path, recursive=recursive)

    def isdir(self, path: str) -> bool:
        """Whether the directory exists, even if it is empty."""
        return self._here().isdir(path)

    # ---- access

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """Owner, group, permissions and ACL. names: return principal names instead of object ids, if known."""
        return self._here().get_acl_status(path, names=names)

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Replace the whole ACL, including `user::`, `group::` and `other::`."""
        return self._here().set_acl(path, acl, recursive=recursive)

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Add entries, or change the rights of existing ones; other entries are kept."""
        return self._here().modify_acl_entries(path, acl, recursive=recursive)

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Remove entries: `user:OBJECT-ID` or `default:group:OBJECT-ID`, without rights."""
        return self._here().remove_acl_entries(path, acl, recursive=recursive)

    def remove_default_acl(self, path: str) -> AclChanges:
        """Remove the default ACL, which new children of a directory inherit."""
        return self._here().remove_default_acl(path)

    def remove_acl(self, path: str) -> AclChanges:
        """Remove all entries except those of the owner, the owning group and others."""
        return self._here().remove_acl(path)

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group, by object id; None keeps the current one."""
        self._here().chown(path, owner, group)

    def chmod(self, path: str, permissions: str | int) -> None:
        """Set the permissions of owner, group and others: 'rwxr-x---', '0750' or 0o750. The ACL changes as well."""
        self._here().chmod(path, permissions)

    # ---- content

    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file to append to. With `if_absent`, raises PreconditionFailedError if it exists."""
        self._here().create(path, if_absent=if_absent)

    def append(self, path: str, position: int, content: bytes) -> None:
        """Upload bytes for `position`; repeating this is harmless. They are not visible before `flush`."""
        self._here().append(path, position, content)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Commit everything that was appended to the file, which then has `length` bytes. Returns the ETag.

        close: report in the events of the file that it is complete. If bytes are missing, a ServerError is raised and
        the file is unchanged.
        """
        return self._here().flush(path, length, close=close)

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Delete a file `at` a time (seconds since the epoch), or `after` a number of seconds; or never."""
        self._here().set_expiry(path, at, after=after)
