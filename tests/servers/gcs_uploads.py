"""Bodies and sessions of uploads to the scripted Cloud Storage, and batches: bytes in, values out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from cloudfiles.testing.http_messages import ServerRequest

_SPAN = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
UNIT = 256 * 1024


class BadUpload(ValueError):  # noqa: N818
    """A body that is none of what the server documents."""


@dataclass
class Session:
    """A resumable upload.

    Attributes:
        query: of the request that began it.
    """

    name: str
    resource: dict[str, Any]
    query: dict[str, str]
    content: bytearray = field(default_factory=bytearray)
    done: bool = False

    @property
    def condition(self) -> str:
        """The precondition, checked again when the upload ends, as a query."""
        wanted = self.query.get("ifGenerationMatch")
        return "" if wanted is None else f"ifGenerationMatch={wanted}"


def _boundary(request: ServerRequest, kind: str) -> bytes:
    match = re.fullmatch(rf'{kind}; boundary="?([^";]+)"?', request.header("content-type") or "")
    if match is None:
        raise BadUpload(f"not {kind}: {request.header('content-type')}")
    return match[1].encode()


def parse_related(request: ServerRequest) -> tuple[dict[str, Any], bytes]:
    """The metadata and the content of a multipart/related upload."""
    boundary = _boundary(request, "multipart/related")
    body = request.body
    if not body.startswith(b"--" + boundary + b"\r\n") or not body.endswith(b"\r\n--" + boundary + b"--\r\n"):
        raise BadUpload("not framed by its boundary")
    inner = body[len(boundary) + 4:-len(boundary) - 8]
    first, separator, second = inner.partition(b"\r\n--" + boundary + b"\r\n")
    if not separator:
        raise BadUpload("one part only")
    metadata, content = (part.partition(b"\r\n\r\n")[2] for part in (first, second))
    return json.loads(metadata), content


def upload_span(request: ServerRequest, session: Session) -> tuple[int | None, int | None]:
    """Where a piece begins, None for a question how far the upload got; and the object's size where it is told.

    Raises BadUpload for a piece that is not the last and no multiple of 256 KiB, or leaves a gap.
    """
    match = _SPAN.fullmatch(request.header("content-range") or "")
    if match is None:
        raise BadUpload(f"Content-Range {request.header('content-range')}")
    total = None if match[3] == "*" else int(match[3])
    if match[1] is None:
        return None, total
    begin, end = int(match[1]), int(match[2]) + 1
    if begin > len(session.content) or len(request.body) != end - begin:
        raise BadUpload(f"bytes {begin}-{end} behind {len(session.content)}")
    if end != total and len(request.body) % UNIT and begin % UNIT == 0:
        raise BadUpload(f"a piece of {len(request.body)} bytes")
    return begin, total


def parse_batch(request: ServerRequest) -> list[tuple[str, ServerRequest]]:
    """The requests in a batch with their Content-IDs."""
    boundary = _boundary(request, "multipart/mixed")
    found = []
    for part in request.body.split(b"--" + boundary)[1:-1]:
        outer, _, inner = part.strip(b"\r\n").partition(b"\r\n\r\n")
        content_id = re.search(rb"(?i)content-id: <(.+)>", outer)
        line = re.fullmatch(rb"([A-Z]+) (\S+) HTTP/1.1", inner.strip())
        if content_id is None or line is None or b"application/http" not in outer:
            raise BadUpload(f"a part of a batch: {part[:200]!r}")
        found.append((content_id[1].decode(), ServerRequest(line[1].decode(), line[2].decode(), ())))
    return found
