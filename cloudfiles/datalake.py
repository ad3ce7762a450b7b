"""Operations of file systems beyond objects: directories, owners, ACLs, appending and expiry."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError, redact
from cloudfiles.interfaces.acl import Access, AclChanges, AclEntry
from cloudfiles.interfaces.capabilities import AccessControl, Appending, Directories, Expiry, Times

__all__ = ["Access", "AclChanges", "AclEntry", "DataLake", "auth"]


def auth(tenant_id: str | None = None, username: str | None = None, password: str | None = None, client_id: str = "",
         client_secret: str | None = None, resource: str = "https://datalake.azure.net/", require_2fa: bool = False,
         authority: str | None = None, retry_policy: Any = None) -> dict[str, str]:
    """The `secrets=` of `adl://` for a user with a password, or a service principal with a client secret.

    No request is sent: tokens are requested by azure-identity when they are needed, and renewed. Values that are not
    given come from the environment variables azure_tenant_id, azure_username, azure_password, azure_client_id and
    azure_client_secret, in any case.

    Args:
        tenant_id: the directory of the user or the service principal.
        username, password: of a user without a second factor.
        client_id, client_secret: of a service principal.
        resource: what the token is for.
        require_2fa: not supported: for an interactive sign-in, use `az login`, whose token is found without `secrets=`.
        authority: the URL of the authority, if it is not that of the public cloud.
        retry_policy: accepted for existing programs; failed requests are retried.

    Raises:
        InvalidInputError: neither a user with a password nor a client with a secret is given or in the environment.
        UnsupportedOperationError: require_2fa.
    """
    if require_2fa:
        raise UnsupportedOperationError("an interactive sign-in is not supported: sign in with `az login`, and leave "
                                        "secrets= out")
    environ = {name.lower(): value for name, value in os.environ.items()}
    named = {"tenant_id": tenant_id, "username": username, "password": password, "client_id": client_id,
             "client_secret": client_secret}
    secrets = {name: text for name, value in named.items() if (text := value or environ.get(f"azure_{name}"))}
    if not {"username", "password"} <= secrets.keys() and not {"client_id", "client_secret"} <= secrets.keys():
        raise InvalidInputError("expected username and password, or client_id and client_secret, as arguments or in "
                                "the environment (azure_username, azure_password, azure_client_id, "
                                "azure_client_secret)")
    return {**secrets, "resource": resource, **({"authority": authority} if authority else {})}


class DataLake:
    """The files and directories of a `CloudFiles`, on file systems: `file://`, `webhdfs://`, `adl://`, and `az://` or
    `abfss://` in an account with a hierarchical namespace (Data Lake Storage Gen2).

    Returned by `CloudFiles.data_lake()`. Paths are relative to the `CloudFiles`; '' is its cloudpath itself. Calls are
    atomic, except recursive ones, which may be repeated. An ACL is a str such as
    `user:NAME:r-x,default:user:NAME:r-x`, or an iterable of `AclEntry`. On Azure the names are object ids.

    Raises:
        UnsupportedOperationError: the store does not support the operation.
        MissingObjectError: (also a FileNotFoundError; on Azure, also a ServerError with status 404) a path is missing.
            Other failures raise a CloudFilesError as well.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        here = store.here()
        if here.capability(Directories) is None and here.capability(Appending) is None:
            store.required(AccessControl)  # raises an error with the reason

    def __repr__(self) -> str:
        return redact(f"DataLake({self._store.cloudpath!r})")

    # ---- the tree

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """Move a file, or a directory with everything in it, in one step.

        overwrite: replace an existing file or empty directory; if False, PreconditionFailedError is raised.
        """
        self._store.required(Directories).rename(source, target, overwrite=overwrite)

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """Create a directory and its parents. Raises PreconditionFailedError if a file has this name or, without
        `exist_ok`, if the directory exists."""
        self._store.required(Directories).mkdir(path, exist_ok=exist_ok)

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a directory and, with `recursive`, everything in it. Otherwise raises
        DirectoryNotEmptyError if it is not empty."""
        self._store.required(Directories).rmdir(path, recursive=recursive)

    def isdir(self, path: str) -> bool:
        """Whether the directory exists, even if it is empty."""
        return self._store.required(Directories).isdir(path)

    # ---- access

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """Owner, group, permissions and ACL. names: on Azure, return principal names instead of
        object ids, if known."""
        return self._store.required(AccessControl).get_acl_status(path, names=names)

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Replace the whole ACL, including `user::`, `group::` and `other::`."""
        return self._store.required(AccessControl).set_acl(path, acl, recursive=recursive)

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Add entries, or change the rights of existing ones; other entries are kept."""
        return self._store.required(AccessControl).modify_acl_entries(path, acl, recursive=recursive)

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Remove entries: `user:NAME` or `default:group:NAME`, without rights."""
        return self._store.required(AccessControl).remove_acl_entries(path, acl, recursive=recursive)

    def remove_default_acl(self, path: str) -> AclChanges:
        """Remove the default ACL, which new children of a directory inherit."""
        return self._store.required(AccessControl).remove_default_acl(path)

    def remove_acl(self, path: str) -> AclChanges:
        """Remove all entries except those of the owner, the owning group and others."""
        return self._store.required(AccessControl).remove_acl(path)

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group, on Azure by object id; None keeps the current one."""
        self._store.required(AccessControl).chown(path, owner, group)

    def chmod(self, path: str, permissions: str | int) -> None:
        """Set the permissions of owner, group and others: 'rwxr-x---', '0750' or 0o750. The ACL changes as well."""
        self._store.required(AccessControl).chmod(path, permissions)

    # ---- content

    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file to append to. With `if_absent`, raises PreconditionFailedError if it exists."""
        self._store.required(Appending).create(path, if_absent=if_absent)

    def append(self, path: str, position: int, content: bytes) -> None:
        """Append bytes at `position`, the size of the file or of what was appended so far.

        On Azure they are not visible before `flush`, and a call can be repeated; elsewhere they are visible at once.
        Raises PreconditionFailedError, on Azure in `flush`, if the file has another size: nothing is appended twice.
        """
        self._store.required(Appending).append(path, position, content)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Commit everything that was appended to the file, which then has `length` bytes. Returns the ETag.

        close: on Azure, report in the events of the file that it is complete. If bytes are missing, a CloudFilesError
        is raised.
        """
        return self._store.required(Appending).flush(path, length, close=close)

    def truncate(self, path: str, size: int) -> None:
        """Keep the first `size` bytes of a file. Raises InvalidInputError if it is smaller."""
        self._store.required(Appending).truncate(path, size)

    # ---- times

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Delete a file `at` a time (seconds since the epoch), or `after` a number of seconds; or never."""
        self._store.required(Expiry).set_expiry(path, at, after=after)

    def set_times(self, path: str, modified: float | None = None, accessed: float | None = None) -> None:
        """Set the times of a file or directory, in seconds since the epoch; None keeps the current one."""
        self._store.required(Times).set_times(path, modified, accessed)
