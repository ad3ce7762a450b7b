"""Digests of S3's objects: those that come with them, and those sent along with an upload.

Source: S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

from cloudfiles import integrity

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


class UploadChecks:
    """Which digest this server checks uploads by: a CRC where it is known to, else md5, which costs ten times as much.

    AWS takes a CRC. Of others it is known once a first upload, sent with both, was answered with the CRC.
    """

    ALGORITHM = "crc32"  # computed in hardware, and by every server that checks any CRC

    def __init__(self, takes_crc: bool) -> None:
        self.takes_crc = takes_crc
        self._asked = takes_crc

    def headers(self, content: integrity.Buffer) -> dict[str, str]:
        """The headers that let the server check `content`."""
        if self.takes_crc:
            return self._crc(content)
        headers = {"content-md5": integrity.content_md5(content)}
        return headers if self._asked else headers | self._crc(content)

    def _crc(self, content: integrity.Buffer) -> dict[str, str]:
        return dict([integrity.checksum_header(self.ALGORITHM, content)])

    def answered(self, headers: dict[str, str]) -> None:
        """Take note of an upload's answer."""
        self._asked = True
        self.takes_crc = self.takes_crc or f"x-amz-checksum-{self.ALGORITHM}" in headers
