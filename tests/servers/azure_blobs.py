"""The scripted Azure server's Blob service: a request in, the right answer out, no socket in it.

Source: Azure Storage REST reference, "Blob service"; each method names its operation.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse
from tests.servers.azure_paths import (
    AzureError,
    AzureSettings,
    Path,
    check_body,
    check_conditions,
    little_endian_crc64,
    md5,
)

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SYNCHRONOUS = 256 << 20


def _alphabetical(key: str) -> tuple[str, str]:
    """In an order that is none of bytes."""
    return key.lower(), key


def _by_directories(key: str) -> list[str]:
    return key.split("/")


class Blobs:
    """The blobs of one container."""

    def __init__(self, settings: AzureSettings, paths: dict[str, Path]) -> None:
        self.settings = settings
        self.paths = paths

    def _there(self, key: str) -> Path | None:
        path = self.paths.get(key)
        return path if path is not None and path.committed else None

    def _found(self, key: str) -> Path:
        path = self._there(key)
        if path is None:
            raise AzureError(404, "BlobNotFound")
        return path

    # ---- reading

    def get(self, request: ServerRequest, key: str) -> ServerResponse:
        """Get Blob, Get Blob Properties, Get Block List."""
        if request.query.get("comp") == "blocklist":
            return self._block_list(request, key)
        path = self._found(key)
        check_conditions(request, path)
        if request.method == "GET" and path.tier == "Archive":
            raise AzureError(409, "BlobArchived")
        if path.pending:
            path.pending -= 1
            if not path.pending and path.copy is not None:
                path.copy = (path.copy[0], self.settings.copy_ends, "500 InternalError")
        return self._entity(request, path)

    def _entity(self, request: ServerRequest, path: Path) -> ServerResponse:
        headers: list[tuple[str, str]] = [("ETag", path.etag), ("x-ms-access-tier", path.tier), *path.headers.items(),
                                          ("Last-Modified", "Fri, 20 Nov 2026 12:00:00 GMT")]
        if path.directory:
            headers += [("x-ms-resource-type", "directory"), ("x-ms-meta-hdi_isfolder", "true")]
        if path.copy is not None:
            names = ("x-ms-copy-id", "x-ms-copy-status", "x-ms-copy-status-description")
            headers += zip(names, path.copy, strict=True)
        content, status = path.content, 200
        match = _RANGE.fullmatch(request.header("range") or "")
        if match:
            first, last = int(match[1]), int(match[2]) if match[2] else len(content) - 1
            if first >= len(content):
                raise AzureError(416, "InvalidRange", (("Content-Range", f"bytes */{len(content)}"),))
            content = content[first:last + 1]
            headers.append(("Content-Range", f"bytes {first}-{first + len(content) - 1}/{len(path.content)}"))
            headers = [(name, value) for name, value in headers if name != "content-md5"]
            status = 206
            if request.header("x-ms-range-get-content-crc64") == "true":
                if len(content) > 4 << 20:
                    raise AzureError(400, "OutOfRangeInput")
                headers.append(("x-ms-content-crc64", little_endian_crc64(content)))
        if request.method == "HEAD":
            return ServerResponse(status, tuple(headers), announced_length=len(content))
        return ServerResponse(status, tuple(headers), content)

    def _block_list(self, request: ServerRequest, key: str) -> ServerResponse:
        """Get Block List."""
        path = self.paths.get(key)
        if path is None:
            raise AzureError(404, "BlobNotFound")
        kind = request.query.get("blocklisttype", "committed")
        sizes = path.blocks if kind == "committed" else {block: len(data) for block, data in path.staged.items()}
        blocks = "".join(f"<Block><Name>{block}</Name><Size>{size}</Size></Block>" for block, size in sizes.items())
        kind = kind.capitalize()
        return ServerResponse(200, (("ETag", path.etag), ("Content-Type", "application/xml")), (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><BlockList><{kind}Blocks>{blocks}</{kind}Blocks></BlockList>'
            ).encode())

    def list(self, request: ServerRequest) -> ServerResponse:
        """List Blobs. Names that XML cannot carry are percent-encoded and marked."""
        query = request.query
        marker = query.get("marker", "")
        order: Callable[[str], Any] = _by_directories if self.settings.hierarchical else _alphabetical
        keys = [key for key in sorted(self.paths, key=order) if key.startswith(query.get("prefix", ""))
                and self._there(key) is not None]
        if "delimiter" in query:
            keys = list(dict.fromkeys(self._grouped(key, len(query.get("prefix", ""))) for key in keys))
        keys = [key for key in keys if not marker or order(key) > order(marker)]
        page = keys[:min(self.settings.page_size, int(query.get("maxresults", 5000)))]
        marker = page[-1] if len(page) < len(keys) else ""
        blobs = "".join(self._listed(key, self.paths[key]) if key in self.paths else
                        f"<BlobPrefix><Name>{escape(key)}</Name></BlobPrefix>" for key in page)
        return ServerResponse(200, (("Content-Type", "application/xml"),), (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{blobs}</Blobs>'
            f"<NextMarker>{escape(marker)}</NextMarker></EnumerationResults>").encode())

    def _grouped(self, key: str, cut: int) -> str:
        """The directory directly below a prefix of `cut` characters that has the key; the key itself if none has."""
        end = key.find("/", cut)
        return key[:end + 1] if end >= 0 else f"{key}/" if self.paths[key].directory else key

    @staticmethod
    def _listed(key: str, path: Path) -> str:
        encoded = any(ord(character) < 0x20 for character in key)
        name = f'<Name Encoded="true">{quote(key, safe="")}' if encoded else f"<Name>{escape(key)}"
        kind = "directory" if path.directory else "file"
        return (f"<Blob>{name}</Name><Properties><Content-Length>{len(path.content)}</Content-Length><Etag>"
                f'{path.etag.strip(chr(34))}</Etag><ResourceType>{kind}</ResourceType></Properties></Blob>')

    # ---- writing

    def put(self, request: ServerRequest, key: str) -> ServerResponse:
        query = request.query
        operations: dict[str, Callable[[ServerRequest, str], ServerResponse]] = {
            "block": self._put_block, "blocklist": self._put_block_list, "expiry": self._set_expiry,
            "copy": self._abort_copy, "": self._put_blob}
        check_body(request)
        return operations[query.get("comp", "")](request, key)

    def _put_blob(self, request: ServerRequest, key: str) -> ServerResponse:
        """Put Blob; with a source, Copy Blob and Copy Blob From URL."""
        check_conditions(request, self._there(key))
        if request.header("x-ms-copy-source") is not None:
            return self._copy(request, key)
        if request.header("x-ms-blob-type") != "BlockBlob":
            raise AzureError(400, "MissingRequiredHeader")
        if self.settings.hierarchical:
            for end in (at for at, letter in enumerate(key) if letter == "/"):
                self.paths.setdefault(key[:end], Path(directory=True))
        self.paths[key] = self._described(request, Path(request.body), md5(request.body))
        return ServerResponse(201, (("ETag", self.paths[key].etag), ("Content-MD5", md5(request.body))))

    @staticmethod
    def _described(request: ServerRequest, path: Path, digest: str) -> Path:
        names = ("content-type", "content-encoding", "cache-control", "content-disposition", "content-language")
        for name in names:
            value = request.header(f"x-ms-blob-{name}")
            if value is not None:
                path.headers[name] = value
        path.headers.update({name: value for name, value in request.headers if name.startswith("x-ms-meta-")})
        if digest:
            path.headers["content-md5"] = digest
        path.tier = request.header("x-ms-access-tier") or "Hot"
        return path

    def _put_block(self, request: ServerRequest, key: str) -> ServerResponse:
        """Put Block, Put Block From URL."""
        content = request.body
        if request.header("x-ms-copy-source") is not None:
            if not self.settings.blocks_from_url:
                raise AzureError(501, "NotImplemented")
            source = self._source(request)
            match = _RANGE.fullmatch(request.header("x-ms-source-range") or "bytes=0-")
            assert match is not None
            content = source.content[int(match[1]):int(match[2]) + 1 if match[2] else None]
        path = self.paths.setdefault(key, Path(committed=False))
        path.staged[request.query["blockid"]] = content
        return ServerResponse(201)

    def _put_block_list(self, request: ServerRequest, key: str) -> ServerResponse:
        """Put Block List: what is not in it is dropped."""
        check_conditions(request, self._there(key))
        ids = [element.text or "" for element in ET.fromstring(request.body)]
        staged = self.paths.setdefault(key, Path(committed=False)).staged
        if any(block not in staged for block in ids):
            raise AzureError(400, "InvalidBlockList")
        path = Path(b"".join(staged[block] for block in ids), blocks={block: len(staged[block]) for block in ids})
        self.paths[key] = self._described(request, path, request.header("x-ms-blob-content-md5") or "")
        return ServerResponse(201, (("ETag", path.etag),))

    def _set_expiry(self, request: ServerRequest, key: str) -> ServerResponse:
        """Set Blob Expiry."""
        if not self.settings.hierarchical:
            raise AzureError(409, "HierarchicalNamespaceNotEnabled")
        self._found(key).expiry = f"{request.header('x-ms-expiry-option')} {request.header('x-ms-expiry-time', '')}"
        return ServerResponse(200)

    def delete(self, request: ServerRequest, key: str) -> ServerResponse:
        """Delete Blob."""
        check_conditions(request, self._found(key))
        del self.paths[key]
        return ServerResponse(202)

    # ---- copying

    def _source(self, request: ServerRequest) -> Path:
        key = unquote(urlsplit(request.header("x-ms-copy-source") or "").path).split("/", 3)[-1]
        path = self._there(key)
        if path is None:
            raise AzureError(404, "CannotVerifyCopySource", (("x-ms-copy-source-status-code", "404"),))
        check_conditions(request, path, source=True)
        return path

    def _copy(self, request: ServerRequest, key: str) -> ServerResponse:
        source, copy_id = self._source(request), uuid.uuid4().hex
        synchronous = request.header("x-ms-requires-sync") == "true"
        if synchronous and len(source.content) > _SYNCHRONOUS:
            raise AzureError(409, "CannotVerifyCopySource")
        pending = 0 if synchronous else self.settings.copy_pending
        ends = "success" if synchronous else self.settings.copy_ends
        path = self.paths[key] = Path(source.content, dict(source.headers))
        path.copy, path.pending = (copy_id, "pending" if pending else ends, ""), pending
        headers: Headers = (("ETag", path.etag), ("x-ms-copy-id", copy_id), ("x-ms-copy-status", path.copy[1]))
        return ServerResponse(202, headers)

    def _abort_copy(self, request: ServerRequest, key: str) -> ServerResponse:
        """Abort Copy Blob."""
        path = self._found(key)
        if not path.pending or path.copy is None or path.copy[0] != request.query["copyid"]:
            raise AzureError(409, "NoPendingCopyOperation")
        path.pending, path.content, path.copy = 0, b"", (path.copy[0], "aborted", "")
        return ServerResponse(204)
