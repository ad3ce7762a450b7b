"""Concatenates files of HDFS by moving their blocks.

Source: Hadoop documentation, "WebHDFS REST API" (Concat Files); "FileSystem Specification" (concat).
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudfiles.exceptions import (
    InvalidPathError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.base import object_changed
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.webhdfs.objects import Namespace
from cloudfiles.interfaces.webhdfs.renaming import rename
from cloudfiles.interfaces.webhdfs.requests import Operation
from cloudfiles.types import WriteOptions


class HdfsConcatenation(Concatenation):
    """The files below one cloudpath.

    The server appends the blocks of all other sources to the first one, in one atomic step that consumes them. The
    first one is then renamed to its key: a process that is killed in between leaves everything there. Hadoop demands
    files in one directory, whose blocks are of one size and full, except for the last one.
    """

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        files, first = self._files, sources[0]
        keys = [source.key for source in sources]
        if not delete_sources or len(sources) < 2 or len(set(keys)) < len(keys) or key in keys[1:]:
            raise UnsupportedOperationError("HDFS moves the blocks of files, which consumes them", path=key)
        present = files.file_status(key)
        if options.if_absent and present is not None:
            raise PreconditionFailedError("the object already exists", path=key)
        if options.if_match is not None and (present is None or present.etag != options.if_match):
            raise PreconditionFailedError("the object is missing or has another ETag", path=key)
        for source in sources:
            status = files.file_status(source.key)
            if status is None or status.etag != source.stored.etag:
                raise object_changed(source.key)
        self._append_blocks(first, keys[1:], sum(source.size for source in sources), key)
        whole = files.required(first.key)
        if first.key != key:
            files.make_directory(files.path(key).rpartition("/")[0] or "/", key)
            rename(files, files.path(first.key), files.path(key), key, whole, overwrite=not options.if_absent)
        return whole.etag

    def _append_blocks(self, first: ConcatSource, others: Sequence[str], size: int, key: str) -> None:
        files = self._files
        request = Operation(files.protocol, files.dialect, "POST", files.dialect.concat, files.path(first.key), key,
                            {"sources": ",".join(map(files.path, others))})
        try:
            if any("," in other for other in others):
                raise UnsupportedOperationError("the names of sources cannot contain a comma", path=key)
            files.client.send(request)
        except (ServerError, InvalidPathError, UnsupportedOperationError) as error:
            status = files.file_status(first.key)
            if status is not None and status.size == size and request.may_have_acted:
                return  # an earlier attempt has succeeded, with its response lost
            if status is None or status.etag != first.stored.etag:
                raise
            raise UnsupportedOperationError(f"the server cannot concatenate these files: {error}", path=key) from error
