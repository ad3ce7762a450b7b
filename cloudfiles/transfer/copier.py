"""One object from one store to another, by the best way that both offer.

The stores' own copy comes first; else a small object goes through memory, a large one in parts, several at once, and
through a temporary file where the target takes no parts or the source gives none. Stored bytes are left as they are
unless they are to be encoded anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfiles import compression, integrity
from cloudfiles.batch.reader import decoding
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    MissingObjectError,
    ObjectChangedError,
    TruncatedBodyError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.runtime.base import Runtime
from cloudfiles.transfer.checksum import COMPUTED
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.multipart_copy import MultipartCopy
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.route import CopierOptions, Route
from cloudfiles.transport.wire import is_framed
from cloudfiles.types import StoredObject, WriteOptions

WHOLE_BYTES = 8 << 20
"""Objects up to this size go through memory at once: twenty workers then hold 160 MiB at most."""

_TRIES = 3
"""Times that an object may be replaced while it is read."""

class Copier(Route):
    """Carries objects on a route."""

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CopierOptions) -> None:
        super().__init__(source, target, runtime, options)
        self._can_copy_server_side = options.reencode is None and target.can_copy_from(source)

    def copy_object(self, item: Item) -> ObjectOutcome:
        """The whole of one object, of any size.

        Raises CloudFilesError; the target then is as it was.
        """
        outcome = self.copy_unless_large(item)
        return self.copy_large_object(item) if outcome.status == "large" else outcome

    def copy_unless_large(self, item: Item) -> ObjectOutcome:
        """The same, but a large object that no store copies by itself is only said to be 'large'."""
        self.target.check_target(item.target)
        if self.options.skip is not None and self.options.skip(item):
            return ObjectOutcome(item, "skipped")
        if self._can_copy_server_side:
            outcome = self._copy_server_side(item)
            if outcome is not None:
                return outcome
        return self._copy_through_memory(item)

    # ---- by the stores

    def _copy_server_side(self, item: Item) -> ObjectOutcome | None:
        """None where it cannot be done after all.

        A copy that was killed begins anew, also one of a large local file. To go on it would have to be carried in
        parts, whose digests are noted as they pass and compared afterwards: measured, that makes every copy 1.3 to 4
        times slower than the kernel's, and checking what is there takes a quarter to two thirds of the time of
        copying it.
        """
        change = None if self.options.content_type is None else self._with_content_type
        for _ in range(_TRIES):
            try:
                copied: CopyResult | None = self.write(item.size or 0, self.target.copy_from, self.source, item.source,
                                                   item.target, CopyOptions(item.size, None, change))
            except UnsupportedOperationError:
                return None
            except ObjectChangedError as error:
                changed = error
                continue
            if copied is None:
                return self.missing(item)
            return ObjectOutcome(item, "copied", "copy", item.size if copied.size is None else copied.size, copied.etag)
        raise changed

    def _with_content_type(self, attributes: WriteOptions) -> WriteOptions:
        return replace(attributes, content_type=self.options.content_type)

    # ---- through memory

    def _copy_through_memory(self, item: Item) -> ObjectOutcome:
        if item.size is not None and item.size > WHOLE_BYTES:
            return ObjectOutcome(item, "large")
        stored = self._read_whole(item)
        if stored is None:
            return self.missing(item)
        if stored.content is None:
            return ObjectOutcome(item, "large")
        digest = self._digest(stored)
        content, options = self._encoded(stored, item)
        size = len(content)
        etag = self.write(size, self.target.put, item.target, content, options)
        return ObjectOutcome(item, "copied", "whole", size, etag, self.verification(stored.verified), stored.etag,
                             digest)

    def _read_whole(self, item: Item) -> StoredObject | None:
        """As `get_bounded`. Content that nothing has proven to be whole is held against the size that the server tells.

        Raises TruncatedBodyError where it goes on being shorter, or longer.
        """
        for _ in range(_TRIES):
            stored: StoredObject | None = self.read(item.size or 0, self.source.get_bounded, item.source, WHOLE_BYTES)
            if stored is None or not isinstance(stored.content, bytes) or stored.verified:
                return stored
            size, is_announced = len(stored.content), stored.headers is None or is_framed(stored.headers)
            if is_announced and item.size in (None, size):
                return stored
            described = self.source.describe(item.source)
            told = item.size if described is None or described.size is None else described.size
            if told == size or (described is not None and described.size is None and (is_announced or told is None)):
                return stored  # the listing was older, or nobody knows better
        raise TruncatedBodyError(f"received {size} bytes of an object that has {told}", path=item.source)

    def _digest(self, stored: StoredObject) -> str:
        if not self.options.digests or not isinstance(stored.content, bytes):
            return ""
        return self.reported_digest(stored, stored.verified) or integrity.named(COMPUTED, stored.content)

    def _encoded(self, stored: StoredObject, item: Item) -> tuple[bytes, WriteOptions]:
        content: Any = stored.content
        if not isinstance(content, bytes):
            raise InvalidInputError(f"the object is a {type(content).__name__}, not bytes: only mem:// can store it",
                                    path=item.source)
        options = self.write_options(stored, item)
        if options.encoding == stored.encoding:
            self.check_encoding(item, stored.encoding, content)
        else:
            with decoding(self.source, item.source, stored.encoding):
                plain = compression.decompress(content, stored.encoding, item.source)
            content = compression.compress(plain, options.encoding)
        return content, options

    # ---- large ones

    def copy_large_object(self, item: Item, objects: int = 1) -> ObjectOutcome:
        """In parts, or through a temporary file; anew where the source was replaced meanwhile.

        objects: how many are carried side by side.
        """
        changed: CloudFilesError | None = None
        for _ in range(_TRIES):
            described = self.source.describe(item.source)
            if described is None and changed is not None:
                raise MissingObjectError("the source was removed while it was being read; the target is unchanged",
                                         path=item.source) from changed
            if described is None:
                return self.missing(item)
            try:
                return MultipartCopy(self, item, described, objects).copy()
            except ObjectChangedError as error:
                changed = error
        assert changed is not None
        raise changed

    def missing(self, item: Item) -> ObjectOutcome:
        """The outcome where there is no source. Raises MissingObjectError unless that is allowed."""
        if not self.options.allow_missing:
            raise MissingObjectError("the object to transfer does not exist; use allow_missing=True to skip missing "
                                     "objects",
                                     path=item.source)
        return ObjectOutcome(item, "missing")
