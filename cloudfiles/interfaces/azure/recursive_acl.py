"""Changing the ACLs of a directory tree in Data Lake Gen2.

Source: Data Lake Storage Gen2 REST reference, "Path - Update" (setAccessControlRecursive).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cloudfiles.credentials.signing.url_encoding import format_query
from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.acl import AclChanges
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.documents import count, parse_json, required
from cloudfiles.interfaces.paging import follow_pages
from cloudfiles.transport.request import Request, Response

_WHAT = "the response to a change of ACLs"

_AT_ONCE = "2000"  # maximum number of paths per request


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


class _AclChangeResponse(NamedTuple):
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
