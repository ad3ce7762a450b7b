"""The checksum of a file in HDFS: the MD5 of the MD5s of its blocks' CRCs.

A CRC is that of a chunk of a block, of 512 bytes by default. So the checksum of equal content differs with the size of
the blocks.

Source: Hadoop documentation, "WebHDFS REST API" (Get File Checksum); the algorithm's name states its parameters:
`MD5-of-<CRCs per block>MD5-of-<bytes per CRC>CRC32C`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cloudfiles import integrity
from cloudfiles.exceptions import MD5IntegrityError
from cloudfiles.integrity import Buffer

_ALGORITHM = re.compile(r"MD5-of-(\d{1,12})MD5-of-(\d{1,9})CRC32(C?)", re.ASCII)
_HEADER = 12  # bytes before the MD5: bytes per CRC, and CRCs per block
_BUFFER = 32  # bytes


class FileChecksum(NamedTuple):
    """The checksum of a file.

    Attributes:
        crc: 'crc32' or 'crc32c'.
        chunk: bytes per CRC.
        block: bytes per block; 0 if there is only one.
        md5: the value.
    """

    crc: str
    chunk: int
    block: int
    md5: bytes

    @classmethod
    def of(cls, document: Any) -> FileChecksum | None:
        """The checksum in a JSON document; None if it is of another kind, or cannot be computed here."""
        fields = document if isinstance(document, dict) else {}
        match = _ALGORITHM.fullmatch(str(fields.get("algorithm")))
        if match is None or int(match[2]) == 0:
            return None
        crc = "crc32c" if match[3] else "crc32"
        try:
            value = bytes.fromhex(str(fields.get("bytes")))[_HEADER:_HEADER + 16]
        except ValueError:
            return None
        if len(value) < 16 or not integrity.is_available(crc):
            return None
        return cls(crc, int(match[2]), int(match[1]) * int(match[2]), value)

    def verify(self, computed: bytes, key: str) -> None:
        """Raise MD5IntegrityError unless the MD5 computed from the content is that of the file."""
        if computed != self.md5:
            raise MD5IntegrityError(f"the server has stored other bytes than were sent: the checksum of its file is "
                                    f"{self.md5.hex()}, that of the content {computed.hex()}", path=key)


def checksum_of(pieces: Iterable[Buffer], kind: FileChecksum, block_size: int) -> bytes:
    """The MD5 that the server computes for this content.

    kind: a checksum of the server, for its parameters. block_size: bytes, in case the content has a single block.
    """
    block = kind.block or max(block_size, kind.chunk)
    of_blocks = bytearray()
    current = hashlib.md5(usedforsecurity=False)
    in_block = 0
    for chunk in _chunks(pieces, kind.chunk, block):
        if in_block >= block:
            of_blocks += current.digest()
            current, in_block = hashlib.md5(usedforsecurity=False), 0
        hasher = integrity.hasher(kind.crc)
        hasher.update(chunk)
        current.update(hasher.digest())
        in_block += len(chunk)
    if in_block:
        of_blocks += current.digest()
    # Hadoop digests its buffer, which begins with 32 bytes and doubles, with the zeros behind the MD5s.
    size = _BUFFER
    while size < len(of_blocks):
        size *= 2
    return hashlib.md5(of_blocks.ljust(size, b"\0"), usedforsecurity=False).digest()


def _chunks(pieces: Iterable[Buffer], size: int, block: int) -> Iterator[Buffer]:
    """The content in chunks of `size` bytes, of which the last one in a block may be shorter."""
    rest = b""
    room = block
    for piece in pieces:
        view = memoryview(piece)
        if rest:
            needed = min(size, room) - len(rest)
            rest += bytes(view[:needed])
            view = view[needed:]
            if len(rest) < min(size, room):
                continue
            yield rest
            room = room - len(rest) or block
            rest = b""
        while len(view) >= min(size, room):
            length = min(size, room)
            yield bytes(view[:length])
            view = view[length:]
            room = room - length or block
        rest = bytes(view)
    if rest:
        yield rest
