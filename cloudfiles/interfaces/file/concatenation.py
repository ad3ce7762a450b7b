"""Concatenates local files inside the kernel. The target appears completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.file.file_io import create_new, etag_of, open_to_read
from cloudfiles.interfaces.file.kernel_copy import copy_content
from cloudfiles.interfaces.file.names import suffix_of
from cloudfiles.interfaces.file.objects import publish
from cloudfiles.interfaces.file.os_errors import ErrorTranslator
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of_object
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.runtime.cancellation import writing
from cloudfiles.types import WriteOptions

if TYPE_CHECKING:
    from cloudfiles.interfaces.file.interface import FileInterface


class FileConcatenation(Concatenation):
    """The files below the root of an interface."""

    def __init__(self, files: FileInterface) -> None:
        self._files = files

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        target = self._files.object_path(key)
        temporary = os.path.join(os.path.dirname(target.path), temporary_name())
        with (ErrorTranslator(self._files.url, key, target.path),
              self._files.locked(target.path, exclusive=True), writing()):
            try:
                etag = self._write(sources, temporary, key)
                publish(temporary, *target, suffix_of(options.encoding, target.variants), options, self._files.durable)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
        return etag

    def _write(self, sources: Sequence[ConcatSource], temporary: str, key: str) -> str:
        opened: list[int] = []
        try:
            descriptor = create_new(temporary, opened)
            keep_permissions(descriptor, permissions_of_object(*self._files.object_path(key)))
            at = 0
            for source in sources:
                self._add(source, descriptor, at)
                at += source.size
            if self._files.durable:
                os.fsync(descriptor)
            return etag_of(os.fstat(descriptor))
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _add(self, source: ConcatSource, target: int, at: int) -> None:
        path, variants = self._files.object_path(source.key)
        opened: list[int] = []
        try:
            descriptor = open_to_read(path + suffix_of(source.stored.encoding, variants), opened)
            if etag_of(os.fstat(descriptor)) != source.stored.etag:
                raise _changed(source)
            copied = copy_content(descriptor, target, source.size, at)
            if copied != source.size or etag_of(os.fstat(descriptor)) != source.stored.etag:
                raise _changed(source)
        except FileNotFoundError as error:
            raise _changed(source) from error
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _changed(source: ConcatSource) -> ObjectChangedError:
    return ObjectChangedError("the file was replaced or written to before or while it was concatenated",
                              path=source.key)
