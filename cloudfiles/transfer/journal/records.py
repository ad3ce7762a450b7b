"""The values that are written to a journal and read from it, and the representation of keys."""

from __future__ import annotations

from typing import Any, Literal

from cloudfiles.transfer.items import Item
from cloudfiles.values import NamedTuple

ItemState = Literal["pending", "leased", "done", "skipped", "failed", "unverifiable"]
STATES: tuple[ItemState, ...] = ("pending", "leased", "done", "skipped", "failed", "unverifiable")


class LeasedItem(NamedTuple):
    """An object that a worker has leased."""

    id: int
    item: Item


class ItemResult(NamedTuple):
    """The result for an object; the fields are columns of the journal."""

    state: ItemState
    cause: str | None = None
    algorithm: str | None = None
    digest: str | None = None
    etag: str | None = None
    source_etag: str | None = None
    bytes: int | None = None


class LeaseOwner(NamedTuple):
    """A worker that leases objects.

    Attributes:
        lease: seconds until its lease expires, unless it is renewed.
    """

    id: int
    lease: float


class TransferRecord(NamedTuple):
    """The transfer of a journal.

    Attributes:
        source, target: cloudpaths.
        options: the options of the stores and of the transfer, as JSON values, without secrets.
        created: seconds since the epoch.
        is_listed: every object is in the journal.
    """

    source: str
    target: str
    options: dict[str, Any]
    created: float
    is_listed: bool


class Failure(NamedTuple):
    """An object that could not be transferred."""

    path: str
    dest_path: str
    cause: str
    attempts: int


def stored_key(key: str) -> str | bytes:
    """The key as it is stored: SQLite rejects text that is not Unicode, as file names can be."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return key.encode("utf-8", "surrogateescape")
    return key


def key_of(stored: str | bytes) -> str:
    return stored.decode("utf-8", "surrogateescape") if isinstance(stored, bytes) else stored


def item_of(source: Any, target: Any, size: int | None) -> Item:
    key = key_of(source)
    return Item(key, key if target is None else key_of(target), size)
