"""The verbs that read: get, stream, get_json, head, exists, size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudfiles import presence
from cloudfiles.exceptions import InvalidJSONError
from cloudfiles.fanout import Tally, collect, stream
from cloudfiles.handover import Columns, as_asked
from cloudfiles.inputs import is_path
from cloudfiles.json_content import load_json
from cloudfiles.parallel import Parallel, is_parallel
from cloudfiles.progress import Progress
from cloudfiles.reading import Result, as_wanted, counting, failed, grouped, reader, ungrouped, weight
from cloudfiles.runtime.engine import blocking_runtime
from cloudfiles.store import checked_count
from cloudfiles.verbs.batches import Batches, iterable, monitor_of

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

_STREAM_ITEMS = 1000
_STREAM_BYTES = 256 * 1024 * 1024


class ReadingVerbs(Batches):
    """What `CloudFiles` inherits them from."""

    def get(self, paths: Any, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: bool = False, raise_errors: bool = True,
            part_size: int | None = None, return_recording: bool = False, *,
            max_decoded_size: int | None = None) -> Any:
        """Contents of objects.

        Args:
            paths: a path, or `{'path', 'start', 'end', 'tags'}` for a byte range (`end` exclusive, either end
                open, a negative start for the last bytes); or an iterable of these. A collection's ranges
                of one object that lie within 64 KiB of each other are fetched in one request of at most 16 MiB.
            total: how many there are, for the progress bar over an iterator.
            raw: stored bytes as they are; otherwise they are decoded by their Content-Encoding.
                A range is always of the stored bytes, and never decoded.
            return_dict: give `{path: content}`.
            raise_errors: False keeps the error of an item in its result (of one path: is raised all the same).
            part_size: accepted for compatibility; the sizes of parts are planned.
            max_decoded_size: bytes that a content may have, when decoded where it is encoded; more is a
                DecompressionError, and is not read. (A range that names its end is as long as it says.)
            return_recording: give `(what is given otherwise, TransmissionMonitor)`: when each object came.

        Returns:
            For one path its bytes, None where it is missing. For many a list, in their order, of
            `{'path', 'content', 'byte_range', 'error', 'compress', 'raw', 'tags'}`. Its attribute `verified` names
            the digest that vouched for the stored bytes, '' where the store offered none.
        """
        _check_limit(max_decoded_size)
        monitor = monitor_of("RX") if return_recording else None
        answer: Any
        if is_path(paths) or isinstance(paths, Mapping):
            runtime = blocking_runtime()
            read = reader(self._store.interface(runtime), runtime, raw, max_decoded_size, monitor)
            found = read(as_wanted(paths))
            answer = {found["path"]: found["content"]} if return_dict else found["content"]
        else:
            paths = iterable(paths)
            options: dict[str, Any] = {
                "raw": raw, "raise_errors": raise_errors, "max_decoded_size": max_decoded_size}
            if is_parallel(self._parallel(parallel, paths)):
                results = self._get_elsewhere(paths, total, progress, parallel, monitor, options)
            else:
                results = self._get_many(paths, total, progress, monitor, **options)
            answer = {r["path"]: r["content"] for r in results} if return_dict else results
        return answer if monitor is None else (answer, monitor)

    def _get_many(self, paths: Any, total: int | None, progress: Progress, monitor: TransmissionMonitor | None, *,
                  raw: bool, raise_errors: bool, max_decoded_size: int | None) -> list[Result]:
        on_error = None if raise_errors else lambda item, error: failed(item, error, raw)
        units, regroup = _with_groups(paths)
        tally = None if units is paths else Tally()
        with self._batch("Downloading", paths, total, progress, on_error) as (plan, interface):
            read = reader(interface, plan.runtime, raw, max_decoded_size, monitor)
            if tally is not None:
                plan, read = counting(plan, read, tally)
            return regroup(collect(read, units, plan, tally))

    def _get_elsewhere(self, paths: Any, total: int | None, progress: Progress, parallel: Parallel | None,
                       monitor: TransmissionMonitor | None, options: dict[str, Any]) -> list[Result]:
        parts = self._in_processes("_get_columns", paths, options, parallel, progress, total, monitor,
                                   strip=as_asked, weigh_result=lambda part: (part[0] if monitor else part).size)
        return [result for items, columns in parts for result in columns.results(items, options["raw"])]

    def _get_columns(self, paths: list[Any], return_recording: bool = False, **options: Any) -> Any:
        """In a worker: what a `get` brings and the caller does not know."""
        found = self.get(paths, return_recording=return_recording, **options)
        return (Columns.of(found[0]), found[1]) if return_recording else Columns.of(found)

    def stream(self, paths: Iterable[Any], *, total: int | None = None, raw: bool = False, progress: Progress = None,
               raise_errors: bool = True, max_items: int = _STREAM_ITEMS, max_bytes: int = _STREAM_BYTES,
               max_decoded_size: int | None = None) -> Iterator[Result]:
        """The results of `get`, as they come: not in the order of the paths.

        The download goes on while the consumer works, until `max_items` results or `max_bytes`
        of contents wait for it: any number of keys costs the same memory. The paths are
        iterated in the consumer's thread. Closing the iterator cancels what is under way.
        """
        checked_count("max_items", max_items, 1)
        checked_count("max_bytes", max_bytes, 1)
        _check_limit(max_decoded_size)
        return self._stream(iterable(paths), total, raw, progress, raise_errors, max_items, max_bytes,
                            max_decoded_size)

    def _stream(self, paths: Iterable[Any], total: int | None, raw: bool, progress: Progress, raise_errors: bool,
                max_items: int, max_bytes: int, max_decoded_size: int | None) -> Iterator[Result]:
        on_error = None if raise_errors else lambda item, error: failed(item, error, raw)
        with self._batch("Downloading", paths, total, progress, on_error) as (plan, interface):
            read = reader(interface, plan.runtime, raw, max_decoded_size)
            if plan.runtime is None:
                for path in paths:
                    yield from collect(read, (path,), plan)
                return
            yield from stream(read, paths, plan, max_items=max_items, max_bytes=max_bytes, weigh=weight)

    def get_json(self, paths: Any, total: int | None = None, *, progress: Progress = None,
                 raise_errors: bool = True) -> Any:
        """Contents parsed as JSON: of one path the value, of many a list of values; None where missing.

        NaN, the infinities and a byte order mark are read as Python's `json` reads them.

        raise_errors: False puts the error of an item, failed or no JSON, into the list in place of its value (of one
            path it is raised all the same).
        """
        if is_path(paths) or isinstance(paths, Mapping):
            return load_json(self.get(paths), as_wanted(paths).path)
        results = self.get(paths, total=total, progress=progress, raise_errors=raise_errors)
        return [_value_of(found, raise_errors) for found in results]

    def head(self, paths: Any, total: int | None = None, progress: Progress = None,
             parallel: Parallel | None = None) -> Any:
        """What the store knows of objects: dicts of header fields (`types.HEAD_FIELDS`), None where missing."""
        return self._ask("head", paths, total, progress, parallel)

    def get_acl(self, paths: Any, total: int | None = None, progress: Progress = None) -> dict[str, Any]:
        """Who may do what with objects: `{path: access}`, also of one path.

        On `s3://` a dict with 'Owner' and 'Grants' as in the S3 API, on `file://` the mode (`os.stat_result.st_mode`);
        None of what is missing, and on `mem://`. Raises UnsupportedOperationError (and NotImplementedError) elsewhere.
        """
        access: dict[str, Any] = self._ask("get_acl", (paths,) if is_path(paths) else paths, total, progress)
        return access

    def exists(self, paths: Any, total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> Any:
        """Whether objects exist: a bool, or `{path: bool}`.

        Where the store lists in key order, keys that lie dense are answered from listings, a
        thousand a request; the answers are the same.
        """
        return self._ask("exists", paths, total, progress, parallel, presence.exists)

    def size(self, paths: Any, total: int | None = None, progress: Progress = None, return_sum: bool = False,
             parallel: Parallel | None = None) -> Any:
        """Stored bytes of objects: an int, or `{path: int}`; None where missing. return_sum: their sum."""
        sizes = self._ask("size", paths, total, progress, parallel, presence.sizes)
        if not return_sum:
            return sizes
        return sum(size or 0 for size in (sizes.values() if isinstance(sizes, dict) else [sizes]))


def _with_groups(paths: Iterable[Any]) -> tuple[Iterable[Any], Callable[[list[Any]], list[Result]]]:
    """`paths` with near ranges put together where they can be seen, and how to take the results apart."""
    if not isinstance(paths, Collection) or all(type(path) is str for path in paths):
        return paths, lambda results: results
    items = list(paths)
    units, places = grouped(items)
    return units, lambda results: ungrouped(results, places, len(items))


def _value_of(found: Result, raise_errors: bool) -> Any:
    """The value that a result spells, or its error."""
    if found["error"] is not None:
        return found["error"]
    try:
        return load_json(found["content"], found["path"])
    except InvalidJSONError as error:
        if raise_errors:
            raise
        return error


def _check_limit(max_decoded_size: int | None) -> None:
    if max_decoded_size is not None:
        checked_count("max_decoded_size", max_decoded_size)
