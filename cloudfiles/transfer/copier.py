"""Copies one object from one store to another, by the best way that both offer.

A server-side copy is preferred. Otherwise small objects pass through memory, and large ones are copied in parts,
several at once, or through a temporary file if the target accepts no parts or the source supports no ranges. Stored
bytes are left as they are, unless they are to be re-encoded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from time import sleep
from typing import Any, TypeVar

from cloudfiles import compression, integrity
from cloudfiles.batch.fanout import Plan
from cloudfiles.batch.reader import decoding
from cloudfiles.batch.writer import guess_content_type
from cloudfiles.content_encoding import stored_encoding
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    MissingObjectError,
    ObjectChangedError,
    TransportError,
    TruncatedBodyError,
    UnsupportedOperationError,
)
from cloudfiles.inputs import check_header, given
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.option_checks import is_number
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transfer.adaptive_caller import AdaptiveCaller
from cloudfiles.transfer.checksum import COMPUTED
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.multipart_copy import MultipartCopy
from cloudfiles.transfer.part_workers import ObjectParts, PartWorkers
from cloudfiles.transfer.partial_upload import ResumeTracker
from cloudfiles.transfer.rate_limit import RateLimit
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transport.body_memory import SMALL_BODY, process_copy_memory
from cloudfiles.transport.wire import is_framed
from cloudfiles.types import StoredObject, WriteOptions
from cloudfiles.values import Value

T = TypeVar("T")
ProgressHook = Callable[[Item, int], object]

SMALL_BYTES = 8 << 20
"""Objects up to this size pass through memory as a whole, `body_memory.COPY_MEMORY` bytes of them at once."""

_TRIES = 3
"""How often an object is read again because it was replaced in the meantime."""

_ATTRIBUTES = ("content_type", "cache_control", "storage_class")


class TransferOptions(Value):
    """How objects are transferred. Plain values, which worker processes receive as they are.

    Attributes:
        encoding: the encoding to store the copies in; '' decodes them, None leaves the stored bytes as they are.
        content_type: the content type of the copies; None: that of the source, or guessed from the key.
        cache_control, storage_class: those of the copies; None: the source's cache control, the target's default class.
        max_rate: bytes per second that may pass through one process; None: no limit.
        raw: stored bytes stay as they are, also if the target cannot keep their encoding.
        allow_missing: a missing source is not an error.
        resumable: skip what the target has, and save the state of large objects so that a later run resumes them.
        raise_errors: the first failure ends the transfer; False collects failures in the result.

    Raises InvalidInputError for a content type that no header can contain.
    """

    encoding: str | None = None
    content_type: str | None = None
    allow_missing: bool = False
    resumable: bool = False
    raise_errors: bool = True
    cache_control: str | None = None
    storage_class: str | None = None
    max_rate: float | None = None
    raw: bool = False

    def __post_init__(self) -> None:
        if self.max_rate is not None and not (is_number(self.max_rate) and self.max_rate > 0):
            raise InvalidInputError(f"max_rate: expected a number of bytes per second > 0, got {self.max_rate!r}")
        for name in _ATTRIBUTES:
            value = self.__dict__[name] = given(getattr(self, name))
            if value is not None:
                check_header(name, value)

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes that the copies get instead of those of the source."""
        return {name: value for name in _ATTRIBUTES if (value := getattr(self, name)) is not None}


def target_encoding(reencode: str | bool | None) -> str | None:
    """`reencode` as `TransferOptions.encoding`: '' decodes, None keeps. Raises UnsupportedCompressionType."""
    return None if reencode is None else stored_encoding(reencode)


