"""The file objects that `CloudFileSystem.open` returns: those of `CloudFiles.open`, as fsspec expects them."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fsspec.compression import compr
from fsspec.core import get_compression

from cloudfiles.file_objects.publishing import PublishedOnExit
from cloudfiles.filesystem.errors import translated

if TYPE_CHECKING:
    from cloudfiles.filesystem.filesystem import CloudFileSystem
    from cloudfiles.filesystem.listings import Info


class FileOfSystem(io.BufferedIOBase):
    """A file object of a store, and where it is.

    Attributes:
        fs: the file system.
        path: the name in it.
        mode: 'rb', 'wb', 'ab' or 'xb'.
    """

    def __init__(self, fs: CloudFileSystem, path: str, mode: str, file: Any, blocksize: int | None) -> None:
        self.fs = fs
        self.path = path
        self.mode = mode
        self.blocksize = blocksize or fs.blocksize
        self._file = file
        self._pass_on("tell")

    def _pass_on(self, *names: str) -> None:
        """Methods that are those of the file object, without another call for each."""
        vars(self).update((name, getattr(self._file, name)) for name in names)

    @property
    def name(self) -> str:
        return self.path

    @property
    def full_name(self) -> str:
        """The cloudpath, as `fsspec.open` accepts it."""
        return self.fs.unstrip_protocol(self.path)

    @property
    def closed(self) -> bool:
        file = getattr(self, "_file", None)  # None: not opened
        return file is None or bool(file.closed)

    def __del__(self) -> None:
        """Not that of the base class, which would publish what was written: the file object itself sees to it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r} of {self.fs!r}, mode={self.mode!r}>"


class ReadFile(FileOfSystem):
    """A file that is open for reading. It can be pickled, which keeps its position."""

    def __init__(self, fs: CloudFileSystem, path: str, file: Any, blocksize: int | None) -> None:
        super().__init__(fs, path, "rb", file, blocksize)
        self._pass_on("read", "read1", "readinto", "seek")
        self._details: Info | None = None

    @property
    def size(self) -> int:
        """In bytes."""
        known: int | None = getattr(self._file, "size", None)
        return len(self._file.getbuffer()) if known is None else known

    @property
    def details(self) -> Info:
        """The info of the file, see `CloudFileSystem.info`."""
        if self._details is None:
            self._details = self.fs.info(self.path)
        return self._details

    def info(self) -> Info:
        return self.details

    @property
    def loc(self) -> int:
        position: int = self.tell()
        return position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        line: bytes = self._file.readline(-1 if size is None else size)
        return line

    def readuntil(self, char: bytes = b"\n", blocks: int | None = None) -> bytes:
        """The bytes up to and including the next `char`, or to the end of the file."""
        found = bytearray()
        while part := self.read(blocks or 1 << 16):
            end = (found + part).find(char, max(0, len(found) - len(char) + 1))
            if end >= 0:
                surplus = len(found) + len(part) - end - len(char)
                self.seek(-surplus, 1)
                return bytes((found + part)[:end + len(char)])
            found += part
        return bytes(found)

    def close(self) -> None:
        self._file.close()

    def __reduce__(self) -> Any:
        return _reopened, (self.fs, self.path, self.blocksize, self.tell())


def _reopened(fs: CloudFileSystem, path: str, blocksize: int, position: int) -> Any:
    file = fs._open(path, "rb", block_size=blocksize)
    file.seek(position)
    return file


class WrittenFile(PublishedOnExit, FileOfSystem):
    """A file that is open for writing. It appears, complete, when it is closed; if a `with` block ends with an
    exception, or the file object is dropped, nothing appears."""

    def __init__(self, fs: CloudFileSystem, path: str, mode: str, file: Any, blocksize: int | None,
                 on_change: Callable[[], None]) -> None:
        super().__init__(fs, path, mode, file, blocksize)
        self._pass_on("write")
        self._on_change = on_change

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()

    def close(self) -> None:
        """Publish the file. Raises PermissionError and others; nothing appears then."""
        if self.closed:
            return
        try:
            with translated(self.path):
                self._file.close()
        finally:
            self._on_change()

    def abort(self) -> None:
        """Close the file; nothing appears."""
        self._file.abort()

    discard = abort

    def commit(self) -> None:
        self.close()


