"""Access control lists of Data Lake Gen2: `user::rwx,default:user:OID:r-x`, and changing those of a directory tree.

Source: Azure Data Lake Storage documentation, "Access control model", which follows POSIX.1e (draft 17); Data Lake
Storage Gen2 REST reference, "Path - Update" (setAccessControlRecursive).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloudfiles.credentials.signing.url_encoding import format_query
from cloudfiles.exceptions import InvalidInputError, ProtocolError
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.documents import count, parse_json, required
from cloudfiles.interfaces.paging import follow_pages
from cloudfiles.transport.request import Request, Response

_ENTRY = re.compile(r"(?P<default>default:)?(?P<kind>user|group|mask|other):(?P<name>[^:,]*)"
                    r"(?::(?P<rights>[r-][w-][x-]))?")


class AclEntry(NamedTuple):
    """The rights of one user or group.

    Attributes:
        kind: 'user', 'group', 'mask' or 'other'.
        name: object id or principal name; '' for the owner, the owning group, the mask and others.
        rights: three characters, such as 'r-x'; '' for an entry that is to be removed.
        default: whether new children of the directory inherit it, instead of it applying to the path itself.
    """

    kind: str
    name: str = ""
    rights: str = ""
    default: bool = False

    def __str__(self) -> str:
        text = f"{'default:' if self.default else ''}{self.kind}:{self.name}"
        return f"{text}:{self.rights}" if self.rights else text

    @property
    def is_base(self) -> bool:
        """Whether it is one of the three entries that every path has (owner, owning group, others)."""
        return not self.default and not self.name and self.kind != "mask"

    @property
    def whose(self) -> tuple[bool, str, str]:
        return self.default, self.kind, self.name


def parse_acl(text: str) -> list[AclEntry]:
    """Parse the short form of an ACL. Raises InvalidInputError."""
    entries = []
    for part in text.split(",") if text else []:
        match = _ENTRY.fullmatch(part.strip())
        if match is None:
            raise InvalidInputError("expected an ACL entry such as user:OBJECT-ID:r-x or default:group::rwx, got "
                                    f"{part!r}")
        entries.append(AclEntry(match["kind"], match["name"], match["rights"] or "", match["default"] is not None))
    return entries


def format_acl(entries: Iterable[AclEntry]) -> str:
    return ",".join([str(entry) for entry in entries])


def complete_acl(acl: str | Iterable[AclEntry]) -> str:
    """The text of an ACL to set. Raises InvalidInputError if an entry has no rights."""
    entries = parse_acl(acl) if isinstance(acl, str) else list(acl)
    lacking = next((entry for entry in entries if not entry.rights), None)
    if lacking is not None or not entries:
        raise InvalidInputError(f"the ACL entry {str(lacking)!r} has no permissions; expected for example {lacking}:r-x"
                                if lacking else "the ACL is empty")
    return format_acl(entries)


def modified(acl: list[AclEntry], changes: list[AclEntry]) -> list[AclEntry]:
    """`acl` with the entries of `changes`, which replace those for the same user or group."""
    merged = {entry.whose: entry for entry in acl}
    merged.update((entry.whose, entry) for entry in changes)
    return list(merged.values())


def without(acl: list[AclEntry], removed: list[AclEntry]) -> list[AclEntry]:
    """`acl` without the entries of `removed`, whose rights are ignored.

    Raises InvalidInputError for one of the three entries that every ACL has.
    """
    fixed = next((entry for entry in removed if not entry.name and not entry.default and entry.kind != "mask"), None)
    if fixed is not None:
        raise InvalidInputError(f"the ACL entry {fixed.kind}:: is required and cannot be removed; set its permissions "
                                "instead")
    gone = {entry.whose for entry in removed}
    return [entry for entry in acl if entry.whose not in gone]


_WHAT = "the response to a change of ACLs"

_AT_ONCE = "2000"  # maximum number of paths per request


@dataclass
class AclChanges:
    """The result of a recursive change.

    Attributes:
        failures: for each path whose ACL could not be changed, the reason.
    """

    directories: int = 0
    files: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_one(cls) -> AclChanges:
        """For a single path that was changed; it is unknown whether it is a file."""
        return cls(files=1)


def change_recursively(container: AzureContainer, target: str, path: str, mode: str, acl: str) -> AclChanges:
    """Change the ACLs of `path` and everything below it. A path that fails does not stop the others.

    Not atomic: after an interruption some are changed and some are not. It can be repeated.
    """
    def change_some(token: str | None) -> tuple[None, str | None]:
        query = {"action": "setAccessControlRecursive", "mode": mode, "maxRecords": _AT_ONCE, "forceFlag": "true"}
        if token:
            query["continuation"] = token
        answer = container.client.send(_AclChangeRequest(
            container.endpoint.dfs_origin, "PATCH", f"{target}?{format_query(query)}", {"x-ms-acl": acl},
            protocol=container.protocol, path=path or None))
        return None, answer.add_to(changes) or None

    changes = AclChanges()
    for _ in follow_pages(f"the recursive ACL change of {path!r}", change_some):
        pass
    return changes


@dataclass
class _AclChangeResponse:
    document: dict[str, Any]
    continuation: str

    def add_to(self, changes: AclChanges) -> str:
        """Add the results of one request; returns the token to continue with."""
        document = self.document
        changes.directories += count(document.get("directoriesSuccessful", 0), "directoriesSuccessful", _WHAT)
        changes.files += count(document.get("filesSuccessful", 0), "filesSuccessful", _WHAT)
        failed = document.get("failedEntries") or []
        if not isinstance(failed, list) or not all(isinstance(entry, dict) for entry in failed):
            raise ProtocolError(f"{_WHAT} has an invalid 'failedEntries': expected a list of objects")
        changes.failures.update((required(entry, "name", _WHAT), str(entry.get("errorMessage") or ""))
                                for entry in failed)
        return self.continuation


class _AclChangeRequest(Request):
    __slots__ = ()

    def accept(self, response: Response) -> _AclChangeResponse:
        if response.status != 200:
            raise self.to_error(response)
        document = parse_json(response, _WHAT, self.path)
        return _AclChangeResponse(document, response.headers.get("x-ms-continuation", ""))
