"""`CloudStore`: a store for zarr 3 on any cloudpath. Requires zarr (`pip install 'cloudfiles[zarr]'`)."""

from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.aio.combined_calls import CombinedCalls
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    InvalidInputError,
    MissingExtraError,
    MissingObjectError,
    PreconditionFailedError,
)
from cloudfiles.lib import StrPath

try:
    from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype
    from zarr.core.config import config
except ImportError as error:
    raise MissingExtraError("cloudfiles.zarr needs zarr 3 and Python 3.11: pip install 'cloudfiles[zarr]'") from error

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cloudfiles.cloudfiles import CloudFilesOptions

CONCURRENT_CHUNKS = 128
"""Chunks of one array operation that zarr hands to a store at the same time, unless the program has set another
number. The number of requests follows the server, as in any other batch."""

_READ_BYTES = 256 << 20
"""Bytes of values that are read at the same time, as far as their sizes can be told from those before."""

_FEWEST_READS = 10
_FIRST_READS = 16
"""Values that are read at the same time, whatever their size: zarr's default; and as long as no size is known."""


class CloudStore(Store):
    """A zarr store whose keys are the objects below a cloudpath.

    Keys are exact names, and values the stored bytes: nothing is encoded or decoded, neither by a Content-Encoding nor,
    on `file://`, by a suffix. Chunks that zarr reads or writes at the same time are combined into batches;
    `get_partial_values`, deleting and listing are batches, too.

    zarr asks for at most ten chunks at a time by default (`async.concurrency` of `zarr.config`, for all its stores).
    From a store that is far away, these take most of their time waiting. So the first `CloudStore` of a process raises
    that default to 128. A number that the program, the environment or a configuration file has set is left alone, and
    so is one that is set afterwards.

    Stores can be pickled and used after a fork, and from several event loops and threads. `close` and `with` are
    optional.

    Args:
        cloudpath: a cloudpath, or a `CloudFiles`, whose options the store then has.
        read_only: refuse to write and to delete, with a ValueError.
        options: the options of `CloudFiles`, if a cloudpath is given.

    Attributes:
        cloudfiles: the `CloudFiles` of the same cloudpath.

    Raises:
        InvalidInputError: (also a ValueError) an option is invalid, or `encoding_suffixes` is True.
    """

    supports_writes = True
    supports_deletes = True
    supports_listing = True

    def __init__(self, cloudpath: StrPath | CloudFiles, *, read_only: bool = False,
                 **options: Unpack[CloudFilesOptions]) -> None:
        super().__init__(read_only=read_only)
        if not isinstance(cloudpath, CloudFiles):
            cloudpath = CloudFiles(cloudpath, **options)
        elif options:
            raise InvalidInputError(f"options are those of the CloudFiles, but {', '.join(options)} was given as well")
        self._bind(cloudpath)

    def _bind(self, cloudfiles: CloudFiles) -> None:
        self.cloudfiles = cloudfiles._by_exact_names()
        if self.cloudfiles._store.shows_encodings_as_suffixes:
            raise InvalidInputError("encoding_suffixes: keys of zarr are exact names; expected None or False")
        self._objects = AsyncCloudFiles.of(self.cloudfiles)
        self._most_reads = _FIRST_READS
        self._get_combined = CombinedCalls(self._get_batch, lambda: self._most_reads)
        self._set_combined = CombinedCalls(self._set_batch)
        _raise_default_concurrency()

    def with_read_only(self, read_only: bool = False) -> CloudStore:
        """Another store at the same cloudpath."""
        return type(self)(self.cloudfiles, read_only=read_only)

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, CloudStore) and self.cloudfiles == other.cloudfiles
                and self.read_only == other.read_only)

    def __hash__(self) -> int:
        return hash((self.cloudfiles, self.read_only))

    def __str__(self) -> str:
        return repr(self.cloudfiles).removeprefix("CloudFiles(").strip("')\"")

    def __repr__(self) -> str:
        return repr(self.cloudfiles).replace("CloudFiles", type(self).__name__, 1)

    def __getstate__(self) -> dict[str, Any]:
        return {"cloudfiles": self.cloudfiles, "read_only": self.read_only}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Store.__init__(self, read_only=state["read_only"])
        self._bind(state["cloudfiles"])

    # ---- reading

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """The value of a key, or a range of its bytes; None if there is no such key."""
        await self._ensure_open()
        return _buffer(await self._get_combined(_request(key, byte_range)), prototype)

    async def _get_batch(self, requests: builtins.list[Any]) -> builtins.list[Any]:
        """The contents, or exceptions. Their size decides how many are read at the same time from now on."""
        if len(requests) == 1:
            return [await self._objects.get(requests[0], raw=True)]
        found = await self._objects.get(requests, raw=True, raise_errors=False)
        sizes = [len(result["content"]) for result in found if result["content"] is not None]
        if sizes:
            fitting = _READ_BYTES * len(sizes) // max(1, sum(sizes))
            self._most_reads = max(_FEWEST_READS, min(fitting, max(4 * len(sizes), _FIRST_READS)))
        return [result["content"] if result["error"] is None else result["error"] for result in found]

    async def get_partial_values(self, prototype: BufferPrototype,
                                 key_ranges: Iterable[tuple[str, ByteRequest | None]]
                                 ) -> builtins.list[Buffer | None]:
        """Ranges of values in one batch, in order. Ranges of one value that are close to each other are one request."""
        await self._ensure_open()
        found = await self._objects.get([_request(key, byte_range) for key, byte_range in key_ranges], raw=True)
        return [_buffer(result["content"], prototype) for result in found]

    async def _get_many(self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
                        ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        wanted = list(requests)
        found = await self._objects.get([_request(key, byte_range) for key, _, byte_range in wanted], raw=True)
        for (key, prototype, _), result in zip(wanted, found, strict=True):
            yield key, _buffer(result["content"], prototype)

    async def exists(self, key: str) -> bool:
        """Whether there is a value for this key; a directory is none."""
        return await self._objects.exists(key)

    async def getsize(self, key: str) -> int:
        """The bytes of a value. Raises MissingObjectError (also a FileNotFoundError) if there is no such key."""
        size = await self._objects.size(key)
        if size is None:
            raise MissingObjectError("there is no such object", path=key)
        return size

    async def getsize_prefix(self, prefix: str) -> int:
        """The bytes of all values below a directory, by listing it."""
        total = 0
        async with aclosing(self._objects.list(_directory(prefix), size=True)) as listed:
            async for _, size in listed:
                total += size or 0
        return total

    # ---- writing

    async def set(self, key: str, value: Buffer) -> None:
        """Store a value: all of it, or nothing."""
        self._check_writable()
        await self._ensure_open()
        await self._set_combined((key, _content(value)))

    async def _set_batch(self, values: builtins.list[Any]) -> builtins.list[None]:
        if len(values) == 1:
            await self._objects.put(*values[0])
        else:
            await self._objects.puts(values)
        return [None] * len(values)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Store a value, unless the key has one: in one step, of several writers at most one succeeds."""
        self._check_writable()
        await self._ensure_open()
        with suppress(PreconditionFailedError):
            await self._objects.put(key, _content(value), if_absent=True)

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        self._check_writable()
        await self._ensure_open()
        await self._objects.puts([(key, _content(value)) for key, value in values])

    async def delete(self, key: str) -> None:
        """Delete a key; a missing one is ignored."""
        self._check_writable()
        await self._objects.delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Delete all keys below a directory, in batches, while they are listed; on `file://`, the directory as well."""
        self._check_writable()
        directory = _directory(prefix)
        if directory:
            await self._objects.rm(directory, recursive=True)
            return
        async with aclosing(self._objects.list()) as listed:
            await self._objects.delete(listed)
        await self._objects.rm([path async for path in self._objects.list(flat=True) if path.endswith("/")],
                               recursive=True)

    # ---- listing

    def list(self) -> AsyncGenerator[str, None]:
        """All keys."""
        return self._objects.list()

    def list_prefix(self, prefix: str) -> AsyncGenerator[str, None]:
        """All keys that start with `prefix`."""
        return self._objects.list(prefix)

    async def list_dir(self, prefix: str) -> AsyncGenerator[str, None]:
        """The names of the keys and directories in a directory, each once, relative to it."""
        directory = _directory(prefix)
        last = ""
        async with aclosing(self._objects.list(directory, flat=True)) as listed:
            async for path in listed:
                name = path[len(directory):].rstrip("/")
                if name and name != last:
                    yield name
                last = name

    async def is_empty(self, prefix: str) -> bool:
        """Whether there are no keys below a directory."""
        async with aclosing(self._objects.list(_directory(prefix))) as listed:
            async for _ in listed:
                return False
        return True


def _request(key: str, byte_range: ByteRequest | None) -> str | dict[str, Any]:
    """The item of a `get`. Raises a ValueError for what is not a range."""
    if byte_range is None:
        return key
    if isinstance(byte_range, RangeByteRequest):
        return {"path": key, "start": byte_range.start, "end": byte_range.end}
    if isinstance(byte_range, OffsetByteRequest):
        return {"path": key, "start": byte_range.offset}
    if isinstance(byte_range, SuffixByteRequest):
        if byte_range.suffix == 0:
            return {"path": key, "start": 0, "end": 0}
        return {"path": key, "start": -byte_range.suffix}
    raise ValueError(f"Unexpected byte_range, got {byte_range}.")


def _buffer(content: bytes | None, prototype: BufferPrototype) -> Buffer | None:
    """The content as a buffer, which shares its memory if it is one in main memory."""
    return None if content is None else prototype.buffer.from_bytes(content)


def _content(value: Buffer) -> Any:
    """The bytes of a buffer, which are not copied if it is one in main memory."""
    if not isinstance(value, Buffer):
        raise TypeError(f"CloudStore.set(): `value` must be a Buffer instance. Got an instance of {type(value)} "
                        "instead.")
    return value.as_buffer_like()


def _directory(prefix: str) -> str:
    """The start of all keys in a directory; the empty prefix is the root."""
    prefix = prefix.rstrip("/")
    return prefix + "/" if prefix else ""


def _raise_default_concurrency() -> None:
    """Let zarr hand over more chunks at a time, if the number is its default."""
    default = config.defaults[0]["async"]["concurrency"]
    if config.get("async.concurrency") == default < CONCURRENT_CHUNKS:
        config.set({"async.concurrency": CONCURRENT_CHUNKS})
