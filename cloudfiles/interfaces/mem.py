"""`mem://bucket/path`: objects in the memory of this process, for tests and scratch data.

All interfaces of a process share one store, keyed by bucket and key. It exists until
`clear_memory()` is called or the process ends, and is not visible to other processes. Keys are
opaque: any text except the empty one. The bytes are stored as they are passed (encoded, if they
are passed encoded), with the options of the write. Mutable content is copied, so that changing
it later does not change the store.

Content that is neither bytes nor a readable file is stored as it is: `get` returns the same
object. It has no size, no digest and no content type.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from base64 import b64encode
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidPathError,
    MissingObjectError,
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.capabilities import Appending, C, Capability, Concatenation, Kind
from cloudfiles.interfaces.local_store import chunks, guess_type, slice_bounds
from cloudfiles.interfaces.mem_capabilities import MemAppending, MemConcatenation
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.runtime.cancellation import publishing
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES
from cloudfiles.types import Clock, ListEntry, ListPage, StoredObject, StoreOptions, WriteOptions, head_of
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.contract import Runtime

PAGE_ENTRIES = 10_000
_FEW = 64  # up to this many keys are inserted one by one
_AFTER_SLASH = chr(ord("/") + 1)


class _Object(NamedTuple):
    content: Any
    options: WriteOptions
    etag: str
    md5: str | None  # base64; None if the content is not bytes
    modified: int  # seconds since the epoch

    @property
    def size(self) -> int | None:
        return len(self.content) if isinstance(self.content, bytes) else None


class _KeyOrder:
    """The keys of a bucket in order, updated when they are listed.

    Python compares text by code point, which is the order of its UTF-8 bytes. Removed keys
    stay in the list until they make up half of it, so that every change is cheap on average.
    """

    def __init__(self) -> None:
        self._sorted: list[str] = []
        self._added: list[str] = []
        self._dead: set[str] = set()

    def add(self, key: str) -> None:
        if key in self._dead:
            self._dead.discard(key)
        else:
            self._added.append(key)

    def discard(self, key: str) -> None:
        self._dead.add(key)

    def current(self) -> tuple[list[str], set[str]]:
        """All keys in order, including removed ones, and the set of removed ones."""
        if len(self._added) <= _FEW:
            for key in self._added:
                insort(self._sorted, key)
        else:
            self._sorted += self._added
            self._sorted.sort()  # two runs, the first one sorted: close to a merge
        self._added.clear()
        if len(self._dead) * 2 > len(self._sorted):
            self._sorted = [key for key in self._sorted if key not in self._dead]
            self._dead.clear()
        return self._sorted, self._dead


class _MemoryBucket:
    """Objects by key. The lock is held for writing, and for reading more than one item."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, _Object] = {}
        self._order = _KeyOrder()

    def put(self, key: str, stored: _Object) -> None:
        with self.lock, publishing():
            present = self.objects.get(key)
            _check_conditions(present, stored.options, key)
            self.objects[key] = stored
            if present is None:
                self._order.add(key)

    def replace(self, key: str, present: _Object, stored: _Object) -> bool:
        """Replace an object if it is still this one."""
        with self.lock, publishing():
            if self.objects.get(key) is not present:
                return False
            self.objects[key] = stored
            return True

    def rename(self, key: str, target: str) -> bool:
        """False if the object is missing."""
        with self.lock, publishing():
            stored = self.objects.pop(key, None)
            if stored is None:
                return False
            self._order.discard(key)
            if target not in self.objects:
                self._order.add(target)
            self.objects[target] = stored
            return True

    def delete(self, key: str) -> None:
        with self.lock, publishing():
            if self.objects.pop(key, None) is not None:
                self._order.discard(key)

    def clear(self) -> None:
        with self.lock:
            self.objects.clear()
            self._order = _KeyOrder()

    def list(self, prefix: str, after: str | None, flat: bool, limit: int) -> tuple[list[str], bool]:
        """Keys and, in flat listings, common prefixes: at most `limit`, in order, and whether more follow."""
        with self.lock:
            keys, dead = self._order.current()
            at = bisect_left(keys, prefix)
            if after is not None:
                at = max(at, bisect_right(keys, after))
            found: list[str] = []
            while at < len(keys) and keys[at].startswith(prefix):
                name, key = _shown(keys[at], prefix, flat), keys[at]
                if key in dead:
                    at += 1
                    continue
                if after is None or name > after:
                    if len(found) == limit:
                        return found, True
                    found.append(name)
                at = at + 1 if name is key else bisect_left(keys, name[:-1] + _AFTER_SLASH, at)
            return found, False