class DeferredFile(PublishedOnExit, FileOfSystem):
    """A file that is written in a transaction: kept in a temporary local file until `commit`.

    position: bytes before what is written; not 0 if it is appended.
    """

    def __init__(self, fs: CloudFileSystem, path: str, mode: str, options: dict[str, Any], position: int = 0) -> None:
        self.options = options
        self.local = tempfile.TemporaryFile(prefix="cloudfiles-")  # noqa: SIM115 -- until the commit
        super().__init__(fs, path, mode, self.local, None)
        self._pass_on("write")
        self._position = position
        self.tell: Callable[[], int] = self._tell
        self._is_closed = False

    def _tell(self) -> int:
        return self._position + self.local.tell()

    @property
    def closed(self) -> bool:
        return getattr(self, "_is_closed", True)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if not self.local.closed:
            self.local.flush()

    def close(self) -> None:
        """The file is complete: it appears when the transaction ends."""
        self._is_closed = True

    def abort(self) -> None:
        """The file is left out of the transaction."""
        self.discard()
        if self in self.fs.transaction.files:
            self.fs.transaction.files.remove(self)

    def discard(self) -> None:
        self._is_closed = True
        self.local.close()

    def content(self) -> Any:
        """The content, as `CloudFiles.puts` accepts it."""
        self.local.seek(0, io.SEEK_END)
        return self.rewound() if self.local.tell() else b""

    def rewound(self) -> Any:
        """What was written, as a file to read."""
        self.local.seek(0)
        return self.local

    def take_over(self, other: DeferredFile) -> None:
        """Continue with what another file appends, and with its options."""
        self.local.seek(0, io.SEEK_END)
        other.local.seek(0)
        shutil.copyfileobj(other.local, self.local)
        self.options = {**self.options, **other.options}

    def commit(self) -> None:
        """Write the file to the store."""
        self.fs._commit([self])


# ---- compression


def compressed(file: Any, name: str, method: str, mode: str) -> Any:
    """A file object that compresses, or decompresses, a binary one.

    method: a name of `fsspec.compression`, or 'infer' for the one that the suffix of the name says.
    """
    method = get_compression(name, method)
    return file if method is None else CompressedFile(file, compr[method](file, mode=mode[0]))


class CompressedFile(PublishedOnExit, io.BufferedIOBase):
    """A codec and the file behind it, which are closed together."""

    def __init__(self, file: Any, codec: Any) -> None:
        self._file = file
        self._codec = codec
        self.mode = file.mode
        self.name = file.name

    def readable(self) -> bool:
        return bool(self._file.mode == "rb")

    def writable(self) -> bool:
        return bool(self._file.mode != "rb")

    def seekable(self) -> bool:
        return bool(self._codec.seekable())

    def read(self, size: int | None = -1, /) -> bytes:
        content: bytes = self._codec.read(-1 if size is None else size)
        return content

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size if size >= 0 else 1 << 16)

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[:len(content)] = content
        return len(content)

    def write(self, data: Any, /) -> int:
        written: int = self._codec.write(data)
        return written

    def seek(self, offset: int, whence: int = 0, /) -> int:
        position: int = self._codec.seek(offset, whence)
        return position

    def tell(self) -> int:
        position: int = self._codec.tell()
        return position

    @property
    def closed(self) -> bool:
        return bool(getattr(self, "_file", None) is None or self._file.closed)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._codec.close()
        except BaseException:
            self.abort()
            raise
        self._file.close()

    def abort(self) -> None:
        """Close; nothing that was written appears."""
        if self.writable():
            self._file.abort()
        else:
            self._file.close()

    def __del__(self) -> None:
        """Not that of the base class, which would publish what was written."""
