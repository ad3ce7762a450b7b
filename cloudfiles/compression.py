"""Content encodings: gzip, br, zstd, xz and bz2, whole or as a stream.

A content encoding is named as in the Content-Encoding header (RFC 9110 8.4): one coding,
or a list in the order in which they were applied, so `"gzip, br"` is undone from right to
left. `True` means gzip; `None`, `False`, `""` and `"identity"` mean none.

Decoding reads concatenated members to the end (RFC 1952 2.2, RFC 8878 3.1, xz file format
2.2) and accepts nothing but whole, intact streams. Two things are tolerated: zeros behind a
gzip member, as tape and block devices leave them, and content of zero bytes, which decodes
to zero bytes under any encoding, because stores are full of empty objects that carry one.

Compression levels (None picks the default) and what is behind them:

    gzip  0-9, default between 3 and 4   0 stores; 1-5 are ISA-L 1, 2, 2, 3, 3; 6-9 are zlib's own.
    br    0-11, default 5
    zstd  -131072 to 22, default 3
    xz    0-9, default 6
    bz2   1-9, default 9

ISA-L at its highest level is some ten times as fast as zlib at 6, and its output 3-13 % larger on
text and JSON; on long runs zlib's can be less than half the size, so who asks for 6-9 gets zlib.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from .exceptions import CompressionError, DecompressionError, InvalidInputError, UnsupportedCompressionType

__all__ = ["COMPRESSION_EXTENSIONS", "COMPRESSION_TYPES", "compress", "decompress", "normalize_encoding", "transcode"]

Buffer = bytes | bytearray | memoryview
Encoding = str | bool | None

COMPRESSION_EXTENSIONS: dict[str, str] = {".gz": "gzip", ".br": "br", ".zstd": "zstd", ".xz": "xz", ".bz2": "bz2"}
"""Suffix by which a file system shows an encoding, and the encoding."""

COMPRESSION_TYPES: tuple[Encoding, ...] = (None, False, True, "", "identity", "gzip", "br", "zstd", "xz", "lzma", "bz2")
"""What may be passed as `compress=`."""

_ALIASES = {
    "gzip": "gzip", "x-gzip": "gzip", "gz": "gzip",
    "br": "br", "brotli": "br", "x-brotli": "br",
    "zstd": "zstd", "zst": "zstd", "x-zstd": "zstd",
    # One decoder reads the .xz container and the legacy .lzma stream; only .xz is written.
    "xz": "xz", "x-xz": "xz", "lzma": "xz", "x-lzma": "xz",
    "bz2": "bz2", "bzip2": "bz2", "x-bzip2": "bz2",
}
# S3 leaves aws-chunked, which frames an upload, in the Content-Encoding of objects so uploaded.
_NO_CODING = frozenset({"", "identity", "none", "aws-chunked"})

_SLICE = 1 << 18  # bytes of input per step: what is behind a member is copied at each member's end
_PIECE = 1 << 20  # bytes of output per step where the output is bounded
_ZSTD_LEVEL = 3
_ZSTD_SLICE = 512  # 4 bytes of a zstd block can become 128 KiB, so a step yields at most 16 MiB
_ZSTD_WHOLE = 1 << 26  # bytes up to which the size that a zstd frame claims is allocated at once


@dataclass(frozen=True)
class _Codec:
    name: str
    levels: range
    default_level: int | None
    errors: tuple[type[Exception], ...]  # what its library raises
    compressor: Callable[[int | None], Any]  # with compress(data) and flush()
    decompressor: Callable[[], Any]  # with the contract of bz2.BZ2Decompressor, for one member
    concatenates: bool = True  # a member may follow a member
    zero_padded: bool = False  # zeros may follow a member
    compress_whole: Callable[[Buffer, int | None], bytes] | None = None
    decompress_whole: Callable[[Buffer], bytes | None] | None = None  # None: not that simple, stream it


# ---- names


def normalize_encoding(encoding: Encoding) -> str | None:
    """The canonical name of an encoding, or None where there is none.

    >>> normalize_encoding(".gz"), normalize_encoding("x-gzip, Brotli"), normalize_encoding("identity")
    ('gzip', 'gzip, br', None)

    Raises:
        UnsupportedCompressionType: for a name that is not known.
    """
    return ", ".join(_names(encoding)) or None


@lru_cache(maxsize=256, typed=True)
def _names(encoding: Encoding) -> tuple[str, ...]:
    if encoding is True:
        return ("gzip",)
    if not encoding:
        return ()
    if not isinstance(encoding, str):
        raise _unknown(encoding)
    members = (member.strip().lower().removeprefix(".") for member in encoding.split(","))
    return tuple(_canonical(member, encoding) for member in members if member not in _NO_CODING)


def _canonical(member: str, encoding: str) -> str:
    try:
        return _ALIASES[member]
    except KeyError:
        raise _unknown(encoding) from None


def _unknown(encoding: object) -> UnsupportedCompressionType:
    known = ", ".join(COMPRESSION_EXTENSIONS.values())
    return UnsupportedCompressionType(f"compression {encoding!r} is not known; known are {known}, identity, True, None")


def _decoders(encoding: Encoding, filename: str) -> list[_Codec]:
    """The codecs that undo `encoding`, in the order of decoding."""
    try:
        return [_codec(name) for name in reversed(_names(encoding))]
    except UnsupportedCompressionType as error:
        error.path = _key(filename)
        raise


def _encoder(method: Encoding) -> _Codec | None:
    names = _names(method)
    if len(names) > 1:
        raise UnsupportedCompressionType(f"content is compressed with one method at a time, not with {method!r}")
    return _codec(names[0]) if names else None


def _level(codec: _Codec, level: int | None) -> int | None:
    if level is None:
        return codec.default_level
    if not hasattr(level, "__index__") or isinstance(level, bool) or operator.index(level) not in codec.levels:
        allowed = f"an integer from {codec.levels[0]} to {codec.levels[-1]}"
        raise InvalidInputError(f"compression level of {codec.name} must be {allowed}, not {level!r}")
    return operator.index(level)


def _octets(content: Buffer) -> Buffer:
    """`content` as a flat run of bytes, without copying where its layout allows."""
    if isinstance(content, memoryview):
        return content.cast("B") if content.c_contiguous and content.nbytes else content.tobytes()
    if isinstance(content, (bytes, bytearray)):
        return content
    raise InvalidInputError(f"content must be bytes, bytearray or memoryview, not {type(content).__name__}")


def _as_bytes(content: Buffer) -> bytes:
    return content if type(content) is bytes else bytes(_octets(content))


def _key(filename: str) -> str | None:
    return None if filename == "N/A" else filename


def check(method: Encoding, level: int | None = None) -> None:
    """Raise what `compress` would raise for this method and level, without anything to compress."""
    codec = _encoder(method)
    if codec is not None:
        _level(codec, level)


# ---- whole contents


def compress(content: Buffer, method: Encoding = "gzip", compress_level: int | None = None) -> bytes:
    """`content` encoded by `method`; the same input always gives the same output.

    Args:
        content: bytes, bytearray or memoryview. Bytes under no encoding come back as they are, uncopied.
        method: one encoding; True is gzip; None, False, "" and "identity" are none.
        compress_level: see the module's table; None is the method's default. Ignored where there is no encoding.

    Raises:
        UnsupportedCompressionType: the method is not known.
        InvalidInputError: the level is out of the method's range, or the content is not bytes.
    """
    codec = _encoder(method)
    if codec is None:
        return _as_bytes(content)
    level = _level(codec, compress_level)
    data = _octets(content)
    try:
        if codec.compress_whole is not None:
            return codec.compress_whole(data, level)
        stream = codec.compressor(level)
        return b"".join((stream.compress(data), stream.flush()))
    except codec.errors as error:
        raise CompressionError(f"{codec.name} could not compress {len(data)} bytes: {error}") from error


def decompress(content: Buffer, encoding: Encoding, filename: str = "N/A", *,
               max_decoded_size: int | None = None) -> bytes:
    """`content` with every coding of `encoding` undone.

    Args:
        content: the stored bytes. Zero bytes decode to zero bytes under any encoding. What is not bytes (None for a
            missing object, an object that `mem://` keeps) comes back as it is where there is no encoding.
        encoding: a Content-Encoding: one name, a comma-separated list, or none.
        filename: the key, for errors.
        max_decoded_size: bytes that the result may have. The content is then decoded in
            bounded steps: no more than the limit and 16 MiB are ever held.

    Raises:
        DecompressionError: the content is corrupt, truncated, followed by something else, or decodes to
            more than `max_decoded_size`.
        UnsupportedCompressionType: the encoding is not known.
    """
    codecs = _decoders(encoding, filename)
    if not codecs and not isinstance(content, Buffer):
        return content
    if not codecs and max_decoded_size is None:
        return _as_bytes(content)
    if len(codecs) == 1 and max_decoded_size is None and codecs[0].decompress_whole is not None:
        whole = codecs[0].decompress_whole(_octets(content))
        if whole is not None:
            return whole
    stream = Decoder(codecs, filename, max_decoded_size)
    decoded = stream.update(content)
    stream.finish()
    return decoded


def transcode(files: dict[str, Any] | Iterable[dict[str, Any] | tuple[str, Any]], encoding: Encoding,
              level: int | None = None, progress: bool | str = False, in_place: bool = False,
              ) -> Iterator[dict[str, Any]]:
    """Re-encode results of `CloudFiles.get(raw=True)`, one at a time, as they are asked for.

    Args:
        files: one result or an iterable of them, with `path`, `content` and `compress`. A result with
            `raw: False` has been decoded already, whatever its `compress` says, and so has a `(path, content)`.
        encoding: the encoding to bring them to; None decodes them.
        level: compression level. Where given, contents already so encoded are encoded anew;
            otherwise they pass untouched.
        progress: draw a bar; a string is its title.
        in_place: change the given dicts, which frees the old contents, instead of copies of them.

    Yields:
        The results with `content` re-encoded, `compress` set to the encoding and `raw` to True. A content of
        None (a missing object) stays None.

    Raises:
        UnsupportedCompressionType, InvalidInputError: at the call, before any file is taken.
        DecompressionError: naming the path, when a stored content is corrupt.
    """
    check(encoding, level)
    items = _with_progress([files] if isinstance(files, dict) else files, progress)
    return _transcoded(items, normalize_encoding(encoding), level, in_place)


def _transcoded(files: Iterable[dict[str, Any] | tuple[str, Any]], encoding: str | None, level: int | None,
                in_place: bool) -> Iterator[dict[str, Any]]:
    for given in files:
        file = _as_file(given, in_place)
        stored = normalize_encoding(file.get("compress")) if file.get("raw", True) else None
        content = file.get("content")
        if content is not None and (stored != encoding or (level is not None and encoding is not None)):
            plain = decompress(content, stored, file.get("path", "N/A"))
            file["content"] = compress(plain, encoding, level)
        file["compress"] = encoding
        file["raw"] = True
        yield file


def _as_file(given: dict[str, Any] | tuple[str, Any], in_place: bool) -> dict[str, Any]:
    if not isinstance(given, dict):
        path, content = given
        return {"path": path, "content": content}
    return given if in_place else dict(given)


def _with_progress(files: Iterable[Any], progress: bool | str) -> Iterable[Any]:
    if not progress:
        return files
    from tqdm.auto import tqdm

    title = progress if isinstance(progress, str) else "Transcoding"
    bar: Iterable[Any] = tqdm(files, desc=title, total=len(files) if isinstance(files, Sized) else None)
    return bar


# ---- streams


def encoder(method: Encoding = "gzip", level: int | None = None) -> Encoder:
    """A stream that encodes by `method`; raises what `compress` raises, at once."""
    codec = _encoder(method)
    return Encoder(codec, None if codec is None else _level(codec, level))


def decoder(encoding: Encoding, filename: str = "N/A", max_decoded_size: int | None = None) -> Decoder:
    """A stream that undoes `encoding`; arguments and errors as for `decompress`."""
    return Decoder(_decoders(encoding, filename), filename, max_decoded_size)


class Encoder:
    """Encodes content that comes in pieces: `update` each, then `finish` once."""

    def __init__(self, codec: _Codec | None, level: int | None) -> None:
        self._stream = None if codec is None else codec.compressor(level)

    def update(self, data: Buffer) -> bytes:
        """Take the next piece; return what is encoded so far, often nothing."""
        return _as_bytes(data) if self._stream is None else bytes(self._stream.compress(_octets(data)))

    def finish(self) -> bytes:
        """The rest of the encoded stream."""
        return b"" if self._stream is None else bytes(self._stream.flush())


class Decoder:
    """Decodes stored bytes that come in pieces: `update` each, then `finish` once.

    What `update` has returned is only known to be whole when `finish` has not raised.
    """

    def __init__(self, codecs: list[_Codec], filename: str, max_decoded_size: int | None) -> None:
        self._limit = max_decoded_size
        bounded = max_decoded_size is not None or len(codecs) > 1
        self._stages = [_Stage(codec, filename, _PIECE if bounded else -1) for codec in codecs]
        self._filename = filename
        self._decoded = 0

    def update(self, data: Buffer) -> bytes:
        """Take the next stored bytes; return what they decode to.

        Raises:
            DecompressionError: the stream is corrupt, or has grown past `max_decoded_size`.
        """
        return b"".join(map(self._counted, _through(self._stages, _octets(data))))

    def finish(self) -> None:
        """Assert that the stream has ended where a stream can end.

        Raises:
            DecompressionError: it was truncated, or padded wrongly.
        """
        for stage in self._stages:
            stage.finish()

    def _counted(self, piece: Buffer) -> Buffer:
        self._decoded += len(piece)
        if self._limit is not None and self._decoded > self._limit:
            raise DecompressionError(f"content decodes to more than the {self._limit} bytes allowed",
                                     path=_key(self._filename))
        return piece


def _through(stages: list[_Stage], data: Buffer) -> Iterator[Buffer]:
    """`data` decoded by each stage in turn, in pieces, so that no stage's whole output is ever held."""
    if not stages:
        yield data
        return
    for piece in stages[0].update(data):
        yield from _through(stages[1:], piece)


