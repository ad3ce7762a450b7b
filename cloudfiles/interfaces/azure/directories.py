"""Directories of Data Lake Gen2, and atomic renames.

Source: Data Lake Storage Gen2 REST reference, "Path - Create", "Path - Delete", "Path - Get Properties".
"""

from __future__ import annotations

from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import PreconditionFailedError, ServerError
from cloudfiles.interfaces.azure.paths import DfsPaths
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.interfaces.documents import required


class AzureDirectories(DfsPaths, Directories):
    """The directories of a container. Removing a large tree takes several requests and is not atomic."""

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        kinds = self._kind(source), self._kind(target)
        if None not in kinds and kinds[0] != kinds[1]:
            raise PreconditionFailedError(f"a {kinds[1]} has this name", path=target)
        self.rename_same_kind(source, target, overwrite=overwrite)

    def rename_same_kind(self, source: str, target: str, *, overwrite: bool = True) -> None:
        """The same, if no directory is replaced by a file, or a file by a directory."""
        etag = required(self._properties(source), "etag", "the response about the path", source)
        conditions = {} if overwrite else {"if-none-match": "*"}
        request = self._request("PUT", target, {"mode": "posix"}, {
            **conditions, "x-ms-rename-source": self._source(source), "x-ms-source-if-match": etag})
        try:
            try:
                self._follow(request)
            except ServerError as error:
                if error.code != "RenameDestinationParentPathNotFound" or "/" not in target:
                    raise
                self.mkdir(target.rpartition("/")[0])
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
        try:
            self._send("PUT", path, {"resource": "directory"}, {"if-none-match": "*"})
        except PreconditionFailedError:
            if not exist_ok or not self.isdir(path):
                raise

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        """See the contract. A large tree takes several requests and is not removed atomically."""
        if self._properties(path).get("x-ms-resource-type") != "directory":
            raise PreconditionFailedError("this is a file, not a directory", path=path)
        query = {"recursive": "true", "paginated": "true"} if recursive else {"recursive": "false"}
        self._follow(self._request("DELETE", path, query))

    def isdir(self, path: str) -> bool:
        return self._kind(path) == "directory"

    def _kind(self, path: str) -> str | None:
        """'file' or 'directory'; None if it is missing."""
        try:
            return self._properties(path).get("x-ms-resource-type")
        except ServerError as error:
            if error.status == 404:
                return None
            raise
