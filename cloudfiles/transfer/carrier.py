"""One object from one store to another, by the best way that both offer.

The stores' own copy comes first; else a small object goes through memory, a large one in parts, several at once, and
through a temporary file where the target takes no parts or the source gives none. Stored bytes are left as they are
unless they are to be encoded anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from cloudfiles import compression, integrity
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    MissingObjectError,
    ObjectChangedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.moving import Copied, CopyOptions
from cloudfiles.runtime.base import OFFLOAD_BYTES, Runtime
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import Outcome
from cloudfiles.types import StoredObject, WriteOptions
from cloudfiles.writing import guess_content_type

if TYPE_CHECKING:
    from cloudfiles.transfer.halfdone import PartLogs

T = TypeVar("T")

WHOLE_BYTES = 8 << 20
"""Objects up to this size go through memory at once: twenty workers then hold 160 MiB at most."""

COMPUTED = "crc32c"
"""The digest that is computed where an outcome is to tell one and no store does: it costs next to nothing."""

_TRIES = 3
"""Times that an object may be replaced while it is read."""

_SLOW = 0.002
"""Seconds that a local operation may take on average before it leaves the hub's thread: a network mount answers in
milliseconds, a local disk in tens of microseconds."""


@dataclass(frozen=True)
class CarryOptions:
    """How objects are carried.

    Attributes:
        reencode: the encoding to store them in; '' decodes them, None leaves the stored bytes as they are.
        content_type: what they are described as; None: as the source says, else as the key suggests.
        allow_missing: a source that is missing is no error.
        skip: whether the target has the object already and it need not be carried.
        digests: outcomes tell a digest also of what no store tells one of, where the bytes pass through here.
        logs: where the state of half-done large objects is kept, to go on from.
    """

    reencode: str | None = None
    content_type: str | None = None
    allow_missing: bool = False
    skip: Callable[[Item], bool] | None = None
    digests: bool = False
    logs: PartLogs | None = None


class Carrier:
    """Carries objects between two interfaces that belong to `runtime` (None: that of the caller's thread)."""

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CarryOptions) -> None:
        self.source = source
        self.target = target
        self.runtime = runtime
        self.options = options
        self._copies = options.reencode is None and target.copies_from(source)
        self.read = Patiently(source, runtime).call
        self.write = Patiently(target, runtime).call

    def carry(self, item: Item) -> Outcome:
        """The whole of one object, of any size.

        Raises CloudFilesError; the target then is as it was.
        """
        outcome = self.carry_unless_large(item)
        return self.carry_large(item) if outcome.status == "large" else outcome

    def carry_unless_large(self, item: Item) -> Outcome:
        """The same, but a large object that no store copies by itself is only said to be 'large'."""
        self.target.check_target(item.target)
        if self.options.skip is not None and self.options.skip(item):
            return Outcome(item, "skipped")
        if self._copies:
            outcome = self._copy(item)
            if outcome is not None:
                return outcome
        return self._stream(item)

    # ---- by the stores

    def _copy(self, item: Item) -> Outcome | None:
        """None where it cannot be done after all.

        A copy that was killed begins anew, also one of a large local file. To go on it would have to be carried in
        parts, whose digests are noted as they pass and compared afterwards: measured, that makes every copy 1.3 to 4
        times slower than the kernel's, and checking what is there takes a quarter to two thirds of the time of
        copying it.
        """
        change = None if self.options.content_type is None else self._described_anew
        for _ in range(_TRIES):
            try:
                copied: Copied | None = self.write(item.size or 0, self.target.copy_from, self.source, item.source,
                                                   item.target, CopyOptions(item.size, None, change))
            except UnsupportedOperationError:
                return None
            except ObjectChangedError as error:
                changed = error
                continue
            if copied is None:
                return self.missing(item)
            return Outcome(item, "copied", "copy", item.size if copied.size is None else copied.size, copied.etag)
        raise changed

    def _described_anew(self, attributes: WriteOptions) -> WriteOptions:
        return replace(attributes, content_type=self.options.content_type)

    # ---- through memory

    def _stream(self, item: Item) -> Outcome:
        if item.size is not None and item.size > WHOLE_BYTES:
            return Outcome(item, "large")
        stored: StoredObject | None = self.read(item.size or 0, self.source.get_bounded, item.source, WHOLE_BYTES)
        if stored is None:
            return self.missing(item)
        if stored.content is None:
            return Outcome(item, "large")
        digest = self._digest(stored)
        content, options = self._encoded(stored, item)
        size = len(content)
        etag = self.write(size, self.target.put, item.target, content, options)
        return Outcome(item, "copied", "whole", size, etag, self.vouched(stored.verified), stored.etag, digest)

    def _digest(self, stored: StoredObject) -> str:
        if not self.options.digests or not isinstance(stored.content, bytes):
            return ""
        return self.told(stored, stored.verified) or integrity.named(COMPUTED, stored.content)

    def told(self, stored: StoredObject, algorithm: str) -> str:
        """A digest that the source tells of an object, `algorithm:hexadecimal`; '' where it does not."""
        values = (digest.value for digest in self.source.digests(stored) if digest.algorithm == algorithm)
        return next((f"{algorithm}:{value.hex()}" for value in values), "")

    def _encoded(self, stored: StoredObject, item: Item) -> tuple[bytes, WriteOptions]:
        content: Any = stored.content
        if not isinstance(content, bytes):
            raise InvalidInputError(f"the object is a {type(content).__name__} and no bytes: only mem:// can hold it",
                                    path=item.source)
        options = self.write_options(stored, item)
        if options.encoding != stored.encoding:
            plain = compression.decompress(content, stored.encoding, item.source)
            content = compression.compress(plain, options.encoding)
        return content, options

    def write_options(self, stored: StoredObject, item: Item) -> WriteOptions:
        """What the target is to be written with."""
        encoding = stored.encoding if self.options.reencode is None else self.options.reencode
        if not self.target.keeps_attributes:
            return WriteOptions(encoding=encoding)
        told = self.source.attributes(stored)
        content_type = self.options.content_type or told.content_type or guess_content_type(item.target)
        return WriteOptions(content_type, encoding, told.cache_control, told.storage_class, told.metadata,
                            content_disposition=told.content_disposition, content_language=told.content_language)

    # ---- large ones

    def carry_large(self, item: Item, objects: int = 1) -> Outcome:
        """In parts, or through a temporary file; anew where the source was replaced meanwhile.

        objects: how many are carried side by side.
        """
        from cloudfiles.transfer.large import LargeCarrier

        changed: CloudFilesError | None = None
        for _ in range(_TRIES):
            described = self.source.describe(item.source)
            if described is None and changed is not None:
                raise MissingObjectError("the source was removed while it was read; the target is as it was",
                                         path=item.source) from changed
            if described is None:
                return self.missing(item)
            try:
                return LargeCarrier(self, item, described, objects).carry()
            except ObjectChangedError as error:
                changed = error
        assert changed is not None
        raise changed

    def vouched(self, verified: str) -> str:
        """The digest that vouches for what was read; no wire lies between here and a local store."""
        return verified or ("local" if self.source.is_local else "")

    def missing(self, item: Item) -> Outcome:
        """The outcome where there is no source. Raises MissingObjectError unless that is allowed."""
        if not self.options.allow_missing:
            raise MissingObjectError("there is no such object to transfer; allow_missing=True would pass it over",
                                     path=item.source)
        return Outcome(item, "missing")


class Patiently:
    """Calls a local store's methods where they do least harm: in place while they are fast, else on native threads."""

    def __init__(self, interface: Interface, runtime: Runtime | None) -> None:
        has_hub = runtime is not None and runtime.name == "green"
        self._runtime = runtime if interface.is_local and has_hub else None
        self._mean = 0.0

    def call(self, size: int, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, which moves about `size` bytes."""
        if self._runtime is None:
            return function(*args)
        if size >= OFFLOAD_BYTES or self._mean > _SLOW:
            return self._runtime.offload(function, *args)
        began = monotonic()
        result = function(*args)
        self._mean += (monotonic() - began - self._mean) / 16
        return result
