"""Owners and permissions of local files and directories. ACLs are kept by writes, but not changed or shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError
from cloudfiles.interfaces.acl import (
    Access,
    base_entries,
    format_permissions,
    parse_permissions,
)
from cloudfiles.interfaces.capabilities import AccessControl
from cloudfiles.interfaces.file.permissions import has_acl
from cloudfiles.runtime.cancellation import publishing

if TYPE_CHECKING:
    from cloudfiles.interfaces.file.interface import FileInterface


class FileAccessControl(AccessControl):
    """The owners and permissions below the root of an interface. Symlinks are followed."""

    def __init__(self, files: FileInterface) -> None:
        self._files = files

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """See the contract. Names of users and groups; numbers for those that the system does not know. An ACL beyond
        the permissions shows as a '+' only."""
        with self._files.existing(path) as file:
            status = os.stat(file)
            more = "+" if has_acl(file) else ""
        return Access(_name("pwd", "getpwuid", status.st_uid), _name("grp", "getgrgid", status.st_gid),
                      format_permissions(status.st_mode) + more, base_entries(status.st_mode))

    def chmod(self, path: str, permissions: str | int) -> None:
        mode = parse_permissions(permissions)
        with self._files.existing(path) as file, publishing():
            os.chmod(file, mode)

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """See the contract; names or numbers. Raises InvalidInputError for names that the system does not know."""
        if os.name == "nt":
            raise UnsupportedOperationError("chown is not supported on Windows", path=path, store=self._files.url)
        user = -1 if owner is None else _number("owner", "pwd", "getpwnam", owner)
        of_group = -1 if group is None else _number("group", "grp", "getgrnam", group)
        with self._files.existing(path) as file, publishing():
            os.chown(file, user, of_group)

    def _no_acl(self, path: str) -> UnsupportedOperationError:
        return UnsupportedOperationError("file:// supports owners and permissions (chown, chmod), but not ACLs: use "
                                         "setfacl", path=path, store=self._files.url)


def _name(module: str, function: str, number: int) -> str:
    lookup = _lookup(module, function)
    try:
        return str(number) if lookup is None else str(lookup(number)[0])
    except (KeyError, OverflowError):
        return str(number)


def _number(what: str, module: str, function: str, name: str) -> int:
    lookup = _lookup(module, function)
    try:
        if lookup is not None:
            return int(lookup(name)[2])
    except KeyError:
        pass
    if name.isdecimal():
        return int(name)
    raise InvalidInputError(f"{what}: there is no such {what} on this system: {name!r}")


def _lookup(module: str, function: str) -> Callable[[Any], Any] | None:
    """A function of a module that Windows does not have."""
    try:
        found: Callable[[Any], Any] = getattr(import_module(module), function)
    except ImportError:
        return None
    return found