class _Stage:
    """Undoes one coding: a run of members, each by a decompressor of its own."""

    def __init__(self, codec: _Codec, filename: str, max_piece: int) -> None:
        self._codec = codec
        self._filename = filename
        self._max_piece = max_piece
        self._member: Any = None  # the decompressor of the member being read
        self._members = 0  # that have ended
        self._read = 0  # bytes of input

    def update(self, data: Buffer) -> Iterator[bytes]:
        view = memoryview(data)
        for at in range(0, len(view), _SLICE):
            self._read += len(view[at:at + _SLICE])
            yield from self._decode(view[at:at + _SLICE])

    def finish(self) -> None:
        if self._member is not None:
            raise self._error(f"content is truncated: it ends within a stream, after {self._read} bytes")

    def _decode(self, data: Buffer) -> Iterator[bytes]:
        while True:
            if self._member is None:
                data = self._next_member(data)
                if not data:
                    return
            try:
                piece = self._member.decompress(data, self._max_piece)
            except self._codec.errors as error:
                raise self._error(f"content is corrupt within its first {self._read} bytes: {error}") from error
            if piece:
                yield piece
            data = b""
            if self._member.eof:
                data, self._member = self._member.unused_data, None
                self._members += 1
            elif self._member.needs_input:
                return

    def _next_member(self, data: Buffer) -> Buffer:
        """Open a decompressor for the member that `data` begins; return it without padding before it."""
        if self._members and self._codec.zero_padded:
            data = bytes(data).lstrip(b"\0")
        if data:
            if self._members and not self._codec.concatenates:
                raise self._error("content goes on behind the end of its stream")
            self._member = self._codec.decompressor()
        return data

    def _error(self, message: str) -> DecompressionError:
        return DecompressionError(f"{self._codec.name} {message}", path=_key(self._filename))


