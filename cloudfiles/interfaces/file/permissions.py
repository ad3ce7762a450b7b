"""Permissions of files that replace others: mode, owner and group are kept, as far as the system allows.

A new file has the mode of the umask. A file that replaces another one gets its read, write and execute bits, and its
access control list. The set-user-ID and set-group-ID bits are dropped, as the system does when a file is written to:
new content must not run with the rights of the old owner.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress

from cloudfiles.interfaces.file.file_io import existing_files
from cloudfiles.interfaces.file.names import Variants
from cloudfiles.values import NamedTuple

_ACL = "system.posix_acl_access"


class Permissions(NamedTuple):
    """The permissions of a file. `mode` has only the bits for owner, group and others."""

    mode: int
    owner: int
    group: int
    acl: bytes | None = None


def permissions_of(path: str | os.PathLike[str]) -> Permissions | None:
    """The permissions of the regular file at `path`, following symlinks; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Permissions(status.st_mode & 0o777, status.st_uid, status.st_gid, _acl_of(path))


if sys.platform == "linux":
    def _acl_of(path: str | os.PathLike[str]) -> bytes | None:
        try:
            return os.getxattr(path, _ACL) if _ACL in os.listxattr(path) else None  # most files have none
        except OSError:
            return None
else:
    def _acl_of(path: str | os.PathLike[str]) -> bytes | None:
        return None


def has_acl(path: str) -> bool:
    """Whether there are more rights than those of owner, group and others."""
    return _acl_of(path) is not None


def permissions_of_object(path: str, variants: Variants) -> Permissions | None:
    """The permissions of the file of the object at `path`."""
    return permissions_of_first(existing_files(path, variants))


def permissions_of_first(files: Iterable[str]) -> Permissions | None:
    """The permissions of the first of these paths that is a regular file."""
    for file in files:
        found = permissions_of(file)
        if found is not None:
            return found
    return None


def keep_permissions(descriptor: int, kept: Permissions | None, also: int = 0) -> None:
    """Give an open file the permissions of the file that it replaces; None for nothing.

    If the group cannot be kept, the group of the new file gets the permissions of others. Errors of file systems
    without permissions are ignored.

    also: additional bits of the mode.
    """
    if kept is None or sys.platform == "win32":
        return
    status = os.fstat(descriptor)
    mode = kept.mode | also
    if (status.st_mode & 0o7777 == mode and status.st_uid == kept.owner and status.st_gid == kept.group
            and kept.acl is None):
        return
    with suppress(OSError):
        if not _keep_owner(descriptor, status, kept) or not _keep_acl(descriptor, kept):
            mode &= ~0o070 | (mode & 0o007) << 3
        os.fchmod(descriptor, mode)


def _keep_owner(descriptor: int, status: os.stat_result, kept: Permissions) -> bool:
    """Keep owner and group; returns whether the group is the same."""
    if (status.st_uid, status.st_gid) == (kept.owner, kept.group):
        return True
    for owner in (kept.owner, -1):  # only the superuser can change the owner; members of a group can set it
        with suppress(OSError):
            os.fchown(descriptor, owner, kept.group)
            return True
    return status.st_gid == kept.group


def _keep_acl(descriptor: int, kept: Permissions) -> bool:
    """Keep the access control list; returns whether the group bits, which are its mask, still have the same meaning."""
    if kept.acl is None or sys.platform != "linux":
        return True
    try:
        os.setxattr(descriptor, _ACL, kept.acl)
    except OSError:
        return False
    return True
