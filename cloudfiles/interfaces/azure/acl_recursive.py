"""Changing the ACLs of a whole tree: the service does a few thousand paths a request, and says how to go on.

Source: Data Lake Storage Gen2 REST reference, "Path - Update" (setAccessControlRecursive).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudfiles.credentials.signing.sigv4 import format_query
from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.interfaces.documents import count, parse_json, required
from cloudfiles.interfaces.paging import CycleDetector
from cloudfiles.transport.request import Request, Response

_WHAT = "the response to a change of ACLs"

_AT_ONCE = "2000"  # paths of one request, the most there may be


@dataclass
class AclChanges:
    """What was done to a tree.

    Attributes:
        failures: path -> why its ACL could not be changed. All the others were.
    """

    directories: int = 0
    files: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_one(cls) -> AclChanges:
        """Of a path that was changed by itself; whether it is a file nobody asked."""
        return cls(files=1)


def change_recursively(container: AzureContainer, target: str, path: str, mode: str, acl: str) -> AclChanges:
    """Change the ACLs of `path` and of all below. A path that fails does not keep the others from being changed.

    Not atomic: where it breaks off, some are changed and some are not; doing it again does no harm.
    """
    changes = AclChanges()
    continuation = ""
    progress = CycleDetector(f"the recursive ACL change of {path!r}")
    while True:
        query = {"action": "setAccessControlRecursive", "mode": mode, "maxRecords": _AT_ONCE, "forceFlag": "true"}
        if continuation:
            query["continuation"] = continuation
        continuation = container.client.send(_Step(
            container.endpoint.dfs_origin, "PATCH", f"{target}?{format_query(query)}", {"x-ms-acl": acl},
            protocol=container.protocol, path=path or None)).add_to(changes)
        if not continuation:
            return changes
        progress.check(continuation)


@dataclass
class _Answer:
    document: dict[str, Any]
    continuation: str

    def add_to(self, changes: AclChanges) -> str:
        """Count in what was done; gives where to go on."""
        document = self.document
        changes.directories += count(document.get("directoriesSuccessful", 0), "directoriesSuccessful", _WHAT)
        changes.files += count(document.get("filesSuccessful", 0), "filesSuccessful", _WHAT)
        failed = document.get("failedEntries") or []
        if not isinstance(failed, list) or not all(isinstance(entry, dict) for entry in failed):
            raise ProtocolError(f"{_WHAT} has an invalid 'failedEntries': expected a list of objects")
        changes.failures.update((required(entry, "name", _WHAT), str(entry.get("errorMessage") or ""))
                                for entry in failed)
        return self.continuation


class _Step(Request):
    __slots__ = ()

    def accept(self, response: Response) -> _Answer:
        if response.status != 200:
            raise self.protocol.to_error(self, response)
        document = parse_json(response, _WHAT, self.path)
        return _Answer(document, response.headers.get("x-ms-continuation", ""))
