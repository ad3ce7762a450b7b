"""The contract of a protocol.

An interface is bound to one cloudpath and one runtime. Every key it is given, and every
key it lists, is relative to that cloudpath. Its methods block (in the runtime's way), are
called by many workers at once, and keep no state of a single call. Retries, digests,
resuming and the mapping of errors happen below this line: what comes out is right, None
for missing, or a CloudFilesError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from cloudfiles.exceptions import CloudFilesError, UnsupportedOperationError
from cloudfiles.types import Content, ListPage, StoredObject, WriteOptions


class Interface(ABC):
    """One protocol's operations below one cloudpath."""

    is_local: ClassVar[bool] = False
    """Operations take microseconds and wait for no network: a batch starts in the caller's own thread."""

    lists_in_key_order: ClassVar[bool] = False
    """`list_page` goes in UTF-8 byte order of the keys and honours `start_after`: batches may merge-join."""

    delete_batch: ClassVar[int] = 1
    """How many keys one call of `delete` may carry."""

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
        return None if head is None else head["Content-Length"]

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

    def isdir(self, key: str) -> bool:
        """Whether anything lies below `key` taken as a directory."""
        page = self.list_page(key.rstrip("/") + "/" if key else "", limit=1)
        return bool(page.entries or page.prefixes)

    def presign(self, key: str, expires: float, method: str) -> str:
        """A URL that allows `method` on `key` without credentials for `expires` seconds."""
        raise UnsupportedOperationError(f"{type(self).__name__} cannot presign: its protocol has no signed URLs")
