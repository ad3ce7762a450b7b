"""Large uploads to the scripted Cloud Storage: composed of parts, or in sessions; interrupted everywhere."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import CloudFilesError, CRC32CIntegrityError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.gs import composite
from cloudfiles.interfaces.gs.composite import PARTS_PREFIX
from cloudfiles.interfaces.gs.upload import SessionLostError
from cloudfiles.testing import FlipBit, ResetBefore, ResetInBody, ResetInUpload, Rule, SetHeader, Status
from cloudfiles.types import WriteOptions
from tests.interfaces.gs_setup import close_opened, open_gs
from tests.interfaces.s3_setup import Worker
from tests.internals import Replace
from tests.servers.gcs_server import GcsServer, backend_error, json_error

pytestmark = pytest.mark.one_runtime

UNIT = 256 * 1024
CONTENT = bytes(range(251)) * (40 * UNIT // 251)  # 39.99 units
OPTIONS = WriteOptions(content_type="text/plain", encoding="br", metadata={"a": "b"})

FORBIDDEN: dict[str, dict[str, Any]] = {
    "a retention policy": {"policy": {"storageClass": "STANDARD", "retentionPolicy": {"retentionPeriod": "9"}}},
    "a hold": {"policy": {"storageClass": "STANDARD", "defaultEventBasedHold": True}},
    "a key": {"policy": {"storageClass": "STANDARD", "encryption": {"defaultKmsKeyName": "projects/p"}}},
    "a minimum duration": {"policy": {"storageClass": "COLDLINE"}},
    "no right to delete": {"permissions": ("storage.objects.create", "storage.objects.get")}}


class Pipe:
    """A file that cannot seek and gives little at a time."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 100_003))


FORMS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes, "memoryview": memoryview, "file": io.BytesIO, "pipe": Pipe}


@pytest.fixture(autouse=True)
def _small_parts(internals: Replace) -> Iterator[None]:
    internals(gs_part=UNIT)
    yield
    close_opened()


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> Worker:
    return open_gs(gcs_server, green, composite_upload_threshold=UNIT)


def forbid(server: GcsServer) -> None:
    server.configure(permissions=())


def is_session(target: str) -> bool:
    return "upload_id=" in target


def pieces(server: GcsServer) -> list[str]:
    """What each request to a session carried, as its Content-Range says."""
    return [str(r.header("content-range")).removeprefix("bytes ") for r in server.requests("PUT")]


# ---- composed


@pytest.mark.parametrize("form", FORMS)
def test_parts_are_composed_and_removed(gs: Worker, gcs_server: GcsServer, form: str) -> None:
    etag = gs.put("key", FORMS[form](CONTENT), OPTIONS)
    assert list(gcs_server.contents()) == ["place/key"]
    got = gs.get("key")
    assert (got.content, got.encoding, got.verified, got.etag) == (CONTENT, "br", "crc32c", etag)
    assert gs.describe("key").headers["x-goog-meta-a"] == "b"
    assert gs.head("key")["Parts-Count"] == 40
    composed = [r.target for r in gcs_server.requests("POST") if "/compose" in r.target]
    assert len(composed) == 3  # 32 and 8, and these two
    assert all(r.key.startswith(PARTS_PREFIX) or r.key in ("place/key", "") for r in gcs_server.requests())


def test_a_file_is_read_from_where_it_stands(gs: Worker) -> None:
    file = io.BytesIO(b"before" + CONTENT)
    file.seek(6)
    gs.put("key", file, OPTIONS)
    assert gs.get("key").content == CONTENT


def test_few_bytes_are_sent_whole_whatever_brings_them(gs: Worker, gcs_server: GcsServer) -> None:
    for form in FORMS.values():
        gs.put("key", form(b"few"), OPTIONS)
        assert gs.get("key").content == b"few"
    assert len(gcs_server.requests("POST")) == len(FORMS)


@pytest.mark.parametrize("fault", [backend_error(), ResetInUpload(1000), ResetBefore(acted=True), FlipBit(9000)],
                         ids=["503", "reset", "answer lost", "bit"])
def test_parts_survive_faults(gs: Worker, gcs_server: GcsServer, fault: Any) -> None:
    gcs_server.script(Rule(fault, method="POST", prefix=PARTS_PREFIX, skip=3, times=3))
    gs.put("key", CONTENT, OPTIONS)
    assert gs.get("key").content == CONTENT
    assert list(gcs_server.contents()) == ["place/key"]


@pytest.mark.parametrize("what", ["parts", "composition"])
def test_a_failure_leaves_nothing(gs: Worker, gcs_server: GcsServer, what: str) -> None:
    gs.put("key", b"old", OPTIONS)
    refusal = json_error(403, "forbidden", "no more")
    if what == "parts":
        gcs_server.script(Rule(refusal, method="POST", prefix=PARTS_PREFIX, skip=7, times=None))
    else:
        gcs_server.script(Rule(refusal, method="POST", key="place/key", times=None))
    with pytest.raises(CloudFilesError, match="no more"):
        gs.put("key", CONTENT, OPTIONS)
    assert {key: len(content) for key, content in gcs_server.contents().items()} == {"place/key": 3}


