"""`ResumableTransfer`: as existing programs call it, and what it does when something goes wrong."""

from __future__ import annotations

import errno
import multiprocessing
import pickle
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

import cloudfiles
from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.exceptions import (
    InvalidInputError,
    JournalError,
    LockingError,
    TransferFailedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.file import file_io
from cloudfiles.testing import S3Server
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.partial_upload import PartialUpload
from tests.contents import numbered
from tests.internals import PART, Replace, replace
from tests.transfer import killed
from tests.transfer.conftest import execute_until_broken, tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 9 // 2)  # five parts
KEYS = [f"d/{n:03}" for n in range(300)]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def source(tmp_path: Path) -> CloudFiles:
    cf = CloudFiles(f"file://{tmp_path}/in/")
    cf.puts((key, key.encode()) for key in KEYS)
    return cf


@pytest.fixture
def target(tmp_path: Path) -> CloudFiles:
    return CloudFiles(f"file://{tmp_path}/out/")


def states(rt: ResumableTransfer) -> dict[str, str]:
    return {record["path"]: record["state"] for record in rt.records()}


# ---- as existing programs call it


def test_as_existing_programs_do(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    rt = cloudfiles.ResumableTransfer(str(db), 0)
    rt.init(source.cloudpath, target.cloudpath, source.cloudpath, None)
    assert len(rt) == 300
    rt.execute(False, 200)
    assert len(rt) == 0
    assert sorted(target) == KEYS
    rt.close()
    assert not db.exists()


def test_as_the_command_does(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    ResumableTransfer(db).init(source.cloudpath, target.cloudpath, (key for key in KEYS[:3]), "gzip")
    rt = ResumableTransfer(db_path=db, lease_msec=100)
    rt.execute(lease_msec=100, block_size=1, progress=False)
    assert sorted(path.name for path in Path(target.cloudpath[7:], "d").iterdir()) == ["000.gz", "001.gz", "002.gz"]
    assert target.get(KEYS[0]) == b"d/000"
    with pytest.raises(UnsupportedOperationError, match="were re-encoded"):
        rt.verify()


@pytest.mark.parametrize("wanted", [
    ["d/000", "d/001"], [{"path": "d/000", "dest_path": "x"}, ("d/001", "y")], {"d/000": 0, "d/001": 0}])
def test_paths(db: Path, source: CloudFiles, target: CloudFiles, wanted: Any) -> None:
    rt = ResumableTransfer(db)
    assert rt.init(source, target, wanted) == 2
    assert rt.execute().done == 2
    assert sorted(file["content"] for file in target.get(list(target))) == [b"d/000", b"d/001"]


@pytest.mark.parametrize("wrong", [{"paths": b"x"}, {"paths": 5}, {"paths": [5]}, {"src": 5}, {"reencode": "nonsense"}])
def test_bad_input(db: Path, source: CloudFiles, target: CloudFiles, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        ResumableTransfer(db).init(**{"src": source, "dest": target, **wrong})
    for lease in (-1, True, float("inf"), "x"):
        with pytest.raises(InvalidInputError, match="lease_msec"):
            ResumableTransfer(db, lease)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="db: expected the path of the journal file"):
        ResumableTransfer()


def test_the_report(db: Path, source: CloudFiles, target: CloudFiles, capsys: pytest.CaptureFixture[str]) -> None:
    rt = pickle.loads(pickle.dumps(ResumableTransfer(db)))
    rt.init(source, target, [*KEYS, "not there"])
    assert not rt.report()
    assert rt.report().pending == 301
    with pytest.raises(TransferFailedError, match=r"1 of 301 objects failed.*not there.*no longer exists") as caught:
        rt.execute(progress="Moving")
    assert "Moving" in capsys.readouterr().err
    assert str(caught.value.report) == str(rt.report())
    text = str(rt.report()).splitlines()
    assert text[1].split() == ["done", "300"]
    assert text[3].split() == ["bytes", "1500"]
    assert text[4] == "  failed: not there: the object no longer exists at the source"
    assert [failure.path for failure in rt.failures()] == ["not there"]
    assert not rt.close()  # there is still something to do
    source.put("not there", b"now it is")
    assert rt.execute(failed=True)
    assert rt.close()


def test_what_the_records_tell(db: Path, tmp_path: Path, source: CloudFiles, server: S3Server) -> None:
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    ResumableTransfer(db).init(source, s3, KEYS[:1])
    ResumableTransfer(db, dest=s3).execute()
    (record,) = ResumableTransfer(db).records()
    assert (record["algorithm"], len(record["digest"]), record["state"]) == ("crc32c", 8, "done")
    assert b"secretkey" not in b"".join(path.read_bytes() for path in tmp_path.glob("journal.db*"))
    server.put("told", b"content")
    server.put("not told", b"content", etag="opaque")
    rt = ResumableTransfer(tmp_path / "other")
    rt.init(s3, f"file://{tmp_path}/out/", ["told", "not told"])
    assert rt.execute().unverifiable == 1
    told, untold = rt.records()
    assert (told["algorithm"], told["digest"]) == ("md5", "9a0364b9e99bb480dd25e1f0284c8555")
    assert "no digest" in untold["cause"]
    assert len(untold["digest"]) == 8  # at least of what came


def test_verified_afterwards(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    rt = ResumableTransfer(db)
    rt.init(source, target)
    rt.execute()
    assert rt.verify().same == 300
    target.put(KEYS[7], b"d/00X")
    assert [found.path for found in rt.verify().different] == [KEYS[7]]


# ---- the wrong journal


def test_no_journal_and_another_transfers(db: Path, source: CloudFiles, target: CloudFiles, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"the journal .* does not exist"):
        ResumableTransfer(db).execute()
    rt = ResumableTransfer(db)
    rt.init(source, target)
    with pytest.raises(JournalError, match=r"src is .*elsewhere.*, but the journal has"):
        ResumableTransfer(db, src=f"file://{tmp_path}/elsewhere/").execute()
    with pytest.raises(JournalError, match=r"belongs to the transfer from .* 300 objects left"):
        rt.init(source, f"file://{tmp_path}/elsewhere/")
    assert rt.execute().done == 300
    assert rt.init(source, f"file://{tmp_path}/elsewhere/") == 300  # nothing was left of the other
    rt.discard()
    assert not db.exists()


def test_a_listing_that_broke_off(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    def broken() -> Any:
        yield KEYS[0]
        raise OSError("the list could not be read")

    rt = ResumableTransfer(db)
    with pytest.raises(OSError, match="the list could"):
        rt.init(source, target, broken())
    with pytest.raises(JournalError, match="did not finish"):
        rt.execute()
    assert rt.init(source, target) == 300


def test_while_others_are_at_work(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    rt = ResumableTransfer(db)
    rt.init(source, target)
    journal = Journal(str(db))
    held = journal.lease(journal.register(60), 5)
    report = rt.execute()
    assert (report.done, report.leased) == (295, 5)
    assert not rt.close()
    for change in (rt.discard, lambda: rt.init(source, target)):
        with pytest.raises(LockingError, match="other processes are using the journal"):
            change()
    journal.close()
    assert states(rt)[held[0].item.source] == "leased"


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
def test_two_processes(db: Path, source: CloudFiles, server: S3Server) -> None:
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    source.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(source, s3)
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=killed.work, args=(
        str(db), (source.cloudpath, s3.cloudpath), server.secrets, server.url, 10**9, "any")) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert rt.report().done == 301
    written = [request.key for request in server.requests("PUT") if "partNumber" not in request.target]
    assert sorted(written) == KEYS  # each once


# ---- faults


def test_a_full_disk(db: Path, tmp_path: Path, server: S3Server, target: CloudFiles,
                     monkeypatch: pytest.MonkeyPatch) -> None:
    server.put_many({key: key.encode() for key in KEYS})
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets, num_threads=20)
    rt = ResumableTransfer(db)
    rt.init(s3, target)
    fill, room = file_io._fill, iter(range(40))

    def fill_while_there_is_room(descriptor: int, content: Any) -> None:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        fill(descriptor, content)

    with monkeypatch.context() as patch:
        replace(patch, fill_file=fill_while_there_is_room)
        with pytest.raises(TransferFailedError, match=r"stopped.*No space left.* not started") as caught:
            rt.execute(block_size=50)
    report = caught.value.report
    assert report.done == 40
    assert report.pending > 200
    assert len([path for path in tree(tmp_path) if path.startswith("out/")]) == 40
    assert rt.execute(failed=True).done == 300
    assert target.get(KEYS[-1]) == KEYS[-1].encode()


def test_a_target_that_cannot_be_written(db: Path, source: CloudFiles, target: CloudFiles,
                                         internals: Replace) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    rt = ResumableTransfer(db)
    rt.init(source, target)
    internals(create_file=refuse, failures_in_a_row=20)
    with pytest.raises(TransferFailedError, match="Read-only file system"):
        rt.execute(block_size=10)
    assert rt.report().failed >= 20
    assert rt.report().pending > 200


def test_a_source_that_is_replaced_and_removed_meanwhile(db: Path, source: CloudFiles, target: CloudFiles) -> None:
    rt = ResumableTransfer(db)
    rt.init(source, target)
    source.put(KEYS[5], b"another, longer one")
    source.delete(KEYS[6])
    with pytest.raises(TransferFailedError, match="the object no longer exists"):
        rt.execute()
    assert target.get(KEYS[5]) == b"another, longer one"
    assert target.get(KEYS[6]) is None
    assert rt.report().done == 299


# ---- large objects that are half done


def half_way(rt: ResumableTransfer, internals: Replace) -> None:
    internals(journal_pause=0.0)
    execute_until_broken(rt)
    assert rt.report().half_done == 1


def test_an_upload_resumes_from_its_parts(db: Path, source: CloudFiles, s3: CloudFiles, server: S3Server,
                                          internals: Replace) -> None:
    source.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(source, s3, ["big"])
    half_way(rt, internals)
    assert server.uploads() == ["big"]
    assert server.get("big") is None
    assert rt.execute(failed=True).done == 1
    assert len(server.requests("PUT", "big")) == 5  # no part twice
    (record,) = rt.records()
    assert (record["algorithm"], record["attempts"]) == ("crc32c", 2)
    stored = server.get("big")
    assert stored is not None
    assert stored.content == BIG
    assert server.uploads() == []


@pytest.mark.parametrize("damaged", [False, True])
def test_a_download_resumes_from_its_parts(db: Path, tmp_path: Path, target: CloudFiles, s3: CloudFiles,
                                           server: S3Server, internals: Replace,
                                           damaged: bool) -> None:
    server.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(s3, target)
    half_way(rt, internals)
    (temporary,) = (tmp_path / "out").iterdir()
    assert temporary.name.startswith(".cloudfiles-")
    if damaged:  # as after a power failure, which lost what the journal says was written
        temporary.write_bytes(bytes(len(BIG)))
    server.forget()
    assert rt.execute(failed=True).done == 1
    assert len(server.requests("GET", "big")) == (5 if damaged else 2)
    assert tree(tmp_path / "out") == {"big": BIG}


def test_a_source_that_was_replaced_starts_again(db: Path, source: CloudFiles, s3: CloudFiles, server: S3Server,
                                                 internals: Replace) -> None:
    source.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(source, s3, ["big"])
    half_way(rt, internals)
    source.put("big", BIG[::-1])
    rt.execute(failed=True)
    assert server.contents() == {"big": BIG[::-1]}
    assert server.uploads() == []


@pytest.mark.parametrize("end", ["close", "discard", "init", "removed"])
def test_nothing_is_left_of_what_is_given_up(db: Path, source: CloudFiles, s3: CloudFiles, server: S3Server,
                                             internals: Replace, end: str) -> None:
    source.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(source, s3, ["big"])
    half_way(rt, internals)
    if end == "init":
        rt.init(source, s3, KEYS[:1])
    elif end == "removed":
        source.delete("big")
        rt.execute(failed=True, raise_errors=False)
        assert rt.report().half_done == 0
    else:
        getattr(rt, end)()
    assert server.uploads() == []


def test_finished_before_its_record_was_lost(db: Path, source: CloudFiles, s3: CloudFiles,
                                             server: S3Server) -> None:
    source.put("big", BIG)
    rt = ResumableTransfer(db)
    rt.init(source, s3, ["big"])
    source.transfer_to(s3, "big")
    etag = source.head("big")["ETag"]
    journal = Journal(str(db))
    state = {"upload_id": "completed", "part_size": PART}
    journal.save_partial_uploads([(1, PartialUpload(etag, len(BIG), state, {}))])
    journal.close()
    server.forget()
    assert rt.execute().done == 1
    assert server.requests("PUT") == server.requests("POST") == []


def test_memory_store(db: Path, source: CloudFiles) -> None:
    name = uuid.uuid4().hex
    rt = ResumableTransfer(db)
    rt.init(source, f"mem://{name}/")
    assert rt.execute().done == 300
    assert sorted(CloudFiles(f"mem://{name}/")) == KEYS
