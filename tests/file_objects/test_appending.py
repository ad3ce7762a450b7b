"""Appending in place, and by rewriting."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import PreconditionFailedError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.capabilities import Appending


@pytest.fixture(params=["mem", "file"])
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    return CloudFiles(f"mem://bucket{tmp_path}/" if request.param == "mem" else str(tmp_path / "store"))


def test_flush_appends(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    with cf.open("key", "ab") as file:
        file.write(b"two\nth")
        file.flush()
        assert cf.get("key") == b"one\ntwo\nth"
        file.write(b"ree\n")
    assert cf.get("key") == b"one\ntwo\nthree\n"


def test_what_is_flushed_ends_at_the_delimiter(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    with cf.open("key", "ab", delimiter=b"\n", blocksize=8) as file:
        for part in (b"two\nth", b"ree\nfour", b" and a half"):
            file.write(part)
            file.flush()
            content = cf.get("key")
            assert content is not None
            assert content.endswith(b"\n")
    assert cf.get("key") == b"one\ntwo\nthree\nfour and a half"


def test_a_record_that_is_too_long_is_cut(cf: CloudFiles) -> None:
    cf["key"] = b""
    with cf.open("key", "ab", delimiter=b"\n", blocksize=10) as file:
        file.write(b"x" * 85)
        assert cf.get("key") == b"x" * 85


def test_an_exception_removes_what_was_appended(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    with pytest.raises(ZeroDivisionError), cf.open("key", "ab") as file:
        file.write(b"two\n")
        file.flush()
        assert cf.get("key") == b"one\ntwo\n"
        raise ZeroDivisionError
    assert cf.get("key") == b"one\n"


def test_what_others_appended_is_kept(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    with pytest.raises(PreconditionFailedError), cf.open("key", "ab") as file:
        file.write(b"two\n")
        file.flush()
        with cf.open("key", "ab") as other:
            other.write(b"theirs\n")
        file.write(b"three\n")
    assert cf.get("key") == b"one\ntwo\ntheirs\n"


def test_an_object_of_the_same_size_is_not_appended_to(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    file = cf.open("key", "ab")
    file.write(b"two\n")
    cf["key"] = b"ONE\n"
    with pytest.raises(PreconditionFailedError):
        file.close()
    assert cf.get("key") == b"ONE\n"


@pytest.mark.parametrize("finish", ["close", "abort", "flush"])
def test_an_object_that_replaced_it_is_left_alone(cf: CloudFiles, finish: str) -> None:
    """It has the size of the one that was appended to."""
    cf["key"] = b"0"
    file = cf.open("key", "ab")
    file.write(b"12")
    file.flush()
    cf["key"] = b"XYZ"
    file.write(b"3")
    if finish == "abort":
        file.abort()  # type: ignore[attr-defined]
    else:
        with pytest.raises(PreconditionFailedError, match="was replaced"):
            getattr(file, finish)()
    assert file.closed
    assert cf.get("key") == b"XYZ"


def test_a_failure_removes_what_was_appended(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    cf["key"] = b"0"
    file = cf.open("key", "ab")
    file.write(b"12")
    file.flush()
    appending = type(cf._store.here().capability(Appending))
    append = appending.append

    def fail(self: Appending, path: str, position: int, content: bytes) -> None:
        append(self, path, position, content)
        self.truncate(path, position)
        raise ServerError("no space is left")

    monkeypatch.setattr(appending, "append", fail)
    file.write(b"3")
    with pytest.raises(ServerError):
        file.close()
    assert cf.get("key") == b"0"


def test_options_rewrite_the_object(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    with cf.open("key", "ab", content_type="text/x-mine", blocksize=2) as file:
        file.write(b"two\n")
        file.flush()
        assert cf.get("key") == b"one\n"
    assert cf.get("key") == b"one\ntwo\n"


def test_other_encodings_are_refused(cf: CloudFiles) -> None:
    cf.put("key", b"content", compress="br")
    with pytest.raises(UnsupportedOperationError, match="'br'"):
        cf.open("key", "ab")
    with pytest.raises(UnsupportedOperationError, match="gzip"):
        cf.open("key", "ab", compress="gzip")
    assert cf.get("key") == b"content"