def test_a_source_that_fails_leaves_nothing(gs: Worker, gcs_server: GcsServer) -> None:
    class Broken(Pipe):
        reads = 0

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            if self.reads > 30:
                raise OSError(5, "I/O error")
            return super().read(size)

    with pytest.raises(CloudFilesError, match="I/O error"):
        gs.put("key", Broken(CONTENT), OPTIONS)
    assert gcs_server.contents() == {}


def test_conditions_hold_for_compositions(gs: Worker, gcs_server: GcsServer) -> None:
    etag = gs.put("key", CONTENT, WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        gs.put("key", CONTENT[1:], WriteOptions(if_absent=True))
    gs.put("key", CONTENT[2:], WriteOptions(if_match=etag))
    assert gs.get("key").content == CONTENT[2:]
    with pytest.raises(PreconditionFailedError):
        gs.put("key", CONTENT, WriteOptions(if_match=etag))
    gcs_server.script(Rule(ResetBefore(acted=True), key="place/new", method="POST"))
    gs.put("new", CONTENT, WriteOptions(if_absent=True))  # the answer was lost: ours all the same
    assert gs.get("new").content == CONTENT
    assert sorted(gcs_server.contents()) == ["place/key", "place/new"]


def test_a_composition_of_other_bytes_is_removed(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(WrongCrc(200), key="place/key", method="POST", times=None))
    with pytest.raises(CRC32CIntegrityError):
        gs.put("key", CONTENT, OPTIONS)
    assert gcs_server.contents() == {}


class WrongCrc(Status):
    """The composition is made, and its answer names another digest."""

    @property
    def acts(self) -> bool:
        return True

    @property
    def status(self) -> None:
        return None

    def deliver(self, answer: Any) -> Any:
        import json
        from dataclasses import replace

        body = json.dumps({**json.loads(answer.body), "crc32c": "AAAAAA=="}).encode()
        return FlipBit.deliver(SetHeader("x-none", None), replace(answer, body=body))


def test_parts_of_killed_uploads_are_found(gs: Worker, gcs_server: GcsServer) -> None:
    parts = [f"{PARTS_PREFIX}place/dir/key/{upload}/0-00000{n}" for upload in "ab" for n in range(3)]
    others = [f"{PARTS_PREFIX}elsewhere/key/c/0-000001", "place/dir/key"]
    gcs_server.put_many(dict.fromkeys(parts + others, b"part"))
    assert gs.discard_partial("dir/", 3600) == 0
    assert gs.discard_partial("other", -5) == 0
    assert gs.discard_partial("dir/k", -5) == 2
    assert sorted(gcs_server.contents()) == sorted(others)


def test_parts_of_the_longest_keys_have_names_that_fit(gs: Worker, gcs_server: GcsServer) -> None:
    key = "\u00e9" * 500
    gs.put(key, CONTENT, OPTIONS)
    assert gs.get(key).content == CONTENT
    assert max(len(r.key.encode()) for r in gcs_server.requests()) <= 1024
    assert list(gcs_server.contents()) == [f"place/{key}"]


# ---- sessions


@pytest.mark.parametrize("why", FORBIDDEN)
def test_where_parts_cannot_be_removed_there_are_none(gs: Worker, gcs_server: GcsServer, why: str) -> None:
    gcs_server.configure(**FORBIDDEN[why])
    gs.put("key", CONTENT, OPTIONS)
    assert gs.get("key").content == CONTENT
    assert not any(r.key.startswith(PARTS_PREFIX) for r in gcs_server.requests())
    gcs_server.forget()
    gs.put("key", CONTENT, OPTIONS)
    assert not any("iam" in r.target for r in gcs_server.requests())  # known by now


def test_what_cannot_be_found_out_counts_as_no(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(json_error(403, "forbidden"), method="GET", query="retentionPolicy", times=None))
    gs.put("key", CONTENT, OPTIONS)
    assert any(is_session(r.target) for r in gcs_server.requests())


def test_a_storage_class_of_its_own_takes_a_session(gs: Worker, gcs_server: GcsServer) -> None:
    gs.put("key", CONTENT, WriteOptions(storage_class="ARCHIVE"))
    assert gs.head("key")["Storage-Class"] == "ARCHIVE"
    assert any(is_session(r.target) for r in gcs_server.requests())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [UNIT + 1, 3 * UNIT, len(CONTENT)])
def test_sessions(gs: Worker, gcs_server: GcsServer, form: str, size: int) -> None:
    forbid(gcs_server)
    etag = gs.put("key", FORMS[form](CONTENT[:size]), OPTIONS)
    got = gs.get("key")
    assert (got.content, got.encoding, got.verified, got.etag) == (CONTENT[:size], "br", "crc32c", etag)
    spans = pieces(gcs_server)
    assert spans[0] == f"0-{UNIT - 1}/*"
    assert spans[-1].endswith(f"-{size - 1}/{size}")
    assert gcs_server.uploads() == []


