"""Opening file objects: modes, and what the end of a `with` block does."""

from __future__ import annotations

import gc
import pickle
import warnings
from pathlib import Path

import pytest

from cloudfiles import CloudFile, CloudFiles
from cloudfiles.exceptions import ExistingObjectError, InvalidInputError, MissingObjectError


@pytest.fixture(params=["mem", "file"])
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    return CloudFiles(f"mem://bucket{tmp_path}/" if request.param == "mem" else str(tmp_path / "store"))


def test_what_was_written_is_read(cf: CloudFiles) -> None:
    with cf.open("key", "wb") as file:
        assert file.write(b"one\n") == 4
        file.writelines([b"two\n", b"three"])
        assert file.tell() == 13
        assert not cf.exists("key")
    assert cf.get("key") == b"one\ntwo\nthree"
    with cf.open("key") as file:
        assert list(file) == [b"one\n", b"two\n", b"three"]
        assert file.seek(-5, 2) == 8
        assert file.read() == b"three"
    with cf.open("key", "r") as text:
        assert text.readlines() == ["one\n", "two\n", "three"]


def test_appending(cf: CloudFiles) -> None:
    for part in (b"one", b" two"):
        with cf.open("key", "ab") as file:
            file.write(part)
    assert cf.get("key") == b"one two"


@pytest.mark.parametrize("mode", ["w", "wb", "a", "xb"])
def test_an_exception_publishes_nothing(cf: CloudFiles, mode: str) -> None:
    with pytest.raises(ZeroDivisionError), cf.open("key", mode) as file:
        file.write("text" if mode in ("w", "a") else b"bytes")
        raise ZeroDivisionError
    assert file.closed
    assert list(cf) == []


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_what_is_dropped_is_not_published(cf: CloudFiles, mode: str) -> None:
    file = cf.open("key", mode)
    file.write("text" if mode == "w" else b"bytes")
    with pytest.warns(ResourceWarning, match="'key'.*was not closed"):
        del file  # at once, as nothing else refers to it
    assert list(cf) == []


@pytest.mark.parametrize("mode", ["w", "wb", "a", "xb"])
def test_a_writer_is_not_pickled(cf: CloudFiles, mode: str) -> None:
    with cf.open("key", mode) as file, pytest.raises(TypeError, match=r"open file 'key' cannot be pickled; pickle its"):
        pickle.dumps(file)


def test_what_was_closed_does_not_warn(cf: CloudFiles) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cf.open("key", "w").close()
        cf.open("key").close()
        gc.collect()
    assert cf.get("key") == b""


def test_creating_only(cf: CloudFiles) -> None:
    with cf.open("key", "x") as file:
        file.write("first")
    with pytest.raises(FileExistsError):
        cf.open("key", "xb")
    late = cf.open("other", "xb")
    cf["other"] = b"somebody else's"
    with pytest.raises(ExistingObjectError):
        late.close()
    assert cf.get("other") == b"somebody else's"


def test_missing(cf: CloudFiles) -> None:
    with pytest.raises(MissingObjectError):
        cf.open("key")


@pytest.mark.parametrize("mode", ["", "b", "rw", "r+", "rbt", "rr", "U", "z", None])
def test_wrong_modes(cf: CloudFiles, mode: str) -> None:
    with pytest.raises(InvalidInputError, match="mode"):
        cf.open("key", mode)


def test_of_one_object(cf: CloudFiles) -> None:
    one = CloudFile(cf.abspath("key"))
    with one.open("w") as file:
        file.write("text")
    with one.open() as read:
        assert read.read() == b"text"


def test_iterating_over_lines_keeps_the_position(cf: CloudFiles) -> None:
    lines = [b"%d\n" % number for number in range(30_000)]
    cf["key"] = b"".join(lines)
    with cf.open("key") as file:
        for number, line in enumerate(file):
            assert line == lines[number]
            if number == 20_000:
                break
        assert file.tell() == sum(map(len, lines[:20_001]))
        assert file.readline() == lines[20_001]
        assert next(file) == lines[20_002]
        remaining = iter(file)
        assert next(remaining) == lines[20_003]
        file.seek(0)
        assert next(remaining) == lines[0]
        file.close()
        with pytest.raises(ValueError, match="closed"):
            next(remaining)
