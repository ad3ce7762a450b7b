"""File objects of a file system, and transactions."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError
from cloudfiles.testing import S3Server, s3_error

LINES = b"".join(b"line %d\n" % number for number in range(1000))


def test_reading(fs: Any) -> None:
    fs.pipe("dir/x", LINES)
    with fs.open("dir/x", block_size=100) as file:
        assert (file.size, file.path, file.mode, file.fs) == (len(LINES), "dir/x", "rb", fs)
        assert file.info()["size"] == len(LINES)
        assert file.read(7) == b"line 0\n"
        assert file.readline() == b"line 1\n"
        assert file.readuntil(b"3") == b"line 2\nline 3"
        assert file.seek(-9, 2) == file.tell() == file.loc == len(LINES) - 9
        assert file.readlines() == [b"line 999\n"]
        buffer = bytearray(4)
        file.seek(0)
        assert file.readinto(buffer) == 4
        assert next(iter(file)) == b" 0\n"
        assert not file.writable()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_a_file_that_is_being_read_can_be_pickled(fs: Any) -> None:
    fs.pipe("x", LINES)
    file = fs.open("x")
    file.seek(7)
    again = pickle.loads(pickle.dumps(file))
    assert again.readline() == b"line 1\n"
    with fs.open("y", "wb") as written, pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(written)


def test_blocks(fs: Any) -> None:
    fs.pipe("x", LINES)
    blocks = [fs.read_block("x", at, 500, b"\n") for at in range(0, len(LINES), 500)]
    assert b"".join(blocks) == LINES
    assert all(block.endswith(b"\n") for block in blocks if block)
    assert fs.read_block("x", 0, 13) == LINES[:13]
    assert fs.read_block("x", 7, None, b"\n") == LINES[14:]


def test_text(fs: Any) -> None:
    with fs.open("t", "w", encoding="latin-1") as file:
        file.write("é\n")
    assert fs.cat("t") == b"\xe9\n"
    assert fs.open("t", "rt", encoding="latin-1").read() == "é\n"
    fs.write_text("u", "é")
    assert fs.read_text("u") == "é"


def test_what_an_exception_leaves(fs: Any) -> None:
    fs.pipe("old", b"old")
    for mode, compression in (("wb", None), ("w", None), ("wb", "gzip")):
        for name in ("old", "new"):
            with pytest.raises(ZeroDivisionError), fs.open(name, mode, compression=compression) as file:
                file.write("x" if mode == "w" else b"x" * 1000)
                raise ZeroDivisionError
    assert fs.cat("*") == {"old": b"old"}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_dropped_file_does_not_appear(fs: Any) -> None:
    for mode, compression in (("wb", None), ("w", None), ("wb", "gzip")):
        file = fs.open("x", mode, compression=compression)
        file.write("x" if mode == "w" else b"x")
        del file
    gc.collect()
    assert fs.find("") == []


def test_open_files_that_are_not_pickled(fs: Any) -> None:
    fs.pipe("x.gz", b"")
    for mode, compression in (("wb", None), ("w", None), ("wb", "gzip"), ("rb", "gzip")):
        with (fs.open("x.gz", mode, compression=compression) as file,
              pytest.raises(TypeError, match=r"open file '.*x\.gz' cannot be pickled")):
            pickle.dumps(file)


def test_compression(fs: Any) -> None:
    with fs.open("x.gz", "wb", compression="infer") as file:
        file.write(LINES)
    assert fs.size("x.gz") < len(LINES)
    with fs.open("x.gz", compression="infer") as file:
        assert file.read(6) == LINES[:6]
        assert file.readline() == b"\n"
        assert file.seek(0) == 0
        assert file.read() == LINES
    with fs.open("x.gz", "rt", compression="gzip") as file:
        assert next(file) == "line 0\n"


def test_modes(fs: Any) -> None:
    with fs.open("x", "xb") as file:
        file.write(b"1")
    with pytest.raises(FileExistsError):
        fs.open("x", "xb")
    with fs.open("x", "ab") as file:
        file.write(b"2")
    assert fs.cat("x") == b"12"
    with pytest.raises(FileNotFoundError):
        fs.open("no")
    with pytest.raises(InvalidInputError):
        fs.open("x", "r+b")
    with pytest.raises(InvalidInputError, match="unknown option acl"):
        fs.open("x", "wb", acl="private")


def test_options_of_a_written_file(s3: Any) -> None:
    with s3.open("x", "wb", content_type="text/x", metadata={"a": "b"}, blocksize=1 << 20, cache_type="none") as file:
        file.write(b"1")
    assert s3.info("x")["content_type"] == "text/x"


def test_a_denied_write_is_a_permission_error(s3: Any, fault_server: S3Server) -> None:
    fault_server.fail(s3_error(403, "AccessDenied"), method="PUT", times=None)
    file = s3.open("x", "wb")
    file.write(b"1")
    with pytest.raises(PermissionError):
        file.close()
    with pytest.raises(PermissionError):
        s3.pipe("x", b"1")
    assert file.closed
    assert s3.find("") == []


# ---- transactions


def test_files_of_a_transaction_appear_at_its_end(fs: Any, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"5")
    with fs.transaction:
        with fs.open("a", "wb") as file:
            file.write(b"1")
        with fs.open("b.gz", "wt", compression="gzip") as text:
            text.write("2")
        fs.pipe("c", b"3")
        fs.touch("d")
        fs.put(str(tmp_path / "local"), "e")
        fs.pipe("c", b"4")
        with pytest.raises(ZeroDivisionError), fs.open("f", "wb") as file:
            file.write(b"1")
            raise ZeroDivisionError
        assert fs.find("") == []
    assert fs.find("") == ["a", "b.gz", "c", "d", "e"]
    assert (fs.cat("a"), fs.cat("c"), fs.cat("d"), fs.cat("e")) == (b"1", b"4", b"", b"5")
    assert fs.open("b.gz", "rt", compression="gzip").read() == "2"
    fs.pipe("after", b"")
    assert fs.exists("after")


def test_an_exception_discards_a_transaction(fs: Any) -> None:
    fs.pipe("old", b"old")
    with pytest.raises(ZeroDivisionError), fs.transaction:
        fs.pipe({"old": b"new", "new": b"new"})
        raise ZeroDivisionError
    assert fs.cat("*") == {"old": b"old"}
    fs.start_transaction()
    with fs.open("x", "ab") as file:
        file.write(b"1")
    assert not fs.exists("x")
    fs.end_transaction()
    assert fs.cat("x") == b"1"


def test_a_transaction_does_not_replace_what_has_to_be_new(fs: Any) -> None:
    fs.pipe("a", b"1")
    with pytest.raises(FileExistsError), fs.transaction:
        with pytest.raises(FileExistsError):
            fs.open("a", "xb")
        with fs.open("b", "xb") as file:
            file.write(b"2")
        fs._place("").cf.put("b", b"of another program")
    assert fs.cat("*") == {"a": b"1", "b": b"of another program"}
    fs.pipe("c", b"3")
    assert fs.exists("c")


def test_files_of_a_transaction_that_are_opened_again_continue(fs: Any) -> None:
    fs.pipe({"log": b"old", "replaced": b"old"})
    ends = []
    with fs.transaction:
        for path, mode, content in (("log", "ab", b"+1"), ("log", "ab", b"+2"), ("replaced", "wb", b"new"),
                                    ("replaced", "ab", b"+1"), ("created", "xb", b"1"), ("created", "ab", b"+2"),
                                    ("again", "ab", b"1"), ("again", "wb", b"2")):
            with fs.open(path, mode) as file:
                file.write(content)
                end = file.tell()
            ends.append(end)
        with pytest.raises(FileExistsError):
            fs.open("created", "xb")
        fs.pipe("options", b"1", content_type="text/plain")
        fs.pipe("options", b"2")
        fs.pipe("options", b"3", content_type="text/plain")
        fs.pipe("other", b"", content_type="text/plain")
        fs._place("").cf.put("log", b"of another program")
    assert ends == [5, 7, 3, 5, 1, 3, 1, 1]
    assert fs.cat("*") == {"log": b"of another program+1+2", "replaced": b"new+1", "created": b"1+2", "again": b"2",
                           "options": b"3", "other": b""}


def test_a_transaction_appends_with_the_encoding_of_the_object(s3: Any) -> None:
    cf = s3._place("").cf
    cf.put("log", b"old", compress="gzip", content_type="text/x-log")
    with s3.transaction, s3.open("log", "ab") as file:
        file.write(b"+1")
    assert cf.get("log") == b"old+1"
    assert cf.head("log")["Content-Type"] == "text/x-log"


def test_one_batch_writes_a_transaction(s3: Any, fault_server: S3Server) -> None:
    with s3.transaction:
        for number in range(30):
            with s3.open(f"{number}", "wb") as file:
                file.write(b"1")
        assert fault_server.requests() == []
    assert len(fault_server.requests()) == len(fault_server.requests("PUT")) == 30


# ---- URLs


def test_urls(s3: Any, fs: Any) -> None:
    s3.pipe("x", b"1")
    assert "X-Amz-Expires=60" in s3.sign("x", 60)
    assert s3.url("x").startswith("http://")
    if fs.protocol[1] != "s3":
        with pytest.raises(UnsupportedOperationError):
            fs.sign("x")
