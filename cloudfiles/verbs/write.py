"""The methods of `CloudFiles` that write: put, puts, put_json, put_jsons, concat, touch, delete."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, overload

from cloudfiles.batch import processes
from cloudfiles.batch.fanout import ItemCounter, collect
from cloudfiles.batch.processes import Parallel, is_parallel
from cloudfiles.batch.writer import SentUploads, Upload, WriteDefaults, guess_content_type, is_scalar, uploads, writer
from cloudfiles.content_encoding import stored_encoding
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, MissingObjectError, ServerError
from cloudfiles.inputs import PutContent, PutRequest, RawPutRequest, as_path, is_path
from cloudfiles.json_content import dump_json
from cloudfiles.key_conflicts import find_key_conflict
from cloudfiles.lib import StrPath
from cloudfiles.progress import Progress, is_shown
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.types import WriteOptions
from cloudfiles.verbs.batch_runner import BatchRunner, iterable, keys, monitor_of

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor


class WriteVerbs(BatchRunner):
    """Methods of `CloudFiles` that write or delete objects."""

    @overload
    def put(self, path: StrPath, content: PutContent, content_type: str | None = None,
            compress: str | bool | None = None, compression_level: int | None = None, cache_control: str | None = None,
            raw: bool = False, storage_class: str | None = None, metadata: Mapping[str, str] | None = None,
            if_absent: bool = False, if_match: str | None = None, return_recording: Literal[False] = False) -> int: ...
    @overload
    def put(self, path: StrPath, content: object, content_type: str | None = None, compress: str | bool | None = None,
            compression_level: int | None = None, cache_control: str | None = None, *, raw: Literal[True],
            storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
            if_match: str | None = None, return_recording: Literal[False] = False) -> int: ...
    @overload
    def put(self, path: StrPath, content: object, content_type: str | None = None, compress: str | bool | None = None,
            compression_level: int | None = None, cache_control: str | None = None, raw: bool = False,
            storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
            if_match: str | None = None, *, return_recording: Literal[True]) -> tuple[int, TransmissionMonitor]: ...
    @overload
    def put(self, path: StrPath, content: object, content_type: str | None = None, compress: str | bool | None = None,
            compression_level: int | None = None, cache_control: str | None = None, raw: bool = False,
            storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
            if_match: str | None = None, *, return_recording: bool) -> Any: ...

    def put(self, path: StrPath, content: Any, content_type: str | None = None, compress: str | bool | None = None,
            compression_level: int | None = None, cache_control: str | None = None, raw: bool = False,
            storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
            if_match: str | None = None, return_recording: bool = False) -> Any:
        """Store one object; see `puts`."""
        return self.puts([(path, content)], content_type=content_type, compress=compress,
                         compression_level=compression_level, cache_control=cache_control, raw=raw,
                         storage_class=storage_class, metadata=metadata, if_absent=if_absent, if_match=if_match,
                         return_recording=return_recording)

    @overload
    def puts(self, files: PutRequest | Iterable[PutRequest], content_type: str | None = None,
             compress: str | bool | None = None, compression_level: int | None = None, cache_control: str | None = None,
             total: int | None = None, raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
             storage_class: str | None = None, return_recording: Literal[False] = False, *,
             metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
             ) -> int: ...
    @overload
    def puts(self, files: RawPutRequest | Iterable[RawPutRequest], content_type: str | None = None,
             compress: str | bool | None = None, compression_level: int | None = None, cache_control: str | None = None,
             total: int | None = None, *, raw: Literal[True], progress: Progress = None,
             parallel: Parallel | None = None, storage_class: str | None = None,
             return_recording: Literal[False] = False, metadata: Mapping[str, str] | None = None,
             if_absent: bool = False, if_match: str | None = None) -> int: ...
    @overload
    def puts(self, files: RawPutRequest | Iterable[RawPutRequest], content_type: str | None = None,
             compress: str | bool | None = None, compression_level: int | None = None, cache_control: str | None = None,
             total: int | None = None, raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
             storage_class: str | None = None, *, return_recording: Literal[True],
             metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
             ) -> tuple[int, TransmissionMonitor]: ...
    @overload
    def puts(self, files: RawPutRequest | Iterable[RawPutRequest], content_type: str | None = None,
             compress: str | bool | None = None, compression_level: int | None = None, cache_control: str | None = None,
             total: int | None = None, raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
             storage_class: str | None = None, *, return_recording: bool,
             metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
             ) -> Any: ...

    def puts(self, files: Any, content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
             raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
             storage_class: str | None = None, return_recording: bool = False, *,
             metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None) -> Any:
        """Store objects. Each is stored completely or not at all.

        Args:
            files: `(path, content)` or a dict with 'path', 'content' and any of the options below, which then
                override those of the call; or an iterable of these. The items of an iterator are only taken as fast
                as they are sent. Content: bytes, a str (stored as UTF-8), a numpy array or anything else with a
                C-contiguous buffer, or an open binary file, which is read from its current position to its end in
                bounded memory. A file that has content but is positioned at its end is rejected.
            content_type: the media type; guessed from the suffix of the path if not given.
            compress: 'gzip' (True), 'br', 'zstd', 'xz', 'bz2'; None, False and '' for none.
            raw: the content is already encoded with `compress`.
            metadata: user-defined metadata of the object, if the store supports it.
            if_absent: create the object, but do not replace an existing one.
            if_match: replace the object only if it has this ETag. If either condition is not met, a
                PreconditionFailedError is raised.
            return_recording: return `(count, TransmissionMonitor)`, which recorded when each object was sent.

        Returns:
            The number of objects stored.

        Raises:
            DuplicatePathError: a path appears twice in a collection; nothing was sent.
            InvalidPathError: two paths conflict on this store, as `a` and `a.gz` do on `file://`; nothing
                was sent, or, with an iterator, the second one was not.
            CloudFilesError: the first failure; items before it may be stored, later ones were not started.
        """
        defaults = WriteDefaults(content_type, compress, compression_level, cache_control, storage_class, metadata,
                                 if_absent, if_match, raw, self._store.keeps_live_objects)
        items = uploads(files, defaults)
        if not isinstance(items, Collection) or len(items) > 1:
            items = find_key_conflict(self._store.here(), items, attrgetter("path"))
        if not is_parallel(self._chosen_parallel(parallel, items)):
            return self._puts(items, total=total, progress=progress, return_recording=return_recording)
        sendable = map(processes.check_sendable, items)
        chunks = list(sendable) if isinstance(items, Collection) else sendable
        monitor = monitor_of("TX") if return_recording else None
        parts = self._in_processes("_puts", chunks, {}, parallel, progress, total, monitor,
                                   pack=SentUploads, weigh=lambda upload: len(upload.content))
        count = sum(part for _, part in parts)
        return count if monitor is None else (count, monitor)

    def _puts(self, items: Iterable[Upload], *, total: int | None = None, progress: Progress = None,
              parallel: int = 1, return_recording: bool = False) -> Any:
        monitor = monitor_of("TX") if return_recording else None
        if isinstance(items, Collection) and len(items) == 1 and not is_shown(progress):
            runtime = blocking_runtime()
            for upload in items:
                writer(self._store.interface(runtime), runtime, monitor)(upload)
            count = 1
        else:
            with self._batch("Uploading", items, total, progress) as (plan, interface):
                write = writer(interface, plan.runtime, monitor)
                count = sum(collect(lambda upload: (write(upload), 1)[1], items, plan))
        return count if monitor is None else (count, monitor)

    @overload
    def put_json(self, path: StrPath, content: Any, compress: str | bool | None = None,
                 compression_level: int | None = None, cache_control: str | None = None,
                 storage_class: str | None = None, *, content_type: str | None = "application/json",
                 metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                 return_recording: Literal[False] = False) -> int: ...
    @overload
    def put_json(self, path: StrPath, content: Any, compress: str | bool | None = None,
                 compression_level: int | None = None, cache_control: str | None = None,
                 storage_class: str | None = None, *, content_type: str | None = "application/json",
                 metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                 return_recording: Literal[True]) -> tuple[int, TransmissionMonitor]: ...
    @overload
    def put_json(self, path: StrPath, content: Any, compress: str | bool | None = None,
                 compression_level: int | None = None, cache_control: str | None = None,
                 storage_class: str | None = None, *, content_type: str | None = "application/json",
                 metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                 return_recording: bool) -> Any: ...

    def put_json(self, path: StrPath, content: Any, compress: str | bool | None = None,
                 compression_level: int | None = None, cache_control: str | None = None,
                 storage_class: str | None = None, **options: Any) -> Any:
        """Store a value as JSON: anything orjson can serialize, including numpy arrays and dataclasses. NaN and
        infinities are written as Python's `json` does.

        Args:
            options: the other options of `put_jsons`.

        Raises:
            InvalidInputError: (also a ValueError) the value cannot be serialized; nothing was sent.
            Others: as `puts`.
        """
        return self.put_jsons([(path, content)], compress=compress, compression_level=compression_level,
                              cache_control=cache_control, storage_class=storage_class, **options)

    @overload
    def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest], compress: str | bool | None = None,
                  compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                  raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                  storage_class: str | None = None, *, content_type: str | None = "application/json",
                  metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                  return_recording: Literal[False] = False) -> int: ...
    @overload
    def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest], compress: str | bool | None = None,
                  compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                  raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                  storage_class: str | None = None, *, content_type: str | None = "application/json",
                  metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                  return_recording: Literal[True]) -> tuple[int, TransmissionMonitor]: ...
    @overload
    def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest], compress: str | bool | None = None,
                  compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                  raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                  storage_class: str | None = None, *, content_type: str | None = "application/json",
                  metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None,
                  return_recording: bool) -> Any: ...

    def put_jsons(self, files: Any, compress: str | bool | None = None, compression_level: int | None = None,
                  cache_control: str | None = None, total: int | None = None, raw: bool = False,
                  progress: Progress = None, parallel: Parallel | None = None, storage_class: str | None = None, *,
                  content_type: str | None = "application/json", metadata: Mapping[str, str] | None = None,
                  if_absent: bool = False, if_match: str | None = None, return_recording: bool = False) -> Any:
        """Store values as JSON; the files are as for `puts`, with values as content.

        Raises:
            InvalidInputError: (also a ValueError) a value cannot be serialized. In a collection, nothing was sent.
            Others: as `puts`.
        """
        files = dump_json(files) if is_scalar(files) else _like(files, dump_json)
        return self.puts(files, content_type, compress, compression_level, cache_control, total, raw, progress,
                         parallel, storage_class, metadata=metadata, if_absent=if_absent, if_match=if_match,
                         return_recording=return_recording)

    def concat(self, paths: Sequence[StrPath], dest: StrPath, *, delete_source: bool = False,
               content_type: str | None = None, encoding: str | None = None, cache_control: str | None = None,
               storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
               if_match: str | None = None) -> str | None:
        """Concatenate objects into one. Returns the ETag, if the store reports it.

        The bytes do not pass through this process where the store can do without: composing on `gs://`, parts or blocks
        that the service copies itself on `s3://` and `az://`, the kernel on `file://`. Objects below 5 MiB on `s3://`
        are read, and so is everything that a server does not support, in bounded memory.

        The result appears completely or not at all, made of exactly the versions that were there at the beginning; its
        size is verified.

        Args:
            paths: the objects, in order; `dest` may be one of them.
            dest: the object to create or replace.
            delete_source: delete the objects (but not `dest`) once the result is complete, each if it has not been
                replaced meanwhile.
            content_type: guessed from the suffix of `dest` if not given.
            encoding: the encoding of the stored bytes (such as 'gzip'); None: that of the objects, which all have to
                have the same. 'br' cannot be concatenated.
            cache_control, storage_class, metadata, if_absent, if_match: as for `puts`. If `dest` is one of the objects,
                it is only replaced if no one else has replaced it meanwhile.

        Raises:
            InvalidInputError: no paths, or objects with encodings that cannot be concatenated.
            MissingObjectError: (also a FileNotFoundError) one of the objects does not exist; nothing was written.
            ObjectChangedError: one of the objects was replaced meanwhile. Nothing was written, or, with
                `delete_source`, the result is complete and this object was not deleted.
            PreconditionFailedError: the condition for `dest` was not met.
            IntegrityError: the result does not have the size of the objects; none was deleted.
        """
        from cloudfiles.transfer.concat import concat

        if is_path(paths) or not isinstance(paths, Sequence):
            raise InvalidInputError(f"paths: expected a sequence of paths, got {type(paths).__name__}")
        options = WriteDefaults(content_type, None, None, cache_control, storage_class, metadata, if_absent, if_match)
        dest = as_path(dest)
        return concat(self._store, [as_path(path) for path in paths], dest, WriteOptions(
            options.content_type or guess_content_type(dest), "", options.cache_control, options.storage_class,
            options.metadata, if_absent, if_match), None if encoding is None else stored_encoding(encoding),
            delete_source)

    def compose(self, paths: Sequence[StrPath], dest: StrPath, *, content_type: str | None = None, encoding: str = "",
                cache_control: str | None = None, storage_class: str | None = None,
                metadata: Mapping[str, str] | None = None, if_absent: bool = False,
                if_match: str | None = None) -> str | None:
        """As `concat`, except that the encoding has to be given, and that a missing object raises a ServerError
        (status 404). For existing programs."""
        try:
            return self.concat(paths, dest, content_type=content_type, encoding=encoding, cache_control=cache_control,
                               storage_class=storage_class, metadata=metadata, if_absent=if_absent, if_match=if_match)
        except MissingObjectError as error:
            raise ServerError(error.args[0], status=404, path=error.path, store=error.store) from error

    def touch(self, paths: StrPath | Iterable[StrPath], progress: Progress = None, total: int | None = None,
              nocopy: bool = False, parallel: Parallel | None = None) -> None:
        """Create empty objects for paths that do not exist.

        Existing objects keep their content. On `file://` their modification time is set to now; elsewhere it is not
        changed, because that would create a new object.

        The first failure ends a batch and is raised, as a CloudFilesError; objects created before it remain.
        """
        self._per_path("touch", paths, total, progress, parallel)

    def delete(self, paths: StrPath | Iterable[StrPath], total: int | None = None, progress: Progress = None,
               parallel: Parallel | None = None) -> int:
        """Delete objects; missing objects are ignored. Returns the number of paths given.

        Raises the first error that the store reports for a key, after the whole batch was sent.
        """
        chosen = keys((paths,) if is_path(paths) else paths)
        if is_parallel(self._chosen_parallel(parallel, chosen)):
            return sum(part for _, part in self._in_processes("delete", chosen, {}, parallel, progress, total))
        with self._batch("Deleting", chosen, total, progress) as (plan, interface):
            chunks, counter = _chunked(chosen, interface.traits.delete_batch, plan.width), ItemCounter()

            def remove(keys: list[str]) -> tuple[int, Mapping[str, CloudFilesError]]:
                failures = interface.delete(keys)
                counter.add(len(keys))
                return len(keys), failures

            done = collect(remove, chunks, plan, counter)
        errors = [error for _, failures in done for error in failures.values()]
        if errors:
            raise errors[0]
        return sum(count for count, _ in done)


def _like(files: Any, function: Callable[[Any], Any]) -> Iterable[Any]:
    """`function` of each file: at once for a collection, otherwise as they are taken from the iterator."""
    mapped = map(function, iterable(files))
    return list(mapped) if isinstance(files, Collection) else mapped


def _chunked(items: Iterable[Any], limit: int, width: int) -> Iterable[list[Any]]:
    """`items` in lists of at most `limit`, which are short enough that all `width` workers get some."""
    size = limit
    if isinstance(items, Collection):
        size = max(1, min(limit, -(-len(items) // width)))
        items = list(items)
        return [items[at:at + size] for at in range(0, len(items), size)]
    source = iter(items)
    return iter(lambda: list(itertools.islice(source, size)), [])
