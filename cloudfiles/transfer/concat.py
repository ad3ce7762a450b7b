"""Concatenates objects of one store: on the server if it can do that, otherwise by reading and writing them."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO, cast

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.store import Store
from cloudfiles.content_encoding import concatenates
from cloudfiles.exceptions import (
    IntegrityError,
    InvalidInputError,
    MissingObjectError,
    ObjectChangedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.part_writer import PartWriter
from cloudfiles.transfer.engine import plan_between
from cloudfiles.transfer.part_workers import PartWorkers
from cloudfiles.types import WriteOptions

_SMALL = 8 << 20
"""Bytes up to which the result is assembled in memory."""


def concat(store: Store, paths: Sequence[str], dest: str, options: WriteOptions, encoding: str | None,
           delete_source: bool) -> str | None:
    """See `CloudFiles.concat`."""
    for path in (*paths, dest):  # before anything is sent
        if not path or path.endswith("/"):
            raise InvalidInputError(f"expected the path of an object, got {path!r}")
    if not paths:
        raise InvalidInputError("paths: expected at least one object to concatenate")
    found = _found(store, paths)
    sources = [ConcatSource(path, found[path].stored) for path in paths]
    options = options._replace(encoding=_encoding(sources) if encoding is None else encoding)
    if dest in found and options.if_match is None and not options.if_absent:
        options = options._replace(if_match=found[dest].stored.etag)
    plan, here, _ = plan_between(store, store)
    assembly = _Concat(here, plan, sources, dest, options)
    etag: str | None = collect(lambda _: assembly.run(delete_source), [dest], plan)[0]
    if delete_source:
        _delete(store, [source for path, source in found.items() if path != dest], dest)
    return etag


def _found(store: Store, paths: Sequence[str]) -> dict[str, ConcatSource]:
    """The sources by path. Raises MissingObjectError."""
    plan, here, _ = plan_between(store, store)
    found: dict[str, ConcatSource] = {}

    def describe(path: str) -> None:
        here.check_unambiguous(path)
        stored = here.describe(path)
        if stored is None:
            raise MissingObjectError("an object to concatenate does not exist; nothing was written", path=path,
                                     store=store.cloudpath)
        if stored.size is None and here.traits.keeps_live_objects:
            raise InvalidInputError("the object is not bytes", path=path, store=store.cloudpath)
        found[path] = ConcatSource(path, stored)

    collect(describe, list(dict.fromkeys(paths)), plan)
    return found


def _encoding(sources: Sequence[ConcatSource]) -> str:
    """The encoding that all have. Raises InvalidInputError if there is none, or if it cannot be concatenated."""
    encodings = {source.stored.encoding for source in sources}
    if len(encodings) > 1:
        raise InvalidInputError(f"objects with different encodings cannot be concatenated: {sorted(encodings)}")
    encoding = encodings.pop()
    if not concatenates(encoding):
        raise InvalidInputError(f"contents that are encoded as {encoding!r} cannot be concatenated: nothing could "
                                "decode the result")
    return encoding


def _delete(store: Store, sources: Sequence[ConcatSource], dest: str) -> None:
    """Delete those that are still what was concatenated. Raises ObjectChangedError for others."""
    plan, here, _ = plan_between(store, store)

    def delete(source: ConcatSource) -> None:
        if here.is_same(here, source.key, dest):
            return
        stored = here.describe(source.key)
        if stored is None:
            return
        if not stored.may_be_same_content(source.stored):
            raise ObjectChangedError("the object was replaced after it was concatenated, and was not deleted",
                                     path=source.key, store=store.cloudpath)
        for error in here.delete([source.key]).values():
            raise error

    collect(delete, sources, plan)


class _Concat:
    """One object, assembled in a worker of the plan."""

    def __init__(self, here: Interface, plan: Plan, sources: Sequence[ConcatSource], dest: str,
                 options: WriteOptions) -> None:
        self._here = here
        self._plan = plan
        self._sources = sources
        self._dest = dest
        self._options = options
        self._ends = list(accumulate(source.size for source in sources))
        self._size = self._ends[-1]
        self._has_sizes = all(source.stored.size is not None for source in sources)
        self._is_pinned = self._has_sizes and all(source.stored.validator is not None for source in sources)

    def run(self, delete_source: bool) -> str | None:
        operations = self._here.capability(Concatenation)
        if operations is not None and (self._is_pinned or (self._has_sizes and not operations.needs_validators)):
            try:
                etag = operations.concat(self._sources, self._dest, self._options, delete_sources=delete_source)
            except UnsupportedOperationError:
                etag = self._rewrite()
        else:
            etag = self._rewrite()
        if self._has_sizes:
            self._check(etag)
        return etag

    def _check(self, etag: str | None) -> None:
        """Raises IntegrityError unless the result has the size of all sources;
        ObjectChangedError if it was replaced meanwhile."""
        stored = self._here.describe(self._dest)
        if stored is not None and stored.size == self._size:
            return
        if etag is not None and (stored is None or stored.etag != etag):
            raise ObjectChangedError("the object was complete, and was then replaced or removed; no source was deleted",
                                     path=self._dest)
        size = None if stored is None else stored.size
        raise IntegrityError(f"the object has {size} bytes, and those it was made of have {self._size}; no source was "
                             "deleted", path=self._dest)

    # ---- through this process

    def _rewrite(self) -> str | None:
        if not self._is_pinned:
            return self._spool()
        if self._size <= _SMALL:
            return self._put_joined()
        writer = self._here.open_writer(self._dest, self._size, self._options)
        return self._spool() if writer is None else self._write_parts(writer)

    def _put_joined(self) -> str | None:
        contents: dict[int, bytes] = {}

        def read(number: int) -> None:
            contents[number] = self._read(number, 0, self._sources[number].size)

        collect(read, range(len(self._sources)), self._plan)
        return self._here.put(self._dest, b"".join([contents[number] for number in range(len(self._sources))]),
                              self._options)

    def _write_parts(self, writer: PartWriter) -> str | None:
        def write(start: int) -> None:
            end = min(start + writer.part_size, self._size)
            with parts.slot(end - start):
                writer.write(start, b"".join(self._span(start, end)))

        try:
            with PartWorkers(self._here, self._here, self._plan).copying(self._size) as parts:
                collect(write, range(0, self._size, writer.part_size), parts.plan(writer.part_size))
            return writer.finish()
        except BaseException:
            writer.abort()
            raise

    def _span(self, start: int, end: int) -> list[bytes]:
        """The bytes `[start:end]` of the result."""
        pieces, number = [], bisect_right(self._ends, start)
        while start < end:
            begin = self._ends[number] - self._sources[number].size
            stop = min(end, self._ends[number])
            pieces.append(self._read(number, start - begin, stop - begin))
            start, number = stop, number + 1
        return pieces

    def _read(self, number: int, start: int, end: int) -> bytes:
        source = self._sources[number]
        return self._here.get_part(source.key, start, end, source.stored) if end > start else b""

    def _spool(self) -> str | None:
        """By way of a temporary file."""
        with tempfile.TemporaryFile() as spool:
            file = cast(BinaryIO, spool)
            for source in self._sources:
                stored = self._here.stream_to(source.key, file.write)
                if stored is not None and stored.validator is None:
                    stored = self._here.describe(source.key)
                if stored is None or not stored.may_be_same_content(source.stored):
                    raise ObjectChangedError("the object was replaced before or while it was concatenated",
                                             path=source.key)
            file.seek(0)
            return self._here.put(self._dest, file, self._options)
