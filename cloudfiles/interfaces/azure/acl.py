"""Access control lists of Data Lake Gen2, as values: `user::rwx,group::r-x,other::---,default:user:OID:r-x`.

Source: Azure Data Lake Storage documentation, "Access control model", which follows POSIX.1e (draft 17).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from cloudfiles.exceptions import InvalidInputError

_ENTRY = re.compile(r"(?P<default>default:)?(?P<kind>user|group|mask|other):(?P<name>[^:,]*)"
                    r"(?::(?P<rights>[r-][w-][x-]))?")


class AclEntry(NamedTuple):
    """Rights of one user or group.

    Attributes:
        kind: 'user', 'group', 'mask' or 'other'.
        name: object id or principal name; '' for the owner, the owning group, the mask and all others.
        rights: three characters, 'r-x'; '' where an entry only says whose rights are to be removed.
        default: what is created in the directory gets it, rather than the path itself.
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
        """Whether it is one of the three that every path has, which the permissions show."""
        return not self.default and not self.name and self.kind != "mask"

    @property
    def whose(self) -> tuple[bool, str, str]:
        return self.default, self.kind, self.name


def parse_acl(text: str) -> list[AclEntry]:
    """The entries of an ACL in its short form. Raises InvalidInputError."""
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
    """An ACL to be set, as text. Raises InvalidInputError where an entry has no rights."""
    entries = parse_acl(acl) if isinstance(acl, str) else list(acl)
    lacking = next((entry for entry in entries if not entry.rights), None)
    if lacking is not None or not entries:
        raise InvalidInputError(f"the ACL entry {str(lacking)!r} has no permissions; expected for example {lacking}:r-x"
                                if lacking else "the ACL is empty")
    return format_acl(entries)


def modified(acl: list[AclEntry], changes: list[AclEntry]) -> list[AclEntry]:
    """`acl` with the entries of `changes` in place of those for the same user or group, and new ones added."""
    merged = {entry.whose: entry for entry in acl}
    merged.update((entry.whose, entry) for entry in changes)
    return list(merged.values())


def without(acl: list[AclEntry], removed: list[AclEntry]) -> list[AclEntry]:
    """`acl` without the entries of `removed`, whose rights do not matter.

    Raises InvalidInputError for one of the three that every ACL has.
    """
    fixed = next((entry for entry in removed if not entry.name and not entry.default and entry.kind != "mask"), None)
    if fixed is not None:
        raise InvalidInputError(f"the ACL entry {fixed.kind}:: is required and cannot be removed; set its permissions "
                                "instead")
    gone = {entry.whose for entry in removed}
    return [entry for entry in acl if entry.whose not in gone]
