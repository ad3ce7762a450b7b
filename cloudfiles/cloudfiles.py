"""`CloudFiles`: the verbs, each a thin layer over fan-out and interface."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from cloudfiles import parallel as processes
from cloudfiles import paths as _paths
from cloudfiles import presence
from cloudfiles.byteranges import from_slice
from cloudfiles.exceptions import InvalidInputError, redact
from cloudfiles.fanout import OnError, Plan, collect, stream
from cloudfiles.interfaces.base import Interface
from cloudfiles.json_content import dump_json, load_json
from cloudfiles.listing import list_paths
from cloudfiles.parallel import Parallel, is_parallel
from cloudfiles.paths import ExtractedPath
from cloudfiles.progress import Progress, bar_for
from cloudfiles.reading import Result, as_wanted, failed, grouped, reader, ungrouped, weight
from cloudfiles.runtime.engine import blocking_runtime
from cloudfiles.store import Store, checked_count
from cloudfiles.transfer.verbs import TransferVerbs
from cloudfiles.types import StoreOptions, Tls
from cloudfiles.writing import Upload, WriteDefaults, is_scalar, uploads, writer

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

_PROGRESSIVE = {"head": "Reading heads", "exists": "Checking", "size": "Measuring", "touch": "Touching"}
_STREAM_ITEMS = 1000
_STREAM_BYTES = 256 * 1024 * 1024


class CloudFiles(TransferVerbs):
    """Batches of get, put, exists, list and delete below one cloudpath.

    Every verb takes one path or an iterable of them. One gives one answer; many are fanned
    out over workers and give theirs in order. A missing object is None (or False), never an
    error; everything else that fails is a `CloudFilesError`.

    Args:
        cloudpath: `s3://bucket/dir/`, `s3://https://host/bucket/dir/`, `https://host/dir/`, `file:///dir/`,
            `mem://bucket/dir/`, a local path, or an alias.
        progress: draw a bar for batches: True, or a text to describe the work.
        green: workers are green threads (True), OS threads (False), or what measures best for the
            protocol (None). No monkey-patching is needed. In a thread that runs a gevent hub, or a
            process that patched `socket`, they are greenlets of that hub, whatever is said here.
        secrets: credentials: a dict, JSON text, or the path of a JSON file. They never show in a repr;
            a pickle only refers to them.
        num_threads: workers of a batch, 0 for the caller's own thread.
        use_https: read a public bucket over plain HTTPS without credentials.
        endpoint: the URL of an S3-compatible service.
        parallel: processes that batches are spread over (0: all cores), or a `concurrent.futures.Executor`.
        request_payer: 'requester' to pay for reading from a requester-pays bucket.
        locking: on `file://`, take advisory locks; lock_dir: the directory of the lock files.
        composite_upload_threshold: bytes from which an upload is sent in parts.
        no_sign_request: send unsigned requests, for public buckets.
        ca_bundle: a PEM file of authorities to trust instead of the system's.
        client_cert, client_key: PEM files by which the client shows itself.
        connect_timeout, read_timeout: seconds to wait for a connection, and without a byte on one.

    Raises:
        InvalidInputError: (also a ValueError) for anything here that cannot work, before any I/O.
    """

    def __init__(self, cloudpath: str, progress: Progress = False, green: bool | None = None, secrets: Any = None,
                 num_threads: int = 20, use_https: bool = False, endpoint: str | None = None,
                 parallel: Parallel = 1, request_payer: str | None = None, locking: bool | None = None,
                 lock_dir: str | None = None, composite_upload_threshold: int = int(1e8),
                 no_sign_request: bool = False, *, ca_bundle: str | None = None, client_cert: str | None = None,
                 client_key: str | None = None, connect_timeout: float = 10.0, read_timeout: float = 60.0) -> None:
        if request_payer not in (None, "requester"):
            raise InvalidInputError(f"request_payer is {request_payer!r}; 'requester' or None would do")
        for name, seconds in (("connect_timeout", connect_timeout), ("read_timeout", read_timeout)):
            if not seconds > 0:
                raise InvalidInputError(f"{name} is {seconds!r}; a number of seconds above 0 would do")
        is_parallel(parallel)
        options = StoreOptions(
            secrets, endpoint, request_payer, no_sign_request, locking, lock_dir,
            checked_count("composite_upload_threshold", int(composite_upload_threshold), 1),
            Tls(ca_bundle, client_cert, client_key), connect_timeout, read_timeout)
        width = checked_count("num_threads", num_threads)
        self._store = Store(_paths.normalize(os.fspath(cloudpath)), options, green, width, use_https)
        self.progress = progress
        self.parallel = parallel

    # ---- what it is

    @property
    def cloudpath(self) -> str:
        """The cloudpath, with `~`, relative paths and missing protocols resolved."""
        return self._store.cloudpath

    @property
    def protocol(self) -> str:
        return self._store.location.protocol

    @property
    def _path(self) -> ExtractedPath:
        return self._store.location

    @property
    def sep(self) -> str:
        return os.sep if self.protocol == "file" else "/"

    @property
    def green(self) -> bool | None:
        return self._store.green

    @property
    def num_threads(self) -> int:
        return self._store.width

    @property
    def lock_dir(self) -> str | None:
        """Where lock files are kept on `file://`; None elsewhere."""
        return getattr(self._store.here(), "lock_dir", None)

    def clear_locks(self) -> None:
        """Remove the lock files that no one holds."""
        clear = getattr(self._store.here(), "clear_locks", None)
        if clear is not None:
            clear()

    def __repr__(self) -> str:
        return f"CloudFiles({redact(self.cloudpath)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudFiles) and self._store == other._store

    def __hash__(self) -> int:
        return hash(self.cloudpath)

    def __getstate__(self) -> dict[str, Any]:
        """Executors and bars of the caller's stay behind."""
        alone = 1 if isinstance(self.parallel, Executor) else self.parallel
        return {"_store": self._store, "parallel": alone,
                "progress": self.progress if isinstance(self.progress, bool | str) else False}

    # ---- reading

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
            max_decoded_size: bytes that a content may have when decoded; more is a DecompressionError.
            return_recording: give `(what is given otherwise, TransmissionMonitor)`: when each object came.

        Returns:
            For one path its bytes, None where it is missing. For many a list, in their order, of
            `{'path', 'content', 'byte_range', 'error', 'compress', 'raw', 'tags'}`.
        """
        _check_limit(max_decoded_size)
        monitor = _monitor("RX") if return_recording else None
        answer: Any
        if isinstance(paths, str | dict):
            runtime = blocking_runtime()
            read = reader(self._store.interface(runtime), runtime, raw, max_decoded_size, monitor)
            answer = read(as_wanted(paths))["content"]
        else:
            options: dict[str, Any] = {
                "raw": raw, "raise_errors": raise_errors, "max_decoded_size": max_decoded_size}
            if is_parallel(self._parallel(parallel)):
                parts = self._in_processes("get", paths, options, parallel, progress, total, monitor)
                results = [result for part in parts for result in part]
            else:
                results = self._get_many(paths, total, progress, monitor, **options)
            answer = {r["path"]: r["content"] for r in results} if return_dict else results
        return answer if monitor is None else (answer, monitor)

    def _get_many(self, paths: Any, total: int | None, progress: Progress, monitor: TransmissionMonitor | None, *,
                  raw: bool, raise_errors: bool, max_decoded_size: int | None) -> list[Result]:
        on_error = None if raise_errors else lambda item, error: failed(item, error, raw)
        paths, regroup = _with_groups(_iterable(paths))
        with self._batch("Downloading", paths, total, progress, on_error) as (plan, interface):
            return regroup(collect(reader(interface, plan.runtime, raw, max_decoded_size, monitor), paths, plan))

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
        return self._stream(_iterable(paths), total, raw, progress, raise_errors, max_items, max_bytes,
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

    def get_json(self, paths: Any, total: int | None = None, *, progress: Progress = None) -> Any:
        """Contents parsed as JSON: of one path the value, of many a list of values; None where missing."""
        if isinstance(paths, str | dict):
            return load_json(self.get(paths), as_wanted(paths).path)
        return [load_json(found["content"], found["path"]) for found in self.get(paths, total=total, progress=progress)]

    def head(self, paths: Any, total: int | None = None, progress: Progress = None) -> Any:
        """What the store knows of objects: dicts of header fields (`types.HEAD_FIELDS`), None where missing."""
        return self._ask("head", paths, total, progress)

    def exists(self, paths: Any, total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> Any:
        """Whether objects exist: a bool, or `{path: bool}`.

        Where the store lists in key order, keys that lie dense are answered from listings, a
        thousand a request; the answers are the same.
        """
        if not isinstance(paths, str) and is_parallel(self._parallel(parallel)):
            return _merged(self._in_processes("exists", paths, {}, parallel, progress, total))
        return self._ask("exists", paths, total, progress, presence.exists)

    def size(self, paths: Any, total: int | None = None, progress: Progress = None, return_sum: bool = False) -> Any:
        """Stored bytes of objects: an int, or `{path: int}`; None where missing. return_sum: their sum."""
        sizes = self._ask("size", paths, total, progress, presence.sizes)
        if not return_sum:
            return sizes
        return sum(size or 0 for size in (sizes.values() if isinstance(sizes, dict) else [sizes]))

    def _ask(self, verb: str, paths: Any, total: int | None, progress: Progress,
             answer: Callable[[Interface, Iterable[str], Plan], dict[str, Any]] | None = None) -> Any:
        """A verb that takes a path: its answer, or `{path: answer}`; `answer` may know a shorter way to many."""
        if isinstance(paths, str):
            return getattr(self._store.here(), verb)(paths)
        paths = _keys(paths)
        with self._batch(_PROGRESSIVE[verb], paths, total, progress) as (plan, interface):
            if answer is not None:
                return answer(interface, paths, plan)
            return presence.one_by_one(getattr(interface, verb), paths, plan)

    # ---- writing

    def put(self, path: str, content: Any, content_type: str | None = None, compress: str | bool | None = None,
            compression_level: int | None = None, cache_control: str | None = None, raw: bool = False,
            storage_class: str | None = None, metadata: dict[str, str] | None = None, if_absent: bool = False,
            if_match: str | None = None, return_recording: bool = False) -> Any:
        """Store one object; see `puts`."""
        return self.puts([(path, content)], content_type=content_type, compress=compress,
                         compression_level=compression_level, cache_control=cache_control, raw=raw,
                         storage_class=storage_class, metadata=metadata, if_absent=if_absent, if_match=if_match,
                         return_recording=return_recording)

    def puts(self, files: Any, content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
             raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
             storage_class: str | None = None, return_recording: bool = False, *,
             metadata: dict[str, str] | None = None, if_absent: bool = False, if_match: str | None = None) -> Any:
        """Store objects, each whole or not at all.

        Args:
            files: `(path, content)` or a dict with 'path', 'content' and any of the options below, which then
                win over the call's; or an iterable of these. An iterator's items are taken only as fast
                as they are sent. Content: bytes, bytearray, memoryview, or an open binary file, read from
                where it stands to its end in bounded memory; a str where the content type is text or JSON.
            content_type: the media type; guessed from the path's suffix where not given.
            compress: 'gzip' (True), 'br', 'zstd', 'xz', 'bz2'; None, False and '' for none.
            raw: the content is encoded by `compress` already.
            metadata: the object's own metadata, where the store keeps any.
            if_absent: create only. if_match: replace only the object of this ETag.
                PreconditionFailedError where it is not so.
            return_recording: give `(how many, TransmissionMonitor)`: when each object went.

        Returns:
            How many were stored.

        Raises:
            DuplicatePathError: a path comes twice in a collection; nothing was sent.
            CloudFilesError: the first failure; items before it may be stored, later ones were not begun.
        """
        defaults = WriteDefaults(content_type, compress, compression_level, cache_control, storage_class, metadata,
                                 if_absent, if_match, raw, self.protocol == "mem")
        items = uploads(files, defaults)
        if not is_parallel(self._parallel(parallel)):
            return self._puts(items, total=total, progress=progress, return_recording=return_recording)
        sendable = map(processes.check_sendable, items)
        chunks = list(sendable) if isinstance(items, Collection) else sendable
        monitor = _monitor("TX") if return_recording else None
        count = sum(self._in_processes("_puts", chunks, {}, parallel, progress, total, monitor))
        return count if monitor is None else (count, monitor)

    def _puts(self, items: Iterable[Upload], *, total: int | None = None, progress: Progress = None,
              parallel: int = 1, return_recording: bool = False) -> Any:
        monitor = _monitor("TX") if return_recording else None
        if isinstance(items, Collection) and len(items) == 1:
            runtime = blocking_runtime()
            for upload in items:
                writer(self._store.interface(runtime), runtime, monitor)(upload)
            count = 1
        else:
            with self._batch("Uploading", items, total, progress) as (plan, interface):
                write = writer(interface, plan.runtime, monitor)
                count = sum(collect(lambda upload: (write(upload), 1)[1], items, plan))
        return count if monitor is None else (count, monitor)

    def put_json(self, path: str, content: Any, compress: str | bool | None = None,
                 compression_level: int | None = None, cache_control: str | None = None,
                 storage_class: str | None = None, **options: Any) -> Any:
        """Store a value as JSON: anything orjson can say, numpy arrays and dataclasses included."""
        return self.put_jsons([(path, content)], compress=compress, compression_level=compression_level,
                              cache_control=cache_control, storage_class=storage_class, **options)

    def put_jsons(self, files: Any, compress: str | bool | None = None, compression_level: int | None = None,
                  cache_control: str | None = None, total: int | None = None, raw: bool = False,
                  progress: Progress = None, parallel: Parallel | None = None, storage_class: str | None = None,
                  **options: Any) -> Any:
        """Store values as JSON; the files are those of `puts` with a value for content."""
        options.setdefault("content_type", "application/json")
        files = dump_json(files) if is_scalar(files) else _like(files, dump_json)
        return self.puts(files, compress=compress, compression_level=compression_level, cache_control=cache_control,
                         total=total, raw=raw, progress=progress, parallel=parallel, storage_class=storage_class,
                         **options)

    def touch(self, paths: Any, progress: Progress = None, total: int | None = None, nocopy: bool = False) -> None:
        """Create empty objects where there are none; what exists is left as it is (on `file://` its time is set)."""
        self._ask("touch", paths, total, progress)

    def delete(self, paths: Any, total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> int:
        """Remove objects; those that are not there are no error. Gives how many paths were given.

        Raises the first error that the store reports of a key, after the whole batch was sent.
        """
        if isinstance(paths, str):
            paths = (paths,)
        paths = _keys(paths)
        if is_parallel(self._parallel(parallel)):
            return sum(self._in_processes("delete", paths, {}, parallel, progress, total))
        with self._batch("Deleting", paths, total, progress) as (plan, interface):
            chunks = _chunked(paths, interface.delete_batch, plan.width)
            done = collect(lambda keys: (len(keys), interface.delete(keys)), chunks, plan)
        errors = [error for _, failures in done for error in failures.values()]
        if errors:
            raise errors[0]
        return sum(count for count, _ in done)

    # ---- listing

    @overload
    def list(self, prefix: str = "", flat: bool = False) -> Iterator[str]: ...
    @overload
    def list(self, prefix: str = "", flat: bool = False, size: bool = False, return_resume_token: bool = False,
             resume_token: str | None = None) -> Iterator[Any]: ...

    def list(self, prefix: str = "", flat: bool = False, size: bool = False, return_resume_token: bool = False,
             resume_token: str | None = None) -> Iterator[Any]:
        """Paths of the objects whose path begins with `prefix`, a page at a time.

        Args:
            prefix: any beginning of a path, not only a directory.
            flat: one level only; what lies deeper shows as one directory that ends in '/'.
            size: give `(path, bytes)`; None for a directory.
            return_resume_token: give `(path, token)`, or `(path, bytes, token)`: a listing begun anew
                with that `resume_token` goes on with the page of that path.
        """
        return list_paths(self._store.here(), prefix, flat, size, return_resume_token, resume_token)

    def isdir(self, prefix: str = "") -> bool:
        """Whether anything lies below `prefix`."""
        return self._store.here().isdir(prefix)

    def subtree_size(self, prefix: Any = "") -> dict[str, int]:
        """`{'N': objects, 'num_bytes': their stored bytes}` below a prefix, or below several."""
        sizes = {"N": 0, "num_bytes": 0}
        for one in [prefix] if isinstance(prefix, str) else prefix:
            for path, size in self.list(one, size=True):
                sizes["N"] += 1
                sizes["num_bytes"] += (self.size(path) or 0) if size is None else size
        return sizes

    def presign(self, path: str, expires: float = 3600, method: str = "GET") -> str:
        """A URL that allows `method` on a path without credentials for `expires` seconds."""
        return self._store.here().presign(path, expires, method)

    # ---- paths

    def join(self, *paths: str) -> str:
        """Paths joined by the protocol's separator."""
        return os.path.join(*paths) if self.protocol == "file" else _paths.join(*paths)

    def abspath(self, path: str) -> str:
        """The full cloudpath of a path."""
        return self.join(self.cloudpath, path)

    def dirname(self, path: str) -> str:
        return _paths.dirname(path)

    def basename(self, path: str) -> str:
        return _paths.basename(path)

    # ---- as a mapping

    def __contains__(self, path: str) -> bool:
        return bool(self.exists(path))

    def __iter__(self) -> Iterator[str]:
        return self.list()

    def __getitem__(self, key: Any) -> Any:
        """`cf[path]`, `cf[path, 5:10]`, `cf[[path, ...]]`; `cf[:]` or `cf[:100]` for all, or the first, listed."""
        if isinstance(key, slice):
            return self.get(list(_sliced(self.list(), key)))
        if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], slice):
            start, end = from_slice(key[1])
            return self.get({"path": key[0], "start": start, "end": end})
        return self.get(key)

    def __setitem__(self, key: Any, content: Any) -> None:
        """`cf[path] = bytes`; `cf[:] = other` copies all that another CloudFiles (or cloudpath) lists to here."""
        if isinstance(key, slice) and key == slice(None):
            self.transfer_from(content)
            return
        if not isinstance(key, str):
            raise InvalidInputError(f"{key!r} is no path to put to")
        self.put(key, content)

    def __delitem__(self, key: Any) -> None:
        self.delete(key)

    # ---- batches

    def _parallel(self, parallel: Parallel | None) -> Parallel:
        return self.parallel if parallel is None else parallel

    @contextmanager
    def _batch(self, description: str, items: Any, total: int | None, progress: Progress,
               on_error: OnError | None = None) -> Iterator[tuple[Plan, Interface]]:
        """The plan of a batch, with its progress bar, and the interface that its workers use."""
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else total
        with bar_for(progress, count, description) as bar:
            yield self._store.plan(on_error, bar.update if progress else None)

    def _in_processes(self, verb: str, items: Any, options: dict[str, Any], parallel: Parallel | None,
                      progress: Progress, total: int | None, monitor: TransmissionMonitor | None = None
                      ) -> Iterator[Any]:
        """What the verb gives for each chunk of the items. What the processes record goes into `monitor`."""
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else total
        with bar_for(progress, count, verb.strip("_").capitalize()) as bar:
            run = processes.run(self, verb, _iterable(items), {**options, "return_recording": True} if monitor
                                else options, self._parallel(parallel), bar.update)
            for part in run:
                if monitor is not None:
                    part, recorded = part
                    monitor.add(recorded)
                yield part


