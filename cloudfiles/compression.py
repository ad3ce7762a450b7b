"""Content encodings: gzip, br, zstd, xz and bz2, for whole contents and streams.

A content encoding is named as in the Content-Encoding header (RFC 9110 8.4): one coding,
or a list in the order in which they were applied, so `"gzip, br"` is decoded from right to
left. `True` means gzip; `None`, `False`, `""` and `"identity"` mean none.

Decoding reads concatenated members to the end (RFC 1952 2.2, RFC 8878 3.1, xz file format
2.2) and accepts complete, intact streams only, with two exceptions: zeros after a gzip
member, as written by tape and block devices, and content of zero bytes, which decodes to
zero bytes with every encoding, because empty objects with an encoding are common.

Compression levels (None selects the default) and their implementations:

    gzip  0-9, default between 3 and 4   0 stores; 1-5 are ISA-L 1, 2, 2, 3, 3; 6-9 are zlib's.
    br    0-11, default 5
    zstd  -131072 to 22, default 3
    xz    0-9, default 6
    bz2   1-9, default 9

ISA-L at its highest level is about ten times as fast as zlib at 6, and its output is 3-13 % larger for
text and JSON. For long runs, the output of zlib can be less than half the size, so levels 6-9 use zlib.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sized
from functools import lru_cache
from typing import Any

from cloudfiles.codecs import Buffer, Codec, codec_of
from cloudfiles.exceptions import CompressionError, DecompressionError, InvalidInputError, UnsupportedCompressionType
from cloudfiles.inputs import as_buffer

__all__ = ["COMPRESSION_EXTENSIONS", "COMPRESSION_TYPES", "compress", "decompress", "normalize_encoding", "transcode"]

Encoding = str | bool | None

COMPRESSION_EXTENSIONS: dict[str, str] = {".gz": "gzip", ".br": "br", ".zstd": "zstd", ".xz": "xz", ".bz2": "bz2"}
"""File name suffixes on `file://`, and the encodings that they denote."""

COMPRESSION_TYPES: tuple[Encoding, ...] = (None, False, True, "", "identity", "gzip", "br", "zstd", "xz", "lzma", "bz2")
"""Valid values of `compress=`."""

_ALIASES = {
    "gzip": "gzip", "x-gzip": "gzip", "gz": "gzip",
    "br": "br", "brotli": "br", "x-brotli": "br",
    "zstd": "zstd", "zst": "zstd", "x-zstd": "zstd",
    # The decoder reads the .xz container and legacy .lzma streams; only .xz is written.
    "xz": "xz", "x-xz": "xz", "lzma": "xz", "x-lzma": "xz",
    "bz2": "bz2", "bzip2": "bz2", "x-bzip2": "bz2",
}
# aws-chunked describes an upload; S3 keeps it in the Content-Encoding of the object.
_NO_CODING = frozenset({"", "identity", "none", "aws-chunked"})

_SLICE = 1 << 18  # bytes of input per step: the data after a member is copied at the end of each member
_PIECE = 1 << 20  # bytes of output per step if the output is limited


# ---- names


def normalize_encoding(encoding: Encoding) -> str | None:
    """The canonical name of an encoding; None for no encoding.

    >>> normalize_encoding(".gz"), normalize_encoding("x-gzip, Brotli"), normalize_encoding("identity")
    ('gzip', 'gzip, br', None)

    Raises:
        UnsupportedCompressionType: the name is unknown.
    """
    return ", ".join(_names(encoding)) or None


def stored_encoding(encoding: Encoding) -> str:
    """The name of an encoding that is stored with an object; '' for no encoding.

    This is the canonical name, except that `bzip2` is kept: both names are in use, and programs compare it with the
    one that they passed.
    """
    name = normalize_encoding(encoding) or ""
    return "bzip2" if name == "bz2" and encoding == "bzip2" else name


@lru_cache(maxsize=256)
def effective_encoding(encoding: str) -> str:
    """A stored Content-Encoding without codings that have no effect; unknown names are kept.

    >>> effective_encoding("gzip,aws-chunked"), effective_encoding("identity")
    ('gzip', '')
    """
    members = (member.strip() for member in encoding.split(","))
    return ", ".join(member for member in members if member.lower() not in _NO_CODING)


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


def concatenates(encoding: Encoding) -> bool:
    """Whether the concatenation of two contents in this encoding is one too. Raises UnsupportedCompressionType.

    >>> concatenates("gzip"), concatenates(""), concatenates("br")
    (True, True, False)
    """
    return all(codec_of(name).concatenates for name in _names(encoding))


def _canonical(member: str, encoding: str) -> str:
    try:
        return _ALIASES[member]
    except KeyError:
        raise _unknown(encoding) from None


def _unknown(encoding: object) -> UnsupportedCompressionType:
    known = ", ".join(COMPRESSION_EXTENSIONS.values())
    return UnsupportedCompressionType(f"unknown compression {encoding!r}; supported: {known}, identity, True, None")


def _decoders(encoding: Encoding, filename: str) -> list[Codec]:
    """The codecs that decode `encoding`, in the order of decoding."""
    try:
        return [codec_of(name) for name in reversed(_names(encoding))]
    except UnsupportedCompressionType as error:
        error.path = _key(filename)
        raise


def _encoder(method: Encoding) -> Codec | None:
    names = _names(method)
    if len(names) > 1:
        raise UnsupportedCompressionType(f"content can be compressed with only one method, got {method!r}")
    return codec_of(names[0]) if names else None


def _level(codec: Codec, level: int | None) -> int | None:
    if level is None:
        return codec.default_level
    if not hasattr(level, "__index__") or isinstance(level, bool) or operator.index(level) not in codec.levels:
        allowed = f"an integer from {codec.levels[0]} to {codec.levels[-1]}"
        raise InvalidInputError(f"compression level of {codec.name}: expected {allowed}, got {level!r}")
    return operator.index(level)


def _octets(content: Buffer) -> Buffer:
    """`content` as contiguous bytes, without copying if its layout permits."""
    if isinstance(content, memoryview):
        return content.cast("B") if content.c_contiguous and content.nbytes else content.tobytes()
    if isinstance(content, (bytes, bytearray)):
        return content
    if isinstance(content, str):
        return str.__str__(content).encode()
    buffer = as_buffer(content)
    if buffer is None:
        raise InvalidInputError("expected bytes, a str or a C-contiguous buffer as content, got "
                                f"{type(content).__name__}")
    return buffer


def _as_bytes(content: Buffer) -> bytes:
    return content if type(content) is bytes else bytes(_octets(content))


def _key(filename: str) -> str | None:
    return None if filename == "N/A" else filename


def check(method: Encoding, level: int | None = None) -> None:
    """Raise what `compress` would raise for this method and level."""
    codec = _encoder(method)
    if codec is not None:
        _level(codec, level)


# ---- whole contents


def compress(content: Buffer, method: Encoding = "gzip", compress_level: int | None = None) -> bytes:
    """Encode content; the same input always gives the same output.

    Args:
        content: bytes, a str (as UTF-8), or any object with a C-contiguous buffer, such as a numpy array. Without an
            encoding, bytes are returned as they are, not copied.
        method: one encoding; True means gzip; None, False, "" and "identity" mean none.
        compress_level: see the module's table; None for the default of the method. Ignored without an encoding.

    Raises:
        UnsupportedCompressionType: the method is unknown.
        InvalidInputError: the level is outside of the method's range, or the content is not bytes.
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
    """Decode content, undoing all codings of `encoding`.

    Args:
        content: the stored bytes. Zero bytes decode to zero bytes with every encoding. Without an encoding, anything
            that is not bytes (None for a missing object, an object stored in `mem://`) is returned as it is.
        encoding: a Content-Encoding: one name, a comma-separated list, or none.
        filename: the key, for errors.
        max_decoded_size: the maximum size of the result in bytes. The content is then decoded in
            bounded steps, which take no more memory than the limit and 16 MiB.

    Raises:
        DecompressionError: the content is corrupt, truncated, followed by something else, or decodes to
            more than `max_decoded_size`.
        UnsupportedCompressionType: the encoding is unknown.
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
    """Re-encode results of `CloudFiles.get(raw=True)`, lazily, one at a time.

    Args:
        files: one result or an iterable of them, with `path`, `content` and `compress`. A result with
            `raw: False` has been decoded already, whatever its `compress` says, and so has a `(path, content)`.
        encoding: the new encoding; None decodes the contents.
        level: the compression level. If it is given, contents that already have the encoding are encoded
            again; otherwise they are unchanged.
        progress: show a progress bar; a str is its title.
        in_place: change the given dicts instead of copies of them, which frees the old contents.

    Yields:
        The results with `content` re-encoded, `compress` set to the encoding and `raw` to True. A content of
        None (a missing object) stays None.

    Raises:
        UnsupportedCompressionType, InvalidInputError: at the call, before any file is processed.
        DecompressionError: a stored content is corrupt; the message names the path.
    """
    check(encoding, level)
    items = _with_progress([files] if isinstance(files, dict) else files, progress)
    return _transcoded(items, stored_encoding(encoding) or None, level, in_place)


def _transcoded(files: Iterable[dict[str, Any] | tuple[str, Any]], encoding: str | None, level: int | None,
                in_place: bool) -> Iterator[dict[str, Any]]:
    for given in files:
        file = _as_file(given, in_place)
        stored = normalize_encoding(file.get("compress")) if file.get("raw", True) else None
        content = file.get("content")
        is_same = stored == normalize_encoding(encoding) and (level is None or encoding is None)
        if content is not None and not is_same:
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


BEGINNING = 4096
"""Number of bytes that `check_beginning` examines."""

# RFC 1952 2.3.1; RFC 8878 3.1.1 and 3.1.2 (skippable frames); .xz file format 2.1.1.1, and legacy .lzma; bzip2.
_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "gzip": (b"\x1f\x8b",), "bz2": (b"BZh",), "xz": (b"\xfd7zXZ\0", b"\x5d\0\0"),
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes((low,)) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))),
}


def check_beginning(content: Buffer, encoding: str, filename: str = "N/A") -> None:
    """Raise DecompressionError if a content does not start like this encoding. The rest is not checked.
    """
    beginnings = _BEGINNINGS.get(encoding)
    if beginnings is None:
        decoder(encoding, filename).update(_octets(content)[:BEGINNING])
    elif content and not bytes(_octets(content)[:8]).startswith(beginnings):
        raise DecompressionError(f"the content does not start like {encoding} data", path=_key(filename))


# ---- streams


def encoder(method: Encoding = "gzip", level: int | None = None) -> Encoder:
    """A stream that encodes with `method`; raises the exceptions of `compress` immediately."""
    codec = _encoder(method)
    return Encoder(codec, None if codec is None else _level(codec, level))


def decoder(encoding: Encoding, filename: str = "N/A", max_decoded_size: int | None = None) -> Decoder:
    """A stream that decodes `encoding`; arguments and exceptions as for `decompress`."""
    return Decoder(_decoders(encoding, filename), filename, max_decoded_size)


def can_be_appended_to(encoding: Encoding) -> bool:
    """Whether stored bytes that are followed by other ones of the same encoding decode to both contents."""
    codecs = _decoders(encoding, "N/A")
    return not codecs or (len(codecs) == 1 and codecs[0].concatenates)


class Encoder:
    """Encodes content in pieces: call `update` for each, then `finish` once."""

    def __init__(self, codec: Codec | None, level: int | None) -> None:
        self._stream = None if codec is None else codec.compressor(level)

    def update(self, data: Buffer) -> bytes:
        """Process the next piece; returns the output so far, which is often empty."""
        return _as_bytes(data) if self._stream is None else bytes(self._stream.compress(_octets(data)))

    def finish(self) -> bytes:
        """The rest of the encoded stream."""
        return b"" if self._stream is None else bytes(self._stream.flush())


class Decoder:
    """Decodes stored bytes in pieces: call `update` for each, then `finish` once.

    Only when `finish` has not raised is the output known to be complete.
    """

    def __init__(self, codecs: list[Codec], filename: str, max_decoded_size: int | None) -> None:
        self._limit = max_decoded_size
        bounded = max_decoded_size is not None or len(codecs) > 1
        self._stages = [_Stage(codec, filename, _PIECE if bounded else -1) for codec in codecs]
        self._filename = filename
        self._decoded = 0

    def update(self, data: Buffer) -> bytes:
        """Process the next stored bytes; returns the decoded bytes.

        Raises:
            DecompressionError: the stream is corrupt, or larger than `max_decoded_size`.
        """
        return b"".join(map(self._counted, _through(self._stages, _octets(data))))

    def pieces(self, data: Buffer) -> Iterator[Buffer]:
        """As `update`, but the decoded bytes come in pieces of up to 1 MiB: short data may decode to gigabytes."""
        for stage in self._stages:
            stage.max_piece = _PIECE
        return map(self._counted, _through(self._stages, _octets(data)))

    def finish(self) -> None:
        """Check that the stream is complete.

        Raises:
            DecompressionError: it is truncated, or has invalid padding.
        """
        for stage in self._stages:
            stage.finish()

    def _counted(self, piece: Buffer) -> Buffer:
        self._decoded += len(piece)
        if self._limit is not None and self._decoded > self._limit:
            error = DecompressionError(f"content decodes to more than the limit of {self._limit} bytes",
                                       path=_key(self._filename))
            error.is_too_large = True
            raise error
        return piece


def _through(stages: list[_Stage], data: Buffer) -> Iterator[Buffer]:
    """Decode `data` by each stage in turn, in pieces, so that the whole output of a stage is never in memory."""
    if not stages:
        yield data
        return
    for piece in stages[0].update(data):
        yield from _through(stages[1:], piece)


class _Stage:
    """Decodes one coding: a sequence of members, each with its own decompressor."""

    def __init__(self, codec: Codec, filename: str, max_piece: int) -> None:
        self._codec = codec
        self._filename = filename
        self.max_piece = max_piece
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
            raise self._error(f"content is truncated: it ends in the middle of a stream, after {self._read} bytes")

    def _decode(self, data: Buffer) -> Iterator[bytes]:
        while True:
            if self._member is None:
                data = self._next_member(data)
                if not data:
                    return
            try:
                piece = self._member.decompress(data, self.max_piece)
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
        """Create a decompressor for the member at the start of `data`; returns the data without padding before it."""
        if self._members and self._codec.zero_padded:
            data = bytes(data).lstrip(b"\0")
        if data:
            if self._members and not self._codec.concatenates:
                raise self._error("content continues after the end of its stream")
            self._member = self._codec.decompressor()
        return data

    def _error(self, message: str) -> DecompressionError:
        return DecompressionError(f"{self._codec.name} {message}", path=_key(self._filename))
