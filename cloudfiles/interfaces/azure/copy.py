"""Copies inside Azure: by one synchronous request; in blocks if the object is large or its attributes change; and by an
asynchronous copy that is polled if the server does not support Put Block From URL.

Source: Azure Storage REST reference, "Copy Blob From URL", "Put Block From URL", "Copy Blob", "Abort Copy Blob".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from cloudfiles.credentials.azure import AzureCredentials
from cloudfiles.credentials.signing.sas import BlobSas
from cloudfiles.exceptions import (
    CloudFilesError,
    ObjectChangedError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.azure.multipart import BlockIds, commit_blocks
from cloudfiles.interfaces.azure.objects import AzureContainer, blob_headers, head_blob
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.interfaces.object_read import size_of
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.runtime.contract import Cancelled
from cloudfiles.transport.request import Request, Response
from cloudfiles.types import WriteOptions
from cloudfiles.values import Value

MAX_AT_ONCE = 256 << 20
"""Maximum size of one Copy Blob From URL, in bytes."""

BLOCK = 256 << 20
"""Size of a block in bytes. The service copies the data itself, so blocks are large; 50 000 exceed any blob."""

_LONGEST = 24 * 3600.0  # seconds for which a signature gives the service access to the source
_FIRST_LOOK, _LAST_LOOK = 0.1, 10.0  # seconds before the first poll of an asynchronous copy; doubles each time
NO_BLOCKS_FROM_URL = frozenset({400, 405, 501})


class ServerSideCopy(Value):
    """One copy. `write_options` derives the options of the write from the headers of the source."""

    target: AzureContainer
    key: str
    source: AzureContainer
    source_key: str
    options: CopyOptions

    def run(self, write_options: WriteOptions | None, headers: Mapping[str, str]) -> CopyResult | None:
        """Copy the version of the source that `headers` (of its HEAD) describe. Returns None if the source is missing.

        write_options: the attributes of the copy; None for those of the source.
        """
        etag, size = headers.get("etag", ""), size_of(headers, self.source_key)
        if self.options.etag not in (None, etag):
            raise self._changed()
        origin = self.origin(etag)
        try:
            if write_options is None and size <= MAX_AT_ONCE:
                return CopyResult(size, self._at_once(origin))
            return CopyResult(size, self._by_blocks(origin, size, write_options, headers))
        except PreconditionFailedError as error:
            raise self._changed() from error
        except ServerError as error:
            if error.code != "CannotVerifyCopySource":
                raise
            if error.status == 404:
                return None
            raise UnsupportedOperationError(f"the service cannot read the source: {error}", path=self.key) from error

    def _changed(self) -> ObjectChangedError:
        return ObjectChangedError("the source was replaced before or while it was copied", path=self.source_key)

    # ---- the source

    def origin(self, etag: str) -> dict[str, str]:
        """The headers that specify the source, give the service access to it, and require its version."""
        source = self.source
        credentials = source.protocol.credentials()
        url = f"{source.origin}{source.target(self.source_key)}"
        headers = {"x-ms-copy-source": url, "x-ms-source-if-match": etag}
        if credentials is not None and credentials.token is not None:
            headers["x-ms-copy-source-authorization"] = f"Bearer {credentials.token}"
        elif credentials is not None:
            headers["x-ms-copy-source"] = f"{url}?{self._sas(credentials)}"
        return headers

    def _sas(self, credentials: AzureCredentials) -> str:
        if credentials.key is None:
            return credentials.sas or ""
        source = self.source
        return BlobSas(source.endpoint.sas_resource(source.root + self.source_key), "r",
                       source.protocol.now() + _LONGEST,
                       source.origin.scheme == "https").by_account_key(credentials.key)

    # ---- methods

    def _at_once(self, origin: dict[str, str]) -> str | None:
        answer = self._send({**origin, "x-ms-requires-sync": "true"})
        if answer.get("x-ms-copy-status") != "success":  # required in a 202 response
            raise ServerError("the copy finished with status "
                              f"{answer.get('x-ms-copy-status')!r}", status=202, path=self.key)
        return answer.get("etag")

    def _by_blocks(self, origin: dict[str, str], size: int, write_options: WriteOptions | None,
                   headers: Mapping[str, str]) -> str | None:
        ids = BlockIds()
        described = blob_headers(write_options) if write_options is not None else _properties(headers)
        if "content-md5" in headers:
            described["x-ms-blob-content-md5"] = headers["content-md5"]
        starts = range(0, size, BLOCK)
        try:
            send_parts(self.target.runtime, (b"" for _ in starts),
                       lambda number, _: self.copy_block(origin, ids(number), starts[number - 1], size),
                       self.target.origin, slots=self.options.slots)
        except ServerError as error:
            if error.status not in NO_BLOCKS_FROM_URL:
                raise
            if write_options is not None:
                raise UnsupportedOperationError("the server does not support copying blocks: "
                                                f"{error}", path=self.key) from error
            return self._polled(origin)
        return commit_blocks(self.target, self.key, ids, len(starts), described)

    def copy_block(self, origin: dict[str, str], block_id: str, start: int, size: int) -> None:
        """Stage the next block of the source, which has `size` bytes."""
        last = min(size, start + BLOCK) - 1
        target = self.target.query_target(self.key, {"comp": "block", "blockid": block_id})
        self._send({**origin, "x-ms-source-range": f"bytes={start}-{last}"}, target)

    def _polled(self, origin: dict[str, str]) -> str | None:
        """An asynchronous copy. While it is pending, the target is an empty blob, which is removed after a failure."""
        origin = {name: value for name, value in origin.items() if name != "x-ms-copy-source-authorization"}
        answer = self._send(origin)
        copy_id = answer.get("x-ms-copy-id", "")
        pause = _FIRST_LOOK
        try:
            while answer.get("x-ms-copy-status") == "pending":
                self.target.runtime.sleep(pause)
                pause = min(2 * pause, _LAST_LOOK)
                answer = head_blob(self.target, self.key) or {}
                if answer.get("x-ms-copy-id") != copy_id:
                    raise ObjectChangedError("the copy was overwritten while it was in progress", path=self.key)
        except BaseException:
            self._abort(copy_id)
            raise
        if answer.get("x-ms-copy-status") != "success":
            self._remove(answer.get("etag", ""))
            raise ServerError(f"the copy finished with status {answer.get('x-ms-copy-status')!r}: "
                              f"{answer.get('x-ms-copy-status-description', '')}", path=self.key)
        return answer.get("etag")

    def _abort(self, copy_id: str) -> None:
        """Best effort, because the failure that led here is raised. Otherwise an empty blob remains."""
        target = self.target.query_target(self.key, {"comp": "copy", "copyid": copy_id})
        with shielded(), suppress(CloudFilesError, Cancelled):
            self.target.client.send(Request(self.target.origin, "PUT", target, {"x-ms-copy-action": "abort"},
                                            protocol=self.target.protocol, idempotent=False, path=self.key))

    def _remove(self, etag: str) -> None:
        with shielded(), suppress(CloudFilesError, Cancelled):
            self.target.client.send(Request(self.target.origin, "DELETE", self.target.target(self.key),
                                            {"if-match": etag}, protocol=self.target.protocol, path=self.key))

    def _send(self, headers: dict[str, str], target: str | None = None) -> dict[str, str]:
        container = self.target
        answer: dict[str, str] = container.client.send(_CopyRequest(
            container.origin, "PUT", target or container.target(self.key), headers, protocol=container.protocol,
            path=self.key))
        return answer


class _CopyRequest(Request):
    """Returns the response headers."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str]:
        if response.status in (201, 202):
            return response.headers
        raise self.to_error(response)


def _properties(headers: Mapping[str, str]) -> dict[str, str]:
    """The attributes of the source as headers of a write."""
    kept = {f"x-ms-blob-{name}": headers[name] for name in (
        "content-type", "content-encoding", "cache-control", "content-disposition", "content-language")
        if name in headers}
    return kept | {name: value for name, value in headers.items() if name.startswith("x-ms-meta-")}
