"""The methods of `CloudFiles` that read: get, stream, get_json, head, get_acl, exists, size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from cloudfiles.batch import existence
from cloudfiles.batch.fanout import ItemCounter, collect, stream
from cloudfiles.batch.processes import Parallel, is_parallel
from cloudfiles.batch.reader import as_get_item, counting, failed, grouped, reader, ungrouped, weight
from cloudfiles.batch.result_columns import ResultColumns, without_tags
from cloudfiles.exceptions import InvalidJSONError
from cloudfiles.inputs import ReadRequest, is_path
from cloudfiles.json_content import load_json
from cloudfiles.lib import StrPath
from cloudfiles.option_checks import checked_count
from cloudfiles.progress import Progress
from cloudfiles.results import GetResult, ObjectHead
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.verbs.batch_runner import BatchRunner, iterable, monitor_of

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

STREAM_ITEMS = 1000
STREAM_BYTES = 256 * 1024 * 1024


class ReadVerbs(BatchRunner):
    """Methods of `CloudFiles` that read objects or ask for their metadata."""

    @overload
    def get(  # type: ignore[overload-overlap]
            self, paths: ReadRequest, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, return_recording: Literal[False] = False, *,
            max_decoded_size: int | None = None) -> bytes | None: ...
    @overload
    def get(self, paths: Iterable[ReadRequest], total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, return_recording: Literal[False] = False, *,
            max_decoded_size: int | None = None) -> list[GetResult]: ...
    @overload
    def get(self, paths: ReadRequest | Iterable[ReadRequest], total: int | None = None, raw: bool = False,
            progress: Progress = None, parallel: Parallel | None = None, *, return_dict: Literal[True],
            raise_errors: bool = True, part_size: int | None = None, return_recording: Literal[False] = False,
            max_decoded_size: int | None = None) -> dict[str, bytes | None]: ...
    @overload
    def get(  # type: ignore[overload-overlap]
            self, paths: ReadRequest, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, *, return_recording: Literal[True],
            max_decoded_size: int | None = None) -> tuple[bytes | None, TransmissionMonitor]: ...
    @overload
    def get(self, paths: Iterable[ReadRequest], total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, *, return_recording: Literal[True], max_decoded_size: int | None = None
            ) -> tuple[list[GetResult], TransmissionMonitor]: ...
    @overload
    def get(self, paths: ReadRequest | Iterable[ReadRequest], total: int | None = None, raw: bool = False,
            progress: Progress = None, parallel: Parallel | None = None, *, return_dict: Literal[True],
            raise_errors: bool = True, part_size: int | None = None, return_recording: Literal[True],
            max_decoded_size: int | None = None) -> tuple[dict[str, bytes | None], TransmissionMonitor]: ...
    @overload
    def get(self, paths: ReadRequest | Iterable[ReadRequest], total: int | None = None, raw: bool = False,
            progress: Progress = None, parallel: Parallel | None = None, *, return_dict: bool,
            raise_errors: bool = True, part_size: int | None = None, return_recording: bool = False,
            max_decoded_size: int | None = None) -> Any: ...
    @overload
    def get(self, paths: ReadRequest | Iterable[ReadRequest], total: int | None = None, raw: bool = False,
            progress: Progress = None, parallel: Parallel | None = None, return_dict: Literal[False] = False,
            raise_errors: bool = True, part_size: int | None = None, *, return_recording: bool,
            max_decoded_size: int | None = None) -> Any: ...

    def get(self, paths: Any, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: bool = False, raise_errors: bool = True,
            part_size: int | None = None, return_recording: bool = False, *,
            max_decoded_size: int | None = None) -> Any:
        """Read objects.

        Args:
            paths: a path, or `{'path', 'start', 'end', 'tags'}` for a byte range (`end` is exclusive, either end may be
                open, and a negative start gives the last bytes); or an iterable of these. In a list or other
                collection, ranges of one object that are at most 64 KiB apart are fetched in one request of at most 16
                MiB.
            total: the number of paths, for the progress bar over an iterator.
            raw: return the stored bytes; otherwise they are decoded by their Content-Encoding.
                Ranges are always ranges of the stored bytes, and never decoded.
            return_dict: return `{path: content}`.
            raise_errors: False stores the exception of an item in its result (for a single path it is raised anyway).
            part_size: accepted for compatibility; part sizes are chosen automatically.
            max_decoded_size: maximum size of a content in bytes, after decoding; a larger one raises a
                DecompressionError, and is not read. (This does not apply to ranges with an end.)
            return_recording: return `(result, TransmissionMonitor)`, which recorded when each object was received.

        Returns:
            For one path its content as bytes, or None if it is missing. For many a list, in their order, of
            `GetResult`: `{'path', 'content', 'byte_range', 'error', 'compress', 'raw', 'tags'}`. The attribute
            `verified` of a result names the digest that the stored bytes were verified with, '' if the store provided
            none.

        Raises:
            InvalidInputError: an argument is invalid; also as the error of an item.
            AuthorizationError: the credentials do not allow reading.
            IntegrityError: the bytes received do not match their digest, also after retries.
            DecompressionError: the content cannot be decoded, or is larger than `max_decoded_size`.
            CloudFilesError: any other failure, such as a transient error that persisted after all retries. With
                `raise_errors`, the first failure of a batch ends it; the other results are lost.
        """
        _check_limit(max_decoded_size)
        monitor = monitor_of("RX") if return_recording else None
        answer: Any
        if is_path(paths) or isinstance(paths, Mapping):
            runtime = blocking_runtime()
            read = reader(self._store.interface(runtime), runtime, raw, max_decoded_size, monitor)
            found = read(paths if type(paths) is str else as_get_item(paths))
            answer = {found["path"]: found["content"]} if return_dict else found["content"]
        else:
            paths = iterable(paths)
            options: dict[str, Any] = {
                "raw": raw, "raise_errors": raise_errors, "max_decoded_size": max_decoded_size}
            if is_parallel(self._chosen_parallel(parallel, paths)):
                results = self._get_in_processes(paths, total, progress, parallel, monitor, options)
            else:
                results = self._get_here(paths, total, progress, monitor, **options)
            answer = {r["path"]: r["content"] for r in results} if return_dict else results
        return answer if monitor is None else (answer, monitor)

    def _get_here(self, paths: Any, total: int | None, progress: Progress, monitor: TransmissionMonitor | None, *,
                  raw: bool, raise_errors: bool, max_decoded_size: int | None) -> list[GetResult]:
        on_error = None if raise_errors else lambda item, error: failed(item, error, raw)
        units, regroup = _with_groups(paths)
        counter = None if units is paths else ItemCounter()
        with self._batch("Downloading", paths, total, progress, on_error) as (plan, interface):
            read = reader(interface, plan.runtime, raw, max_decoded_size, monitor)
            if counter is not None:
                plan, read = counting(plan, read, counter)
            return regroup(collect(read, units, plan, counter))

    def _get_in_processes(self, paths: Any, total: int | None, progress: Progress, parallel: Parallel | None,
                          monitor: TransmissionMonitor | None, options: dict[str, Any]) -> list[GetResult]:
        parts = self._in_processes("_get_columns", paths, options, parallel, progress, total, monitor,
                                   pack=without_tags, weigh_result=lambda part: (part[0] if monitor else part).size)
        return [result for items, columns in parts for result in columns.results(items, options["raw"])]

    def _get_columns(self, paths: list[Any], return_recording: bool = False, **options: Any) -> Any:
        """Called in a worker process: the columns of results that the caller does not know already."""
        found = self.get(paths, return_recording=return_recording, **options)
        return (ResultColumns.of(found[0]), found[1]) if return_recording else ResultColumns.of(found)

    def stream(self, paths: StrPath | Iterable[ReadRequest], *, total: int | None = None, raw: bool = False,
               progress: Progress = None, raise_errors: bool = True, max_items: int = STREAM_ITEMS,
               max_bytes: int = STREAM_BYTES, max_decoded_size: int | None = None) -> Iterator[GetResult]:
        """Yield the results of `get` as they arrive, which is not in the order of the paths.

        The download continues while the consumer works, until `max_items` results or `max_bytes` of content are
        waiting: the memory used does not depend on the number of keys. The paths are iterated in the thread of the
        consumer. Closing the iterator cancels requests in progress.
        """
        checked_count("max_items", max_items, 1)
        checked_count("max_bytes", max_bytes, 1)
        _check_limit(max_decoded_size)
        items: Any = [paths] if is_path(paths) else iterable(paths)
        return self._stream(items, total, raw, progress, raise_errors, max_items, max_bytes, max_decoded_size)

    def _stream(self, paths: Iterable[Any], total: int | None, raw: bool, progress: Progress, raise_errors: bool,
                max_items: int, max_bytes: int, max_decoded_size: int | None) -> Iterator[GetResult]:
        on_error = None if raise_errors else lambda item, error: failed(item, error, raw)
        with self._batch("Downloading", paths, total, progress, on_error) as (plan, interface):
            read = reader(interface, plan.runtime, raw, max_decoded_size)
            if plan.runtime is None:
                for path in paths:
                    yield from collect(read, (path,), plan)
                return
            yield from stream(read, paths, plan, max_items=max_items, max_bytes=max_bytes, weigh=weight)

    @overload
    def get_json(self, paths: ReadRequest, total: int | None = None, *, progress: Progress = None,
                 raise_errors: bool = True) -> Any: ...
    @overload
    def get_json(self, paths: Iterable[ReadRequest], total: int | None = None, *, progress: Progress = None,
                 raise_errors: bool = True) -> list[Any]: ...

    def get_json(self, paths: Any, total: int | None = None, *, progress: Progress = None,
                 raise_errors: bool = True) -> Any:
        """Read objects and parse them as JSON: the value of one path, or a list of values; None for missing objects.

        NaN, infinities and a byte order mark are accepted, as by Python's `json`.

        Args:
            raise_errors: False puts the exception of an item that failed, or is not valid JSON, into the list instead
                of its value (for a single path it is raised anyway).

        Raises:
            InvalidJSONError: (also a json.JSONDecodeError) an object is not valid JSON.
            Others: as `get`.
        """
        if is_path(paths) or isinstance(paths, Mapping):
            return load_json(self.get(paths), as_get_item(paths).path)
        results = self.get(paths, total=total, progress=progress, raise_errors=raise_errors)
        return [_value_of(found, raise_errors) for found in results]

    @overload
    def head(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            parallel: Parallel | None = None) -> ObjectHead | None: ...
    @overload
    def head(self, paths: Iterable[StrPath], total: int | None = None, progress: Progress = None,
             parallel: Parallel | None = None) -> dict[str, ObjectHead | None]: ...

    def head(self, paths: Any, total: int | None = None, progress: Progress = None,
             parallel: Parallel | None = None) -> Any:
        """Metadata of objects: for one path an `ObjectHead` (a dict of header fields), or None if it is missing; for
        many `{path: head}`.

        The first failure ends a batch and is raised, as a CloudFilesError.
        """
        return self._per_path("head", paths, total, progress, parallel)

    def get_acl(self, paths: StrPath | Iterable[StrPath], total: int | None = None, progress: Progress = None
                ) -> dict[str, Any]:
        """Access control lists of objects: `{path: access}`, also for a single path.

        On `s3://` a dict with 'Owner' and 'Grants' as in the S3 API, on `file://` the mode (`os.stat_result.st_mode`);
        None for missing objects, and on `mem://`. Other protocols raise UnsupportedOperationError (also a
        NotImplementedError).
        """
        access: dict[str, Any] = self._per_path("get_acl", (paths,) if is_path(paths) else paths, total, progress)
        return access

    @overload
    def exists(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            parallel: Parallel | None = None) -> bool: ...
    @overload
    def exists(self, paths: Iterable[StrPath], total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> dict[str, bool]: ...

    def exists(self, paths: Any, total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> Any:
        """Whether objects exist: a bool, or `{path: bool}`.

        If the store lists in key order and the keys make up most of a prefix, they are looked up in listings, with a
        thousand keys per request; the results are the same.

        A failure never counts as missing: the first one ends a batch and is raised, as a CloudFilesError.
        """
        return self._per_path("exists", paths, total, progress, parallel, existence.exists)

    @overload
    def size(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            return_sum: Literal[False] = False, parallel: Parallel | None = None) -> int | None: ...
    @overload
    def size(self, paths: Iterable[StrPath], total: int | None = None, progress: Progress = None,
             return_sum: Literal[False] = False, parallel: Parallel | None = None) -> dict[str, int | None]: ...
    @overload
    def size(self, paths: StrPath | Iterable[StrPath], total: int | None = None, progress: Progress = None, *,
             return_sum: Literal[True], parallel: Parallel | None = None) -> int: ...
    @overload
    def size(self, paths: StrPath | Iterable[StrPath], total: int | None = None, progress: Progress = None, *,
             return_sum: bool, parallel: Parallel | None = None) -> Any: ...

    def size(self, paths: Any, total: int | None = None, progress: Progress = None, return_sum: bool = False,
             parallel: Parallel | None = None) -> Any:
        """Sizes of objects in stored bytes: an int, or `{path: int}`; None for missing objects.

        With `return_sum`, the sum of the sizes of all objects that exist. The first failure ends a batch and is raised,
        as a CloudFilesError.
        """
        sizes = self._per_path("size", paths, total, progress, parallel, existence.sizes)
        if not return_sum:
            return sizes
        return sum(size or 0 for size in (sizes.values() if isinstance(sizes, dict) else [sizes]))


def _with_groups(paths: Iterable[Any]) -> tuple[Iterable[Any], Callable[[list[Any]], list[GetResult]]]:
    """`paths` with nearby ranges grouped, if it is a collection, and a function that ungroups the results."""
    if not isinstance(paths, Collection) or all(type(path) is str for path in paths):
        return paths, lambda results: results
    items = list(paths)
    units, positions = grouped(items)
    return units, lambda results: ungrouped(results, positions, len(items))


def _value_of(found: GetResult, raise_errors: bool) -> Any:
    """The JSON value of a result, or its exception."""
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
