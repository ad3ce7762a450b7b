"""Server-side copies: their options and their result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudfiles.types import WriteOptions
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.transport.budget import Budget

Attributes = Callable[[WriteOptions], WriteOptions]


class CopyOptions(NamedTuple):
    """Options of a server-side copy.

    Attributes:
        size: the size of the source in stored bytes, if known: some stores copy large objects in another way.
        etag: copy only this version of the source (ObjectChangedError otherwise); None: any version.
        change: a function from the attributes of the source to those of the copy; None: unchanged. It never changes
            the encoding.
        slots: the workers for parts that the store copies one by one, see `Interface.part_slots`.
    """

    size: int | None = None
    etag: str | None = None
    change: Attributes | None = None
    slots: Budget | None = None


class CopyResult(NamedTuple):
    """The result of a copy: its size in stored bytes and its ETag, each None if the store did not report it."""

    size: int | None = None
    etag: str | None = None
