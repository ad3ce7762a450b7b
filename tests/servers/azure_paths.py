"""What the scripted Azure server holds, and the values in which it answers."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse
from cloudfiles.testing.s3_objects import checksum

_versions = itertools.count(1)


@dataclass
class Path:
    """A blob, which in a hierarchical namespace is a file, or a directory.

    Attributes:
        etag: another one after every change; a path that moves keeps it.
        headers: entity headers as they are served, metadata included.
        staged: block id, or position, -> bytes that do not show yet.
        blocks: id -> size of the blocks that it was committed of.
        copy: id, status and description of the last copy to here, and how often it is still to be seen pending.
    """

    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    directory: bool = False
    committed: bool = True
    etag: str = ""
    tier: str = "Hot"
    staged: dict[str, bytes] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)
    copy: tuple[str, str, str] | None = None
    pending: int = 0
    expiry: str = ""
    owner: str = "$superuser"
    group: str = "$superuser"
    permissions: str = "rwxr-x---"
    acl: str = "user::rwx,group::r-x,other::---"

    def __post_init__(self) -> None:
        self.changed()

    def changed(self) -> None:
        self.etag = f'"0x8D{next(_versions):013X}"'


@dataclass(frozen=True)
class AzureSettings:
    """How the scripted Azure server behaves when nothing is scripted.

    Attributes:
        key: the account's key; with it, every request must be signed, carry `sas` or bear `token`. None checks nothing.
        hierarchical: whether the account has a hierarchical namespace.
        account_information: whether a SAS may ask for it.
        clock_offset: seconds that the server's clock is ahead of the real one.
        page_size: entries of a list page; acl_page: paths of a recursive change of ACLs, or of a removal.
        copy_pending: looks at an asynchronous copy that find it pending; copy_ends: how it ends.
        blocks_from_url: whether Put Block From URL is served.
        batch_errors: key -> (status, code) in the answer to a batch.
        terse: what is missing is answered 404 and nothing else, as a gateway before the service may do.
    """

    account: str = "account"
    key: str | None = None
    sas: str = ""
    token: str = ""
    hierarchical: bool = False
    account_information: bool = True
    clock_offset: float = 0.0
    page_size: int = 5000
    acl_page: int = 2000
    copy_pending: int = 0
    copy_ends: str = "success"
    blocks_from_url: bool = True
    batch_errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    terse: bool = False


class AzureError(Exception):
    """A request that Azure refuses."""

    def __init__(self, status: int, code: str, headers: Headers = ()) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers

    def answer(self, *, dfs: bool, terse: bool = False) -> ServerResponse:
        """The header has the code; the body is XML of the Blob service, JSON of the Data Lake service."""
        if terse and self.status == 404:
            return ServerResponse(404)
        message = f"The message of {self.code}.\nRequestId:0\nTime:0"
        if dfs:
            body = json.dumps({"error": {"code": self.code, "message": message}}).encode()
        else:
            body = ('\ufeff<?xml version="1.0" encoding="utf-8"?>'
                    f"<Error><Code>{self.code}</Code><Message>{escape(message)}</Message></Error>").encode()
        return ServerResponse(self.status, (("x-ms-error-code", self.code), *self.headers), body)


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def little_endian_crc64(content: bytes) -> str:
    return base64.b64encode(base64.b64decode(checksum("crc64nvme", content))[::-1]).decode()


def check_body(request: ServerRequest) -> None:
    crc64 = request.header("x-ms-content-crc64")
    if crc64 is not None and crc64 != little_endian_crc64(request.body):
        raise AzureError(400, "Crc64Mismatch")
    sent = request.header("content-md5")
    if sent is not None and sent != md5(request.body):
        raise AzureError(400, "Md5Mismatch")


def check_conditions(request: ServerRequest, path: Path | None, *, source: bool = False) -> None:
    """"Specifying conditional headers for Blob service operations"."""
    prefix = "x-ms-source-" if source else ""
    matches, none_match = request.header(f"{prefix}if-match"), request.header("if-none-match")
    refused = "SourceConditionNotMet" if source else "ConditionNotMet"
    if matches is not None and (path is None or matches not in ("*", path.etag)):
        raise AzureError(412, refused)
    if not source and none_match == "*" and path is not None and request.method != "GET":
        raise AzureError(409, "PathAlreadyExists" if "resource" in request.query else "BlobAlreadyExists")
