"""What the journal of a transfer takes and gives: the values, and how keys are written down."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from cloudfiles.transfer.items import Item

ItemState = Literal["pending", "leased", "done", "skipped", "failed", "unverifiable"]
STATES: tuple[ItemState, ...] = ("pending", "leased", "done", "skipped", "failed", "unverifiable")


class LeasedItem(NamedTuple):
    """An object that a worker holds."""

    id: int
    item: Item


class ItemResult(NamedTuple):
    """What came of an object; the fields are the columns of the journal."""

    state: ItemState
    cause: str | None = None
    algorithm: str | None = None
    digest: str | None = None
    etag: str | None = None
    source_etag: str | None = None
    bytes: int | None = None


class LeaseOwner(NamedTuple):
    """Who leases objects.

    Attributes:
        lease: seconds that its lease lasts unless it is renewed.
    """

    id: int
    lease: float


class TransferRecord(NamedTuple):
    """What the journal is of.

    Attributes:
        source, target: cloudpaths.
        options: how to reach them and how to carry; values that JSON can say, and no secrets.
        created: seconds since the epoch.
        is_listed: every object is in the journal.
    """

    source: str
    target: str
    options: dict[str, Any]
    created: float
    is_listed: bool


class Failure(NamedTuple):
    """An object that could not be carried."""

    path: str
    dest_path: str
    cause: str
    attempts: int


def stored_key(key: str) -> str | bytes:
    """As the journal has it: SQLite takes no text that is not Unicode, as names of files may be."""
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
