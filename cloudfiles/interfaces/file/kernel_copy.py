"""Copies the content of local files: by sharing blocks or inside the kernel, if the file systems support it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from cloudfiles.runtime.cancellation import check_cancelled

_SMALL = 64 << 10  # bytes up to which one read and one write are the fastest
_PIECE = 1 << 20
_MAX_AT_ONCE = 1 << 30
_FICLONE = 0x40049409  # ioctl_ficlone(2): share the blocks of another file
_UNSUPPORTED = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM,
                          errno.ENOTTY, errno.EBADF, errno.ETXTBSY})
"""Errors by which the kernel refuses one method of copying for these two files."""


def copy_content(source: int, target: int, size: int, offset: int = 0) -> int:
    """Copy `size` bytes from the beginning of one file to `offset` in another; returns how many were copied."""
    if size > _SMALL:
        for method in _METHODS:
            with suppress(OSError if method is _clone else _UnsupportedError):
                return method(source, target, size, offset)
    return _read_and_write(source, target, size, offset)


class _UnsupportedError(Exception):
    """The kernel does not support this method for these two files."""


def _clone(source: int, target: int, size: int, offset: int) -> int:
    import fcntl

    if offset:
        raise OSError(errno.EINVAL, "only whole files are cloned")
    fcntl.ioctl(target, _FICLONE, source)
    return size


def _in_kernel(copy: Callable[[int, int], int], size: int) -> int:
    """Call `copy(offset, count)` until all is copied. Raises _UnsupportedError if the first call is refused."""
    done = 0
    while done < size:
        check_cancelled()
        try:
            count = copy(done, min(size - done, _MAX_AT_ONCE))
        except OSError as error:
            if done or error.errno not in _UNSUPPORTED:
                raise
            raise _UnsupportedError from error
        if not count:
            if not done:
                raise _UnsupportedError  # some kernels return 0 for file systems that they cannot copy from
            break
        done += count
    return done


def _copy_file_range(source: int, target: int, size: int, offset: int) -> int:
    return _in_kernel(lambda at, count: os.copy_file_range(source, target, count, at, offset + at), size)


def _sendfile(source: int, target: int, size: int, offset: int) -> int:
    os.lseek(target, offset, os.SEEK_SET)
    return _in_kernel(lambda at, count: os.sendfile(target, source, at, count), size)


_METHODS: tuple[Callable[[int, int, int, int], int], ...] = (
    (_clone, _copy_file_range, _sendfile) if sys.platform == "linux" else ())


def _read_and_write(source: int, target: int, size: int, offset: int) -> int:
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, offset, os.SEEK_SET)
    done = 0
    while piece := os.read(source, min(size + 1 - done, _PIECE)):  # one more byte, to detect a file that grows
        check_cancelled()
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view):]
        done += len(piece)
    return done