class Copier:
    """Copies objects from `source` to `target`, which belong to the runtime of `plan`.

    Args:
        plan: how the batch runs that it is used by; sets the number of parts of large objects that are in progress.
        skip: whether the target has an object already, so that it need not be copied.
        computes_digests: outcomes include a digest even if no store reports one, provided that the bytes pass through
            this process.
        resume: saves the state of large objects, so that another run can resume them.
        progress: called by workers: with 0 when an object is started, then after each `size` bytes written. Exceptions
            that it raises fail the object. An object that is replaced while it is read is written, and counted, again.

    Attributes:
        part_workers: the workers for parts of large objects.
        read, write: call a method of the source or the target, see `AdaptiveCaller.call`.
        limit: the limit of the bytes per second, or None.
    """

    def __init__(self, source: Interface, target: Interface, plan: Plan,
                 options: TransferOptions | None = None, *, skip: Callable[[Item], bool] | None = None,
                 computes_digests: bool = False, resume: ResumeTracker | None = None,
                 progress: ProgressHook | None = None) -> None:
        self.source = source
        self.target = target
        self.plan = plan
        self.runtime = runtime = plan.runtime
        self.part_workers = PartWorkers(source, target, plan)
        self.options = options or TransferOptions()
        self.resume = resume
        self.read = AdaptiveCaller(source, runtime).call
        self.write = AdaptiveCaller(target, runtime).call
        self._skip = skip
        self._computes_digests = computes_digests
        self._progress = progress
        self._sizes = _Sizes()
        self.limit = _limit_of(self.options, runtime)
        self._attributes = self.options.attributes
        self._can_copy_server_side = self.options.encoding is None and target.can_copy_from(source)

    def copy_object(self, item: Item) -> ObjectOutcome:
        """Copy one object of any size. Raises CloudFilesError; the target is then unchanged."""
        outcome = self.copy_unless_large(item)
        return self.copy_large_object(item, outcome.described) if outcome.status == "large" else outcome

    def copy_unless_large(self, item: Item) -> ObjectOutcome:
        """The same, but a large object that cannot be copied server-side is only reported as 'large'."""
        outcome = self._started(item, (item.size or 0) > SMALL_BYTES)._copy_unless_large(item)
        if self.resume is not None and outcome.status != "large":
            self.resume.end(item)
        return outcome

    def copy_large_object(self, item: Item, described: StoredObject | None = None) -> ObjectOutcome:
        """Copy in parts, or through a temporary file; again if the source is replaced in the meantime.

        described: the source, as it was lately.
        """
        one = self._started(item, is_large=True)
        try:
            with self.part_workers.copying(item.size) as parts:
                outcome = one._copy_large_object(item, parts, described)
        except TransportError:  # the parts remain, to be resumed
            raise
        except CloudFilesError:
            if self.resume is not None:
                self.resume.end(item)
            raise
        if self.resume is not None:
            self.resume.end(item)
        return outcome

    def _started(self, item: Item, is_large: bool) -> Copier:
        """The copier to use for this item, after its start was reported."""
        one = self
        if self._progress is not None:
            self._progress(item, 0)
            one = copy.copy(self)
            one.write = _Counted(self.write, partial(self._progress, item)).call
        if self.resume is not None:
            self.resume.begin(item, is_large)
        return one

    def _copy_unless_large(self, item: Item) -> ObjectOutcome:
        self.target.check_target(item.target)
        if self._skip is not None and self._skip(item):
            return ObjectOutcome(item, "skipped")
        if self._can_copy_server_side:
            outcome = self._copy_server_side(item)
            if outcome is not None:
                return outcome
        return self._copy_through_memory(item)

    # ---- server-side

    def _copy_server_side(self, item: Item) -> ObjectOutcome | None:
        """None if it turns out to be impossible.

        A copy that was killed starts again, even that of a large local file. To resume it, the file would have to be
        copied in parts, whose digests are saved and compared later: measured, that makes each copy 1.3 to 4 times
        slower than the kernel's, and checking the existing parts takes a quarter to two thirds of the time of copying.
        """
        options = CopyOptions(item.size, None, self._changed if self._attributes else None, self.part_workers.slots)
        for _ in range(_TRIES):
            try:
                copied: CopyResult | None = self.write(item.size or 0, self.target.copy_from, self.source, item.source,
                                                       item.target, options)
            except UnsupportedOperationError:
                return None
            except ObjectChangedError as error:
                changed = error
                continue
            if copied is None:
                return self._missing(item)
            return ObjectOutcome(item, "copied", "copy", item.size if copied.size is None else copied.size, copied.etag)
        raise changed

    def _changed(self, attributes: WriteOptions) -> WriteOptions:
        return attributes._replace(**self._attributes)

    # ---- through memory

    def _copy_through_memory(self, item: Item) -> ObjectOutcome:
        if item.size is not None and item.size > SMALL_BYTES:
            return ObjectOutcome(item, "large")
        expected = self._sizes.mean if item.size is None else item.size
        if self.runtime is None or expected <= SMALL_BODY:
            return self._copy_whole(item)
        with process_copy_memory.reserved(int(expected), self.runtime):
            return self._copy_whole(item)

    def _copy_whole(self, item: Item) -> ObjectOutcome:
        stored = self._read_whole(item)
        if stored is None:
            return self._missing(item)
        if stored.content is None:
            # Without a digest, another response has to confirm the size; without a validator, it may have one.
            is_enough = stored.validator is not None and (self.source.traits.is_local
                                                          or bool(self.source.digests(stored)))
            return ObjectOutcome(item, "large", described=stored if is_enough else None)
        if isinstance(stored.content, bytes):
            self._sizes.add(len(stored.content))
            if self.limit is not None:
                self.limit.take(len(stored.content))
        digest = self._digest(stored)
        content, options = self._encoded(stored, item)
        size = len(content)
        etag = self.write(size, self.target.put, item.target, content, options)
        return ObjectOutcome(item, "copied", "whole", size, etag, self.verification(stored.verified), stored.etag,
                             digest)

    def _read_whole(self, item: Item) -> StoredObject | None:
        """As `get_bounded`. The length of content without any other proof of completeness is compared with the size
        that the server reports. Raises TruncatedBodyError if they keep differing.
        """
        for _ in range(_TRIES):
            stored: StoredObject | None = self.read(item.size or 0, self.source.get_bounded, item.source, SMALL_BYTES)
            if stored is None or not isinstance(stored.content, bytes) or self.verification(stored.verified):
                return stored
            size, is_announced = len(stored.content), stored.headers is None or is_framed(stored.headers)
            if is_announced and item.size in (None, size):
                return stored
            described = self.source.describe(item.source)
            expected = item.size if described is None or described.size is None else described.size
            if expected == size or (described is not None and described.size is None
                                    and (is_announced or expected is None)):
                return stored  # the listing was outdated, or the size is unknown
        raise TruncatedBodyError(f"received {size} bytes of an object that has {expected}", path=item.source)

    def _digest(self, stored: StoredObject) -> str:
        if not self._computes_digests or not isinstance(stored.content, bytes):
            return ""
        return self.reported_digest(stored, stored.verified) or integrity.named(COMPUTED, stored.content)

    def _encoded(self, stored: StoredObject, item: Item) -> tuple[bytes, WriteOptions]:
        content: Any = stored.content
        if not isinstance(content, bytes):
            raise InvalidInputError(f"the object is a {type(content).__name__}, not bytes: only mem:// can store it",
                                    path=item.source)
        options = self.write_options(stored, item)
        encoding = self.encoding_of(stored)
        if options.encoding == encoding:
            self.check_encoding(item, encoding, content)
        else:
            with decoding(self.source, item.source, encoding):
                plain = compression.decompress(content, encoding, item.source)
            content = compression.compress(plain, options.encoding)
        return content, options

    # ---- large objects

    def _copy_large_object(self, item: Item, parts: ObjectParts, described: StoredObject | None) -> ObjectOutcome:
        changed: CloudFilesError | None = None
        for _ in range(_TRIES):
            described = described or self.source.describe(item.source)
            if described is None and changed is not None:
                raise MissingObjectError("the source was removed while it was being read; the target is unchanged",
                                         path=item.source) from changed
            if described is None:
                return self._missing(item)
            try:
                return MultipartCopy(self, item, described, parts).copy()
            except ObjectChangedError as error:
                changed, described = error, None
        assert changed is not None
        raise changed

    def _missing(self, item: Item) -> ObjectOutcome:
        """The outcome if the source is missing. Raises MissingObjectError unless that is allowed."""
        if not self.options.allow_missing:
            raise MissingObjectError("the object to transfer does not exist; use allow_missing=True to skip missing "
                                     "objects",
                                     path=item.source)
        return ObjectOutcome(item, "missing")

    # ---- what small and large objects have in common

    def encoding_of(self, stored: StoredObject) -> str:
        """The encoding to decode stored bytes from; '' if they are to stay as they are."""
        return "" if self.options.raw and not self.target.traits.keeps_encodings else stored.encoding

    def write_options(self, stored: StoredObject, item: Item) -> WriteOptions:
        """The options to write the copy with."""
        encoding = stored.encoding if self.options.encoding is None else self.options.encoding
        if self.options.encoding is None and not self.target.traits.keeps_encodings:
            encoding = ""
        if not self.target.traits.keeps_attributes:
            return WriteOptions(encoding=encoding)
        attributes = self.source.write_options(stored)
        content_type = self.options.content_type or attributes.content_type or guess_content_type(item.target)
        metadata = attributes.metadata if self.target.traits.keeps_metadata else None
        options = WriteOptions(content_type, encoding, attributes.cache_control, attributes.storage_class, metadata,
                               content_disposition=attributes.content_disposition,
                               content_language=attributes.content_language)
        return self._changed(options) if self._attributes else options

    def check_encoding(self, item: Item, encoding: str, beginning: bytes) -> None:
        """Raise DecompressionError if the encoding is only the suffix of a name, but not that of the bytes: the copy
        would be unreadable."""
        if encoding and self.source.traits.folds_suffixes:
            with decoding(self.source, item.source, encoding):
                compression.check_beginning(beginning, encoding, item.source)

    def reported_digest(self, stored: StoredObject, algorithm: str) -> str:
        """A digest that the source reports for an object, as `algorithm:hexadecimal`, or ''."""
        values = (digest.value for digest in self.source.digests(stored) if digest.algorithm == algorithm)
        return next((f"{algorithm}:{value.hex()}" for value in values), "")

    def verification(self, verified: str) -> str:
        """What the bytes that were read are verified by: a digest, or 'local' as no network is involved."""
        return verified or ("local" if self.source.traits.is_local else "")


class _Sizes:
    """The mean size of the objects copied lately, which the next ones of unknown size are expected to have."""

    def __init__(self) -> None:
        self.mean = 0.0

    def add(self, size: int) -> None:
        self.mean += (size - self.mean) / 16


def _limit_of(options: TransferOptions, runtime: Runtime | None) -> RateLimit | None:
    if options.max_rate is None:
        return None
    return RateLimit(options.max_rate, sleep if runtime is None else runtime.sleep)


class _Counted:
    """Calls, and reports the size of each that succeeded."""

    def __init__(self, call: Callable[..., Any], count: Callable[[int], object]) -> None:
        self._call = call
        self._count = count

    def call(self, size: int, function: Callable[..., T], *args: Any) -> T:
        result: T = self._call(size, function, *args)
        self._count(size)
        return result
