"""Content that is encoded or decoded in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudfiles.codecs import Buffer, Codec
from cloudfiles.content_encoding import Encoding, decoders, encoding_codec, key_of, level_of
from cloudfiles.exceptions import DecompressionError, InvalidInputError
from cloudfiles.inputs import as_buffer

_SLICE = 1 << 18  # bytes of input per step: the data after a member is copied at the end of each member
_PIECE = 1 << 20  # bytes of output per step if the output is limited


def octets(content: Buffer) -> Buffer:
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


def as_bytes(content: Buffer) -> bytes:
    """The same as bytes, not copied if it is bytes already."""
    return content if type(content) is bytes else bytes(octets(content))


def encoder(method: Encoding = "gzip", level: int | None = None) -> Encoder:
    """A stream that encodes with `method`; raises the exceptions of `compress` immediately."""
    codec = encoding_codec(method)
    return Encoder(codec, None if codec is None else level_of(codec, level))


def decoder(encoding: Encoding, filename: str = "N/A", max_decoded_size: int | None = None) -> Decoder:
    """A stream that decodes `encoding`; arguments and exceptions as for `decompress`."""
    return Decoder(decoders(encoding, filename), filename, max_decoded_size)


class Encoder:
    """Encodes content in pieces: call `update` for each, then `finish` once."""

    def __init__(self, codec: Codec | None, level: int | None) -> None:
        self._stream = None if codec is None else codec.compressor(level)

    def update(self, data: Buffer) -> bytes:
        """Process the next piece; returns the output so far, which is often empty."""
        return as_bytes(data) if self._stream is None else bytes(self._stream.compress(octets(data)))

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
        return b"".join(map(self._counted, _through(self._stages, octets(data))))

    def pieces(self, data: Buffer) -> Iterator[Buffer]:
        """As `update`, but the decoded bytes come in pieces of up to 1 MiB: short data may decode to gigabytes."""
        for stage in self._stages:
            stage.max_piece = _PIECE
        return map(self._counted, _through(self._stages, octets(data)))

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
                                       path=key_of(self._filename))
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
        return DecompressionError(f"{self._codec.name} {message}", path=key_of(self._filename))
