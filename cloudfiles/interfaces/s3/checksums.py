"""Digests of objects in S3: those that the service returns, and those sent with uploads.

Source: S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from cloudfiles import integrity
from cloudfiles.exceptions import IntegrityError

CRC = "crc32"
"""The CRC sent with uploads: computed in hardware, and supported by every server that supports any."""

CRC_HEADER = f"x-amz-checksum-{CRC}"

_SIZES_TRIED = 3
"""Maximum number of part sizes to try for a multipart ETag: each takes an md5 of the whole object."""


def check_object(content: bytes, headers: dict[str, str], path: str | None) -> str:
    """Verify a whole object; returns the name of the digest, '' if there was none. Raises IntegrityError."""
    checked = integrity.check(content, headers, path, etag_is_md5=True)
    if checked:
        return checked
    etag = headers.get("etag", "").strip('"').lower()
    return "md5" if "-" in etag and _is_of_parts(content, etag) else ""


def _is_of_parts(content: bytes, etag: str) -> bool:
    """Whether a multipart ETag matches `content`. If none of the likely part sizes matches, this proves nothing."""
    number = etag.rpartition("-")[2]
    if not (number.isascii() and number.isdigit()):
        return False
    sizes = integrity.likely_part_sizes(len(content), int(number))[:_SIZES_TRIED]
    return any(integrity.multipart_etag(content, size) == etag for size in sizes)


def is_object_of(pieces: Iterable[integrity.Buffer], headers: dict[str, str]) -> bool:
    """Whether the headers of an object prove that it has the content of `pieces`."""
    digests = integrity.digests_from_headers(headers, etag_is_md5=True)
    if not digests:
        return False
    hasher = integrity.hasher(digests[0].algorithm)
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest() == digests[0].value


def check_written(md5: bytes, headers: dict[str, str], path: str | None) -> None:
    """Raise IntegrityError if the ETag in the response to an upload is the md5 of different content."""
    if headers.get("etag", "").strip('"') == md5.hex():
        return
    for digest in integrity.digests_from_headers(headers, etag_is_md5=True):
        if digest.algorithm == "md5" and digest.value != md5:
            raise IntegrityError(f"md5 mismatch: content with {md5.hex()} was sent, the server has "
                                 f"{headers['etag']}", path=path)


def check_stored_crc(sent: dict[str, str], headers: dict[str, str], path: str | None) -> None:
    """Raise IntegrityError if the response to an upload has another CRC than was sent."""
    crc = headers.get(CRC_HEADER)
    if crc is not None and sent.get(CRC_HEADER, crc) != crc:
        raise IntegrityError(f"{CRC} mismatch: content with {sent[CRC_HEADER]} was sent, the server has {crc}",
                             path=path)


class UploadChecksums:
    """The digest with which a server checks uploads: a CRC if it is known to support it, otherwise md5, which is ten
    times slower.

    AWS supports CRCs. For other servers this is known after a first upload, which is sent with both digests, if the
    response contains the CRC.

    Args:
        supports_crc: the server is known to support CRCs.
        ask: find out with the first upload.
        secure: over TLS. Without TLS, a CRC would not protect the body against tampering, so the body is signed.
    """

    def __init__(self, supports_crc: bool, *, ask: bool = True, secure: bool = True) -> None:
        self.supports_crc = supports_crc
        self._ask = ask and not supports_crc
        self._secure = secure

    def headers(self, content: integrity.Buffer) -> dict[str, str]:
        """The headers with which the server checks `content`."""
        if self.supports_crc and self._secure:
            return dict([integrity.checksum_header(CRC, content)])
        if self.supports_crc or self._ask:
            return self.headers_of_pieces([content])
        return {"content-md5": integrity.content_md5(content)}

    def headers_of_pieces(self, pieces: Iterable[integrity.Buffer]) -> dict[str, str]:
        """The same for content in pieces."""
        algorithms = self._algorithms()
        hashers = {algorithm: integrity.hasher(algorithm) for algorithm in algorithms}
        for piece in pieces:
            for hasher in hashers.values():
                hasher.update(piece)
        return dict([_header(algorithm, hasher.digest()) for algorithm, hasher in hashers.items()])

    def _algorithms(self) -> tuple[str, ...]:
        if not self.supports_crc:
            return ("md5", CRC) if self._ask else ("md5",)
        return (CRC,) if self._secure else (CRC, "sha256")

    def learn(self, headers: dict[str, str]) -> None:
        """Evaluate the response to an upload."""
        if self._ask:
            self._ask = False
            self.supports_crc = CRC_HEADER in headers


def _header(algorithm: str, digest: bytes) -> tuple[str, str]:
    """A digest as a header of an upload; a sha256 is the one that is signed."""
    if algorithm == "sha256":
        return "x-amz-content-sha256", digest.hex()
    name = "content-md5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}"
    return name, b64encode(digest).decode("ascii")
