"""What version 1.0.0 has left on disk is resumed; what a newer version has left is refused by its format, and kept.

The journal, the saved states and the pickles are those that 1.0.0 wrote, but for their paths.
"""

from __future__ import annotations

import base64
import json
import pickle
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, Downloader, ResumableTransfer, Uploader
from cloudfiles.exceptions import ConfigurationError, JournalError
from cloudfiles.testing import S3Server
from cloudfiles.transfer.partial_upload import PartialUpload
from cloudfiles.transfer.resume_state import FORMAT, StateFile, saved_state_files, state_directory
from tests.internals import PART, Replace
from tests.transfer.conftest import broken_after, tree, write

TREE = {"a": b"aaa", "b": b"bbb", "c": b"ccc", "d/e": b"d/ed/ed/e"}

OPTIONS = ('{"options": {"endpoint": null, "request_payer": null, "no_sign_request": false, "locking": null, '
           '"lock_dir": null, "composite_upload_threshold": 100000000, "tls": {"ca_bundle": null, "client_cert": null, '
           '"client_key": null}, "connect_timeout": 10.0, "read_timeout": 60.0}, "green": null, "width": 20, '
           '"use_https": false}')

JOURNAL = """
PRAGMA application_id = 1128680012;
PRAGMA user_version = 1;
CREATE TABLE transfer (source TEXT, target TEXT, options TEXT, created REAL, is_listed INTEGER);
INSERT INTO transfer VALUES('file://{0}/in/','file://{0}/out/',
    '{{"encoding": null, "source": {1}, "target": {1}}}',1795291952.94,1);
CREATE TABLE items (id INTEGER PRIMARY KEY, source NOT NULL, target, size INTEGER, is_large INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending', worker INTEGER, attempts INTEGER NOT NULL DEFAULT 0, cause TEXT,
    algorithm TEXT, digest TEXT, etag TEXT, source_etag TEXT, bytes INTEGER, finished REAL);
INSERT INTO items VALUES(1,'a',NULL,3,0,'done',NULL,1,NULL,NULL,NULL,'"18ea2884f63793e1-3-3d23a4"',NULL,3,1795291952.9);
INSERT INTO items VALUES(2,'b',NULL,3,0,'failed',NULL,1,'FileSystemError: disk',NULL,NULL,NULL,NULL,NULL,1795291952.9);
INSERT INTO items VALUES(3,'c',NULL,3,0,'leased',1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(4,'d/e',NULL,9,0,'pending',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE workers (id INTEGER PRIMARY KEY AUTOINCREMENT, process TEXT, lease REAL, expires REAL);
INSERT INTO workers VALUES(1,'["vm", "83534f3c-5589-4d02-bd4f-64f017e4c9b9", "pid:[4026531836]", 11853, "1502199",
    "2e4d-b50d3cf4c30f7850"]',600.0,-1.0);
CREATE TABLE halves (item INTEGER PRIMARY KEY, half TEXT);
CREATE UNIQUE INDEX targets ON items(ifnull(target, source));
CREATE INDEX pending ON items(is_large, id) WHERE state = 'pending';
CREATE INDEX leased ON items(worker) WHERE state = 'leased';
CREATE INDEX failed ON items(id) WHERE state = 'failed';
"""


def request(cf: CloudFiles, rpath: str, lpath: Path, root: str) -> dict[str, Any]:
    """What was asked for, as 1.0.0 saved it."""
    return {"cloudpath": cf.cloudpath, "endpoint": cf._store.options.endpoint, "request_payer": None,
            "no_sign_request": False, "rpath": rpath, "lpath": str(lpath), "root": root, "nthreads": None,
            "chunksize": 268435456, "buffersize": 4194304, "blocksize": 4194304, "overwrite": False, "verbose": False,
            "timeout": 0}


def saved(kind: str, lines: list[dict[str, Any]]) -> str:
    path = Path(state_directory(kind)) / "6031f4f555033c9628ce077e5089571d.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return str(path)


def test_a_journal_is_resumed(tmp_path: Path) -> None:
    write(tmp_path / "in", TREE)
    write(tmp_path / "out", {"a": b"as copied then"})
    with sqlite3.connect(tmp_path / "journal") as database:
        database.executescript(JOURNAL.format(tmp_path, OPTIONS))
    database.close()
    transfer = ResumableTransfer(tmp_path / "journal")
    assert (transfer.report().done, transfer.report().leased, len(transfer)) == (1, 1, 3)
    report = transfer.execute(failed=True)
    assert (report.done, report.failed, bool(report)) == (4, 0, True)
    assert tree(tmp_path / "out") == {**TREE, "a": b"as copied then"}
    assert transfer.close()


