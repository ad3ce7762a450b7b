"""Copies and renames local files. A target appears complete or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.file.file_io import create_new, etag_of, open_to_read
from cloudfiles.interfaces.file.kernel_copy import copy_content
from cloudfiles.interfaces.file.names import BY_SUFFIX, EXACT, ObjectPath, suffix_of
from cloudfiles.interfaces.file.objects import find_object, publish
from cloudfiles.interfaces.file.permissions import Permissions, keep_permissions, permissions_of_object
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.runtime.cancellation import publishing, writing
from cloudfiles.types import WriteOptions

_ATTEMPTS = 5


def copy_object(source: ObjectPath, target: ObjectPath, options: CopyOptions, durable: bool) -> CopyResult | None:
    """Copy an object; None if it is missing.

    Raises OSError, UnsupportedOperationError if the target cannot store its encoding, and ObjectChangedError if the
    source is being written in place.
    """
    for _ in range(_ATTEMPTS):
        found = find_object(*source)
        if found is None:
            return None
        _, encoding = found
        suffix = suffix_of(encoding, target.variants)
        try:
            return _copy(source.path + suffix, target, suffix, options, durable)
        except FileNotFoundError as error:
            if error.filename != source.path + suffix:  # else the source was renamed, perhaps to another encoding
                raise
    raise ObjectChangedError("the file was replaced or written to repeatedly while it was being copied")


def _copy(file: str, target: ObjectPath, suffix: str, options: CopyOptions, durable: bool) -> CopyResult:
    temporary = os.path.join(os.path.dirname(target.path), temporary_name())
    opened: list[int] = []
    with writing():
        try:
            descriptor = open_to_read(file, opened)
            status = os.fstat(descriptor)
            if options.etag not in (None, etag_of(status)):
                raise ObjectChangedError("the source was replaced before it was copied")
            etag = _copy_to_new(descriptor, status, temporary, permissions_of_object(*target), durable)
            publish(temporary, *target, suffix, WriteOptions(), durable)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            for descriptor in opened:
                os.close(descriptor)
    return CopyResult(status.st_size, etag)


def _copy_to_new(source: int, status: os.stat_result, temporary: str, kept: Permissions | None, durable: bool) -> str:
    opened: list[int] = []
    try:
        target = create_new(temporary, opened)
        keep_permissions(target, kept)
        copied = copy_content(source, target, status.st_size)
        after = os.fstat(source)
        if copied != status.st_size or (after.st_mtime_ns, after.st_size) != (status.st_mtime_ns, status.st_size):
            raise ObjectChangedError("the file was written to while it was being copied")
        if durable:
            os.fsync(target)
        return etag_of(os.fstat(target))
    finally:
        for target in opened:
            os.close(target)


def rename_object(source: ObjectPath, target: ObjectPath, durable: bool, *, if_absent: bool = False) -> bool:
    """Rename an object within a file system. False if it is missing, or cannot be renamed.

    If a file is replaced, the new one gets its permissions. Raises OSError and, with `if_absent`,
    PreconditionFailedError if the target exists.
    """
    found = find_object(*source)
    if found is None:
        return False
    suffix = suffix_of(found[1], BY_SUFFIX)
    if os.path.islink(source.path + suffix) or (suffix and target.variants is EXACT):
        return False  # the object is the target of the link, or has to be decoded
    os.makedirs(os.path.dirname(target.path), exist_ok=True)
    kept = permissions_of_object(*target)
    try:
        opened: list[int] = []
        try:
            descriptor = -1 if kept is None else open_to_read(source.path + suffix, opened)
            publish(source.path + suffix, *target, suffix, WriteOptions(if_absent=if_absent), durable)
            _remove_other_name(source.path + suffix, target.path + suffix)
            keep_permissions(descriptor, kept)
        finally:
            for descriptor in opened:
                os.close(descriptor)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _remove_other_name(old: str, new: str) -> None:
    """Renaming a file to another hard link of itself has no effect: then remove the old name."""
    try:
        is_same = os.path.samestat(os.lstat(old), os.lstat(new))
    except OSError:
        return
    # In a file system that ignores case both may be one name; the directory knows.
    if is_same and os.path.basename(old) in os.listdir(os.path.dirname(old)):
        with publishing():
            os.unlink(old)
