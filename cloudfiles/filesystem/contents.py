"""The methods of `CloudFileSystem` that read and write files: each is one batch, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.filesystem.errors import as_os_error, is_a_directory, missing, translated, unsupported
from cloudfiles.filesystem.expansion import Expansion
from cloudfiles.inputs import is_path

_WRITE_OPTIONS = frozenset({"content_type", "cache_control", "storage_class", "metadata"})
_IGNORED_WRITE_OPTIONS = frozenset({"chunksize", "max_concurrency"})
"""Of s3fs, gcsfs and adlfs: parts and their number at a time are chosen automatically."""


class Contents(Expansion):
    """Methods that read and write the contents of files.

    Contents are the stored bytes: they are not decoded by their Content-Encoding, so that sizes, byte ranges and
    contents agree.
    """

    # ---- reading

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", callback: Any = DEFAULT_CALLBACK,
            **kwargs: Any) -> Any:
        """The contents of files: bytes for one path, otherwise `{name: bytes}`.

        Args:
            path: a path, a glob, or a list of them.
            recursive: read all files in directories.
            on_error: 'raise'; 'omit' leaves out the files that could not be read; 'return' returns exceptions instead
                of their contents.
            callback: an `fsspec.Callback`, told the number of files read.
            start, end: read this range of each file, see `cat_file`.
        """
        _check_on_error(on_error)
        self._check_version(kwargs)
        expanded = self._expanded(path, recursive)
        names = [name for name, kind in expanded.items() if kind != "directory"]
        if is_path(path) and names == [self._name(path)]:
            return self.cat_file(path, **kwargs)
        starts, ends = [kwargs.get("start")] * len(names), [kwargs.get("end")] * len(names)
        callback.set_size(len(names))
        found = self._read(names, starts, ends, on_error)
        callback.absolute_update(len(names))
        return {name: content for name, content in zip(names, found, strict=True)
                if on_error == "return" or not isinstance(content, Exception)}

    def cat_file(self, path: Any, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """The stored bytes of a file, or a range of them, as in a slice: both may be negative.

        Raises FileNotFoundError, on local files IsADirectoryError for a directory.
        """
        self._check_version(kwargs)
        name = self._name(path)
        content: bytes = self._read([name], [start], [end], "raise")[0]
        return content

    read_bytes = cat_file

    def head(self, path: Any, size: int = 1024) -> bytes:
        """The first bytes of a file."""
        return self.cat_file(path, 0, size)

    def tail(self, path: Any, size: int = 1024) -> bytes:
        """The last bytes of a file."""
        return self.cat_file(path, -size) if size else b""

    def cat_ranges(self, paths: Sequence[Any], starts: Any, ends: Any, max_gap: int | None = None,
                   on_error: str = "return", **kwargs: Any) -> list[Any]:
        """Byte ranges of files, in one batch; ranges of a file that are near each other are read in one request.

        Args:
            starts, ends: for each path, or one for all; as in a slice.
            max_gap: accepted, and not needed: how near ranges have to be is chosen by the batch engine.
            on_error: 'return' returns exceptions instead of bytes; 'raise'.
        """
        if not isinstance(paths, list | tuple):
            raise TypeError(f"paths: expected a list, got {type(paths).__name__}")
        starts = list(starts) if isinstance(starts, Iterable) else [starts] * len(paths)
        ends = list(ends) if isinstance(ends, Iterable) else [ends] * len(paths)
        if len(starts) != len(paths) or len(ends) != len(paths):
            raise ValueError(f"{len(paths)} paths, {len(starts)} starts and {len(ends)} ends: expected one of each for "
                             "every range")
        _check_on_error(on_error)
        found = self._read([self._name(path) for path in paths], starts, ends, on_error)
        return [content for content in found if on_error != "omit" or not isinstance(content, Exception)]

    def _read(self, names: list[str], starts: list[Any], ends: list[Any], on_error: str) -> list[Any]:
        """The contents, or exceptions unless `on_error` is 'raise'."""
        found: list[Any] = [None] * len(names)
        starts, ends = self._absolute_ranges(names, starts, ends)
        for place, numbers in self._numbers_by_place(names).items():
            requests: list[Any] = [
                place.key(names[number]) if starts[number] is None and ends[number] is None else
                {"path": place.key(names[number]), "start": starts[number], "end": ends[number]} for number in numbers]
            with translated():
                results = self._get(place.cf, requests, on_error == "raise")
            for number, (content, error) in zip(numbers, results, strict=True):
                if error is not None:
                    found[number] = as_os_error(error, names[number])
                elif content is None:
                    found[number] = self._why_missing(names[number])
                else:
                    found[number] = content
                if on_error == "raise" and isinstance(found[number], Exception):
                    raise found[number]
        return found

    def _get(self, cf: Any, requests: list[Any], raise_errors: bool) -> list[tuple[Any, Exception | None]]:
        if len(requests) == 1 and raise_errors:
            return [(cf.get(requests[0], raw=True), None)]
        return [(result["content"], result["error"])
                for result in cf.get(requests, raw=True, raise_errors=raise_errors)]

    def _why_missing(self, name: str) -> Exception:
        place = self._place(name)
        is_directory = not place.key(name) or (place.cf._store.is_local and place.cf.isdir(place.key(name)))
        return is_a_directory(name) if is_directory else missing(name)

    def _numbers_by_place(self, names: list[str]) -> dict[Any, list[int]]:
        places: dict[Any, list[int]] = {}
        for number, name in enumerate(names):
            places.setdefault(self._place(name), []).append(number)
        return places

    def _absolute_ranges(self, names: list[str], starts: list[Any], ends: list[Any]) -> tuple[list[Any], list[Any]]:
        """The ranges without those that need the size: a negative end, or a negative start with an end."""
        relative = [number for number, (start, end) in enumerate(zip(starts, ends, strict=True))
                    if end is not None and (end < 0 or (start or 0) < 0 or end < (start or 0))]
        if not relative:
            return starts, ends
        starts, ends = list(starts), list(ends)
        sizes = self.sizes([names[number] for number in relative])
        for number, size in zip(relative, sizes, strict=True):
            starts[number], ends[number], _ = slice(starts[number], ends[number]).indices(size or 0)
            ends[number] = max(starts[number], ends[number])
        return starts, ends

    # ---- writing

    def pipe(self, path: Any, value: Any = None, **kwargs: Any) -> None:
        """Write contents: `pipe(path, bytes)`, or `pipe({path: bytes, ...})` in one batch.

        The options are those of `pipe_file`.
        """
        if isinstance(path, Mapping):
            self._write({self._name(one): content for one, content in path.items()}, **kwargs)
        elif is_path(path):
            self._write({self._name(path): value}, **kwargs)
        else:
            raise ValueError(f"expected a path or a dict, got {type(path).__name__}")

    def pipe_file(self, path: Any, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write the content of a file; it appears completely or not at all.

        Args:
            value: bytes, or what `CloudFiles.puts` accepts.
            mode: 'overwrite', or 'create', which raises FileExistsError if the file exists.
            content_type, cache_control, storage_class, metadata: as for `CloudFiles.puts`.
            content_encoding: the encoding that `value` already has, such as 'gzip'.
        """
        self._write({self._name(path): value}, mode=mode, **kwargs)

    def _write(self, contents: Mapping[str, Any], mode: str = "overwrite", **kwargs: Any) -> None:
        options = write_options(kwargs)
        if mode not in ("overwrite", "create"):
            raise ValueError(f"mode: expected 'overwrite' or 'create', got {mode!r}")
        if self._intrans:
            for name, content in contents.items():
                self._defer(name, "xb" if mode == "create" else "wb", kwargs, content)
            return
        try:
            for place, names in self._names.by_place(contents).items():
                files = [(_file_key(place.key(name), name), contents[name]) for name in names]
                with translated(names[0] if len(names) == 1 else ""):
                    place.cf.puts(files, if_absent=mode == "create", **options)
        finally:
            self._changed(contents)

    def _defer(self, name: str, mode: str, options: dict[str, Any], content: Any) -> None:
        """Write a file at the end of the transaction."""
        raise NotImplementedError

    def touch(self, path: Any, truncate: bool = True, **kwargs: Any) -> None:
        """Create an empty file.

        Args:
            truncate: also empty an existing one; otherwise set its time of modification to now, which is possible on
                `file://` only.
        """
        name, cf, key = self._located(path)
        if truncate:
            self._write({name: b""}, **kwargs)
            return
        with translated(name):
            if cf.protocol != "file" and cf.exists(key):
                raise unsupported(cf.protocol, "touch(truncate=False) of an existing file",
                                  "the time of modification is that of the last write")
            cf.touch(_file_key(key, name))
        self._changed([name])


def write_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `CloudFiles.puts` for those of `pipe_file`. Raises InvalidInputError for unknown ones."""
    options = {name: value for name, value in given.items() if name not in _IGNORED_WRITE_OPTIONS}
    encoding = options.pop("content_encoding", None)
    unknown = sorted(set(options) - _WRITE_OPTIONS)
    if unknown:
        raise InvalidInputError(f"unknown option {', '.join(unknown)} for writing; known options: content_encoding, "
                                f"{', '.join(sorted(_WRITE_OPTIONS))}")
    return {**options, "compress": encoding, "raw": True} if encoding else options


def _file_key(key: str, name: str) -> str:
    if not key:
        raise is_a_directory(name or "/")
    return key


def _check_on_error(on_error: str) -> None:
    if on_error not in ("raise", "omit", "return"):
        raise ValueError(f"on_error: expected 'raise', 'omit' or 'return', got {on_error!r}")