# ---- codecs, each imported when first needed


@cache
def _codec(name: str) -> _Codec:
    return {"gzip": _gzip, "br": _br, "zstd": _zstd, "xz": _xz, "bz2": _bz2}[name]()


_ISAL_LEVELS = {None: 2, 1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
_GZIP_HEADER = 1 << 20  # bytes that a header may reasonably have
_GZIP_WBITS = 31  # a 32 KiB window in a gzip wrapper; its mtime is always 0


def _gzip() -> _Codec:
    import zlib

    from isal import igzip_lib, isal_zlib

    def compressor(level: int | None) -> Any:
        if level in _ISAL_LEVELS:
            return isal_zlib.compressobj(_ISAL_LEVELS[level], isal_zlib.DEFLATED, _GZIP_WBITS)
        return zlib.compressobj(operator.index(level or 0), zlib.DEFLATED, _GZIP_WBITS)

    errors: Any = (igzip_lib.IsalError, isal_zlib.IsalError, zlib.error)
    return _Codec("gzip", range(10), None, errors, compressor,
                  lambda: _GzipDecompressor(igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)), zero_padded=True)


class _GzipDecompressor:
    """One member, whose header is handed on in one piece: cut in two, a header with a checksum or with
    several fields makes ISA-L (2.31) lose its place."""

    def __init__(self, member: Any) -> None:
        self._member = member
        self._header: bytes | None = b""  # as far as it is here; None once handed on

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
            if self._header or data[:4] != b"\x1f\x8b\x08\0":  # a header without fields may be cut
                data = self._header + data
                if not _gzip_header_ends(data):
                    self._header = data
                    return b""
            self._header = None
        return bytes(self._member.decompress(data, max_length))


