"""Two interfaces, and how objects go from one to the other: what every way of carrying them stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from cloudfiles import compression
from cloudfiles.batch.reader import decoding
from cloudfiles.batch.writer import guess_content_type
from cloudfiles.inputs import check_header, given
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transfer.items import Item
from cloudfiles.types import StoredObject, WriteOptions

if TYPE_CHECKING:
    from cloudfiles.transfer.partial_upload import PartTrackers

T = TypeVar("T")

_SLOW = 0.002
"""Seconds that a local operation may take on average before it leaves the hub's thread: a network mount answers in
milliseconds, a local disk in tens of microseconds."""


@dataclass(frozen=True)
class CopierOptions:
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
    trackers: PartTrackers | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInputError for a content type that no header can carry."""
        object.__setattr__(self, "content_type", given(self.content_type))
        if self.content_type is not None:
            check_header("content_type", self.content_type)


class Route:
    """From `source` to `target`, which belong to `runtime` (None: that of the caller's thread).

    Attributes:
        read, write: call methods of the two, as `Patiently.call` does.
    """

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CopierOptions) -> None:
        self.source = source
        self.target = target
        self.runtime = runtime
        self.options = options
        self.read = AdaptiveCaller(source, runtime).call
        self.write = AdaptiveCaller(target, runtime).call

    def write_options(self, stored: StoredObject, item: Item) -> WriteOptions:
        """What the target is to be written with."""
        encoding = stored.encoding if self.options.reencode is None else self.options.reencode
        if self.options.reencode is None and not self.target.keeps_encodings:
            encoding = ""
        if not self.target.keeps_attributes:
            return WriteOptions(encoding=encoding)
        told = self.source.attributes(stored)
        content_type = self.options.content_type or told.content_type or guess_content_type(item.target)
        metadata = told.metadata if self.target.keeps_metadata else None
        return WriteOptions(content_type, encoding, told.cache_control, told.storage_class, metadata,
                            content_disposition=told.content_disposition, content_language=told.content_language)

    def check_encoding(self, item: Item, encoding: str, beginning: bytes) -> None:
        """Raises DecompressionError where an encoding is only the suffix of a name, and the bytes are not of it: nobody
        could read the copy."""
        if encoding and self.source.folds_suffixes:
            with decoding(self.source, item.source, encoding):
                compression.check_beginning(beginning, encoding, item.source)

    def reported_digest(self, stored: StoredObject, algorithm: str) -> str:
        """A digest that the source tells of an object, `algorithm:hexadecimal`; '' where it does not."""
        values = (digest.value for digest in self.source.digests(stored) if digest.algorithm == algorithm)
        return next((f"{algorithm}:{value.hex()}" for value in values), "")

    def verification(self, verified: str) -> str:
        """The digest that vouches for what was read; no wire lies between here and a local store."""
        return verified or ("local" if self.source.is_local else "")


class AdaptiveCaller:
    """Calls a local store's methods where they do least harm: in place while they are fast, else on native threads."""

    def __init__(self, interface: Interface, runtime: Runtime | None) -> None:
        has_hub = runtime is not None and runtime.name == "green"
        self._runtime = runtime if interface.is_local and has_hub else None
        self._mean = 0.0

    def call(self, size: int, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, which moves about `size` bytes."""
        if self._runtime is None:
            return function(*args)
        if size >= RUN_IN_THREAD_BYTES or self._mean > _SLOW:
            return self._runtime.run_in_thread(function, *args)
        began = monotonic()
        result = function(*args)
        self._mean += (monotonic() - began - self._mean) / 16
        return result
