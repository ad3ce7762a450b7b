"""Appending to an object: the old content comes first in the new object, unless the store appends by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import BinaryIO, TypeVar

from cloudfiles import logger
from cloudfiles.batch.store import Store
from cloudfiles.batch.writer import WriteDefaults
from cloudfiles.exceptions import (
    CloudFilesError,
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.file_objects.object_reader import ObjectReader
from cloudfiles.file_objects.uploads import Running, Upload
from cloudfiles.file_objects.worker_runtime import worker_runtime
from cloudfiles.interfaces.capabilities import Appending, Concatenation, ConcatSource
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.types import StoredObject, WriteOptions

T = TypeVar("T")


def appended(store: Store, key: str, found: StoredObject, defaults: WriteDefaults) -> Upload:
    """An upload that continues the object that was found. It fails if that is replaced meanwhile.

    defaults: what the program passed; the object keeps its own encoding, content type and metadata.
    """
    if defaults.if_absent:
        raise PreconditionFailedError("the object already exists", path=key, store=store.cloudpath)
    if defaults.if_match is not None and defaults.if_match != found.etag:
        raise PreconditionFailedError(f"the object has the ETag {found.etag}; expected the ETag {defaults.if_match}",
                                      path=key, store=store.cloudpath)
    changes = defaults.content_type or defaults.cache_control or defaults.storage_class or defaults.metadata
    appending = None if found.encoding or changes else store.here().capability(Appending)
    kept = store.here().write_options(found)
    options = kept._replace(if_match=found.etag, content_type=defaults.content_type or kept.content_type,
                            cache_control=defaults.cache_control or kept.cache_control,
                            storage_class=defaults.storage_class or kept.storage_class,
                            metadata=defaults.metadata or kept.metadata)
    rewriting = RewritingUpload(store, key, options, found)
    return rewriting if appending is None else InPlaceUpload(store, key, found, appending, rewriting)


class RewritingUpload(Upload):
    """An upload that begins with the content of the object that it replaces, if anything is appended at all. The server
    copies that content if it can; otherwise it is read and sent again."""

    continues = True

    def __init__(self, store: Store, key: str, options: WriteOptions, found: StoredObject) -> None:
        super().__init__(store, key, options)
        self._found = found
        self._is_copying = False  # the server copies the old content, or has not refused to do so yet

    def push(self, piece: bytes | memoryview) -> None:
        if self._running is None:
            self._begin()
        self._send(lambda running: running.push(piece))

    def commit(self, rest: bytes) -> str | None:
        if self._running is None and not rest:
            return self._found.etag
        if self._running is None and (self._found.size or 0) + len(rest) <= PART_BYTES:
            return super().commit(b"".join([*self._old_content(), rest]))
        if rest:
            self.push(rest)
        return self._send(Running.finish)

    def _begin(self) -> None:
        runtime = worker_runtime(self._store)
        interface, source, options = self._store.interface(runtime), ConcatSource(self._key, self._found), self._options

        def extend(content: BinaryIO) -> str | None:
            operations = interface.capability(Concatenation)
            if operations is None:
                raise UnsupportedOperationError("this store cannot concatenate objects", path=source.key)
            return operations.extend(source, source.key, content, options)

        self._is_copying = True
        self._running = Running(runtime, extend)

    def _send(self, send: Callable[[Running], T]) -> T:
        """Pass on what is appended. If the server turns out not to copy the old content, begin again."""
        assert self._running is not None
        try:
            return send(self._running)
        except ObjectChangedError as error:
            raise replaced(self._store, self._key) from error
        except UnsupportedOperationError:
            unread = self._running.unread()
            if not self._is_copying or unread is None:
                raise
            self._is_copying = False
            self._running = self._started()
            for piece in chain(self._old_content(), unread):
                self._running.push(piece)
            return send(self._running)

    def _old_content(self) -> Iterator[bytes]:
        try:
            with ObjectReader(self._store, self._key, self._found) as old:
                while piece := old.read(PART_BYTES):
                    yield piece
        except ObjectChangedError as error:
            raise replaced(self._store, self._key) from error


class InPlaceUpload(Upload):
    """Appends to the object itself, where the store can. What `flush` has published stays visible to readers.

    rewriting: what is used if the store turns out not to append to this object.
    """

    continues = True
    appends_in_place = True

    def __init__(self, store: Store, key: str, found: StoredObject, appending: Appending,
                 rewriting: RewritingUpload) -> None:
        super().__init__(store, key, WriteOptions())
        self._found = self._last = found  # when it was opened, and as this upload left it
        self._appending = appending
        self._rewriting: RewritingUpload | None = rewriting  # None once something was appended
        self._began = self._end = self._flushed = found.size or 0

    def push(self, piece: bytes | memoryview) -> None:
        if self._rewriting is not None and self.appends_in_place:
            self._append_first(piece)
        elif self._rewriting is not None:
            self._rewriting.push(piece)
        else:
            self._append(piece)

    def _append_first(self, piece: bytes | memoryview) -> None:
        try:
            self._append(piece)
            self._rewriting = None
        except UnsupportedOperationError:
            assert self._rewriting is not None
            self.appends_in_place = False
            self._rewriting.push(piece)

    def _append(self, piece: bytes | memoryview) -> None:
        self._check()
        try:
            self._appending.append(self._key, self._end, bytes(piece))
        except CloudFilesError:
            with suppress(CloudFilesError):
                self._note()
            raise
        self._end += len(piece)
        self._note()

    def _check(self) -> None:
        """Raise PreconditionFailedError if the object is not as it was left. One of the same size can be another."""
        if not self._is_ours(self._store.here().describe(self._key)):
            raise replaced(self._store, self._key)

    def _is_ours(self, present: StoredObject | None) -> bool:
        return present is not None and present.is_same_content(self._last)

    def _note(self) -> None:
        """Remember the object as it is, after a change."""
        present = self._store.here().describe(self._key)
        if present is not None and present.size in (self._flushed, self._end):
            self._last = present

    def flush(self) -> None:
        if self._end > self._flushed:
            self._check()
            self._appending.flush(self._key, self._end)
            self._flushed = self._end
            self._note()

    def commit(self, rest: bytes) -> str | None:
        if rest:
            self.push(rest)
        elif self._rewriting is None:
            self._check()
        if self._rewriting is None:
            return self._appending.flush(self._key, self._end, close=True)
        return self._found.etag if self.appends_in_place else self._rewriting.commit(b"")

    def abort(self) -> None:
        """Remove what was appended, unless the object was changed by others since."""
        if self._rewriting is not None:
            self._rewriting.abort()
            return
        try:
            present = self._store.here().describe(self._key)
            if present is not None and self._is_ours(present) and present.size != self._began:
                self._appending.truncate(self._key, self._began)
        except CloudFilesError as error:
            logger.warning("%s: what was appended could not be removed (%s: %s)", self._key, type(error).__name__,
                           error)


def replaced(store: Store, key: str) -> PreconditionFailedError:
    return PreconditionFailedError("the object was replaced since it was opened for appending", path=key,
                                   store=store.cloudpath)
