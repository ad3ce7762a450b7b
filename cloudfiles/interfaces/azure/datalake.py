"""Data Lake Gen2: the additional operations of accounts with a hierarchical namespace.

Source: Data Lake Storage Gen2 REST reference, "Path - Create", "Path - Update", "Path - Delete", "Path - Get
Properties", "Filesystem - Get Properties"; Azure Storage REST reference, "Set Blob Expiry", "Get Account Information".
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cloudfiles import integrity
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    InvalidInputError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.azure.acl import (
    AclChanges,
    AclEntry,
    change_recursively,
    complete_acl,
    format_acl,
    modified,
    parse_acl,
    without,
)
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.documents import required
from cloudfiles.interfaces.paging import MAX_EMPTY_PAGES
from cloudfiles.interfaces.store_requests import WriteRequest
from cloudfiles.transport.request import Origin, Request, Response

_hierarchical: dict[tuple[Origin, str], bool] = {}  # (origin, account) -> whether it has a hierarchical namespace


def is_hierarchical(container: AzureContainer) -> bool:
    """Query the account on first use. Raises AuthorizationError if this cannot be determined."""
    account = container.origin, container.endpoint.account
    if account not in _hierarchical:
        _hierarchical[account] = _ask(container)
    return _hierarchical[account]


def forget_namespaces() -> None:
    """Forget the answers; for tests."""
    _hierarchical.clear()


def _ask(container: AzureContainer) -> bool:
    credentials = container.protocol.credentials()
    if credentials is not None and credentials.token is None:
        try:
            return _tells(container, container.origin, {"restype": "account", "comp": "properties"},
                          "x-ms-is-hns-enabled")
        except AuthorizationError:
            pass  # a SAS for blobs only
    return _tells(container, container.endpoint.dfs_origin, {"resource": "filesystem"}, "x-ms-namespace-enabled")


def _tells(container: AzureContainer, origin: Origin, query: dict[str, str], name: str) -> bool:
    """The value of the response header, which emulators, having no hierarchical namespace, do not send."""
    headers: dict[str, str] = container.client.send(
        _Properties(origin, "HEAD", container.container_target(query), {}, protocol=container.protocol))
    return headers.get(name, "").lower() == "true"


class _Properties(Request):
    """Returns the response headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if response.status == 200:
            return response.headers
        raise self.to_error(response)


