"""The contract of a protocol.

An interface is bound to one cloudpath and one runtime. Every key it is given, and every
key it lists, is relative to that cloudpath. Its methods block (in the runtime's way), are
called by many workers at once, and keep no state of a single call. Retries, digests,
resuming and the mapping of errors happen below this line: what comes out is right, None
for missing, or a CloudFilesError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

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
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.types import Content, ListPage, StoredObject, WriteOptions


def object_changed(key: str) -> ObjectChangedError:
    return ObjectChangedError("the object was replaced or removed while it was being read", path=key)


class Interface(ABC):
    """One protocol's operations below one cloudpath."""

    is_local: ClassVar[bool] = False
    """Operations take microseconds and wait for no network: a batch starts in the caller's own thread."""

    lists_in_key_order: ClassVar[bool] = False
    """`list_page` goes in UTF-8 byte order of the keys and honors `start_after`: batches may merge-join."""

    lists_cheaply: ClassVar[bool] = False
    """Where the order of `list_page` is not known: it costs less than asking for one key in a hundred of what it lists.
    Batches may look for keys in the whole listing of their common prefix."""

    keeps_live_objects: ClassVar[bool] = False
    """`put` takes any Python object, and `get` gives the same one back."""

    delete_batch: ClassVar[int] = 1
    """How many keys one call of `delete` may carry."""

    etag_is_md5: ClassVar[bool] = False
    """An ETag of 32 hexadecimal digits is the md5 of the stored bytes, also in listings."""

    metadata_prefix: ClassVar[str] = "x-amz-meta-"
    """What the header of an object's own metadata begins with."""

    keeps_attributes: ClassVar[bool] = True
    """Objects keep a content type, cache control and metadata."""

    keeps_metadata: ClassVar[bool] = True
    """Of these the metadata, too: transfers leave it out elsewhere, and writes with it are refused."""

    folds_suffixes: bool = False
    """An encoding shows as a suffix of the name, so that the keys `a` and `a.gz` may be one object."""

    keeps_encodings: bool = True
    """Objects keep a content encoding; else they are written decoded."""

    folds_case: ClassVar[bool] = False
    """Keys that differ only in case may be one object."""

    nests_names: ClassVar[bool] = False
    """Keys are paths: where `a` is an object, `a/b` cannot be."""

    no_encoding: ClassVar[str | None] = None
    """What `compress` in a result is where an object has no encoding: programs compare with what they know."""

    reads_public_buckets: ClassVar[bool] = False
    """With `no_sign_request` it reads public buckets over HTTPS, listing included: `use_https` needs no other way."""

    # ---- one object

    @abstractmethod
    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        """The stored bytes `[start:end]` (read as a Python slice: negative `start` with open end is a suffix).

        None where the object is missing. A range past the end gives fewer or no bytes, as slicing does.
        Whole reads are checked for length and against the digest that the store offers.
        """

    @abstractmethod
    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        """Store `content` whole or not at all; gives the new ETag where the store tells one.

        A file is read from its current position to its end, in bounded memory.
        """

    @abstractmethod
    def head(self, key: str) -> dict[str, Any] | None:
        """The fields of `types.HEAD_FIELDS`, None where the object is missing."""

    def exists(self, key: str) -> bool:
        return self.head(key) is not None

    def size(self, key: str) -> int | None:
        """Stored bytes, None where the object is missing."""
        head = self.head(key)
        if head is None:
            return None
        if head["Content-Length"] is None:
            raise ProtocolError("the server does not report the size of the object", path=key)
        size: int = head["Content-Length"]
        return size

    def touch(self, key: str) -> None:
        """Create an empty object where there is none."""
        if not self.exists(key):
            self.put(key, b"", WriteOptions())

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        """Remove up to `delete_batch` keys; gives the errors of those that could not be. Missing keys are no error."""

    # ---- many objects

    @abstractmethod
    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """One page of the objects whose key begins with `prefix` (any string, not only a directory).

        flat: stop at the next `/`; what lies behind it shows as a common prefix ending in `/`.
        start_after: begin behind this key (where `lists_in_key_order`). token: go on from a page before.
        limit: at most so many entries. A store that has no listing raises UnsupportedOperationError.
        """

    def pages(self, prefix: str = "", *, flat: bool = False, token: str | None = None,
              limit: int | None = None) -> Iterator[ListPage]:
        """Every page of a listing, from `token` on, each object once; the arguments are those of `list_page`.

        Raises ProtocolError where the listing does not come to an end, and what `list_page` raises.
        """
        def request_page(token: str | None) -> tuple[ListPage, str | None]:
            page = self.list_page(prefix, flat=flat, token=token, limit=limit)
            return page, page.next_token

        seen = DuplicateFilter()
        for page in follow_pages(f"the listing of {prefix!r}", request_page, token, prefixes=lambda page: page.prefixes,
                                 first=lambda page: page.entries[0].key if page.entries else None):
            yield seen.page(page)

    def isdir(self, key: str) -> bool:
        """Whether anything lies below `key` taken as a directory."""
        directory = key.rstrip("/") + "/" if key else ""
        return any(page.entries or page.prefixes for page in self.pages(directory, limit=1))

    def get_acl(self, key: str) -> Any:
        """Who may do what with the object, in the store's own words; None where it is missing, or has none."""
        raise UnsupportedOperationError(f"{type(self).__name__} does not support access control lists of "
                                        "objects", path=key)

    def root_exists(self) -> bool | None:
        """Whether the place that the cloudpath names exists, be it empty; None where an empty one cannot be told from
        a missing one."""
        return self.isdir("") or None

    def remove_empty_directory(self, key: str) -> None:  # noqa: B027 -- most stores have no directories
        """Remove the directory `key`, and those below it, as far as they hold nothing but symlinks."""

    def is_below_symlink(self, key: str, above: str = "") -> bool:
        """Whether a directory of `key`, below the directory `above`, is a symlink: its object may have another key."""
        return False

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` without credentials for `expires` seconds."""
        raise UnsupportedOperationError(f"{type(self).__name__} does not support presigned URLs")

    def compose(self, source_keys: Sequence[str], key: str, options: WriteOptions) -> str | None:
        """Make one object of others, one behind the other, by the store's own means; they stay. Gives the ETag."""
        raise UnsupportedOperationError("compose is supported for gs:// only; elsewhere, read the objects and write "
                                        "them as one",
                                        path=key)

    def data_lake(self) -> Any:
        """What the store can do with directories, owners and ACLs beyond objects."""
        raise UnsupportedOperationError("data_lake() is supported for az:// and abfss:// only, in accounts with a "
                                        "hierarchical namespace (Data Lake Storage Gen2)")

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        """The sources that are searched for credentials, in order, and what was found in each, without secrets."""
        return []

    # ---- moving data: what transfer/ chooses its ways by. Every default is right for any protocol.

    def describe(self, key: str) -> StoredObject | None:
        """The object without its content: encoding, ETag, size and headers. None where it is missing."""
        head = self.head(key)
        if head is None:
            return None
        headers = {name.lower(): str(value) for name, value in head.items() if value is not None}
        return StoredObject(None, head["Content-Encoding"] or "", "", head["ETag"], head["Content-Length"], headers)

    def get_bounded(self, key: str, most: int) -> StoredObject | None:
        """As `get` of the whole object, with its headers; of one that has more than `most` bytes as `describe`.

        Protocols that can tell from the beginning of an answer override it, to spare the request for the size.
        """
        described = self.describe(key)
        if described is None or (described.size or 0) > most:
            return described
        stored = self.get(key)
        if stored is not None and stored.headers is None:
            stored.headers = described.headers
        return stored

    def attributes(self, stored: StoredObject) -> WriteOptions:
        """What a copy of an object is to be written with, as its headers tell."""
        headers = stored.headers or {}
        cut = len(self.metadata_prefix)
        metadata = {name[cut:]: value for name, value in headers.items() if name.startswith(self.metadata_prefix)}
        return WriteOptions(
            headers.get("content-type"), stored.encoding, headers.get("cache-control"), metadata=metadata or None,
            content_disposition=headers.get("content-disposition"), content_language=headers.get("content-language"))

    def digests(self, stored: StoredObject) -> list[Digest]:
        """The digests of the whole stored object that its headers tell, the cheapest first."""
        return digests_from_headers(stored.headers or {}, etag_is_md5=self.etag_is_md5)

    def supports_ranges(self, stored: StoredObject) -> bool:
        """Whether a byte range of this object can be read without reading all of it."""
        return True

    def get_part(self, key: str, start: int, end: int, described: StoredObject) -> bytes:
        """The stored bytes `[start:end]`, all of which there are, of the content that `described` tells of.

        described: with a validator; an object without one is to be read by one request.
        Raises ObjectChangedError where the object has other content by now.
        """
        part = self.get(key, start, end)
        if part is None or not part.is_same_content(described) or len(part.content) != end - start:
            raise object_changed(key)
        content: bytes = part.content
        return content

    def stream_to(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        """Hand the whole object to `take` in order, in bounded memory, all of it of one state; None where missing.

        By one request where nothing proves that the answers to several are of the same content.
        What `take` was given counts only once this returns. Raises ObjectChangedError.
        """
        described = self.describe(key)
        if described is None:
            return None
        if described.size is None or described.validator is None:
            return self.stream_to_at_once(key, take)
        for at in range(0, described.size, PART_BYTES):
            take(self.get_part(key, at, min(described.size, at + PART_BYTES), described))
        return described

    def stream_to_at_once(self, key: str, take: Callable[[bytes | memoryview], object]) -> StoredObject | None:
        """As `stream_to`, by one request. Protocols whose objects may lack a validator override it, to keep memory
        bounded; the object that it gives is what that one answer says."""
        stored = self.get(key)
        if stored is None:
            return None
        take(stored.content)
        return replace(stored, content=None, size=len(stored.content))

    def can_copy_from(self, source: Interface) -> bool:
        """Whether `copy_from` is worth trying for objects of `source`. Asked once a batch; no I/O."""
        return False

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """Copy an object by the store's own means, its bytes passing through no client; None: the source is missing.

        Content, encoding, content type, cache control and metadata are carried along but for what
        `options.change` changes. The copy appears whole or not at all; a 200 is read before it is believed.

        Raises:
            UnsupportedOperationError: it cannot be done for these two after all: nothing was done, stream instead.
            ObjectChangedError: the source is not in the state of `options.etag`, or was replaced meanwhile.
        """
        raise UnsupportedOperationError(f"{type(self).__name__} does not support server-side copies", path=key)

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        """Move an object in one atomic step, as a file system does; False: that cannot be done, nothing was."""
        return False

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        """Whether `key` and the other interface's `source_key` are one object under two names."""
        return False

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        """Begin to write an object of `size` bytes in parts; None: the protocol does not, use `put`.

        state: of a writer that did not finish, to go on with; where that is not possible any more it begins anew.
        """
        return None

    def discard_partial(self, prefix: str, older_than: float) -> int:
        """Remove what interrupted writes of keys beginning with `prefix` have left, begun over `older_than` seconds
        ago: uploads that were not completed, temporary files. Gives how many."""
        return 0

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        """Remove what these writes have left, and nothing of anyone else's. Gives how many."""
        return 0

    def check_unambiguous(self, key: str) -> None:  # noqa: B027 -- most stores keep one object a key
        """Raise AmbiguousPathError where several files hold this key's object: removing it would remove them all."""

    def explain_decompression_error(self, key: str, encoding: str, error: DecompressionError) -> DecompressionError:
        """The error of stored bytes that do not decode, with what the store knows of why."""
        return error

    def key_resolver(self, *, follow: bool = False) -> Callable[[str], str] | None:
        """A function that returns equal values for keys that are the same object here, because of symlinks between
        directories; None: no two keys are. To be used for one batch only.

        follow: a symlink of a key's own name is followed too, as reads do; writes replace it.
        """
        return None

    def check_target(self, key: str) -> None:  # noqa: B027 -- most keys cannot lead anywhere else
        """Raise InvalidPathError where a write of `key` would leave what the cloudpath names, as by a symlink."""
