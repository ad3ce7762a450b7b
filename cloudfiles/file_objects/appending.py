"""Appending to an object: the old content comes first in the new object, unless the store appends by itself."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfiles.batch.store import Store
from cloudfiles.batch.writer import WriteDefaults
from cloudfiles.exceptions import ObjectChangedError, PreconditionFailedError
from cloudfiles.file_objects.object_reader import ObjectReader
from cloudfiles.file_objects.uploads import Upload
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.types import StoredObject, WriteOptions


def appended(store: Store, key: str, found: StoredObject, defaults: WriteDefaults) -> Upload:
    """An upload that continues the object that was found. It fails if that is replaced meanwhile.

    defaults: what the program passed; the object keeps its own encoding, content type and metadata.
    """
    if defaults.if_absent:
        raise PreconditionFailedError("the object already exists", path=key, store=store.cloudpath)
    if defaults.if_match is not None and defaults.if_match != found.etag:
        raise PreconditionFailedError(f"the object has the ETag {found.etag}; expected the ETag {defaults.if_match}",
                                      path=key, store=store.cloudpath)
    kept = store.here().write_options(found)
    options = kept._replace(if_match=found.etag, content_type=defaults.content_type or kept.content_type,
                            cache_control=defaults.cache_control or kept.cache_control,
                            storage_class=defaults.storage_class or kept.storage_class,
                            metadata=defaults.metadata or kept.metadata)
    return RewritingUpload(store, key, options, found)


class RewritingUpload(Upload):
    """An upload that begins with the content of the object that it replaces, if anything is appended at all."""

    continues = True

    def __init__(self, store: Store, key: str, options: WriteOptions, found: StoredObject) -> None:
        super().__init__(store, key, options)
        self._found = found

    def push(self, piece: bytes | memoryview) -> None:
        if not self.has_begun:
            self._push_old_content()
        super().push(piece)

    def commit(self, rest: bytes) -> str | None:
        if not rest and not self.has_begun:
            return self._found.etag
        if not self.has_begun and (self._found.size or 0) + len(rest) <= PART_BYTES:
            return super().commit(b"".join([*self._old_content(), rest]))
        if not self.has_begun:
            self._push_old_content()
        return super().commit(rest)

    def _push_old_content(self) -> None:
        for piece in self._old_content():
            super().push(piece)

    def _old_content(self) -> Iterator[bytes]:
        try:
            with ObjectReader(self._store, self._key, self._found) as old:
                while piece := old.read(PART_BYTES):
                    yield piece
        except ObjectChangedError as error:
            raise PreconditionFailedError("the object was replaced since it was opened for appending", path=self._key,
                                          store=self._store.cloudpath) from error