class DfsRequest(WriteRequest):
    """A request to the dfs endpoint. Returns the response's headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if 200 <= response.status < 300:
            return response.headers
        raise self.to_error(response)


_TRIES = 4  # attempts to read and set an ACL without a change by others in between


class Access(NamedTuple):
    """Owner, permissions and ACL of a path.

    Attributes:
        owner, group: object ids, or '$superuser'.
        permissions: as shown by `ls -l`: 'rwxr-x---', followed by '+' if the ACL has more entries.
        acl: the entries, including default ones, which new children inherit.
    """

    owner: str
    group: str
    permissions: str
    acl: list[AclEntry]


class DataLake:
    """The files and directories of one container below one path. Paths are keys; '' is the cloudpath itself.

    All operations are atomic, except recursive ones. A missing path raises a ServerError with status 404.
    """

    def __init__(self, container: AzureContainer) -> None:
        """Raises UnsupportedOperationError if the account has no hierarchical namespace."""
        if not is_hierarchical(container):
            raise UnsupportedOperationError(
                f"the storage account {container.endpoint.account!r} does not have a hierarchical namespace (Data Lake "
                "Storage Gen2), which is required for directories, ACLs, owners, append and atomic rename")
        self._container = container

    # ---- directories

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """Move a file, or a directory with everything in it, in one atomic step.

        overwrite: replace an existing file or empty directory; if False, PreconditionFailedError is raised.
        """
        etag = required(self._properties(source), "etag", "the response about the path", source)
        conditions = {} if overwrite else {"if-none-match": "*"}
        request = self._request("PUT", target, {"mode": "posix"}, {
            **conditions, "x-ms-rename-source": self._source(source), "x-ms-source-if-match": etag})
        try:
            self._follow(request)
        except (ServerError, PreconditionFailedError):
            # An earlier attempt may have succeeded, with its response lost: a path keeps its ETag when it is moved.
            if not request.may_have_acted or not self._is_at(target, etag):
                raise

    def _source(self, path: str) -> str:
        credentials = self._container.protocol.credentials()
        sas = f"?{credentials.sas}" if credentials is not None and credentials.sas is not None else ""
        return f"/{quote_key(self._container.endpoint.container)}/{quote_key(self._container.root + path)}{sas}"

    def _is_at(self, path: str, etag: str) -> bool:
        try:
            return self._properties(path).get("etag") == etag
        except ServerError:
            return False

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        """Create a directory and its parents. Raises PreconditionFailedError if a file has this name or, without
        `exist_ok`, if the directory exists."""
        try:
            self._send("PUT", path, {"resource": "directory"}, {"if-none-match": "*"})
        except PreconditionFailedError:
            if not exist_ok or not self.isdir(path):
                raise

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """Remove a directory. Raises ServerError (DirectoryNotEmpty) if it is not empty, unless `recursive`.

        A large tree takes several requests and is not removed atomically.
        """
        query = {"recursive": "true", "paginated": "true"} if recursive else {"recursive": "false"}
        self._follow(self._request("DELETE", path, query))

    def isdir(self, path: str) -> bool:
        """Whether the directory exists, even if it is empty."""
        try:
            return self._properties(path).get("x-ms-resource-type") == "directory"
        except ServerError as error:
            if error.status == 404:
                return False
            raise

    # ---- access control

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

    # ---- content

    def create(self, path: str, *, if_absent: bool = False) -> None:
        """Create an empty file to append to. With `if_absent`, raises PreconditionFailedError if it exists."""
        self._send("PUT", path, {"resource": "file"}, {"if-none-match": "*"} if if_absent else {})

    def append(self, path: str, position: int, content: bytes) -> None:
        """Upload bytes for `position`; repeating this is harmless. They are not visible before `flush`."""
        self._send("PATCH", path, {"action": "append", "position": str(position)},
                   {"content-md5": integrity.content_md5(content)}, content)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        """Commit everything that was appended to the file, which then has `length` bytes. Returns the ETag.

        close: report in the events of the file that it is complete. If bytes are missing, a ServerError is raised and
        the file is unchanged.
        """
        query = {"action": "flush", "position": str(length), "close": "true" if close else "false"}
        return self._send("PATCH", path, query).get("etag")

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        """Delete a file `at` a time (seconds since the epoch), or `after` a number of seconds; or never."""
        headers = {"x-ms-expiry-option": "NeverExpire"}
        if after is not None:
            headers = {"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": str(int(after * 1000))}
        elif at is not None:
            headers = {"x-ms-expiry-option": "Absolute", "x-ms-expiry-time": email.utils.formatdate(at, usegmt=True)}
        container = self._container
        container.client.send(DfsRequest(container.origin, "PUT", container.query_target(path, {"comp": "expiry"}),
                                         headers, protocol=container.protocol, path=path))

    # ---- requests

    def _target(self, path: str) -> str:
        """The target of a path; the root of a container is a second slash."""
        if path:
            return self._container.target(path)
        return self._container.base.rstrip("/") if self._container.root else f"{self._container.base}/"

    def _request(self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None,
                 body: bytes = b"") -> DfsRequest:
        target = self._target(path) + (f"?{format_query(query)}" if query else "")
        return DfsRequest(self._container.endpoint.dfs_origin, method, target, headers or {}, body,
                          protocol=self._container.protocol, path=path or None)

    def _send(self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None,
              body: bytes = b"") -> dict[str, str]:
        answer: dict[str, str] = self._container.client.send(self._request(method, path, query, headers, body))
        return answer

    def _follow(self, request: DfsRequest) -> None:
        """Send a request, and continue it if the response says that it is not complete."""
        target = request.target
        answer = self._container.client.send(request)
        before, repeated = "", 0
        while answer.get("x-ms-continuation"):
            token = answer["x-ms-continuation"]
            # The server makes progress between requests, so a token may repeat, but not forever.
            before, repeated = token, repeated + 1 if token == before else 0
            if repeated >= MAX_EMPTY_PAGES:
                raise ProtocolError(f"the {request.method} request does not end: the server repeats the continuation "
                                    f"token {token[:100]!r}", path=request.path)
            request.target = f"{target}&{format_query({'continuation': token})}"
            answer = self._container.client.send(request)

    def _properties(self, path: str) -> dict[str, str]:
        return self._send("HEAD", path, {"action": "getStatus"})

    def _access(self, path: str, *, names: bool = False) -> dict[str, str]:
        return self._send("HEAD", path, {"action": "getAccessControl", "upn": "true" if names else "false"})

    def _set(self, path: str, headers: dict[str, str]) -> None:
        self._send("PATCH", path, {"action": "setAccessControl"}, headers)


def _acl_of(headers: dict[str, str], path: str) -> list[AclEntry]:
    try:
        return parse_acl(headers.get("x-ms-acl", ""))
    except InvalidInputError as error:
        raise ProtocolError(f"the server returned an invalid ACL: {error}", path=path or None) from error
