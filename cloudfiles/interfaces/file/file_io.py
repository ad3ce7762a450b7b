"""Reads a local file consistently, and writes new ones."""

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
from cloudfiles.runtime.descriptors import open_into

READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

_ONE_READ = (2 << 30) - 4096  # bytes; the maximum of one read on Linux, read(2); macOS reads 2 GiB - 1
_PIECE = 64 << 20  # bytes
_ATOMIC_READ = 64 << 10  # bytes of a read that is considered atomic with respect to writes
_ATTEMPTS = 5


def etag_of(status: os.stat_result) -> str:
    """An ETag of modification time, size and inode, which differs for a replaced file.

    For files that are written in place it is as coarse as the times of the file system (some milliseconds on Linux).
    """
    return '"%x-%x-%x"' % (status.st_mtime_ns, status.st_size, status.st_ino)  # noqa: UP031 -- faster, once a read


# ---- reading


def open_to_read(path: str, opened: list[int]) -> int:
    """A descriptor for reading, see `open_into`. Does not block for a named pipe without a writer."""
    return open_into(opened, path, READ_FLAGS)


def read_span(descriptor: int, status: os.stat_result, start: int | None, end: int | None) -> tuple[bytes, str]:
    """The bytes `[start:end]` of an open regular file, and its ETag.

    Files written by this package do not change while they are open. Other programs may write files in place: a read
    that is not as long as the file was, or a longer one during which the file's time has changed, is repeated.

    Raises:
        ObjectChangedError: five reads did not match the file.
        OSError: reading failed.
    """
    whole = start is None and end is None
    for _ in range(_ATTEMPTS):
        size = status.st_size
        first, length = (0, size) if whole else slice_bounds(start, end, size)
        content = _read(descriptor, first, length, more=whole)  # one more byte, to detect a file that grows
        if len(content) == length and (length <= _ATOMIC_READ or _is_unchanged(descriptor, status)):
            return content, etag_of(status)
        status = os.fstat(descriptor)
    raise ObjectChangedError(
        f"the file is being written, or its size is not reliable: {_ATTEMPTS} reads did not match it")


def _is_unchanged(descriptor: int, before: os.stat_result) -> bool:
    after = os.fstat(descriptor)
    return after.st_mtime_ns == before.st_mtime_ns and after.st_size == before.st_size


def _read(descriptor: int, first: int, length: int, more: bool) -> bytes:
    """Up to `length` bytes, plus one if `more`, in one buffer."""
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
    """Write `content` to a new file, creating missing directories; returns its ETag.

    prepare: called with its descriptor before anything is written. On failure a partial file may be left.
    """
    opened: list[int] = []
    try:
        descriptor = create_new(file, opened)
        if prepare is not None:
            prepare(descriptor)
        _fill(descriptor, content)
        if durable:
            os.fsync(descriptor)
        return etag_of(os.fstat(descriptor))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def create_new(file: str, opened: list[int]) -> int:
    """A descriptor of a new file, with the mode of the umask; see `open_into`. Creates missing directories."""
    for _ in range(_ATTEMPTS):  # another process may be removing empty directories
        try:
            return open_into(opened, file, _WRITE_FLAGS, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(file), exist_ok=True)
    return open_into(opened, file, _WRITE_FLAGS, 0o666)


def _fill(descriptor: int, content: Any) -> None:
    if isinstance(content, (bytes, bytearray, memoryview)):
        _write(descriptor, content)
    else:
        for chunk in chunks(content):
            check_cancelled()
            _write(descriptor, chunk)


def length_of(content: bytes | bytearray | memoryview) -> int:
    """The number of bytes."""
    return content.nbytes if isinstance(content, memoryview) else len(content)


def _write(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    length = length_of(content)
    if isinstance(content, memoryview) and not content.c_contiguous:
        content = content.tobytes()
    written = os.write(descriptor, content) if length else 0
    while written < length:  # the system writes at most 2 GiB at once
        with memoryview(content) as view:
            written += os.write(descriptor, view.cast("B")[written:])


def sync_directory(directory: str) -> None:
    """Make renames in `directory` durable in case of a power failure."""
    if sys.platform != "win32":
        opened: list[int] = []
        try:
            os.fsync(open_into(opened, directory, os.O_RDONLY))
        finally:
            for descriptor in opened:
                os.close(descriptor)


def link_new(temporary: str, target: str) -> None:
    """Rename `temporary` to `target`, atomically. Raises FileExistsError if that exists.

    Raises OSError if the file system has no hard links.
    """
    if sys.platform == "win32":
        os.rename(temporary, target)  # never replaces a file
    else:
        os.link(temporary, target)
        os.unlink(temporary)


def is_regular(path: str) -> bool:
    """Whether it is a regular file, following symlinks."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def existing_files(path: str, variants: Variants) -> list[str]:
    """The existing paths among those that the file of an object may have, in the order in which they are read."""
    return [file for suffix, _ in variants if os.access(file := path + suffix, os.F_OK)]  # much faster than exceptions
