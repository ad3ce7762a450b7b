"""Error responses: the exceptions of Hadoop, in the JSON document `RemoteException`, as exceptions of this package.

Many of them have the status 403, which alone does not mean that access was denied.

Source: Hadoop documentation, "WebHDFS REST API" (Error Responses, HTTP Response Codes).
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidPathError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.transport.request import Response, status_error

_MISSING = "FileNotFoundException"

STANDBY = "StandbyException"
"""The NameNode is not the active one of its pair."""

_TRANSIENT = frozenset({
    STANDBY, "RetriableException", "SafeModeException", "BlockMissingException", "AlreadyBeingCreatedException",
    "RecoveryInProgressException", "NotReplicatedYetException", "LeaseExpiredException", "ConnectException",
    "SocketTimeoutException", "NoRouteToHostException", "ObserverRetryOnActiveException", "ServerTooBusyException"})

_DENIED = frozenset({"AccessControlException", "SecurityException",
                     "AuthorizationException", "AuthenticationException", "InvalidToken", "TokenExpiredException"})

_BAD_NAMES = frozenset({"InvalidPathException", "PathComponentTooLongException", "FSLimitException",
                        "ParentNotDirectoryException", "IllegalNameException"})

_EXISTS = "FileAlreadyExistsException"

_STALE = frozenset({"InvalidToken", "TokenExpiredException", "AuthenticationException"})


_SEARCHED_FILE = re.compile(r'access=EXECUTE, inode="[^"]*":[^:]*:[^:]*:-[r-][w-]')


class RemoteException(NamedTuple):
    """An exception that the server reports: the name of its class, and its message."""

    name: str = ""
    message: str = ""

    @property
    def is_not_a_directory(self) -> bool:
        """Whether a directory of the path is a file. Hadoop 2 tells users that they may not search it."""
        return (self.name == "ParentNotDirectoryException" or "not a directory" in self.message
                or _SEARCHED_FILE.search(self.message) is not None)


def remote_exception(response: Response) -> RemoteException:
    """The exception in an error response; with empty fields if there is none."""
    if response.content.lstrip()[:1] != b"{":
        return RemoteException()
    try:
        fields = json.loads(response.content)["RemoteException"]
        return RemoteException(str(fields["exception"]).rpartition("$")[2], str(fields.get("message") or ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return RemoteException()


def is_missing(response: Response) -> bool:
    """Whether the response means that there is no such file or directory, rather than no such service."""
    return response.status == 404 and remote_exception(response).name == _MISSING


def is_stale(response: Response) -> bool:
    """Whether other credentials may be accepted instead."""
    return response.status == 401 or (response.status == 403 and remote_exception(response).name in _STALE)


def build_error(response: Response, path: str | None, searched: str) -> CloudFilesError:
    """The error to raise for an error response. searched: where credentials were looked for."""
    name, message = found = remote_exception(response)
    message = message.strip().partition("\n")[0][:500]
    if not name:
        return _without_exception(response, path, searched)
    text = f"{name}: {message}"
    if found.is_not_a_directory or name in _BAD_NAMES:
        return InvalidPathError(f"the server cannot store this name: {text}", path=path)
    if name in _DENIED or response.status == 401:
        return AuthorizationError(f"the server responded with {response.status}: {text}", path=path)
    if name == _EXISTS:
        return PreconditionFailedError(f"the server responded with {response.status}: {text}", path=path)
    if name == "UnsupportedOperationException" or (
            name == "IllegalArgumentException" and 'Invalid value for webhdfs parameter "op"' in message):
        return UnsupportedOperationError(f"the server does not support this operation: {text}", path=path)
    if name == "IllegalArgumentException":
        return InvalidPathError(f"the server rejects the request: {text}", path=path)
    return ServerError(f"the server responded with {response.status}: {text}", status=response.status, code=name,
                       path=path, is_transient=name in _TRANSIENT or "SafeModeException" in message)


def _without_exception(response: Response, path: str | None, searched: str) -> CloudFilesError:
    if response.status == 401:
        if "negotiate" in response.headers.get("www-authenticate", "").lower():
            return AuthorizationError(
                "the server requires Kerberos (SPNEGO), which is not supported: pass a delegation token as "
                "'delegation' (of `hdfs fetchdt`, or of op=GETDELEGATIONTOKEN with `curl --negotiate -u :`); searched "
                f"{searched}", path=path)
        return AuthorizationError(f"{status_error(response)} (searched {searched})", path=path)
    if response.status == 404:
        return ServerError(f"{status_error(response)}: this is not the answer of WebHDFS, so the host, the port or the "
                           "path before that of the files is wrong, or WebHDFS is disabled (dfs.webhdfs.enabled)",
                           status=404, path=path)
    return status_error(response, path=path)
