"""The items of a `puts`, which are validated before anything is sent, and how each is written."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from cloudfiles import compression, content_encoding, encoding_streams
from cloudfiles.exceptions import DuplicatePathError, InvalidInputError
from cloudfiles.inputs import (
    as_buffer,
    as_path,
    check_fields,
    check_header,
    check_metadata,
    check_readable,
    given,
    is_path,
)
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.types import WriteOptions
from cloudfiles.values import Value

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

_OF_RESULTS = ("byte_range", "error", "tags")  # so that results of a get can be passed to put
_FIELDS = ("content_type", "compress", "compression_level", "cache_control", "storage_class", "metadata",
           "if_absent", "if_match", "raw")
_KNOWN = ("path", "content", *_FIELDS)
_HEADERS = ("content_type", "cache_control", "storage_class")
_OPTIONAL = (*_HEADERS, "compression_level", "metadata")


class WriteDefaults(Value):
    """The options of a whole call. An item's own fields take precedence."""

    content_type: str | None = None
    compress: str | bool | None = None
    compression_level: int | None = None
    cache_control: str | None = None
    storage_class: str | None = None
    metadata: Mapping[str, str] | None = None
    if_absent: bool = False
    if_match: str | None = None
    raw: bool = False
    live: bool = False  # the store accepts Python objects with raw=True

    def __post_init__(self) -> None:
        """Replace False and '' by None. Raises InvalidInputError for values that cannot be sent in headers."""
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None:
                self._set(name, given(value))
        if self.if_match is not None:
            check_header("if_match", self.if_match)
            if not self.if_match:
                raise InvalidInputError("if_match: expected an ETag, or None for an unconditional write, got an empty "
                                        "str")
        if self.metadata:
            check_metadata(self.metadata)

    def _set(self, name: str, value: Any) -> None:
        if value is not None and name in _HEADERS:
            check_header(name, value)
        self.__dict__[name] = value


class Upload:
    """One item of a put."""

    __slots__ = ("content", "options", "path")

    def __init__(self, path: str, content: Any, options: WriteDefaults) -> None:
        self.path = path
        self.content = content
        self.options = options


