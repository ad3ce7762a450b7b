"""The items of a `get`, and how each becomes a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudfiles.batch.fanout import ItemCounter, Plan
from cloudfiles.byteranges import ByteRange, RangeGroup, byte_range, coalesce
from cloudfiles.compression import decompress
from cloudfiles.content_encoding import effective_encoding
from cloudfiles.exceptions import DecompressionError, InvalidInputError
from cloudfiles.inputs import as_path, check_fields, is_path
from cloudfiles.interfaces.base import Interface
from cloudfiles.results import GetResult
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.hedge_count import counting_hedges
from cloudfiles.types import StoredObject
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

WHOLE = ByteRange()

_ENCODED = 64 << 10
"""Bytes by which an encoding may be longer than short content: headers, tables, checksums."""

_FIELDS = ("path", "start", "end", "tags")
_IGNORED_FIELDS = ("content", "subranges")  # added by cloud-volume to the same dicts; ignored here


class GetItem(NamedTuple):
    """One item of a get."""

    path: str
    byte_range: ByteRange = WHOLE
    tags: Any = None


class GetGroup(NamedTuple):
    """Several ranges of one object, close to each other: fetched with one request."""

    path: str
    group: RangeGroup
    members: list[GetItem]


def as_get_item(item: Any) -> GetItem:
    """The item of a `get` as passed by the user. Raises InvalidInputError."""
    if is_path(item):
        return GetItem(as_path(item))
    if isinstance(item, GetItem):
        return item
    if isinstance(item, Mapping):
        check_fields(item, _FIELDS, _IGNORED_FIELDS)
        if not is_path(item.get("path")):
            raise InvalidInputError(f"expected a dict with a path, such as {{'path': 'key', 'start': 0, 'end': 10}}, "
                                    f"got {item!r}")
        return GetItem(as_path(item["path"]), byte_range(item.get("start"), item.get("end")), item.get("tags"))
    raise InvalidInputError("expected a path or a dict with 'path', 'start', 'end' and 'tags', got "
                            f"{type(item).__name__}: {item!r}")


def grouped(items: Sequence[Any]) -> tuple[list[Any], list[list[int]]]:
    """`items` with close ranges of one object grouped, and the indices in `items` of the members of each unit."""
    ranges: dict[str, list[int]] = {}
    units: list[Any] = []
    indices: list[list[int]] = []
    for index, item in enumerate(items):
        if type(item) is not str and as_get_item(item).byte_range != WHOLE:
            ranges.setdefault(as_get_item(item).path, []).append(index)
        else:
            units.append(item)
            indices.append([index])
    for path, members in ranges.items():
        wanted = [as_get_item(items[index]) for index in members]
        for group in coalesce(member.byte_range for member in wanted):
            units.append(GetGroup(path, group, [wanted[index] for index, _ in group.members]))
            indices.append([members[index] for index, _ in group.members])
    return units, indices


def ungrouped(results: Iterable[Any], indices: list[list[int]], count: int) -> list[GetResult]:
    """The results for the units of `grouped`, in the order of the items."""
    ordered: list[Any] = [None] * count
    for result, positions in zip(results, indices, strict=True):
        parts = result if isinstance(result, list) else [result]
        for position, part in zip(positions, parts, strict=True):
            ordered[position] = part
    return ordered


def reader(interface: Interface, runtime: Runtime | None, raw: bool, max_decoded_size: int | None = None,
           monitor: TransmissionMonitor | None = None) -> Callable[[Any], Any]:
    """The function that returns the result of one item of a `get` (a list of results for a group).

    monitor: records each read from the store.
    """
    get = interface.get if max_decoded_size is None else _bounded(interface, max_decoded_size, raw)
    get = get if monitor is None else _recorded(get, monitor)
    plain = interface.traits.no_encoding

    def read(item: Any) -> Any:
        if type(item) is str:  # the common case, kept short
            stored = get(item)
            if stored is None:
                return result(item, None, raw=raw)
            if stored.encoding:
                stored.encoding = effective_encoding(stored.encoding)
                if stored.encoding and not raw:
                    stored.content = decoded(stored.content, stored.encoding, item)
            return GetResult({"path": item, "content": stored.content, "byte_range": WHOLE, "error": None,
                              "compress": stored.encoding or plain, "raw": raw, "tags": None}, stored.verified)
        if isinstance(item, GetGroup):
            return read_group(item)
        return read_range(as_get_item(item))

    def read_range(wanted: GetItem) -> GetResult:
        if wanted.byte_range == WHOLE:
            whole: GetResult = read(wanted.path)
            whole["tags"] = wanted.tags
            return whole
        stored = get(wanted.path, *wanted.byte_range)
        if stored is None:
            return result(wanted.path, None, wanted, raw=raw)
        return result(wanted.path, stored.content, wanted, effective_encoding(stored.encoding) or plain, raw)

    def read_group(item: GetGroup) -> list[GetResult]:
        stored = get(item.path, item.group.start, item.group.end)
        if stored is None:
            return [result(item.path, None, member, raw=raw) for member in item.members]
        parts = (content for _, content in item.group.cut(stored.content))
        return [result(item.path, content, member, effective_encoding(stored.encoding) or plain, raw)
                for member, content in zip(item.members, parts, strict=True)]

    def decoded(content: Any, encoding: str, path: str) -> Any:
        if not isinstance(content, bytes):
            return content  # mem:// may store any Python object
        try:
            if runtime is not None and len(content) >= RUN_IN_THREAD_BYTES:
                return runtime.run_in_thread(_decode, content, encoding, path, max_decoded_size)
            return _decode(content, encoding, path, max_decoded_size)
        except DecompressionError as error:
            raise interface.explain_decompression_error(path, encoding, error) from error.__cause__

    return read


def _bounded(interface: Interface, limit: int, raw: bool) -> Callable[..., StoredObject | None]:
    """`interface.get` for contents of at most `limit` bytes; larger ones are not read. Raises DecompressionError.

    The limit applies to decoded bytes, which the decoder counts; encoded content may be slightly longer. Ranges with an
    end are not limited.
    """

    def whole(key: str) -> StoredObject | None:
        stored = interface.get_bounded(key, limit + limit // 8 + _ENCODED)
        if stored is not None and stored.content is None:
            raise _too_large(limit, stored.size, key)
        return stored

    def bounded(key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        if end is not None:
            return interface.get(key, start, end)
        if start is not None:
            stored = interface.get(key, start, None if start < 0 else start + limit + 1)
        else:
            stored = interface.get(key) if interface.traits.keeps_live_objects else whole(key)
        if stored is None or not isinstance(stored.content, bytes) or len(stored.content) <= limit:
            return stored
        if start is None and not raw and effective_encoding(stored.encoding):
            return stored  # the decoder counts
        raise _too_large(limit, stored.size, key)

    return bounded


def _too_large(limit: int, size: int | None, key: str) -> DecompressionError:
    has = "more" if size is None else f"{size} bytes, more"
    return DecompressionError(f"content has {has} than the limit of {limit} bytes (max_decoded_size)", path=key)


def _recorded(get: Callable[..., StoredObject | None], monitor: TransmissionMonitor
              ) -> Callable[..., StoredObject | None]:
    """`get`, recorded. Not implemented with `monitor.timed`: another call per object would be measurable."""
    now, note = monitor.now, monitor.note

    def recorded(key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        began = now()
        try:
            with counting_hedges(monitor.record_hedged):
                stored = get(key, start, end)
        except BaseException:
            monitor.record_error()
            raise
        # mem:// may store any Python object, which have no bytes.
        note((began, now(), len(stored.content) if stored is not None and type(stored.content) is bytes else 0))
        return stored

    return recorded


def _decode(content: bytes, encoding: str, path: str, max_decoded_size: int | None) -> bytes:
    return decompress(content, encoding, path, max_decoded_size=max_decoded_size)


@contextmanager
def decoding(interface: Interface, path: str, encoding: str) -> Iterator[None]:
    """A block in which errors of decoding get the store's explanation."""
    try:
        yield
    except DecompressionError as error:
        raise interface.explain_decompression_error(path, encoding, error) from error.__cause__


