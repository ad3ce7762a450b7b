"""Names of content encodings, as in the Content-Encoding header (RFC 9110 8.4), and the codecs that they stand for.

An encoding is one coding, or a list in the order in which they were applied, so `"gzip, br"` is decoded from right to
left. `True` means gzip; `None`, `False`, `""` and `"identity"` mean none.
"""

from __future__ import annotations

import operator
from functools import lru_cache

from cloudfiles.codecs import Codec, codec_of
from cloudfiles.exceptions import InvalidInputError, UnsupportedCompressionType

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


def _names(encoding: Encoding) -> tuple[str, ...]:
    try:
        return _parsed(encoding)
    except TypeError:  # not hashable
        raise _unknown(encoding) from None


@lru_cache(maxsize=256, typed=True)
def _parsed(encoding: Encoding) -> tuple[str, ...]:
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


def decoders(encoding: Encoding, filename: str) -> list[Codec]:
    """The codecs that decode `encoding`, in the order of decoding."""
    try:
        return [codec_of(name) for name in reversed(_names(encoding))]
    except UnsupportedCompressionType as error:
        error.path = key_of(filename)
        raise


def encoding_codec(method: Encoding) -> Codec | None:
    """The codec that encodes with `method`; None without an encoding."""
    names = _names(method)
    if len(names) > 1:
        raise UnsupportedCompressionType(f"content can be compressed with only one method, got {method!r}")
    return codec_of(names[0]) if names else None


def level_of(codec: Codec, level: int | None) -> int | None:
    """The level as the codec takes it, its default one in place of None. Raises InvalidInputError."""
    if level is None:
        return codec.default_level
    if not hasattr(level, "__index__") or isinstance(level, bool) or operator.index(level) not in codec.levels:
        allowed = f"an integer from {codec.levels[0]} to {codec.levels[-1]}"
        raise InvalidInputError(f"compression level of {codec.name}: expected {allowed}, got {level!r}")
    return operator.index(level)


def key_of(filename: str) -> str | None:
    """The `path` of errors; "N/A", the default of `decompress`, stands for none."""
    return None if filename == "N/A" else filename


def check(method: Encoding, level: int | None = None) -> None:
    """Raise what `compress` would raise for this method and level."""
    codec = encoding_codec(method)
    if codec is not None:
        level_of(codec, level)
