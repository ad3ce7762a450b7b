"""The contract that every protocol implements.

An interface is bound to one cloudpath and one runtime. All keys that it receives and lists are
relative to that cloudpath. Its methods block (in the way of the runtime), are called by many
workers concurrently, and keep no state between calls. They handle retries, digests, resuming
and the mapping of errors: a method returns a correct result, returns None for a missing object,
or raises a CloudFilesError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import (
    CloudFilesError,
    DecompressionError,
    ObjectChangedError,
    ProtocolError,
    UnsupportedOperationError,
)
from cloudfiles.integrity import Digest, digests_from_headers
from cloudfiles.interfaces.paging import DuplicateFilter, follow_pages
from cloudfiles.interfaces.part_writer import PART_BYTES, InterruptedWrites, PartWriter
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions

if TYPE_CHECKING:
    from cloudfiles.interfaces.capabilities import C, Capability, Kind
    from cloudfiles.interfaces.part_read import TakePiece
    from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.contract import Runtime
    from cloudfiles.transport.budget import Budget
    from cloudfiles.transport.request import Origin


def object_changed(key: str) -> ObjectChangedError:
    return ObjectChangedError("the object was replaced or removed while it was being read", path=key)


class Interface(ABC):
    """The operations of one protocol below one cloudpath."""

    traits: StoreTraits = StoreTraits()
    """What the store is like. An instance may differ from its class."""

    part_slots: Budget | None = None
    """The number of parts of objects that may be in progress, over all calls; None: it is found while they are."""

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime) -> None:  # noqa: B027
        """Every interface is created with these arguments, without access to the network.

        Args:
            location: the parsed cloudpath; its path may be empty, and may end with a slash.
            options: secrets, endpoint, timeouts and the like; those that do not apply to the protocol are ignored.
            runtime: how to wait, to sleep and to connect, for green threads or OS threads.
        """

    @property
    def origin(self) -> Origin | None:
        """The server that requests are sent to: the number of workers of batches follows how it responds. None: a
        local store, or the server is not known before the first request."""
        return None

    # ---- one object

    @abstractmethod
    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        """The stored bytes `[start:end]`, as in a Python slice: a negative `start` with an open end is a suffix.

        None if the object is missing. A range past the end returns fewer or no bytes, like a slice.
        Whole objects are checked for their length and the digest that the store provides.
        """

    @abstractmethod
    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        """Store `content` completely or not at all; returns the new ETag if the store reports it.

        A file is read from its current position to its end, in bounded memory.
        """

    @abstractmethod
    def head(self, key: str) -> dict[str, Any] | None:
        """A dict with the fields `types.HEAD_FIELDS`; None if the object is missing."""

    def exists(self, key: str) -> bool:
        return self.head(key) is not None

    def size(self, key: str) -> int | None:
        """The size in stored bytes; None if the object is missing."""
        head = self.head(key)
        if head is None:
            return None
        if head["Content-Length"] is None:
            raise ProtocolError("the server does not report the size of the object", path=key)
        size: int = head["Content-Length"]
        return size

    def touch(self, key: str) -> None:
        """Create an empty object if the key does not exist."""
        if not self.exists(key):
            self.put(key, b"", WriteOptions())

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        """Delete up to `traits.delete_batch` keys; returns the errors by key. Missing keys are not errors."""

    # ---- many objects

    @abstractmethod
    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """One page of the objects whose keys start with `prefix` (any string, not only a directory).

        flat: group keys up to the next `/` into a common prefix that ends with `/`.
        start_after: start after this key (if `traits.lists_in_key_order`). token: continue after an earlier page.
        limit: the maximum number of entries. Stores without listings raise UnsupportedOperationError.
        """

    def pages(self, prefix: str = "", *, flat: bool = False, token: str | None = None,
              limit: int | None = None) -> Iterator[ListPage]:
        """All pages of a listing, from `token` on, with each object once; the arguments are those of `list_page`.

        Raises ProtocolError if the listing does not end, and the exceptions of `list_page`.
        """
        def request_page(token: str | None) -> tuple[ListPage, str | None]:
            page = self.list_page(prefix, flat=flat, token=token, limit=limit)
            return page, page.next_token

        seen = DuplicateFilter()
        for page in follow_pages(f"the listing of {prefix!r}", request_page, token, prefixes=lambda page: page.prefixes,
                                 first=lambda page: page.entries[0].key if page.entries else None):
            yield seen.page(page)

    def isdir(self, key: str) -> bool:
        """Whether there is anything below the directory `key`."""
        directory = key.rstrip("/") + "/" if key else ""
        return any(page.entries or page.prefixes for page in self.pages(directory, limit=1))

    def get_acl(self, key: str) -> Any:
        """The access control list of an object, in the format of the store; None if it is missing or has none."""
        raise UnsupportedOperationError(f"{type(self).__name__} does not support access control lists of "
                                        "objects", path=key)

    def root_exists(self) -> bool | None:
        """Whether the location of the cloudpath exists, even if it is empty; None if an empty one cannot be
        distinguished from a missing one."""
        return self.isdir("") or None

    def remove_empty_directory(self, key: str, keep: Collection[str] = ()) -> None:  # noqa: B027 -- as most have none
        """Remove the directory `key` and its subdirectories, if they contain nothing but symlinks.

        keep: keys of symlinks that are not removed.
        """

    def is_below_symlink(self, key: str, above: str = "") -> bool:
        """Whether a directory of `key`, below the directory `above`, is a symlink: the object may have another key."""
        return False

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` without credentials for `expires` seconds."""
        raise UnsupportedOperationError(f"{type(self).__name__} does not support presigned URLs")

    def capability(self, kind: Kind[C]) -> C | None:
        """The operations of one kind, a class of `capabilities`; None if the store does not have them."""
        return None

    def reason_without(self, kind: Kind[Capability]) -> str:
        """Why the store does not have them, as part of a sentence; '' if nothing is to be said."""
        return ""

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        """The sources that are searched for credentials, in order, and what was found in each, without secrets."""
        return []

    # ---- transfers: transfer/ chooses its method by these. All defaults are correct for every protocol.

    def describe(self, key: str) -> StoredObject | None:
        """The object without its content: encoding, ETag, size and headers. None if it is missing."""
        head = self.head(key)
        if head is None:
            return None
        headers = {name.lower(): str(value) for name, value in head.items() if value is not None}
        return StoredObject(None, head["Content-Encoding"] or "", "", head["ETag"], head["Content-Length"], headers)

    def get_bounded(self, key: str, max_size: int) -> StoredObject | None:
        """The whole object with its headers, as by `get`; of one that is larger than `max_size`, what `describe` does.

        Protocols that can decide this from the start of a response override it, to save the request for the size.
        """
        described = self.describe(key)
        if described is None or (described.size or 0) > max_size:
            return described
        stored = self.get(key)
        if stored is not None and stored.headers is None:
            stored.headers = described.headers
        return stored

    def write_options(self, stored: StoredObject) -> WriteOptions:
        """The options for writing a copy of an object, from its headers."""
        headers = stored.headers or {}
        prefix = self.traits.metadata_prefix
        metadata = {name[len(prefix):]: value for name, value in headers.items() if name.startswith(prefix)}
        return WriteOptions(
            headers.get("content-type"), stored.encoding, headers.get("cache-control"), metadata=metadata or None,
            content_disposition=headers.get("content-disposition"), content_language=headers.get("content-language"))

    def digests(self, stored: StoredObject) -> list[Digest]:
        """The digests of the whole stored object in its headers, the cheapest first."""
        return digests_from_headers(stored.headers or {}, etag_is_md5=self.traits.etag_is_md5)

    def supports_ranges(self, stored: StoredObject) -> bool:
        """Whether a byte range of this object can be read without reading all of it."""
        return True

    def get_part(self, key: str, start: int, end: int, described: StoredObject) -> bytes:
        """The stored bytes `[start:end]`, which must exist, of the content that `described` refers to.

        described: must have a validator; an object without one has to be read in one request.
        Raises ObjectChangedError if the object has different content now.
        """
        part = self.get(key, start, end)
        if part is None or not part.is_same_content(described) or len(part.content) != end - start:
            raise object_changed(key)
        content: bytes = part.content
        return content

    def stream_part(self, key: str, start: int, end: int, described: StoredObject, take: TakePiece) -> None:
        """As `get_part`, but pass the bytes to `take`: pieces and their offsets in the object, in order. After an
        interruption it may begin again at `start`."""
        take(start, self.get_part(key, start, end, described))

    def stream_to(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        """Pass the whole object to `take` in order, in bounded memory, all from one version; None if it is missing.

        Uses one request if the responses to several could not be shown to have the same content.
        The content is valid only when this has returned. Raises ObjectChangedError.
        """
        described = self.describe(key)
        if described is None:
            return None
        if described.size is None or described.validator is None:
            return self.stream_in_one_request(key, take)
        for at in range(0, described.size, PART_BYTES):
            take(self.get_part(key, at, min(described.size, at + PART_BYTES), described))
        return described

    def stream_in_one_request(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        """Like `stream_to`, in one request. Protocols whose objects may have no validator override it, to bound the
        memory; the result is the description in that one response."""
        stored = self.get(key)
        if stored is None:
            return None
        take(stored.content)
        return StoredObject(None, stored.encoding, stored.verified, stored.etag, len(stored.content), stored.headers,
                            stored.generation)

    def can_copy_from(self, source: Interface) -> bool:
        """Whether to try `copy_from` for objects of `source`. Called once per batch; performs no I/O."""
        return False

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """Copy an object on the server, without passing its bytes through a client; None if the source is missing.

        Content, encoding, content type, cache control and metadata are copied, except for the changes of
        `options.change`. The copy appears completely or not at all; a 200 response is checked for errors.

        Raises:
            UnsupportedOperationError: these two objects cannot be copied; nothing was done, stream instead.
            ObjectChangedError: the source does not have the ETag `options.etag`, or was replaced in the meantime.
        """
        raise UnsupportedOperationError(f"{type(self).__name__} does not support server-side copies", path=key)

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        """Move an object in one atomic step, as file systems do; False if that is not possible."""
        return False

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        """Whether `key` and `source_key` of the other interface are the same object."""
        return False

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        """Start writing an object of `size` bytes in parts; None if the protocol does not support this: use `put`.

        state: the state of an unfinished writer, to resume from; if that is no longer possible, it starts over.
        """
        return None

    def discard_partial(self, prefix: str, older_than: float) -> int:
        """Remove incomplete uploads and temporary files of interrupted writes below `prefix` that started more than
        `older_than` seconds ago. Returns their number."""
        return 0

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        """Remove what these writes left behind, and nothing else. Returns the number of removed items."""
        return 0

    def check_unambiguous(self, key: str) -> None:  # noqa: B027 -- most stores have one object per key
        """Raise AmbiguousPathError if several files map to this key: removing it would remove them all."""

    def explain_decompression_error(self, key: str, encoding: str, error: DecompressionError) -> DecompressionError:
        """The error to raise for stored bytes that cannot be decoded, with the reason if the store knows it."""
        return error

    def key_resolver(self, *, follow: bool = False) -> Callable[[str], str] | None:
        """A function that returns equal values for keys that are the same object because of symlinks between
        directories; None if this cannot happen. To be used for one batch only.

        follow: also follow a symlink with the name of the key itself, as reads do; writes replace it.
        """
        return None

    def check_target(self, key: str) -> None:  # noqa: B027 -- most keys cannot lead out
        """Raise InvalidPathError if a write of `key` would lead out of the cloudpath, for example by a symlink."""