def result(path: str, content: Any, wanted: GetItem | None = None, encoding: str | None = None, raw: bool = False,
           error: Exception | None = None) -> GetResult:
    """A result; see `CloudFiles.get`."""
    asked = wanted or GetItem(path)
    return GetResult({"path": path, "content": content, "byte_range": asked.byte_range, "error": error,
                      "compress": encoding, "raw": raw, "tags": asked.tags})


def failed(item: Any, error: Exception, raw: bool = False) -> Any:
    """The result for an item that failed, for `raise_errors=False`."""
    if isinstance(item, GetGroup):
        return [result(item.path, None, member, raw=raw, error=error) for member in item.members]
    wanted = as_get_item(item)
    return result(wanted.path, None, wanted, raw=raw, error=error)


def counting(plan: Plan, read: Callable[[Any], Any], counter: ItemCounter) -> tuple[Plan, Callable[[Any], Any]]:
    """The same plan and reader, which count the members of groups, including failed ones."""

    def counted(item: Any) -> Any:
        found = read(item)
        counter.add(_members(item))
        return found

    on_error = plan.on_error
    if on_error is None:
        return plan, counted

    def kept(item: Any, error: Exception) -> Any:
        counter.add(_members(item))
        return on_error(item, error)

    return plan._replace(on_error=kept), counted


def _members(item: Any) -> int:
    return len(item.members) if isinstance(item, GetGroup) else 1


def weight(item: Any) -> int:
    """Bytes of a result's content in memory."""
    content = item["content"]
    return len(content) if isinstance(content, bytes) else 0
