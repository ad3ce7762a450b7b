"""The items of a transfer: the key of an object at the source, and at the target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from cloudfiles.batch.lister import list_pages
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import DuplicatePathError, InvalidInputError
from cloudfiles.inputs import as_path, check_fields, is_path
from cloudfiles.key_conflicts import find_key_conflict
from cloudfiles.paths import extract
from cloudfiles.values import NamedTuple

_FIELDS = ("path", "dest_path")


class Item(NamedTuple):
    """One object of a transfer.

    Attributes:
        source, target: its keys at the two stores.
        size: its stored bytes, if they are known from a listing.
    """

    source: str
    target: str
    size: int | None = None


def as_item(given: Any) -> Item:
    """A path, `{'path', 'dest_path'}`, or `(path, dest_path)` as an Item. Raises InvalidInputError."""
    if is_path(given):
        return Item(as_path(given), as_path(given))
    if isinstance(given, Item):
        return given
    if isinstance(given, Mapping):
        check_fields(given, _FIELDS)
        source = given.get("path")
        target = given.get("dest_path", source)
    elif isinstance(given, tuple | list) and len(given) == 2:
        source, target = given
    else:
        source = target = None
    if not is_path(source) or not is_path(target):
        raise InvalidInputError(f"expected a path, {{'path', 'dest_path'}} or (path, dest_path), got "
                                f"{type(given).__name__}: {given!r}")
    return Item(as_path(source), as_path(target))


def as_items(paths: Any) -> Iterable[Item]:
    """All of them. A collection is checked now, any other iterable while it is consumed.

    Raises DuplicatePathError if two objects of a collection have the same target.
    """
    if is_path(paths) or isinstance(paths, Mapping | Item):
        return [as_item(paths)]
    if isinstance(paths, bytes) or not isinstance(paths, Iterable):
        raise InvalidInputError(f"paths: expected a path or an iterable of paths, got {type(paths).__name__}: "
                                f"{paths!r}")
    if not isinstance(paths, Collection):
        return map(as_item, paths)
    items = [as_item(path) for path in paths]
    targets: set[str] = set()
    for item in items:
        if item.target in targets:
            raise DuplicatePathError("duplicate target path: two objects would be written to it; nothing was "
                                     "transferred", path=item.target)
        targets.add(item.target)
    return items


def items_between(source: Store, target: Store, paths: Any, reencode: Any = None,
                  skipped: list[str] | None = None) -> Iterable[Item]:
    """The objects to copy: `paths`, or None for all that the source lists.

    skipped: collects the symlinks that the listing skips.
    Raises InvalidPathError if two keys conflict at the target: now for a collection, otherwise while it is consumed.
    """
    # Keys that are file names without their suffixes do not conflict by them.
    suffixes = (paths is not None or reencode is not None or not source.here().traits.folds_suffixes
                or target.here().traits.folds_case)
    items = listed_items(source, skipped) if paths is None else as_items(paths)
    return without_conflicts(source, target, items, suffixes=suffixes)


def without_conflicts(source: Store, target: Store, items: Iterable[Item], *, suffixes: bool = True) -> Iterable[Item]:
    """The items, checked by `find_key_conflict`, and a collection also for objects that are source and target."""
    if isinstance(items, Collection):
        _check_chains(source, target, items)
    return find_key_conflict(target.here(), items, attrgetter("target"), source=source.here(),
                             source_key=attrgetter("source"), suffixes=suffixes)


def _check_chains(source: Store, target: Store, items: Collection[Item]) -> None:
    """Raise InvalidInputError if an object is the target of one item and the source of another: items are processed in
    any order, so its content could be lost."""
    if len(items) < 2 or extract(source.cloudpath)[1:3] != extract(target.cloudpath)[1:3]:  # protocol and bucket
        return
    here, there = (store.cloudpath.rstrip("/") + "/" for store in (source, target))
    sources = {here + item.source: item.source for item in items}
    for item in items:
        overwritten = sources.get(there + item.target, item.source)
        if overwritten != item.source and target.here().is_same(source.here(), overwritten, item.target):
            raise InvalidInputError(f"{item.source!r} would replace this object, which is the source of another one; "
                                    "nothing was transferred", path=item.target)


def listed_items(source: Store, skipped: list[str] | None = None) -> Iterator[Item]:
    """All objects that the source lists, in its order; `skipped` collects the symlinks that it skips."""
    for page in list_pages(source):
        if skipped is not None:
            skipped += page.skipped_symlinks
        for entry in page.entries:
            yield Item(entry.key, entry.key, entry.size)