def test_a_newer_journal_is_refused_and_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal") as database:
        database.executescript(JOURNAL.format(tmp_path, OPTIONS).replace("user_version = 1", "user_version = 2"))
    database.close()
    before = (tmp_path / "journal").read_bytes()
    for act in (lambda rt: rt.execute(), lambda rt: rt.init("mem://x/", "mem://y/"), lambda rt: rt.discard()):
        with pytest.raises(JournalError, match=r"newer version of cloudfiles \(format 2; this version reads 1\)"):
            act(ResumableTransfer(tmp_path / "journal"))
    assert (tmp_path / "journal").read_bytes() == before


def test_a_saved_upload_is_resumed(server: S3Server, s3: CloudFiles, tmp_path: Path) -> None:
    write(tmp_path / "in", TREE)
    s3.put("dir/a", b"as copied then")
    saved("uploads", [
        {"request": request(s3, "dir", tmp_path / "in", ""),
         "files": [[f"dir/{key}", str(tmp_path / "in" / key), len(content)] for key, content in TREE.items()]},
        {"done": "dir/a", "target": "dir/a"}])
    ((_, up),) = Uploader.load(secrets=server.secrets).items()
    assert (up.successful(), up.status["dir/a"], up.status["dir/b"]) == (False, "done", "left")
    up.run()
    assert {key: s3.get(key) for key in s3} == {**{f"dir/{key}": content for key, content in TREE.items()},
                                                "dir/a": b"as copied then"}
    assert saved_state_files("uploads") == []


