"""What differs in Data Lake Storage Gen1 from HDFS: renames, ACLs, appending, concatenating; and expiry.

Source: Data Lake Storage Gen1 REST reference, "WebHDFS FileSystem APIs" (MSCONCAT, MSGETACLSTATUS, APPEND), "Set or
remove file expiry"; recorded responses in the tests of azure-datalake-store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from cloudfiles.exceptions import (
    InvalidInputError,
    MissingObjectError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.acl import Access, format_permissions, parse_acl
from cloudfiles.interfaces.base import object_changed
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource, Expiry
from cloudfiles.interfaces.webhdfs.access_control import HdfsAccessControl
from cloudfiles.interfaces.webhdfs.appending import HdfsAppending
from cloudfiles.interfaces.webhdfs.directories import HdfsDirectories
from cloudfiles.interfaces.webhdfs.endpoint import API
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace
from cloudfiles.interfaces.webhdfs.requests import Operation
from cloudfiles.types import WriteOptions

_EXTENSIONS = "/webhdfsext"
_PLAIN_PATH = r"[A-Za-z0-9_./ -]+"


class AdlDirectories(HdfsDirectories):
    """The directories below one cloudpath. A directory would be moved into an existing one, which is removed before."""

    def _check_replaceable(self, present: FileStatus, moved: FileStatus, target: str, overwrite: bool) -> None:
        super()._check_replaceable(present, moved, target, overwrite)
        if present.is_directory:
            self._files.remove(self._files.path(target), target)


class AdlAccessControl(HdfsAccessControl):
    """Owners, permissions and ACLs below one cloudpath. Users are object ids."""

    def get_acl_status(self, path: str, *, names: bool = False) -> Access:
        document: Any = self._files.ask("MSGETACLSTATUS", "AclStatus", self._files.path(path), path,
                                        {"tooId": "false"} if names else None)
        if document is None:
            raise MissingObjectError("there is no such file or directory", path=path or None)
        try:
            acl = parse_acl(",".join(document.get("entries", [])))
            mode = int(str(document.get("permission")), 8)
        except (InvalidInputError, TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(f"the server returned an invalid ACL: {str(document)[:200]}", path=path) from error
        has_more = any(not entry.is_base for entry in acl)
        return Access(str(document.get("owner") or ""), str(document.get("group") or ""),
                      format_permissions(mode) + "+" * has_more, acl)


class AdlAppending(HdfsAppending):
    """Appending to the files below one cloudpath: the server refuses bytes for another position than the end."""

    def truncate(self, path: str, size: int) -> None:
        raise UnsupportedOperationError("the service cannot truncate files", path=path)


class AdlExpiry(Expiry):
    """Files below one cloudpath that the service deletes."""

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def set_expiry(self, path: str, at: float | None = None, *, after: float | None = None) -> None:
        parameters = {"expiryOption": "NeverExpire"}
        if after is not None:
            parameters = {"expiryOption": "RelativeToNow", "expireTime": str(round(after * 1000))}
        elif at is not None:
            parameters = {"expiryOption": "Absolute", "expireTime": str(round(at * 1000))}
        if self._files.required(path).is_directory:
            raise UnsupportedOperationError("only files expire", path=path)
        self._files.client.send(_Extension(self._files.protocol, self._files.dialect, "PUT", "SETEXPIRY",
                                           self._files.path(path), path, parameters))


class _Extension(Operation):
    """An operation that is not one of WebHDFS."""

    __slots__ = ()

    @property
    def target(self) -> str:
        return _EXTENSIONS + super().target.removeprefix(API)

    @target.setter
    def target(self, target: str) -> None:
        """Set by the base class."""


class AdlConcatenation(Concatenation):
    """The files below one cloudpath: MSCONCAT makes them one new file in one step, and they are gone.

    Time of modification and size of the sources are compared just before, as the service reports nothing else.
    """

    needs_validators: ClassVar[bool] = False

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        files = self._files
        keys = [source.key for source in sources]
        paths = [files.path(name) for name in keys]
        if not delete_sources or len(set(keys)) < len(keys) or options.if_absent or options.if_match is not None:
            raise UnsupportedOperationError("the service consumes the files that it concatenates", path=key)
        if not all(re.fullmatch(_PLAIN_PATH, path) for path in paths):
            raise UnsupportedOperationError("the names of files to concatenate are sent as they are", path=key)
        if files.status(files.path(key), key) is not None:
            raise UnsupportedOperationError("the service appends to an existing file", path=key)
        for source in sources:
            status = files.file_status(source.key)
            if status is None or status.etag != source.stored.etag:
                raise object_changed(source.key)
        self._send(key, paths, sum(source.size for source in sources))
        return files.required(key).etag

    def _send(self, key: str, paths: Sequence[str], size: int) -> None:
        files = self._files
        request = Operation(files.protocol, files.dialect, "POST", files.dialect.concat, files.path(key), key,
                            {"deleteSourceDirectory": "false"}, f"sources={','.join(paths)}".encode(),
                            exchanges_content=True)
        try:
            files.client.send(request)
        except (ServerError, PreconditionFailedError):
            # An earlier attempt may have succeeded, with its response lost: the sources are gone then.
            status = files.file_status(key) if request.may_have_acted else None
            if status is None or status.size != size:
                raise
