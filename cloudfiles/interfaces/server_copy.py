"""Server-side copies: how an object is copied by the store itself, and what the copy came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cloudfiles.types import WriteOptions

Attributes = Callable[[WriteOptions], WriteOptions]


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How an object is copied by the store itself.

    Attributes:
        size: the source's stored bytes, where they are known: some stores copy large objects in another way.
        etag: copy only this state of the source (ObjectChangedError otherwise); None: whatever is there.
        change: what the copy is described by, made of what the source is described by; None: all as it is. It never
            changes the encoding.
    """

    size: int | None = None
    etag: str | None = None
    change: Attributes | None = None


class CopyResult(NamedTuple):
    """A copy that was made: its stored bytes and its ETag, each None where the store did not tell."""

    size: int | None = None
    etag: str | None = None