def _shown(key: str, prefix: str, flat: bool) -> str:
    """The entry of a listing for `key`: the key itself, or in flat listings its common prefix."""
    slash = key.find("/", len(prefix)) if flat else -1
    return key if slash < 0 else key[:slash] + "/"


def _check_conditions(present: _Object | None, options: WriteOptions, key: str) -> None:
    if options.if_absent and present is not None:
        raise PreconditionFailedError("the object already exists", path=key)
    if options.if_match is not None and (present is None or present.etag != options.if_match):
        found = "is missing" if present is None else f"has the ETag {present.etag}"
        raise PreconditionFailedError(f"the object {found}; expected the ETag {options.if_match}", path=key)


_buckets: dict[str, _MemoryBucket] = {}
_generations = itertools.count(1)


def _renew_locks() -> None:
    """In a forked child, replace locks: another thread of the parent may have held them."""
    for bucket in _buckets.values():
        bucket.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def clear_memory() -> None:
    """Delete all objects of all `mem://` buckets. Existing `CloudFiles` objects then see an empty store."""
    for bucket in list(_buckets.values()):
        bucket.clear()


class MemInterface(Interface):
    """The protocol `mem://`; see the module's docstring."""

    traits = StoreTraits(is_local=True, lists_in_key_order=True, keeps_live_objects=True, delete_batch=1000,
                         etag_is_md5=True)

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime,
                 clock: Clock = Clock()) -> None:  # noqa: B008 -- frozen
        path = (location.path or "").rstrip("/")
        self._root = path + "/" if path else ""
        self._store = f"mem://{location.bucket}/{path}".rstrip("/")
        self._bucket = _buckets.setdefault(location.bucket or "", _MemoryBucket())
        self._runtime = runtime
        self._wall = clock.wall

    # ---- one object

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        stored = self._bucket.objects.get(self._full(key))
        if stored is None:
            return None
        content = stored.content
        if start is not None or end is not None:
            content = self._cut(content, start, end, key)
        return StoredObject(content, stored.options.encoding, "", stored.etag)

    def _cut(self, content: Any, start: int | None, end: int | None, key: str) -> Any:
        if not isinstance(content, bytes):
            kind = type(content).__name__
            raise UnsupportedOperationError(f"byte ranges are not supported for {kind} "
                                            "objects", path=key, store=self._store)
        first, length = slice_bounds(start, end, len(content))
        return content[first:first + length]

    def put(self, key: str, content: Any, options: WriteOptions) -> str | None:
        full = self._full(key)
        stored = self._stored(_own(content), options)
        try:
            self._bucket.put(full, stored)
        except PreconditionFailedError as error:
            error.path, error.store = key, self._store
            raise
        return stored.etag

    def _stored(self, content: Any, options: WriteOptions) -> _Object:
        modified = int(self._wall())
        if not isinstance(content, bytes):
            return _Object(content, options, f'"g{next(_generations)}"', None, modified)
        digest = _md5(content) if len(content) < RUN_IN_THREAD_BYTES else self._runtime.run_in_thread(_md5, content)
        return _Object(content, options, f'"{digest.hex()}"', b64encode(digest).decode(), modified)

    def head(self, key: str) -> dict[str, Any] | None:
        """`Content-Length` is None for an object that is not bytes."""
        stored = self._bucket.objects.get(self._full(key))
        if stored is None:
            return None
        options = stored.options
        guessed = None if stored.md5 is None else guess_type(key)
        return head_of(
            Cache_Control=options.cache_control, Content_Length=stored.size,
            Content_Type=options.content_type or guessed, ETag=stored.etag, Last_Modified=http_date(stored.modified),
            Content_md5=stored.md5, Content_Encoding=options.encoding or None, Storage_Class=options.storage_class)

    def describe(self, key: str) -> StoredObject | None:
        stored = self._bucket.objects.get(self._full(key))
        if stored is None:
            return None
        options = stored.options
        fields = {"content-type": options.content_type, "cache-control": options.cache_control,
                  "content-disposition": options.content_disposition, "content-language": options.content_language,
                  "content-md5": stored.md5, "last-modified": http_date(stored.modified)}
        metadata = {self.traits.metadata_prefix + name: value for name, value in (options.metadata or {}).items()}
        headers = metadata | {name: value for name, value in fields.items() if value is not None}
        return StoredObject(None, options.encoding, "", stored.etag, stored.size, headers)

    def capability(self, kind: Kind[C]) -> C | None:
        operations: Mapping[Kind[Capability], Callable[[MemInterface], Capability]] = {
            Appending: MemAppending, Concatenation: MemConcatenation}
        found = operations.get(kind)
        return None if found is None else cast("C", found(self))

    def reason_without(self, kind: Kind[Capability]) -> str:
        return "it is the memory of one process, without directories or users"

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        """Within a bucket, with its content of any kind."""
        if not isinstance(source, MemInterface) or source._bucket is not self._bucket:
            return False
        return self._bucket.rename(source._full(source_key), self._full(key))

    def change(self, key: str, changed: Callable[[bytes], bytes]) -> None:
        """Replace the content of an object by a function of it, in one step. Raises MissingObjectError."""
        while True:
            stored = self._bucket.objects.get(self._full(key))
            if stored is None:
                raise MissingObjectError("there is no such object", path=key, store=self._store)
            if not isinstance(stored.content, bytes):
                raise UnsupportedOperationError(f"the object is a {type(stored.content).__name__}, not bytes", path=key,
                                                store=self._store)
            fresh = self._stored(changed(stored.content), stored.options._replace(if_absent=False, if_match=None))
            if self._bucket.replace(self._full(key), stored, fresh):
                return

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        return (isinstance(source, MemInterface) and source._bucket is self._bucket
                and source._full(source_key) == self._full(key))

    def get_acl(self, key: str) -> None:
        """None: there is no access control within a process."""

    def can_copy_from(self, source: Interface) -> bool:
        return isinstance(source, MemInterface)

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """The same content, including live objects."""
        assert isinstance(source, MemInterface)
        stored = source._bucket.objects.get(source._full(source_key))
        if stored is None:
            return None
        if options.etag not in (None, stored.etag):
            raise ObjectChangedError("the source was replaced before it was copied", path=source_key)
        written = stored.options if options.change is None else options.change(stored.options)
        self._bucket.put(self._full(key), stored._replace(options=written, modified=int(self._wall())))
        return CopyResult(stored.size, stored.etag)

    def exists(self, key: str) -> bool:
        return self._full(key) in self._bucket.objects

    def size(self, key: str) -> int | None:
        """Size in stored bytes; None if the object is missing or is not bytes."""
        stored = self._bucket.objects.get(self._full(key))
        return None if stored is None else stored.size

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        for full in [self._full(key) for key in keys]:
            self._bucket.delete(full)
        return {}

    # ---- many objects

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """As the contract says; entries and common prefixes come together in key order, `token` is the last of them."""
        after = token if token is not None else start_after
        names, more = self._bucket.list(self._root + prefix, None if after is None else self._root + after,
                                        flat, max(1, limit or PAGE_ENTRIES))
        cut, beyond = len(self._root), len(self._root) + len(prefix)
        objects = self._bucket.objects
        entries, prefixes = [], []
        for name in names:
            if flat and "/" in name[beyond:]:
                prefixes.append(name[cut:])
            elif (stored := objects.get(name)) is not None:
                entries.append(_entry(name[cut:], stored))
        return ListPage(entries, prefixes, names[-1][cut:] if more else None)

    def _full(self, key: str) -> str:
        if not key:
            raise InvalidPathError("the key must not be empty", store=self._store)
        return self._root + key


def _entry(key: str, stored: _Object) -> ListEntry:
    return ListEntry(key, stored.size, stored.etag, http_date(stored.modified))


def _own(content: Any) -> Any:
    """An immutable copy of `content`; anything that is neither bytes nor a file is returned as it is."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, (bytearray, memoryview)):
        return bytes(content)
    return b"".join(chunks(content)) if hasattr(content, "read") else content


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()
