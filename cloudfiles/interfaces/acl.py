"""Owners, permissions and access control lists: `user::rwx,default:user:NAME:r-x`.

Source: POSIX.1e (draft 17), as the Hadoop documentation ("HDFS Permissions Guide") and that of Azure Data Lake Storage
("Access control model") follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from cloudfiles.exceptions import InvalidInputError

_ENTRY = re.compile(r"(?P<default>default:)?(?P<kind>user|group|mask|other):(?P<name>[^:,]*)"
                    r"(?::(?P<rights>[r-][w-][x-]))?")


class AclEntry(NamedTuple):
    """The rights of one user or group.

    Attributes:
        kind: 'user', 'group', 'mask' or 'other'.
        name: object id, principal or user name; '' for the owner, the owning group, the mask and others.
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


class Access(NamedTuple):
    """Owner, permissions and ACL of a path.

    Attributes:
        owner: the name of a user; on Azure an object id, or '$superuser'.
        group: the name of a group; on Azure an object id, or '$superuser'.
        permissions: as shown by `ls -l`: 'rwxr-x---', followed by '+' if the ACL has more entries.
        acl: the entries, including default ones, which new children inherit.
    """

    owner: str
    group: str
    permissions: str
    acl: list[AclEntry]


class AclChanges:
    """The result of a change of ACLs.

    Attributes:
        directories: how many were changed.
        files: how many were changed; a single path counts as a file.
        failures: for each path whose ACL could not be changed, the reason.
    """

    def __init__(self, directories: int = 0, files: int = 0, failures: dict[str, str] | None = None) -> None:
        self.directories = directories
        self.files = files
        self.failures = {} if failures is None else failures

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if isinstance(other, AclChanges) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"AclChanges(directories={self.directories}, files={self.files}, failures={self.failures})"

    @classmethod
    def of_one(cls) -> AclChanges:
        """For a single path that was changed; it is unknown whether it is a file."""
        return cls(files=1)


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


# ---- permissions

_LETTERS = "rwxrwxrwx"


def parse_permissions(permissions: str | int) -> int:
    """'rwxr-x---', '0750', '750' or 0o750 as a number. Raises InvalidInputError."""
    if isinstance(permissions, int) and not isinstance(permissions, bool):
        mode = permissions
    elif isinstance(permissions, str) and re.fullmatch(r"[0-7]{3,4}", permissions):
        mode = int(permissions, 8)
    elif isinstance(permissions, str) and re.fullmatch(r"(?:[r-][w-][x-]){3}", permissions):
        mode = sum(1 << (8 - at) for at, letter in enumerate(permissions) if letter != "-")
    else:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise InvalidInputError("expected permissions such as 'rwxr-x---', '0750' or 0o750, got "
                                f"{permissions!r}")
    return mode


def format_permissions(mode: int) -> str:
    """The permissions of owner, group and others.

    >>> format_permissions(0o750)
    'rwxr-x---'
    """
    return "".join([letter if mode & (1 << (8 - at)) else "-" for at, letter in enumerate(_LETTERS)])


def base_entries(mode: int) -> list[AclEntry]:
    """The ACL of a path that has permissions only."""
    text = format_permissions(mode)
    return [AclEntry(kind, "", text[at:at + 3]) for kind, at in (("user", 0), ("group", 3), ("other", 6))]