def _gzip_header_ends(data: bytes) -> bool:
    """Whether `data` holds a whole header (RFC 1952 2.3), or can be none."""
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


def _br() -> _Codec:
    import brotli

    return _Codec("br", range(12), 5, (brotli.error,),
                  lambda level: _BrotliCompressor(brotli.Compressor(quality=level)),
                  lambda: _BrotliDecompressor(brotli.Decompressor()), concatenates=False)


class _BrotliCompressor:
    def __init__(self, stream: Any) -> None:
        self.compress = stream.process
        self.flush = stream.finish


class _BrotliDecompressor:
    unused_data = b""  # bytes behind the end are refused by the library in the same call

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._full = False  # the last output met its bound: more may wait, even where more input would be taken

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


def _zstd() -> _Codec:
    import zstandard

    # A context takes longer to make than 4 KiB to decode. Whole contents share one per thread; a
    # stream owns one, for streams of one thread may take turns.
    shared = threading.local()

    def compress_whole(data: Buffer, level: int | None) -> bytes:
        if level != _ZSTD_LEVEL:  # the tables of high levels take too much memory to keep
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
        except zstandard.ZstdError:  # corrupt, or more than one frame: the stream tells
            return None

    def compressor(level: int | None) -> zstandard.ZstdCompressor:
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL if level is None else level)

    return _Codec("zstd", range(-131072, 23), _ZSTD_LEVEL, (zstandard.ZstdError,),
                  lambda level: compressor(level).compressobj(),
                  lambda: _ZstdDecompressor(zstandard.ZstdDecompressor().decompressobj()),
                  compress_whole=compress_whole, decompress_whole=decompress_whole)


class _ZstdDecompressor:
    """One frame. The library cannot bound its output, so where it must be bounded the input is fed in small steps."""

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


def _xz() -> _Codec:
    import lzma

    return _Codec("xz", range(10), 6, (lzma.LZMAError,), lambda level: lzma.LZMACompressor(preset=level),
                  lzma.LZMADecompressor, zero_padded=True)


def _bz2() -> _Codec:
    import bz2

    return _Codec("bz2", range(1, 10), 9, (OSError,), lambda level: bz2.BZ2Compressor(9 if level is None else level),
                  bz2.BZ2Decompressor)
