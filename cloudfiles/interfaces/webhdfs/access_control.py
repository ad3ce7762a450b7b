"""Owners, permissions and ACLs of HDFS.

Source: Hadoop documentation, "WebHDFS REST API" (Permission, Owner and ACL operations), "HDFS Permissions Guide".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cloudfiles.exceptions import CloudFilesError, InvalidInputError, ProtocolError, ServerError
from cloudfiles.interfaces.acl import (
    Access,
    AclChanges,
    AclEntry,
    base_entries,
    complete_acl,
    format_permissions,
    parse_acl,
    parse_permissions,
    without,
)
from cloudfiles.interfaces.capabilities import AccessControl
from cloudfiles.interfaces.webhdfs.listing import children
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace

_WHAT = "the response about the permissions"


class HdfsAccessControl(AccessControl):
    """Owners, permissions and ACLs below one cloudpath. ACLs need `dfs.namenode.acls.enabled` on the server.

    A recursive change is a request for each path, and not atomic; a path that fails does not stop the others.
    """

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        """See the contract. HDFS has no other names of users than the ones that are always returned."""
        status = self._files.required(path)
        mode = _mode(status)
        entries = self._extended_entries(path)
        acl, text = base_entries(mode), format_permissions(mode)
        if entries:
            # The permissions of the group are the mask then, and the group has an entry of its own.
            user, group, other = acl
            own = [] if any(not entry.default and entry.whose == group.whose for entry in entries) else [group]
            access = [entry for entry in entries if not entry.default]
            default = [entry for entry in entries if entry.default]
            mask = [AclEntry("mask", "", group.rights)] if access else []
            acl = [user, *own, *access, *mask, other, *default]
        return Access(str(status.document.get("owner") or ""), str(status.document.get("group") or ""),
                      text + "+" * bool(entries), acl)

    def _extended_entries(self, path: str) -> list[AclEntry]:
        try:
            document: Any = self._files.ask("GETACLSTATUS", "AclStatus", self._files.path(path), path)
        except ServerError as error:
            if error.code == "AclException":  # ACLs are disabled
                return []
            raise
        texts = document.get("entries", []) if isinstance(document, dict) else []
        try:
            return parse_acl(",".join(texts))
        except (InvalidInputError, TypeError) as error:
            raise ProtocolError(f"{_WHAT} has invalid ACL entries: {str(texts)[:200]}", path=path) from error

    def chown(self, path: str, owner: str | None = None, group: str | None = None) -> None:
        given = {name: value for name, value in (("owner", owner), ("group", group)) if value is not None}
        self._files.required(path)
        if given:
            self._change("SETOWNER", path, given)

    def chmod(self, path: str, permissions: str | int) -> None:
        mode = parse_permissions(permissions)
        self._files.required(path)
        self._change("SETPERMISSION", path, {"permission": f"{mode:o}"})

    # ---- ACLs

    def set_acl(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        return self._change_acl("SETACL", path, parse_acl(complete_acl(acl)), recursive)

    def modify_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        return self._change_acl("MODIFYACLENTRIES", path, parse_acl(complete_acl(acl)), recursive)

    def remove_acl_entries(self, path: str, acl: str | Iterable[AclEntry], *, recursive: bool = False) -> AclChanges:
        given = parse_acl(acl) if isinstance(acl, str) else list(acl)
        gone = [entry._replace(rights="") for entry in given]
        without([], gone)  # raises if they cannot be removed
        return self._change_acl("REMOVEACLENTRIES", path, gone, recursive)

    def remove_default_acl(self, path: str) -> AclChanges:
        return self._change_acl("REMOVEDEFAULTACL", path, None, False)

    def remove_acl(self, path: str) -> AclChanges:
        return self._change_acl("REMOVEACL", path, None, False)

    def _change_acl(self, op: str, path: str, entries: list[AclEntry] | None, recursive: bool) -> AclChanges:
        status = self._files.required(path)
        if not recursive:
            self._change(op, path, {} if entries is None else {"aclspec": self._specification(entries)})
            return AclChanges.of_one()
        changes = AclChanges()
        access = [entry for entry in entries or () if not entry.default]
        for below, is_directory in self._tree(path, status.is_directory):
            mine = (entries or []) if is_directory else access  # only directories have default entries
            try:
                if mine:
                    self._change(op, below, {"aclspec": self._specification(mine)})
            except CloudFilesError as error:
                changes.failures[below] = str(error)
            else:
                changes.directories += is_directory
                changes.files += not is_directory
        return changes

    def _tree(self, path: str, is_directory: bool) -> Iterator[tuple[str, bool]]:
        yield path, is_directory
        for child in children(self._files, self._files.path(path)) or () if is_directory else ():
            yield from self._tree(f"{path}/{child.name}" if path else child.name, child.is_directory)

    def _change(self, op: str, path: str, parameters: dict[str, str]) -> None:
        self._files.run("PUT", op, self._files.path(path), path, parameters)

    def _specification(self, entries: Iterable[AclEntry]) -> str:
        end = self._files.dialect.end_of_removed_entry
        return ",".join([str(entry) if entry.rights else f"{entry}{end}" for entry in entries])


def _mode(status: FileStatus) -> int:
    try:
        return int(str(status.document.get("permission")), 8)
    except ValueError as error:
        raise ProtocolError(f"{_WHAT} has invalid permissions: {status.document.get('permission')!r:.100}") from error