def test_a_session_continues_behind_what_was_kept(gs: Worker, gcs_server: GcsServer) -> None:
    forbid(gcs_server)
    gcs_server.configure(session_bytes=100_000)
    gs.put("key", CONTENT[:2 * UNIT + 5], OPTIONS)
    assert gs.get("key").content == CONTENT[:2 * UNIT + 5]
    assert pieces(gcs_server)[:4] == [f"0-{UNIT - 1}/*", f"100000-{UNIT - 1}/*", f"200000-{UNIT - 1}/*",
                                      f"{UNIT}-{2 * UNIT - 1}/*"]


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("fault", [ResetInUpload(1000), ResetBefore(acted=True), backend_error(), Status(408)],
                         ids=["reset", "answer lost", "503", "408"])
def test_after_a_fault_the_server_is_asked_how_far_it_got(gs: Worker, gcs_server: GcsServer, fault: Any,
                                                          at: int) -> None:
    forbid(gcs_server)
    content = CONTENT[:4 * UNIT - 7]
    gcs_server.script(Rule(fault, method="PUT", skip=at))
    gs.put("key", content, OPTIONS)
    assert gs.get("key").content == content
    assert pieces(gcs_server)[at + 1] == ("*/*" if at < 3 else f"*/{len(content)}")
    assert sum(r.body_length for r in gcs_server.requests("PUT")) <= len(content) + UNIT


def test_a_session_that_never_continues_is_given_up_and_cancelled(gs: Worker, gcs_server: GcsServer) -> None:
    forbid(gcs_server)
    gcs_server.script(Rule(Status(308), method="PUT", skip=1, times=None))
    with pytest.raises(ServerError) as raised:
        gs.put("key", CONTENT, OPTIONS)
    assert len(raised.value.attempts) > 1 or isinstance(raised.value, SessionLostError)
    assert gcs_server.uploads() == []
    assert gcs_server.requests("DELETE")


@pytest.mark.parametrize("status", [404, 410])
def test_a_lost_session_is_started_again(gs: Worker, gcs_server: GcsServer, status: int) -> None:
    forbid(gcs_server)
    gcs_server.script(Rule(Status(status), method="PUT", skip=2))
    for form in ("bytes", "file"):
        gs.put(form, FORMS[form](CONTENT), OPTIONS)
        assert gs.get(form).content == CONTENT
        gcs_server.script(Rule(Status(status), method="PUT", skip=2))
    with pytest.raises(SessionLostError):
        gs.put("pipe", Pipe(CONTENT), OPTIONS)
    assert gs.get("pipe") is None
    gcs_server.script(Rule(Status(status), method="PUT", times=None))
    with pytest.raises(SessionLostError):
        gs.put("never", CONTENT, OPTIONS)


def test_conditions_hold_for_sessions(gs: Worker, gcs_server: GcsServer) -> None:
    forbid(gcs_server)
    etag = gs.put("key", CONTENT, WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailedError):
        gs.put("key", CONTENT, WriteOptions(if_absent=True))
    gs.put("key", CONTENT[2:], WriteOptions(if_match=etag))
    assert gs.get("key").content == CONTENT[2:]


def test_bytes_damaged_in_a_session_are_noticed(gs: Worker, gcs_server: GcsServer) -> None:
    forbid(gcs_server)
    gcs_server.script(Rule(FlipBit(99), method="PUT", skip=1))
    with pytest.raises(CRC32CIntegrityError):
        gs.put("key", CONTENT, OPTIONS)
    assert gs.get("key") is None  # and removed


def test_a_session_stays_with_the_server_that_was_asked(gs: Worker, gcs_server: GcsServer) -> None:
    forbid(gcs_server)
    gs.put("key", CONTENT[:UNIT + 1], OPTIONS)  # the Location names https://somewhere.else
    assert len(gcs_server.requests("PUT")) == 2


# ---- sizes of parts


def test_part_sizes(internals: Replace) -> None:
    internals(gs_part=16 << 20)
    for size in (1, 10 << 30, 5 << 40):
        part = composite.part_size(1, size)
        assert part % UNIT == 0
        assert -(-size // part) <= 8192
        assert composite.part_size(900, size) == part
    sizes = [composite.part_size(number, None) for number in (1, 1000, 1001, 5000)]
    assert sizes == [16 << 20, 16 << 20, 32 << 20, 256 << 20]
    assert all(size % UNIT == 0 for size in itertools.islice(sizes, 4))


def test_a_broken_answer_to_a_part_is_no_end(gs: Worker, gcs_server: GcsServer) -> None:
    gcs_server.script(Rule(ResetInBody(), method="POST", prefix=PARTS_PREFIX, times=2))
    gs.put("key", CONTENT, OPTIONS)
    assert gs.get("key").content == CONTENT
