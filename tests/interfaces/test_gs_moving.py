"""What transfers ask of `gs://`: objects written in parts, reads that are not too large, what killed uploads leave."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import CRC32CIntegrityError, InvalidInputError, ObjectChangedError, PreconditionFailedError
from cloudfiles.interfaces.gs.composite import PARTS_PREFIX, PartName, parts_prefix
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.testing import FlipBit, ResetBefore, ResetInBody, ResetInUpload, Rule
from cloudfiles.types import WriteOptions
from tests.interfaces.gs_setup import close_opened, open_gs
from tests.interfaces.s3_setup import Worker
from tests.internals import Replace
from tests.servers.gcs_server import GcsServer, backend_error

pytestmark = pytest.mark.one_runtime

UNIT = 256 * 1024
CONTENT = random.Random(7).randbytes(40 * UNIT - 11)
PLAIN = WriteOptions()
OPTIONS = WriteOptions(content_type="text/x", encoding="br", metadata={"a": "b"})


@pytest.fixture(autouse=True)
def _small_parts(internals: Replace) -> Iterator[None]:
    internals(gs_part=UNIT)
    yield
    close_opened()


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> Worker:
    return open_gs(gcs_server, green, composite_upload_threshold=UNIT)


def opened(gs: Worker, key: str = "key", size: int = len(CONTENT), options: WriteOptions = OPTIONS,
           state: Any = None) -> Worker:
    return Worker(gs.open_writer(key, size, options, state), gs.runtime)


def inner(writer: Worker) -> Any:
    """The writer itself."""
    return writer.interface


def write(writer: Worker, *numbers: int) -> None:
    for number in numbers:
        writer.write(number * UNIT, memoryview(CONTENT)[number * UNIT:(number + 1) * UNIT])


def state_of(writer: Worker) -> Any:
    """As another process reads it."""
    return json.loads(json.dumps(inner(writer).state()))


# ---- written in parts


def test_an_object_is_written_in_parts_by_two_processes(gs: Worker, gcs_server: GcsServer) -> None:
    first = opened(gs)
    assert inner(first).part_size == UNIT
    assert inner(first).is_checked
    write(first, *reversed(range(3, 40)))
    with pytest.raises(InvalidInputError, match="at offset 0"):
        first.finish()
    assert gs.get("key") is None
    second = opened(gs, state=state_of(first))
    assert second.written() == frozenset(range(3 * UNIT, 40 * UNIT, UNIT))
    write(second, 0, 1, 2, 1)  # a part may be written again
    etag = second.finish()
    got = gs.get("key")
    assert (got.content, got.encoding, got.verified, got.etag) == (CONTENT, "br", "crc32c", etag)
    assert gs.describe("key").headers["x-goog-meta-a"] == "b"
    assert list(gcs_server.contents()) == ["place/key"]


@pytest.mark.parametrize("fault", [backend_error(), ResetInUpload(1000), ResetBefore(acted=True), FlipBit(9000)],
                         ids=["503", "reset", "answer lost", "bit"])
def test_parts_survive_faults(gs: Worker, gcs_server: GcsServer, fault: Any) -> None:
    gcs_server.script(Rule(fault, method="POST", skip=1, times=3))
    writer = opened(gs)
    write(writer, *range(40))
    writer.finish()
    assert gs.get("key").content == CONTENT
    assert list(gcs_server.contents()) == ["place/key"]


def test_what_is_given_up_leaves_nothing(gs: Worker, gcs_server: GcsServer) -> None:
    first = opened(gs)
    write(first, *range(5))
    assert len(gcs_server.contents()) == 5
    first.suspend()
    opened(gs, options=PLAIN, state=state_of(first)).abort()  # as a journal that is discarded does
    assert gcs_server.contents() == {}
    opened(gs, state=state_of(first)).abort()
    gcs_server.configure(permissions=())  # what there is to go on with is gone on with
    assert opened(gs, state=state_of(first)).written() == frozenset()


def test_parts_that_are_none(gs: Worker) -> None:
    writer = opened(gs, size=100, state={"upload": "0" * 32, "part_size": 10})
    assert writer.written() == frozenset()
    for start, part in ((5, bytes(10)), (0, bytes(11)), (90, bytes(9))):
        with pytest.raises(InvalidInputError, match="not a part of"):
            writer.write(start, part)


def test_small_objects_are_not_worth_parts(gs: Worker, gcs_server: GcsServer) -> None:
    assert gs.open_writer("key", UNIT, OPTIONS) is None
    assert gcs_server.requests() == []


def test_a_part_of_another_length_is_not_taken_for_one(gs: Worker, gcs_server: GcsServer) -> None:
    first = opened(gs)
    write(first, 0, 1)
    (name, _) = sorted(gcs_server.contents().items())[1]
    gcs_server.put(name, b"another program's")
    assert opened(gs, state=state_of(first)).written() == frozenset([0])


def test_a_part_that_was_replaced_meanwhile_is_noticed(gs: Worker, gcs_server: GcsServer) -> None:
    first = opened(gs)
    write(first, *range(40))
    state = state_of(first)
    name = sorted(gcs_server.contents())[7]
    second = opened(gs, state=state)
    gcs_server.put(name, bytes(UNIT))  # of the same length, behind the back of the writer that has listed it
    with pytest.raises(Exception, match="was deleted before it was composed"):
        second.finish()
    second.abort()
    assert gcs_server.contents() == {}


def test_a_composition_of_other_bytes_is_removed(gs: Worker, gcs_server: GcsServer) -> None:
    writer = opened(gs)
    write(writer, *range(40))
    sent = inner(writer)._upload.sent
    sent[3] = sent[3]._replace(crc=b"\0\0\0\0")
    with pytest.raises(CRC32CIntegrityError):
        writer.finish()
    assert gs.get("key") is None


def test_conditions_hold(gs: Worker) -> None:
    writer = opened(gs, options=WriteOptions(if_absent=True))
    write(writer, *range(40))
    gs.put("key", b"somebody else's", PLAIN)
    with pytest.raises(PreconditionFailedError):
        writer.finish()
    assert gs.get("key").content == b"somebody else's"


@pytest.mark.parametrize("why", [{"permissions": ()}, {"policy": {"storageClass": "ARCHIVE"}}], ids=["rights", "class"])
def test_where_parts_may_not_be_there_is_no_writer(gs: Worker, gcs_server: GcsServer, why: dict[str, Any]) -> None:
    gcs_server.configure(**why)
    assert gs.open_writer("key", len(CONTENT), OPTIONS) is None
    assert gs.discard_interrupted(InterruptedWrites(["key"], 0.0, [], [])) == 0
    assert len(gcs_server.requests()) == 2  # both to find that out


# ---- what killed processes leave


def test_what_interrupted_writes_have_left(gs: Worker, gcs_server: GcsServer) -> None:
    began = time.time() - 60
    writers = {name: opened(gs, key) for name, key in
               (("kept", "dir/a"), ("left", "dir/a"), ("other", "dir/ab"), ("below", "dir/a/b"))}
    for writer in writers.values():
        write(writer, 0, 1)
    gcs_server.put("place/dir/a", b"old")
    kept = [state_of(writers["kept"])]
    assert gs.discard_interrupted(InterruptedWrites(["dir/a"], time.time() + 60, [], kept)) == 0  # begun before
    assert gs.discard_interrupted(InterruptedWrites([], began, [], kept)) == 0
    assert gs.discard_interrupted(InterruptedWrites(["dir/a", "elsewhere"], began, [], kept)) == 1
    uploads = {name.upload for name in map(PartName.parse, gcs_server.contents()) if name is not None}
    assert uploads == {state_of(writers[name])["upload"] for name in ("kept", "other", "below")}
    assert gs.discard_interrupted(InterruptedWrites(["dir/a", "dir/ab", "dir/a/b"], began, [], [])) == 3
    assert list(gcs_server.contents()) == ["place/dir/a"]


def test_long_keys_that_begin_alike_have_parts_apart(gs: Worker, gcs_server: GcsServer) -> None:
    keys = ["\u00e9" * 450 + end for end in "ab"]
    first, second = (opened(gs, key) for key in keys)
    for writer in (first, second):
        write(writer, *range(40))
    assert gs.discard_interrupted(InterruptedWrites(keys[:1], 0.0, [], [])) == 1
    second.finish()
    assert gs.get(keys[1]).content == CONTENT
    assert parts_prefix("short") == f"{PARTS_PREFIX}short"
    opened(gs, keys[0])
    write(first, 0)
    assert gs.discard_partial("\u00e9" * 430, -5) == 1
    assert list(gcs_server.contents()) == [f"place/{keys[1]}"]


# ---- reads that are not too large


def test_a_bounded_read_is_one_request(gs: Worker, gcs_server: GcsServer) -> None:
    etag = gs.put("key", b"x" * 1000, OPTIONS)
    gcs_server.forget()
    whole = gs.get_bounded("key", 1000)
    assert (whole.content, whole.encoding, whole.verified, whole.etag) == (b"x" * 1000, "br", "crc32c", etag)
    assert gs.digests(whole)[0].algorithm == "crc32c"
    assert len(gcs_server.requests()) == 1
    declined = gs.get_bounded("key", 999)
    described = gs.describe("key")
    assert (declined.content, declined.size) == (None, 1000)
    assert (declined.encoding, declined.etag, declined.size) == (described.encoding, described.etag, described.size)
    assert gs.get_bounded("missing", 10) is None


def test_what_a_read_does_not_tell_is_requested(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", b"x" * 1000, OPTIONS)
    for most in (10, 1000):
        attributes = gs.write_options(gs.get_bounded("key", most))
        assert attributes == gs.write_options(gs.describe("key"))
        assert (attributes.metadata, attributes.content_type) == ({"a": "b"}, "text/x")
    read = gs.get_bounded("key", 1000)
    gs.put("key", b"another", PLAIN)
    with pytest.raises(ObjectChangedError):
        gs.write_options(read)
    gs.delete(["key"])
    with pytest.raises(ObjectChangedError):
        gs.write_options(read)


def test_a_bounded_read_continues_after_a_break(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", CONTENT[:UNIT], PLAIN)
    gcs_server.script(Rule(ResetInBody(100_000), method="GET"))
    assert gs.get_bounded("key", UNIT).content == CONTENT[:UNIT]
    assert gcs_server.requests("GET")[1].header("range") == "bytes=100000-"


def test_a_bounded_read_of_what_is_compressed_in_transit(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", b"x" * 100_000, PLAIN)
    gcs_server.configure(compresses=True)
    assert gs.get_bounded("key", 100_000).content == b"x" * 100_000
    declined = gs.get_bounded("key", 50)
    assert (declined.content, declined.size, declined.encoding) == (None, 100_000, "")
