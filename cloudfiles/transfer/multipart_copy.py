"""Copies one large object: in parts, several at once, in bounded memory; or through a temporary file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from cloudfiles import compression, encoding_streams
from cloudfiles.batch.fanout import collect
from cloudfiles.batch.reader import decoding
from cloudfiles.exceptions import (
    CloudFilesError,
    FileSystemError,
    ObjectChangedError,
    TransportError,
    TruncatedBodyError,
)
from cloudfiles.interfaces.part_writer import PartWriter
from cloudfiles.transfer.checksum import COMPUTED, ObjectChecksum
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.part_workers import ObjectParts
from cloudfiles.transfer.partial_upload import PartTracker
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.streamed_part import PIECE_BYTES, StreamedPart
from cloudfiles.transport.wire import is_framed
from cloudfiles.types import StoredObject

if TYPE_CHECKING:
    from cloudfiles.interfaces.part_read import TakePiece
    from cloudfiles.transfer.copier import Copier

_STREAM_TRIES = 3


class MultipartCopy:
    """Copies one version of one object.

    Raises ObjectChangedError if the source no longer has this version. After any failure the target is unchanged, and
    only the parts that can be resumed remain.
    """

    def __init__(self, copier: Copier, item: Item, described: StoredObject, parts: ObjectParts) -> None:
        self._copier = copier
        self._source = copier.source
        self._target = copier.target
        self._runtime = copier.runtime
        self._read = copier.read
        self._write = copier.write
        self._limit = copier.limit
        self._item = item
        self._described = described
        self._size = described.size or 0
        self._options = copier.write_options(described, item)
        self._encoding = copier.encoding_of(described)
        self._parts = parts
        resume = copier.resume
        self._tracker: PartTracker | None = None if resume is None else resume.track_parts(item, described)

    def copy(self) -> ObjectOutcome:
        self._check_encoding()
        if (self._described.size is not None and self._options.encoding == self._encoding
                and self._described.validator is not None and self._source.supports_ranges(self._described)):
            state = None if self._tracker is None else self._tracker.state
            writer = self._target.open_writer(self._item.target, self._size, self._options, state)
            if writer is not None:
                return self.copy_parts(writer)
        return self._spool()

    def _check_encoding(self) -> None:
        encoding = self._encoding
        if encoding == self._options.encoding and encoding and self._source.traits.folds_suffixes:
            stored = self._read(0, self._source.get, self._item.source, 0, compression.BEGINNING)
            if stored is not None:
                self._copier.check_encoding(self._item, encoding, stored.content)

    # ---- in parts

    def copy_parts(self, writer: PartWriter) -> ObjectOutcome:
        """Write the parts that `writer` does not have yet, and publish the object. On failure it is aborted, or left to
        be resumed."""
        digest = ObjectChecksum(self._source.digests(self._described), self._described.etag, self._size,
                                writer.part_size, self._runtime)
        done = writer.written()
        streams = self._streams(writer, digest)
        tracker = self._tracker
        if tracker is not None:
            tracker.start_writing(writer, digest)

        def copy_part(start: int) -> None:
            end = min(start + writer.part_size, self._size)
            if start in done and writer.is_checked and tracker is not None and tracker.reuse_part(start, end - start):
                return
            with self._parts.slot(PIECE_BYTES if streams else end - start):
                content = self._read_back(writer, start, end) if start in done else None
                if content is None and streams:
                    self._stream_part(writer, digest, start, end)
                    return
                if content is None:
                    content = self._part(start, end)
                    if start not in done or not writer.is_checked:
                        self._write(len(content), writer.write, start, content)
                digest.add(start, content)
                if tracker is not None:
                    tracker.add(start, content)

        try:
            self._run_parts(copy_part, writer.part_size)
            verified = digest.check(self._item.source)
            etag = writer.finish()
        except BaseException as error:
            if tracker is not None and tracker.is_resumable_after(error):
                writer.suspend()
            else:
                writer.abort()
            raise
        return self._outcome("parts", etag, verified)

    def _read_back(self, writer: PartWriter, start: int, end: int) -> bytes | None:
        """A part that an earlier writer has written, unless it differs from the saved digest."""
        content = self._write(end - start, writer.read_back, start, end - start)
        known = content is not None and self._tracker is not None and self._tracker.matches(start, content)
        return content if known else None

    def _run_parts(self, work: Callable[[int], None], part_size: int) -> None:
        runtime = self._runtime

        def check(_: int) -> None:
            """Whether this worker's own batch was cancelled; if so, it ends here."""
            if runtime is not None:
                runtime.sleep(0)

        collect(work, range(0, self._size, part_size), self._parts.plan(part_size, check))

    def _part(self, start: int, end: int, take: TakePiece | None = None) -> bytes:
        """The bytes of a part, or none if they were passed to `take`."""
        if self._limit is not None:
            self._limit.take(end - start)
        arguments = self._item.source, start, end, self._described
        try:
            if take is None:
                return self._read(end - start, self._source.get_part, *arguments)
            self._source.stream_part(*arguments, take)
            return b""
        except ObjectChangedError as error:
            raise self._changed() from error

    def _streams(self, writer: PartWriter, digest: ObjectChecksum) -> bool:
        """Whether parts are written as they arrive: not in a hub, whose other green threads would wait for the file
        system each time, nor if the digest has to be computed in the order of the parts."""
        in_hub = self._runtime is not None and self._runtime.name == "green"
        return writer.takes_pieces and not in_hub and digest.part_algorithm is not None

    def _stream_part(self, writer: PartWriter, digest: ObjectChecksum, start: int, end: int) -> None:
        part = StreamedPart(writer, start, {digest.part_algorithm or "", "" if self._tracker is None else COMPUTED})
        self._part(start, end, part.take)
        self._write(end - start, writer.end_part, start)
        digest.add_part_value(start, part.value(digest.part_algorithm or ""), end - start)
        if self._tracker is not None:
            self._tracker.add_digest(start, part.value(COMPUTED), end - start)

    def _changed(self) -> ObjectChangedError:
        return ObjectChangedError("the source was replaced or removed while it was being read; the target is unchanged",
                                  path=self._item.source)

    # ---- through a temporary file

    def _spool(self) -> ObjectOutcome:
        self._parts.as_one()
        if self._limit is not None:
            self._limit.take(self._size)
        with self._spooled() as (file, verified):
            etag = self._write(self._size, self._target.put, self._item.target, file, self._options)
            size = file.seek(0, io.SEEK_END)
        return self._outcome("spool", etag, verified, size)

    @contextmanager
    def _spooled(self) -> Iterator[tuple[BinaryIO, str]]:
        """The content, in the encoding of the target, in an unnamed temporary file."""
        import tempfile  # here, as it takes long to import

        for tries_left in reversed(range(_STREAM_TRIES)):
            with tempfile.TemporaryFile() as spool:
                file = cast(BinaryIO, spool)
                try:
                    with decoding(self._source, self._item.source, self._encoding):
                        verified = self._fill(file)
                except TransportError:
                    if not tries_left:
                        raise
                    continue
                except CloudFilesError:
                    raise
                except OSError as error:
                    raise FileSystemError(f"cannot write the temporary file in {tempfile.gettempdir()}: "
                                          f"{error}", errno=error.errno, path=self._item.source) from error
                file.seek(0)
                yield file, verified
                return

    def _fill(self, file: BinaryIO) -> str:
        take, finish = _recoder(file.write, self._encoding, self._options.encoding, self._item.source)
        digest = ObjectChecksum(self._source.digests(self._described), None, self._size, self._size, None)
        at = 0

        def take_piece(piece: bytes | memoryview) -> None:
            nonlocal at
            content = bytes(piece)
            take(content)
            digest.add(at, content)
            at += len(content)

        stored = self._source.stream_to(self._item.source, take_piece)
        finish()
        if stored is None or not stored.may_be_same_content(self._described) or self._described.size not in (None, at):
            raise self._changed()
        known = self._item.size
        if self._described.size is None and known not in (None, at) and not is_framed(stored.headers or {}):
            raise TruncatedBodyError(f"received {at} bytes of an object that has {known}", path=self._item.source)
        return digest.check(self._item.source)

    def _outcome(self, way: Any, etag: str | None, verified: str, size: int | None = None) -> ObjectOutcome:
        size = self._size if size is None else size
        return ObjectOutcome(self._item, "copied", way, size, etag, self._copier.verification(verified),
                             self._described.etag, self._digest(verified))

    def _digest(self, verified: str) -> str:
        computed = "" if self._tracker is None else self._tracker.digest()
        return self._copier.reported_digest(self._described, verified) or computed


def _recoder(write: Callable[[bytes], Any], stored: str, wanted: str,
             path: str) -> tuple[Callable[[bytes], Any], Callable[[], Any]]:
    """A function that takes the stored bytes piece by piece, and one to call at their end."""
    if stored == wanted:
        return write, lambda: None
    decoder, encoder = encoding_streams.decoder(stored, path), encoding_streams.encoder(wanted)

    def finish() -> None:
        decoder.finish()
        write(encoder.finish())

    return lambda piece: write(encoder.update(decoder.update(piece))), finish
