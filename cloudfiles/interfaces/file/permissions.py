"""Who may read and write a file that replaces another: mode, owner and group stay, as far as the system lets them.

A new file has the mode that the umask gives. One that takes the place of another has that one's read, write and execute
bits, and its access control list. The set-user-ID and set-group-ID bits are dropped, as the system drops them when
a file is written to: other content is not to run with the rights of the old one's owner.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from cloudfiles.interfaces.file.file_io import existing_files
from cloudfiles.interfaces.file.names import Variants

_ACL = "system.posix_acl_access"


class Permissions(NamedTuple):
    """Of one file. `mode` holds the bits for owner, group and others alone."""

    mode: int
    owner: int
    group: int
    acl: bytes | None = None


def permissions_of(path: str | os.PathLike[str]) -> Permissions | None:
    """Those of the regular file at `path`, symlinks followed; None where there is none."""
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
            return os.getxattr(path, _ACL) if _ACL in os.listxattr(path) else None  # most have none
        except OSError:
            return None
else:
    def _acl_of(path: str | os.PathLike[str]) -> bytes | None:
        return None


def permissions_of_object(path: str, variants: Variants) -> Permissions | None:
    """Those of the file that holds the object at `path`."""
    return permissions_of_first(existing_files(path, variants))


def permissions_of_first(files: Iterable[str]) -> Permissions | None:
    """Those of the first of these that is a regular file."""
    for file in files:
        found = permissions_of(file)
        if found is not None:
            return found
    return None


def keep_permissions(descriptor: int, kept: Permissions | None, also: int = 0) -> None:
    """Give an open file of ours the permissions of the file that it replaces; nothing where `kept` is None.

    Where its group cannot be kept, the new file's group may do what others might. File systems without
    permissions are left alone.

    also: more bits of the mode.
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
    """Whether the file is of the same group."""
    if (status.st_uid, status.st_gid) == (kept.owner, kept.group):
        return True
    for owner in (kept.owner, -1):  # the owner is for the superuser to change, the group for each of its members
        with suppress(OSError):
            os.fchown(descriptor, owner, kept.group)
            return True
    return status.st_gid == kept.group


def _keep_acl(descriptor: int, kept: Permissions) -> bool:
    """Whether the group's bits mean the same: with an access control list they are its mask."""
    if kept.acl is None or sys.platform != "linux":
        return True
    try:
        os.setxattr(descriptor, _ACL, kept.acl)
    except OSError:
        return False
    return True
