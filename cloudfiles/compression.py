"""Content encodings: gzip, br, zstd, xz and bz2, for whole contents; `encoding_streams` has those for pieces.

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

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from cloudfiles.codecs import Buffer
from cloudfiles.content_encoding import (
    COMPRESSION_EXTENSIONS,
    COMPRESSION_TYPES,
    Encoding,
    check,
    decoders,
    encoding_codec,
    key_of,
    level_of,
    normalize_encoding,
    stored_encoding,
)
from cloudfiles.encoding_streams import Decoder, as_bytes, decoder, octets
from cloudfiles.exceptions import CompressionError, DecompressionError
from cloudfiles.progress import bar_for

__all__ = ["COMPRESSION_EXTENSIONS", "COMPRESSION_TYPES", "compress", "decompress", "normalize_encoding", "transcode"]


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
    codec = encoding_codec(method)
    if codec is None:
        return as_bytes(content)
    level = level_of(codec, compress_level)
    data = octets(content)
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
    codecs = decoders(encoding, filename)
    if not codecs and not isinstance(content, Buffer):
        return content
    if not codecs and max_decoded_size is None:
        return as_bytes(content)
    if len(codecs) == 1 and max_decoded_size is None and codecs[0].decompress_whole is not None:
        whole = codecs[0].decompress_whole(octets(content))
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
    items = [files] if isinstance(files, dict) else files
    shown = progress if isinstance(progress, str) else bool(progress)
    return _transcoded(items, stored_encoding(encoding) or None, shown, level, in_place)


def _transcoded(files: Iterable[dict[str, Any] | tuple[str, Any]], encoding: str | None, progress: bool | str,
                level: int | None, in_place: bool) -> Iterator[dict[str, Any]]:
    with bar_for(progress, len(files) if isinstance(files, Sized) else None, "Transcoding") as bar:
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
            bar.update(1)


def _as_file(given: dict[str, Any] | tuple[str, Any], in_place: bool) -> dict[str, Any]:
    if not isinstance(given, dict):
        path, content = given
        return {"path": path, "content": content}
    return given if in_place else dict(given)


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
        decoder(encoding, filename).update(octets(content)[:BEGINNING])
    elif content and not bytes(octets(content)[:8]).startswith(beginnings):
        raise DecompressionError(f"the content does not start like {encoding} data", path=key_of(filename))
