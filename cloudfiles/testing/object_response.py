"""Serving one stored object: preconditions, ranges, and the headers that describe it (RFC 9110)."""

from __future__ import annotations

import re

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse, http_date
from cloudfiles.testing.s3_documents import S3Error
from cloudfiles.testing.s3_objects import StoredObject

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def etag_matches(condition: str, etag: str | None) -> bool:
    """Whether If-Match or If-None-Match names `etag`; None stands for no object."""
    if etag is None:
        return False
    named = [value.strip().removeprefix("W/").strip('"') for value in condition.split(",")]
    return "*" in named or etag in named


def check_read(request: ServerRequest, stored: StoredObject) -> ServerResponse | None:
    """The 304 that the request's conditions demand, None to go on. Raises S3Error for 412."""
    if_match, if_none_match = request.header("if-match"), request.header("if-none-match")
    if if_match is not None and not etag_matches(if_match, stored.etag):
        raise S3Error(412, "PreconditionFailed")
    if if_none_match is not None and etag_matches(if_none_match, stored.etag):
        return ServerResponse(304, (("ETag", f'"{stored.etag}"'),))
    return None


def check_write(request: ServerRequest, stored: StoredObject | None) -> None:
    """Raises the S3Error of a conditional write whose condition does not hold."""
    if_match, if_none_match = request.header("if-match"), request.header("if-none-match")
    if if_match is not None and stored is None:
        raise S3Error(404, "NoSuchKey")
    etag = stored.etag if stored else None
    if if_match is not None and not etag_matches(if_match, etag):
        raise S3Error(412, "PreconditionFailed")
    if if_none_match is not None and etag_matches(if_none_match, etag):
        raise S3Error(412, "PreconditionFailed")


def parse_range(value: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a Range header; None for the whole object.

    A header that is not understood is ignored (RFC 9110, 14.2); a range without a byte in it raises S3Error for 416.
    """
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable",
                      (("Content-Range", f"bytes */{size}"),))
    return start, end


def describe(request: ServerRequest, stored: StoredObject, *, partial: bool) -> Headers:
    """The headers that describe an object, without its length and range."""
    headers = [("Last-Modified", http_date(int(stored.modified))), ("Accept-Ranges", "bytes"), *stored.headers.items()]
    if stored.etag:
        headers.append(("ETag", f'"{stored.etag}"'))
    # S3 leaves the checksum of the whole object out of a ranged response.
    if stored.checksums and not partial and (request.header("x-amz-checksum-mode") or "").upper() == "ENABLED":
        headers += [(f"x-amz-checksum-{algorithm}", value) for algorithm, value in stored.checksums.items()]
        headers.append(("x-amz-checksum-type", stored.checksum_type))
    return tuple(headers)


def read(request: ServerRequest, stored: StoredObject) -> ServerResponse:
    """The response to a GET or HEAD of `stored`. Raises S3Error for 412 and 416."""
    not_modified = check_read(request, stored)
    if not_modified is not None:
        return not_modified
    span = parse_range(request.header("range"), len(stored.content))
    headers = describe(request, stored, partial=span is not None)
    content = stored.content
    if span is not None:
        headers = (*headers, ("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{len(content)}"))
        content = content[span[0]:span[1]]
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return ServerResponse(status, headers, announced_length=len(content))
    return ServerResponse(status, headers, content)