def _monitor(direction: str) -> TransmissionMonitor:
    from cloudfiles.monitoring import IOEnum, TransmissionMonitor

    return TransmissionMonitor(IOEnum[direction])


def _iterable(paths: Any) -> Iterable[Any]:
    if isinstance(paths, bytes) or not isinstance(paths, Iterable):
        raise InvalidInputError(f"{paths!r} is no path; a str or an iterable of paths would do")
    return paths


def _keys(paths: Any) -> Iterable[str]:
    """`paths`, each of them a str: all checked now in a collection, as they are taken otherwise."""
    given = _iterable(paths)
    if not isinstance(given, Collection):
        return map(_key, given)
    for path in given:
        _key(path)
    return given


def _key(path: Any) -> str:
    if not isinstance(path, str):
        raise InvalidInputError(f"{path!r} is no path; a str would do")
    return path


def _with_groups(paths: Iterable[Any]) -> tuple[Iterable[Any], Callable[[list[Any]], list[Result]]]:
    """`paths` with near ranges put together where they can be seen, and how to take the results apart."""
    if not isinstance(paths, Collection) or all(type(path) is str for path in paths):
        return paths, lambda results: results
    items = list(paths)
    units, places = grouped(items)
    return units, lambda results: ungrouped(results, places, len(items))


def _check_limit(max_decoded_size: int | None) -> None:
    if max_decoded_size is not None:
        checked_count("max_decoded_size", max_decoded_size)


def _merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {path: answer for part in parts for path, answer in part.items()}


def _like(files: Any, function: Callable[[Any], Any]) -> Iterable[Any]:
    """`function` of each file: all at once for a collection, as they are taken otherwise."""
    mapped = map(function, _iterable(files))
    return list(mapped) if isinstance(files, Collection) else mapped


def _chunked(items: Iterable[Any], limit: int, width: int) -> Iterable[list[Any]]:
    """`items` in lists of at most `limit`, and short enough to give `width` workers something to do."""
    size = limit
    if isinstance(items, Collection):
        size = max(1, min(limit, -(-len(items) // width)))
        items = list(items)
        return [items[at:at + size] for at in range(0, len(items), size)]
    source = iter(items)
    return iter(lambda: list(itertools.islice(source, size)), [])


def _sliced(paths: Iterator[str], wanted: slice) -> Iterable[str]:
    try:
        return itertools.islice(paths, wanted.start, wanted.stop, wanted.step)
    except ValueError:
        return list(paths)[wanted]  # counted from the end: the listing has to be known whole