@pytest.mark.parametrize("validator", ["of then", "of now"])
def test_a_saved_download_resumes_from_its_parts(server: S3Server, s3: CloudFiles, tmp_path: Path,
                                                 internals: Replace, validator: str) -> None:
    """1.0.0 saved the ETag of the source; where that is no longer what proves the version, the object is read anew."""
    big = bytes(range(256)) * (PART * 9 // 2 // 256)
    server.put("dir/big", big)
    internals(saving_seconds=0.0)
    patch = broken_after(3)
    with pytest.raises(Exception, match="the cable is cut"):
        Downloader(s3, "dir", tmp_path / "down")
    patch.undo()
    (file,) = saved_state_files("downloads")
    state = file.read()
    assert state is not None
    ((target, partial),) = state.partial_uploads.items()
    as_then = json.dumps([partial.validator if validator == "of now" else '"another"', partial.size, partial.state,
                          partial.parts])
    assert PartialUpload.load(as_then).parts == partial.parts
    file.remove()
    path = saved("downloads", [{"request": request(s3, "dir", tmp_path / "down", str(tmp_path / "down")),
                                "files": [["dir/big", "big", len(big)]]},
                               {"half": target, "state": as_then}])
    server.forget()
    down = Downloader.load(path, secrets=server.secrets)
    down.run()
    assert tree(tmp_path / "down") == {"big": big}
    reads = [r for r in server.requests("GET", "dir/big") if r.header("range")]
    assert len(reads) == (2 if validator == "of now" else 5)
    assert saved_state_files("downloads") == []


# ---- pickles

FILES = (
    b"c-mEwu};G<5QbZokhT=c!oth|OEa)BAt8Z8r7*y5rOwe<b#3E23w1z(v645;10tS*9VbMkc=7$`|Gx9tuR9-K-A=Ro5trJPk3s@Y{=(pgSGBlq"
    b"#Cte<3oqf+?=mE9A^5|ssy3C}H~YprXe_3nD%$b<BFkouFMzUA*ev)|8xmUKe-^Dw-F(!r?pntNnIdotgdz8RP^HmAQ8ZUX1|z@H80Ef&CkIH("
    b"6f3aNI#!yYm@C#Egtbql<_n?bHK-0*yi<&ixn3HLf`B<Abx|^^EMTQ&8E!kD--+*$#84gh-h;&LQ42P6s+15Rdt3@o#5h=ra@fiRtU~T)e$2H}"
    b"z=@Gqf_4;cE>GI87+I)WZu0qWJ{Bc&3!ow`c@|}S&}r%i4uLh3hjn!HO<@ZuL568J3aeuUHb;{m5Ujt!"
)

FILE = (
    b"c-n1IJx?St4CQNXKL9NSP*77q!&Wp@NJyLn(p&+3l+Bo(XtPO(J%U9#2}-1N=lg;8Bj`z%(ZETh$@8<{v*SE({5@S;S)RD7jBBbpZ2(U?$Z>Fy"
    b"@nyz;`1pl?^HJ>Ql$G<8UVY@artUcIeJ4kb!%mN%20sLn3rW87Mb%Qp&GPPQ2g?#KspdGE;@NmSY19m8T<O5E=R9d=@qa5?_}qJIY4xkE=p1_p"
    b"DgYsuu@AQLPFqTNJHUMdNW#knghY(26R4+Fv<ZHVJ>%3&+i8|&DDn_xJWy`#9clv6c;jRxs1AU&GZkO0{Cg|nIvM18Kd#>z{Q5R2CXKDqa?7}>"
    b"j0Q_WLCE6_+i(U8E}KalDQ7Jx5~Szg8seYlhwayG1;{NszWm^msF(%-o7{>AU8N0P@5VucAZj9y{F*BIUIu9l7`|RjL2yZdAE}{|ss=F!lIiJ%"
    b"s8g40m6q}Zd8U(hMl;~4"
)

TRANSFER = (
    b"c-l>ku?oU46h$4XMJJ21yDsTRINL$oLz1Snm^7tHPzOO5ad=ywpXUD<)JorS-{rtP*Xa2geGisG8J`!Gl9srZ)wYl=X{Gg=aU~IwUH|WY6gyns"
    b"@PaFdb50xPN`zUOGsn^s$$2PBGApUJQsDNnfS6im!X#$d9brO)Q5+EFL-V-_9LAdu`U|2XQwkw+m6m;U2vcop<4j!%ER$jD&~wkp8)TbUDF"
)


@pytest.mark.parametrize(("pickled", "expected"), [(FILES, "CloudFiles('s3://bucket/dir/')"),
                                                   (FILE, "CloudFile('gs://bucket/dir/x')"),
                                                   (TRANSFER, "ResumableTransfer('/data/x.db')")])
def test_pickles_are_read(pickled: bytes, expected: str) -> None:
    found = pickle.loads(zlib.decompress(base64.b85decode(pickled)))
    assert repr(found) == expected
    if isinstance(found, CloudFiles):
        assert (found.num_threads, found._store.options.endpoint) == (7, "https://host")
    if isinstance(found, ResumableTransfer):
        assert found.lease_msec == 5000


# ---- of a newer version

NEWER = [{"version": FORMAT + 1, "request": "something else"}, {"whatever": 1}]


def test_a_newer_saved_transfer_is_refused(mem: CloudFiles, tmp_path: Path) -> None:
    source = write(tmp_path / "in", TREE)
    path = saved("uploads", NEWER)
    text = Path(path).read_text()
    for load in (Uploader.load, lambda: Uploader.load(path)):
        with pytest.raises(ConfigurationError, match=r"newer version of cloudfiles \(format 2; this version reads 1\)"):
            load()
    assert Path(path).read_text() == text
    Uploader(mem, "dir", source)  # another transfer
    Uploader.clear_saved()
    assert saved_state_files("uploads") == []


def test_the_format_is_saved(mem: CloudFiles, tmp_path: Path) -> None:
    Uploader(mem, "dir", write(tmp_path / "in", TREE), run=False).save()
    (file,) = saved_state_files("uploads")
    with open(file.path) as opened:
        assert json.loads(opened.readline())["version"] == FORMAT


def test_a_newer_run_is_left_to_its_version(s3: CloudFiles, disk: CloudFiles) -> None:
    disk.put("a", b"1")
    disk.transfer_to(s3, resumable=True)
    paths: list[str] = []
    write_state = StateFile.write

    def remember(self: StateFile, state: Any) -> None:
        paths.append(self.path)
        write_state(self, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StateFile, "write", remember)
        disk.transfer_to(s3, resumable=True)
    newer = Path(paths[0].replace(".jsonl", "9.jsonl"))
    newer.write_text("".join(json.dumps(line) + "\n" for line in NEWER))
    disk.put("b", b"2")
    with pytest.warns(UserWarning, match=r"newer version of cloudfiles.*It was left as it is"):
        disk.transfer_to(s3, resumable=True)
    assert (s3.get("b"), newer.exists()) == (b"2", True)