class SentUploads(list[Upload]):
    """Uploads that are sent to another process: pickled as columns, which takes a fifth of the time."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_columns, ([upload.path for upload in self], [upload.content for upload in self],
                               [upload.options for upload in self])


def _from_columns(paths: list[str], contents: list[Any], options: list[WriteDefaults]) -> list[Upload]:
    return list(map(Upload, paths, contents, options))


def is_scalar(files: Any) -> bool:
    """Whether `files` is one item and not an iterable of them."""
    return isinstance(files, Mapping) or (
        isinstance(files, tuple) and len(files) == 2 and is_path(files[0])
    )


def uploads(files: Any, defaults: WriteDefaults) -> Iterable[Upload]:
    """The items of a put. Those of a collection are validated now, those of an iterator when they are taken.

    Raises DuplicatePathError if a collection has a path twice, InvalidInputError for content that is neither bytes nor
    an open binary file, and for invalid options.
    """
    if is_scalar(files):
        return [_upload(files, defaults)]
    if not isinstance(files, Collection) or is_path(files) or isinstance(files, bytes):
        return _taken(files, defaults)
    checked = [_upload(item, defaults) for item in files]
    seen: set[str] = set()
    open_files: set[int] = set()
    for upload in checked:
        if upload.path in seen:
            raise DuplicatePathError("duplicate path in one put: which content to store is ambiguous",
                                     path=upload.path)
        seen.add(upload.path)
        if hasattr(upload.content, "read") and not (upload.options.raw and upload.options.live):
            if id(upload.content) in open_files:
                raise InvalidInputError("the same open file was given as the content of two paths, but can be read "
                                        "only once",
                                        path=upload.path)
            open_files.add(id(upload.content))
    return checked


def _taken(files: Iterable[Any], defaults: WriteDefaults) -> Iterator[Upload]:
    if is_path(files) or isinstance(files, bytes) or not isinstance(files, Iterable):
        raise InvalidInputError(f"expected (path, content), a dict or an iterable of them, got {type(files).__name__}: "
                                f"{files!r}")
    return (_upload(item, defaults) for item in files)


def _upload(item: Any, defaults: WriteDefaults) -> Upload:
    options = defaults
    if isinstance(item, Mapping):
        check_fields(item, _KNOWN, _OF_RESULTS)
        if "path" not in item or "content" not in item:
            raise InvalidInputError(f"expected a dict with 'path' and 'content', got one with {sorted(map(str, item))}")
        if item.get("error") is not None:
            raise InvalidInputError("the item is the result of a failed read", path=str(item["path"]))
        path, content = item["path"], item["content"]
        own = {name: item[name] for name in _FIELDS if name in item}
        options = defaults.replace(**own) if own else defaults
    else:
        try:
            path, content = item
        except (TypeError, ValueError):
            raise InvalidInputError(f"expected (path, content) or a dict, got {type(item).__name__}: "
                                    f"{item!r}") from None
    path = as_path(path)
    if not (options.raw and options.live):
        content = _as_content(path, content)
    _check(path, options)
    return Upload(path, content, options)


def is_content(content: Any) -> bool:
    """Whether it has bytes that can be stored, unlike other Python objects."""
    return isinstance(content, bytes | bytearray | memoryview | str) or hasattr(content, "read") or (
        as_buffer(content) is not None)


def _as_content(path: str, content: Any) -> Any:
    """`content` as a bytes-like object or an open file. Raises InvalidInputError."""
    if isinstance(content, bytes | bytearray | memoryview):
        return content
    if isinstance(content, str):
        try:
            return str.__str__(content).encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"the content cannot be encoded in UTF-8: {error.reason} (character "
                                    f"{error.start})", path=path) from None
    if callable(getattr(content, "read", None)):
        if isinstance(content, io.TextIOBase):
            raise InvalidInputError(f"the content is a file opened in text mode ({type(content).__name__}); open it "
                                    "with mode 'rb'", path=path)
        check_readable(content, path)
        return content
    try:
        buffer = as_buffer(content)
    except InvalidInputError as error:
        error.path = path
        raise
    if buffer is None:
        raise InvalidInputError("expected bytes, a str, a C-contiguous buffer or an open binary file as content, got "
                                f"{type(content).__name__} (put_json stores any JSON-serializable value)", path=path)
    return buffer


def _check(path: str, options: WriteDefaults) -> None:
    if options.if_absent and options.if_match is not None:
        raise InvalidInputError("if_absent and if_match are mutually exclusive", path=path)
    if options.raw:
        content_encoding.normalize_encoding(options.compress)
    elif options.compress:
        content_encoding.check(options.compress, options.compression_level)


def writer(interface: Interface, runtime: Runtime | None, monitor: TransmissionMonitor | None = None
           ) -> Callable[[Upload], Any]:
    """The function that stores one item; it returns the ETag, if the store sends one.

    monitor: records each write to the store.
    """
    put = interface.put if monitor is None else _recorded(interface.put, monitor)

    def write(upload: Upload) -> Any:
        options = upload.options
        encoding = content_encoding.stored_encoding(options.compress) if options.compress else ""
        content = upload.content
        if not isinstance(content, bytes) and hasattr(content, "read") and not (options.raw and options.live):
            check_readable(content, upload.path)  # again: it may have been read meanwhile
        if encoding and not options.raw:
            content = _encoded(content, encoding, options.compression_level, runtime)
        return put(upload.path, content, WriteOptions(
            options.content_type or guess_content_type(upload.path), encoding, options.cache_control,
            options.storage_class, options.metadata, options.if_absent, options.if_match))

    return write


def write_options(path: str, options: WriteDefaults) -> WriteOptions:
    """The options of a write of one object. Raises InvalidInputError."""
    _check(path, options)
    return WriteOptions(options.content_type or guess_content_type(path),
                        content_encoding.stored_encoding(options.compress) if options.compress else "",
                        options.cache_control, options.storage_class, options.metadata, options.if_absent,
                        options.if_match)


def _recorded(put: Callable[..., Any], monitor: TransmissionMonitor) -> Callable[..., Any]:
    """`put`, with the size of the content recorded."""

    def recorded(path: str, content: Any, options: WriteOptions) -> Any:
        if isinstance(content, bytes | bytearray | memoryview):
            size = content.nbytes if isinstance(content, memoryview) else len(content)
            return monitor.timed(put, lambda _: size)(path, content, options)
        counted = CountedFile(content) if hasattr(content, "read") else content
        return monitor.timed(put, lambda _: getattr(counted, "count", 0))(path, counted, options)

    return recorded


def _encoded(content: Any, encoding: str, level: int | None, runtime: Runtime | None) -> Any:
    if not isinstance(content, bytes | bytearray | memoryview):
        return EncodedFile(content, encoding, level)
    if runtime is not None and len(content) >= RUN_IN_THREAD_BYTES:
        return runtime.run_in_thread(compression.compress, content, encoding, level)
    return compression.compress(content, encoding, level)


def guess_content_type(path: str) -> str:
    """The media type for the suffix of a path."""
    _, dot, suffix = path.rpartition(".")
    return _media_type(suffix) if dot and "/" not in suffix else "application/octet-stream"


@functools.lru_cache(maxsize=1024)
def _media_type(suffix: str) -> str:
    import mimetypes  # imported here because only uploads need it

    return mimetypes.guess_type("x." + suffix)[0] or "application/octet-stream"


class EncodedFile(io.RawIOBase):
    """An open file, read through an encoder. Encodes only as much as is read."""

    _PIECE = 1 << 20

    def __init__(self, file: BinaryIO, encoding: str, level: int | None) -> None:
        self._file = file
        self._encoder = encoding_streams.encoder(encoding, level)
        self._ready = bytearray()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            piece = self._file.read(self._PIECE)
            if piece:
                self._ready += self._encoder.update(piece)
            else:
                self._ready += self._encoder.finish()
                self._ended = True
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        del self._ready[:count]
        return count


class CountedFile(io.RawIOBase):
    """An open file that counts the bytes that are read, from its initial position.

    Attributes:
        count: bytes read; those that were read again for another attempt are counted once.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0  # bytes from the initial position
        self.count = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return hasattr(self._file, "seekable") and self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        before = self._file.tell()
        after = self._file.seek(offset, whence)
        self._at += after - before
        return after

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        content = self._file.read(-1 if size is None else size)
        self._at += len(content)
        self.count = max(self.count, self._at)
        return content
