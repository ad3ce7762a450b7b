"""One blob by one Put Blob: its headers, its digest, its conditions, and what its answer proves.

Source: Azure Storage REST reference, "Put Blob", "Specifying conditional headers", "Naming and Referencing
Containers, Blobs, and Metadata".
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping

from cloudfiles import integrity
from cloudfiles.exceptions import InvalidInputError, MD5IntegrityError, PreconditionFailedError
from cloudfiles.inputs import ascii_header
from cloudfiles.interfaces.azure.container import AzureContainer
from cloudfiles.interfaces.azure.reading import BlobHead
from cloudfiles.retry import REFUSED_STATUS
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES
from cloudfiles.transport.request import Body, FileBody, Request, Response
from cloudfiles.types import WriteOptions

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII).fullmatch
_TIERS = {tier.lower(): tier for tier in ("Hot", "Cool", "Cold", "Archive", "Smart")}


def blob_headers(options: WriteOptions) -> dict[str, str]:
    """What is stored with a blob. Raises InvalidInputError for what a header cannot carry."""
    headers = {f"x-ms-blob-{name.replace('_', '-')}": checked(name, value) for name, value in (
        ("content_type", options.content_type), ("content_encoding", options.encoding or None),
        ("cache_control", options.cache_control), ("content_disposition", options.content_disposition),
        ("content_language", options.content_language)) if value is not None}
    if options.storage_class is not None:
        tier = checked("storage_class", options.storage_class)
        headers["x-ms-access-tier"] = _TIERS.get(tier.lower(), tier)
    if options.metadata:
        headers.update(metadata_headers(options.metadata))
    return headers


def condition_headers(options: WriteOptions) -> dict[str, str]:
    """On what the write depends."""
    headers = {"if-none-match": "*"} if options.if_absent else {}
    if options.if_match is not None:
        headers["if-match"] = checked("if_match", options.if_match)
    return headers


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Azure takes the names of C# identifiers, whatever their case, and values in ASCII."""
    headers = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not _IDENTIFIER(name):
            raise InvalidInputError(f"invalid metadata name {name!r}: Azure allows letters, digits and '_', and no "
                                    "digit at the start")
        headers[f"x-ms-meta-{name.lower()}"] = checked(f"metadata {name!r}", value)
    return headers


def checked(name: str, value: str) -> str:
    """`value` as a header's. Raises InvalidInputError."""
    if "  " in ascii_header(name, value):  # the signature is made over single spaces
        raise InvalidInputError(f"{name} {value!r} cannot be sent to Azure: it contains two spaces in a row")
    return value


class BlobPut(Request):
    """A PUT that writes a blob, a block of it, or its list of blocks. Gives the ETag, where there is one.

    Attributes:
        rejections: attempts that the server rejected without acting on them.
    """

    __slots__ = ("rejections",)

    def __init__(self, container: AzureContainer, target: str, headers: dict[str, str], body: Body, path: str) -> None:
        Request.__init__(self, container.origin, "PUT", target, headers, body, protocol=container.protocol, path=path)
        self.rejections = 0

    @property
    def may_have_acted(self) -> bool:
        """Whether a try that failed may have written nevertheless."""
        return self.retries > self.rejections

    def accept(self, response: Response) -> str | None:
        if response.status == 201:
            if "etag" not in response.headers and not self._writes_block:
                self.protocol.check_object(response, self.path)
            self._check_digest(response.headers)
            return response.headers.get("etag")
        self.rejections += response.status < 500 or response.status in REFUSED_STATUS
        if response.status == 404 and "if-match" in self.headers and self.protocol.is_missing(response):
            raise PreconditionFailedError(f"the object is missing; expected the ETag {self.headers['if-match']}",
                                          path=self.path)
        raise self.protocol.to_error(self, response)

    @property
    def _writes_block(self) -> bool:
        """Whether it is a Put Block: its answer has no ETag."""
        return "comp=block" in self.target.partition("?")[2].split("&")

    def _check_digest(self, headers: Mapping[str, str]) -> None:
        """The answer's Content-MD5 is of the body as it arrived."""
        sent, arrived = self.headers.get("content-md5"), headers.get("content-md5")
        if sent is not None and arrived is not None and sent != arrived:
            raise MD5IntegrityError(f"md5 mismatch: content with {sent} was sent, the server received {arrived}",
                                    path=self.path)


def put_whole(container: AzureContainer, key: str, content: Body, options: WriteOptions) -> str | None:
    """Store `content` by one request. Its md5 is checked by the server, and kept for those who read it."""
    md5 = _md5(container, content)
    headers = {"x-ms-blob-type": "BlockBlob", **blob_headers(options), **condition_headers(options), "content-md5": md5}
    request = BlobPut(container, container.target(key), headers, content, key)
    try:
        etag: str | None = container.client.send(request)
    except PreconditionFailedError:
        found = head_object_again(container, key) if request.may_have_acted else None
        if found is None or found.get("content-md5") != md5:
            raise
        # The first try had stored it and only its answer was lost: the condition failed on our own blob.
        etag = found.get("etag")
    return etag


def head_object_again(container: AzureContainer, key: str) -> dict[str, str] | None:
    """The headers of a blob, None where it is missing."""
    found: dict[str, str] | None = container.client.send(
        BlobHead(container.origin, "HEAD", container.target(key), {}, protocol=container.protocol, path=key))
    return found


def _md5(container: AzureContainer, content: Body) -> str:
    if isinstance(content, FileBody):
        return container.runtime.run_in_thread(md5_of_pieces, content.pieces())
    if len(content) > RUN_IN_THREAD_BYTES:
        return container.runtime.run_in_thread(integrity.content_md5, content)
    return integrity.content_md5(content)


def md5_of_pieces(pieces: Iterable[integrity.Buffer]) -> str:
    """The value of a Content-MD5 header, for content that comes in pieces."""
    hasher = integrity.hasher("md5")
    for piece in pieces:
        hasher.update(piece)
    return b64encode(hasher.digest()).decode("ascii")
