"""Digests of S3's objects: those that come with them, and those sent along with an upload.

Source: S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from cloudfiles import integrity
from cloudfiles.exceptions import IntegrityError

CRC = "crc32"
"""The CRC sent with uploads: computed in hardware, and taken by every server that takes any."""

CRC_HEADER = f"x-amz-checksum-{CRC}"

_SIZES_TRIED = 3
"""Part sizes tried on a multipart ETag: each costs an md5 of the whole object, and none may fit."""


def check_object(content: bytes, headers: dict[str, str], path: str | None) -> str:
    """Check a whole object; the digest that vouched for it, '' where there was none. Raises IntegrityError."""
    checked = integrity.check(content, headers, path, etag_is_md5=True)
    if checked:
        return checked
    etag = headers.get("etag", "").strip('"').lower()
    return "md5" if "-" in etag and _is_of_parts(content, etag) else ""


def _is_of_parts(content: bytes, etag: str) -> bool:
    """Whether a multipart ETag is that of `content`. That none of the likely part sizes fits is no proof of damage."""
    number = etag.rpartition("-")[2]
    if not (number.isascii() and number.isdigit()):
        return False
    sizes = integrity.likely_part_sizes(len(content), int(number))[:_SIZES_TRIED]
    return any(integrity.multipart_etag(content, size) == etag for size in sizes)


def is_object_of(pieces: Iterable[integrity.Buffer], headers: dict[str, str]) -> bool:
    """Whether the headers of an object prove that it holds the content of `pieces`."""
    digests = integrity.digests_from_headers(headers, etag_is_md5=True)
    if not digests:
        return False
    hasher = integrity.hasher(digests[0].algorithm)
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest() == digests[0].value


def check_written(md5: bytes, headers: dict[str, str], path: str | None) -> None:
    """Raise IntegrityError where the answer to an upload has an ETag that is another md5 than that of what was sent."""
    if headers.get("etag", "").strip('"') == md5.hex():
        return
    for digest in integrity.digests_from_headers(headers, etag_is_md5=True):
        if digest.algorithm == "md5" and digest.value != md5:
            raise IntegrityError(f"md5 mismatch: content with {md5.hex()} was sent, the server has "
                                 f"{headers['etag']}", path=path)


class UploadChecks:
    """By which digest a server checks uploads: a CRC where it is known to, else md5, which costs ten times as much.

    AWS takes a CRC. Of others it is known once a first upload, sent with both, was answered with the CRC.

    Args:
        takes_crc: the server is known to.
        ask: find out by the first upload.
        secure: over TLS. Elsewhere a CRC would let anybody on the way exchange the body: there the body is signed.
    """

    def __init__(self, supports_crc: bool, *, ask: bool = True, secure: bool = True) -> None:
        self.supports_crc = supports_crc
        self._ask = ask and not supports_crc
        self._secure = secure

    def headers(self, content: integrity.Buffer) -> dict[str, str]:
        """The headers by which the server checks `content`."""
        if self.supports_crc and self._secure:
            return dict([integrity.checksum_header(CRC, content)])
        if self.supports_crc or self._ask:
            return self.headers_of_pieces([content])
        return {"content-md5": integrity.content_md5(content)}

    def headers_of_pieces(self, pieces: Iterable[integrity.Buffer]) -> dict[str, str]:
        """The same for content that comes in pieces."""
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
        """Take note of an upload's answer."""
        if self._ask:
            self._ask = False
            self.supports_crc = CRC_HEADER in headers


def _header(algorithm: str, digest: bytes) -> tuple[str, str]:
    """A digest as a header of an upload; a sha256 is the one that the signature speaks for."""
    if algorithm == "sha256":
        return "x-amz-content-sha256", digest.hex()
    name = "content-md5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}"
    return name, b64encode(digest).decode("ascii")
