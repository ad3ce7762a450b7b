"""The codecs of `compression`: uniform wrappers around libraries, which are imported on first use."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from cloudfiles.late_imports import importing
from cloudfiles.values import NamedTuple

Buffer = bytes | bytearray | memoryview

_ZSTD_LEVEL = 3
_ZSTD_SLICE = 512  # 4 bytes of a zstd block can become 128 KiB, so a step yields at most 16 MiB
_ZSTD_WHOLE = 1 << 26  # up to this many bytes, the size stated in a zstd frame is allocated at once


class Codec(NamedTuple):
    """One coding: its levels, and its compressor and decompressor for streams."""

    name: str
    levels: range
    default_level: int | None
    errors: tuple[type[Exception], ...]  # exceptions of the library
    compressor: Callable[[int | None], Any]  # with compress(data) and flush()
    decompressor: Callable[[], Any]  # with the interface of bz2.BZ2Decompressor, for one member
    concatenates: bool = True  # several members may follow each other
    zero_padded: bool = False  # members may be followed by zeros
    compress_whole: Callable[[Buffer, int | None], bytes] | None = None
    decompress_whole: Callable[[Buffer], bytes | None] | None = None  # None: not that simple, use a stream


@cache
def codec_of(name: str) -> Codec:
    """The codec of a canonical name: gzip, br, zstd, xz or bz2."""
    return {"gzip": _gzip, "br": _br, "zstd": _zstd, "xz": _xz, "bz2": _bz2}[name]()


_ISAL_LEVELS = {None: 2, 1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
_GZIP_HEADER = 1 << 20  # maximum plausible size of a header
_GZIP_WBITS = 31  # a 32 KiB window in a gzip wrapper; its mtime is always 0


@importing
def _gzip() -> Codec:
    import zlib

    from isal import igzip_lib, isal_zlib

    def compressor(level: int | None) -> Any:
        if level in _ISAL_LEVELS:
            return isal_zlib.compressobj(_ISAL_LEVELS[level], isal_zlib.DEFLATED, _GZIP_WBITS)
        return zlib.compressobj(operator.index(level or 0), zlib.DEFLATED, _GZIP_WBITS)

    errors: Any = (igzip_lib.IsalError, isal_zlib.IsalError, zlib.error)
    return Codec("gzip", range(10), None, errors, compressor,
                 lambda: _GzipDecompressor(igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)), zero_padded=True)


class _GzipDecompressor:
    """Decompresses one member. Its header is passed on in one piece, because ISA-L (2.31) does not handle a split
    header with a checksum or several fields."""

    def __init__(self, member: Any) -> None:
        self._member = member
        self._header: bytes | None = b""  # received so far; None once passed on

    @property
    def eof(self) -> bool:
        return bool(self._member.eof)

    @property
    def needs_input(self) -> bool:
        return self._header is not None or bool(self._member.needs_input)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._member.unused_data)

    def decompress(self, data: Buffer, max_length: int) -> bytes:
        if self._header is not None:
            if self._header or data[:4] != b"\x1f\x8b\x08\0":  # a header without fields may be split
                data = self._header + data
                if not _gzip_header_ends(data):
                    self._header = data
                    return b""
            self._header = None
        return bytes(self._member.decompress(data, max_length))


def _gzip_header_ends(data: bytes) -> bool:
    """Whether `data` contains a complete header (RFC 1952 2.3), or cannot be one."""
    if not data.startswith(b"\x1f\x8b"[:len(data)]) or len(data) > _GZIP_HEADER:
        return True
    if len(data) < 10:
        return False
    flags, end = data[3], 10
    if flags & 4:  # FEXTRA
        end += 2 + int.from_bytes(data[10:12], "little")
    for field in (8, 16):  # FNAME, FCOMMENT
        if flags & field:
            end = data.find(b"\0", end) + 1 or len(data) + 1
    return end + (flags & 2) <= len(data)  # FHCRC is two bytes


@importing
def _br() -> Codec:
    import brotli

    return Codec("br", range(12), 5, (brotli.error,),
                 lambda level: _BrotliCompressor(brotli.Compressor(quality=level)),
                 lambda: _BrotliDecompressor(brotli.Decompressor()), concatenates=False)


class _BrotliCompressor:
    def __init__(self, stream: Any) -> None:
        self.compress = stream.process
        self.flush = stream.finish


class _BrotliDecompressor:
    unused_data = b""  # the library rejects bytes after the end in the same call

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._full = False  # the last output reached its limit: more may be pending, even if more input is accepted

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    @property
    def needs_input(self) -> bool:
        return not self._full and bool(self._stream.can_accept_more_data())

    def decompress(self, data: Buffer, max_length: int) -> bytes:
        if max_length < 0:
            return bytes(self._stream.process(data))
        decoded = bytes(self._stream.process(data, output_buffer_limit=max_length))
        self._full = len(decoded) >= max_length
        return decoded


@importing
def _zstd() -> Codec:
    import zstandard

    # Creating a context takes longer than decoding 4 KiB. Whole contents share one per thread; each stream has its own,
    # as streams of one thread may be interleaved.
    shared = threading.local()

    def compress_whole(data: Buffer, level: int | None) -> bytes:
        if level != _ZSTD_LEVEL:  # tables of high levels take too much memory to keep
            return compressor(level).compress(data)
        if not hasattr(shared, "compressor"):
            shared.compressor = compressor(level)
        return bytes(shared.compressor.compress(data))

    def decompress_whole(data: Buffer) -> bytes | None:
        try:
            if not 0 < zstandard.frame_content_size(data) <= _ZSTD_WHOLE:
                return None
            if not hasattr(shared, "decompressor"):
                shared.decompressor = zstandard.ZstdDecompressor()
            return bytes(shared.decompressor.decompress(data, allow_extra_data=False))
        except zstandard.ZstdError:  # corrupt, or more than one frame: decided by the stream
            return None

    def compressor(level: int | None) -> zstandard.ZstdCompressor:
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL if level is None else level)

    return Codec("zstd", range(-131072, 23), _ZSTD_LEVEL, (zstandard.ZstdError,),
                 lambda level: compressor(level).compressobj(),
                 lambda: _ZstdDecompressor(zstandard.ZstdDecompressor().decompressobj()),
                 compress_whole=compress_whole, decompress_whole=decompress_whole)


class _ZstdDecompressor:
    """Decompresses one frame. The library cannot limit its output, so a limit requires input in small steps."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._waiting = memoryview(b"")

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + bytes(self._waiting)

    def decompress(self, data: Buffer, max_length: int) -> bytes:
        if max_length < 0:
            return bytes(self._frame.decompress(data))
        if data:
            self._waiting = memoryview(data)
        pieces: list[bytes] = []
        while self._waiting and not self._frame.eof and sum(map(len, pieces)) < max_length:
            step, self._waiting = self._waiting[:_ZSTD_SLICE], self._waiting[_ZSTD_SLICE:]
            pieces.append(self._frame.decompress(step))
        return b"".join(pieces)


@importing
def _xz() -> Codec:
    import lzma

    return Codec("xz", range(10), 6, (lzma.LZMAError,), lambda level: lzma.LZMACompressor(preset=level),
                 lzma.LZMADecompressor, zero_padded=True)


@importing
def _bz2() -> Codec:
    import bz2

    return Codec("bz2", range(1, 10), 9, (OSError,), lambda level: bz2.BZ2Compressor(9 if level is None else level),
                 bz2.BZ2Decompressor)
