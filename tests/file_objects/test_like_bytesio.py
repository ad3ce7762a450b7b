"""Readers and writers do what io.BytesIO does, whatever the calls and the sizes of requests."""

from __future__ import annotations

import io
import itertools
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloudfiles import CloudFiles
from cloudfiles.file_objects import read_ahead
from cloudfiles.testing import S3Server
from tests.contents import numbered

SIZES = st.integers(0, 40) | st.integers(0, 5000)
NAMES = itertools.count()


class Reading(RuleBasedStateMachine):
    """A reader beside an io.BytesIO of the same content."""

    cf: CloudFiles

    @initialize(size=st.sampled_from([0, 1, 100, 4096, 30_000]), blocksize=st.sampled_from([1, 7, 100, 4096]),
                compress=st.sampled_from([None, None, "gzip", "zstd"]), part=st.sampled_from([16, 500, 3000]))
    def open(self, size: int, blocksize: int, compress: str | None, part: int) -> None:
        content = (numbered(size - size // 3) + b"line\n" * size)[:size]
        key = f"key{next(NAMES)}"
        self.patch = mock.patch.multiple(read_ahead, PART_BYTES=part, _FIRST_LIMIT=4 * part, _LAST_LIMIT=8 * part)
        self.patch.start()
        self.cf.put(key, content, compress=compress)
        self.file: Any = self.cf.open(key, blocksize=blocksize)
        self.model: Any = io.BytesIO(content)

    @rule(size=st.none() | st.just(-1) | SIZES)
    def read(self, size: int | None) -> None:
        assert self.file.read(size) == self.model.read(size)

    @rule(size=SIZES)
    def readinto(self, size: int) -> None:
        mine, other = bytearray(size), bytearray(size)
        assert self.file.readinto(mine) == self.model.readinto(other)
        assert mine == other

    @rule(size=SIZES)
    def read1(self, size: int) -> None:
        found = self.file.read1(size)
        assert found == self.model.read(len(found))
        assert found or not size or not self.model.read(1)

    @rule(size=st.just(-1) | SIZES)
    def readline(self, size: int) -> None:
        assert self.file.readline(size) == self.model.readline(size)

    @rule()
    def readlines(self) -> None:  # a hint means something else to io.BytesIO than to other files
        assert self.file.readlines() == self.model.readlines()

    @rule()
    def iterate(self) -> None:
        assert list(itertools.islice(self.file, 3)) == list(itertools.islice(self.model, 3))

    @rule(offset=st.integers(-10, 35_000))
    def seek(self, offset: int) -> None:
        self._both(lambda file: file.seek(offset))

    @rule(offset=st.integers(-40, 40) | st.integers(-5000, 5000), whence=st.sampled_from([1, 2]))
    def seek_from(self, offset: int, whence: int) -> None:
        base = self.model.tell() if whence == 1 else len(self.model.getvalue())
        if base + offset >= 0:  # otherwise io.BytesIO stops at 0 instead of raising
            self._both(lambda file: file.seek(offset, whence))

    def _both(self, call: Any) -> None:
        try:
            expected = call(self.model)
        except ValueError:
            with pytest.raises(ValueError, match="negative"):
                call(self.file)
        else:
            assert call(self.file) == expected

    @invariant()
    def same_position(self) -> None:
        if hasattr(self, "file"):
            assert self.file.tell() == self.model.tell()

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
            self.patch.stop()


class Writing(RuleBasedStateMachine):
    """A writer beside a bytearray."""

    cf: CloudFiles

    @initialize(blocksize=st.sampled_from([1, 10, 1000, None]), delimiter=st.sampled_from([None, b"\n", b"ab"]),
                old=st.sampled_from([None, b"", b"old\n"]))
    def open(self, blocksize: int | None, delimiter: bytes | None, old: bytes | None) -> None:
        self.key = f"key{next(NAMES)}"
        self.old = old
        if old is not None:
            self.cf[self.key] = old
        self.file: Any = self.cf.open(self.key, "wb" if old is None else "ab", blocksize=blocksize,
                                      delimiter=delimiter)
        self.model = bytearray(old or b"")

    @rule(data=st.binary(max_size=30) | st.sampled_from([b"\n", b"ab", b"x" * 3000]))
    def write(self, data: bytes) -> None:
        assert self.file.write(data) == len(data)
        self.model += data

    @rule(data=st.binary(max_size=30))
    def write_what_changes_afterwards(self, data: bytes) -> None:
        changing = bytearray(data)
        self.file.write(memoryview(changing))
        changing[:] = b"!" * len(changing)
        self.model += data

    @rule(lines=st.lists(st.just(b"line\n"), max_size=5))
    def writelines(self, lines: list[bytes]) -> None:
        self.file.writelines(lines)
        self.model += b"".join(lines)

    @rule()
    def flush(self) -> None:
        self.file.flush()

    @rule(removed=st.integers(0, 20))
    def truncate(self, removed: int) -> None:
        try:
            self.file.truncate(max(0, len(self.model) - removed))
        except io.UnsupportedOperation:
            return
        del self.model[max(0, len(self.model) - removed):]

    @invariant()
    def same_position(self) -> None:
        if hasattr(self, "file"):
            assert self.file.tell() == len(self.model)

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
            assert self.cf.get(self.key) == bytes(self.model)


def run(machine: type[RuleBasedStateMachine], cf: CloudFiles, full: bool) -> None:
    case = type(machine.__name__, (machine,), {"cf": cf}).TestCase  # type: ignore[attr-defined]
    case.settings = settings(deadline=None, max_examples=100 if full else 15, stateful_step_count=25,
                             phases=(Phase.explicit, Phase.generate))
    case().runTest()


@pytest.mark.parametrize("machine", [Reading, Writing])
def test_in_memory(machine: type[RuleBasedStateMachine], full: bool) -> None:
    run(machine, CloudFiles("mem://file-objects/like-bytesio/"), full)


@pytest.mark.parametrize("green", [pytest.param(True, marks=pytest.mark.full), False])
@pytest.mark.parametrize("machine", [Reading, Writing])
def test_on_a_server(machine: type[RuleBasedStateMachine], green: bool, full: bool, fault_server: S3Server) -> None:
    cf = CloudFiles(f"s3://{fault_server.bucket}/{machine.__name__}/", endpoint=fault_server.url,
                    secrets=fault_server.secrets, green=green)
    run(machine, cf, full)
