"""How many requests the methods of a file system send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudfiles.testing import S3Server

NAMES = [f"dir/{number:03}" for number in range(50)]
FILES = {name: name.encode() for name in NAMES}


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    fault_server.put_many(FILES)
    fault_server.forget()
    return fault_server


def methods(server: S3Server) -> dict[str, int]:
    counts: dict[str, int] = {}
    for request in server.requests():
        kind = "LIST" if "list-type" in request.target else request.method
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def test_reading(s3: Any, server: S3Server) -> None:
    assert s3.cat(NAMES) == FILES
    assert methods(server) == {"GET": 50}
    server.forget()
    assert s3.cat("dir", recursive=True) == s3.cat("dir/*") == FILES
    assert methods(server) == {"GET": 100, "LIST": 2}
    server.forget()
    assert s3.cat_ranges([NAMES[0]] * 3, [0, 2, 4], [1, 3, 5]) == [b"d", b"r", b"0"]
    assert s3.head(NAMES[0], 3) == b"dir"
    assert s3.tail(NAMES[0], 3) == b"000"
    assert methods(server) == {"GET": 3}  # ranges that are near each other are one request


def test_lookups(s3: Any, server: S3Server) -> None:
    assert len(s3.ls("dir")) == len(s3.find("dir")) == 50
    assert s3.du("dir") == 350
    assert s3.glob("dir/00*") == NAMES[:10]
    assert methods(server) == {"LIST": 4}
    assert [request.target for request in server.requests()][-1].count("prefix=dir%2F00") == 1
    server.forget()
    assert s3.isdir("dir")
    assert methods(server) == {"LIST": 1}
    server.forget()
    assert s3.isfile(NAMES[0])
    assert s3.info(NAMES[0])["size"] == 7
    assert s3.exists(NAMES[0])
    assert methods(server) == {"HEAD": 3}
    server.forget()
    assert s3.info("dir")["type"] == "directory"
    assert methods(server) == {"HEAD": 1, "LIST": 1}
    server.forget()
    assert all(s3.exists(NAMES).values())
    assert s3.sizes(NAMES) == [7] * 50
    assert methods(server) == {"LIST": 2}


def test_writing_and_removing(s3: Any, server: S3Server) -> None:
    s3.pipe({f"new/{number}": b"1" for number in range(50)})
    assert methods(server) == {"PUT": 50}
    server.forget()
    s3.rm("new", recursive=True)
    assert methods(server).keys() == {"HEAD", "LIST", "POST"}
    assert sum(methods(server).values()) < 30
    assert s3.find("") == NAMES


def test_copying(s3: Any, server: S3Server, tmp_path: Path) -> None:
    s3.get("dir", str(tmp_path / "local"), recursive=True)
    assert {f"dir/{path.name}": path.read_bytes() for path in (tmp_path / "local").iterdir()} == FILES
    assert methods(server) == {"GET": 50, "LIST": 1}
    server.forget()
    s3.put(str(tmp_path / "local"), "up", recursive=True)
    assert methods(server) == {"PUT": 50, "LIST": 1}
    server.forget()
    s3.cp("dir", "copy", recursive=True)
    assert methods(server) == {"PUT": 50, "LIST": 2}
    assert not any(request.body_length for request in server.requests("PUT"))
    assert s3.cat("copy", recursive=True) == {name.replace("dir", "copy"): FILES[name] for name in NAMES}


def test_a_small_file_is_written_by_one_request(s3: Any, server: S3Server) -> None:
    with s3.open("one", "wb") as file:
        file.write(b"1")
    assert methods(server) == {"PUT": 1}
