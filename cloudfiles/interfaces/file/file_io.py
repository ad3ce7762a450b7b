"""Reading one local file exactly, and replacing one atomically."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

from cloudfiles.exceptions import InvalidInputError, ObjectChangedError
from cloudfiles.interfaces.file.names import Variants
from cloudfiles.interfaces.local_store import chunks, slice_bounds
from cloudfiles.runtime.cancellation import check_cancelled
from cloudfiles.runtime.descriptors import with_descriptor

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

_ONE_READ = (2 << 30) - 4096  # bytes; the most that Linux reads at once, read(2); macOS reads 2 GiB - 1
_PIECE = 64 << 20  # bytes
_ATOMIC_READ = 64 << 10  # bytes that are taken to be read in one go, between two writes
_TRIES = 5


def etag_of(status: os.stat_result) -> str:
    """Of time of modification, size and inode: a replaced file has another one.

    As coarse as the file system's times (some milliseconds on Linux) for files written in place.
    """
    return '"%x-%x-%x"' % (status.st_mtime_ns, status.st_size, status.st_ino)  # noqa: UP031 -- faster, once a read


# ---- reading


def open_to_read(path: str) -> int:
    """A descriptor. A named pipe without a writer does not block it."""
    return with_descriptor(os.open, path, _READ_FLAGS)


def read_span(descriptor: int, status: os.stat_result, start: int | None, end: int | None) -> tuple[bytes, str]:
    """The bytes `[start:end]` of an open regular file, and its ETag.

    What this package writes never changes once it is open. Files that others write in place may: a read that
    does not come out as long as the file was, or a longer one during which the file's time changed, starts anew.

    Raises:
        ObjectChangedError: it went so five times.
        OSError: reading failed.
    """
    whole = start is None and end is None
    for _ in range(_TRIES):
        size = status.st_size
        first, length = (0, size) if whole else slice_bounds(start, end, size)
        content = _read(descriptor, first, length, more=whole)  # one byte more shows whether it has grown
        if len(content) == length and (length <= _ATOMIC_READ or _is_unchanged(descriptor, status)):
            return content, etag_of(status)
        status = os.fstat(descriptor)
    raise ObjectChangedError(
        f"the file is being written, or its size is not reliable: {_TRIES} reads did not match it")


def _is_unchanged(descriptor: int, before: os.stat_result) -> bool:
    after = os.fstat(descriptor)
    return after.st_mtime_ns == before.st_mtime_ns and after.st_size == before.st_size


def _read(descriptor: int, first: int, length: int, more: bool) -> bytes:
    """`length` bytes (and one more, if there is one), or fewer at the end of the file, in one buffer."""
    asked = length + more
    content = _pread(descriptor, asked if asked <= _ONE_READ else _PIECE, first)
    if len(content) >= length or not content:
        return content
    buffer = io.BytesIO()
    while content:
        buffer.write(content)
        left = asked - buffer.tell()
        content = _pread(descriptor, min(left, _PIECE), first + buffer.tell()) if left else b""
    return buffer.getvalue()


if sys.platform == "win32":
    def _pread(descriptor: int, length: int, first: int) -> bytes:
        os.lseek(descriptor, first, os.SEEK_SET)
        return os.read(descriptor, length)
else:
    _pread = os.pread


# ---- writing


def check_content(content: Any) -> None:
    """Raises InvalidInputError unless it is bytes-like or an open file."""
    if not isinstance(content, (bytes, bytearray, memoryview)) and not hasattr(content, "read"):
        raise InvalidInputError(
            "expected bytes, a bytearray, a memoryview or an open binary file as content, got "
            f"{type(content).__name__}")


def write_new(file: str, content: Any, durable: bool, prepare: Callable[[int], object] | None = None) -> str:
    """Write `content` to a file that is not there yet; gives its ETag.

    prepare: what is done to its descriptor before anything is in it.
    Directories above are created where missing. On failure the file may be left, with a part of the content.
    """
    descriptor = create_new(file)
    try:
        if prepare is not None:
            prepare(descriptor)
        _fill(descriptor, content)
        if durable:
            os.fsync(descriptor)
        return etag_of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def create_new(file: str) -> int:
    """A descriptor of a new file, in the mode that the umask gives; directories above are created where missing."""
    for _ in range(_TRIES):  # somebody may be removing empty directories
        try:
            return with_descriptor(os.open, file, _WRITE_FLAGS, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(file), exist_ok=True)
    return os.open(file, _WRITE_FLAGS, 0o666)


def _fill(descriptor: int, content: Any) -> None:
    if isinstance(content, (bytes, bytearray, memoryview)):
        _write(descriptor, content)
    else:
        for chunk in chunks(content):
            check_cancelled()
            _write(descriptor, chunk)


def length_of(content: bytes | bytearray | memoryview) -> int:
    """Its bytes."""
    return content.nbytes if isinstance(content, memoryview) else len(content)


def _write(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    length = length_of(content)
    if isinstance(content, memoryview) and not content.c_contiguous:
        content = content.tobytes()
    written = os.write(descriptor, content) if length else 0
    while written < length:  # the system takes at most 2 GiB at once
        with memoryview(content) as view:
            written += os.write(descriptor, view.cast("B")[written:])


def sync_directory(directory: str) -> None:
    """Make a rename in `directory` outlast a power failure."""
    if sys.platform != "win32":
        descriptor = with_descriptor(os.open, directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def link_new(temporary: str, target: str) -> None:
    """Give `temporary` the name `target`. Raises FileExistsError where there is one already, decided by the system.

    Raises OSError where the file system has no hard links.
    """
    if sys.platform == "win32":
        os.rename(temporary, target)  # refuses to replace
    else:
        os.link(temporary, target)
        os.unlink(temporary)


def is_regular(path: str) -> bool:
    """Whether a regular file is there, symlinks followed."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def existing_files(path: str, variants: Variants) -> list[str]:
    """What is there under the names that an object's file may have, that which is read first."""
    return [file for suffix, _ in variants if os.access(file := path + suffix, os.F_OK)]  # far cheaper than exceptions
