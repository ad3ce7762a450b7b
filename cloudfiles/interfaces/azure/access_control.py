"""Owners, permissions and ACLs of Data Lake Gen2.

Source: Data Lake Storage Gen2 REST reference, "Path - Update", "Path - Get Properties".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError, ProtocolError
from cloudfiles.interfaces.acl import (
    Access,
    AclChanges,
    AclEntry,
    complete_acl,
    format_acl,
    modified,
    parse_acl,
    without,
)
from cloudfiles.interfaces.azure.paths import DfsPaths
from cloudfiles.interfaces.azure.recursive_acl import change_recursively
from cloudfiles.interfaces.capabilities import AccessControl

_TRIES = 4  # attempts to read and set an ACL without a change by others in between


class AzureAccessControl(DfsPaths, AccessControl):
    """Access to the paths of a container. Changes are atomic, except recursive ones, which may be repeated."""

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """Owner, group, permissions and ACL. names: return principal names instead of object ids, if known."""
        headers = self._access(path, names=names)
        return Access(headers.get("x-ms-owner", ""), headers.get("x-ms-group", ""),
                      headers.get("x-ms-permissions", ""), _acl_of(headers, path))

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Replace the whole ACL, which must include user::, group:: and other::."""
        text = complete_acl(acl)
        if recursive:
            return self._recursive(path, "set", text)
        self._set(path, {"x-ms-acl": text})
        return AclChanges.of_one()

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Add entries, or change the rights of existing ones; other entries are kept."""
        text = complete_acl(acl)
        if recursive:
            return self._recursive(path, "modify", text)
        changes = parse_acl(text)
        return self._rewrite(path, lambda entries: modified(entries, changes))

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        """Remove entries: `user:OBJECT-ID` or `default:group:OBJECT-ID`, without rights."""
        given = parse_acl(acl) if isinstance(acl, str) else list(acl)
        gone = [entry._replace(rights="") for entry in given]
        without([], gone)  # raises if they cannot be removed
        if recursive:
            return self._recursive(path, "remove", format_acl(gone))
        return self._rewrite(path, lambda entries: without(entries, gone))

    def remove_default_acl(self, path: str) -> AclChanges:
        """Remove the default ACL, which new children of a directory inherit."""
        return self._rewrite(path, lambda entries: [entry for entry in entries if not entry.default])

    def remove_acl(self, path: str) -> AclChanges:
        """Remove all entries except those of the owner, the owning group and others."""
        return self._rewrite(path, lambda entries: [entry for entry in entries if entry.is_base])

    def _rewrite(self, path: str, change: Callable[[list[AclEntry]], list[AclEntry]]) -> AclChanges:
        """Read the ACL, change it, and set it if it has not been changed in the meantime."""
        for tries_left in reversed(range(_TRIES)):
            headers = self._access(path)
            entries = change(_acl_of(headers, path))
            try:
                self._set(path, {"x-ms-acl": format_acl(entries), "if-match": headers.get("etag", "*")})
                break
            except PreconditionFailedError:
                if not tries_left:
                    raise
        return AclChanges.of_one()

    def _recursive(self, path: str, mode: str, acl: str) -> AclChanges:
        return change_recursively(self._container, self._target(path), path, mode, acl)

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        """Set the owner and the owning group, by object id; None keeps the current one."""
        given = {"x-ms-owner": owner, "x-ms-group": group}
        self._set(path, {name: value for name, value in given.items() if value is not None})

    def chmod(self, path: str, permissions: str | int) -> None:
        """Set the permissions of owner, group and others: 'rwxr-x---', '0750' or 0o750. The ACL changes as well."""
        text = f"{permissions:04o}" if isinstance(permissions, int) else permissions
        self._set(path, {"x-ms-permissions": text})

    # ---- requests

    def _access(self, path: str, *, names: bool = False) -> dict[str, str]:
        return self._send("HEAD", path, {"action": "getAccessControl", "upn": "true" if names else "false"})

    def _set(self, path: str, headers: dict[str, str]) -> None:
        self._send("PATCH", path, {"action": "setAccessControl"}, headers)


def _acl_of(headers: dict[str, str], path: str) -> list[AclEntry]:
    try:
        return parse_acl(headers.get("x-ms-acl", ""))
    except InvalidInputError as error:
        raise ProtocolError(f"the server returned an invalid ACL: {error}", path=path or None) from error
