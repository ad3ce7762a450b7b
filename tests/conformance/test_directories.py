"""`ls`, `find`, `du`, `rm`: a directory is what lies below its name, not what begins with the same letters."""

from __future__ import annotations

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidInputError
from tests.conformance.stores import StoreUnderTest

CONTENTS = {"run1/a": b"1", "run1/b/c": b"22", "run10/a": b"333", "run1.txt": b"4444", "run": b"55555", "z/y": b"6"}


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed(CONTENTS)
    return cf


@pytest.mark.parametrize("path", ["run1", "run1/"])
def test_a_directory(seeded: CloudFiles, path: str) -> None:
    assert sorted(seeded.find(path)) == ["run1/a", "run1/b/c"]
    assert dict(seeded.find(path, size=True)) == {"run1/a": 1, "run1/b/c": 2}
    assert sorted(seeded.ls(path)) == ["run1/a", "run1/b/"]
    assert dict(seeded.ls(path, size=True)) == {"run1/a": 1, "run1/b/": None}
    assert seeded.du(path) == {"N": 2, "num_bytes": 3}


def test_an_object(seeded: CloudFiles) -> None:
    assert list(seeded.find("run")) == list(seeded.ls("run")) == ["run"]
    assert list(seeded.ls("run1.txt", size=True)) == [("run1.txt", 4)]
    assert seeded.du("run") == {"N": 1, "num_bytes": 5}
    assert list(seeded.find("run/")) == []


def test_everything_and_nothing(seeded: CloudFiles) -> None:
    assert sorted(seeded.find()) == sorted(CONTENTS)
    assert sorted(seeded.ls()) == ["run", "run1.txt", "run1/", "run10/", "z/"]
    assert seeded.du() == {"N": 6, "num_bytes": 16}
    assert seeded.du(["run1", "z", "none"]) == {"N": 3, "num_bytes": 4}
    assert list(seeded.find("ru")) == list(seeded.ls("none")) == []


def test_prefixes_stay_what_they_are(seeded: CloudFiles) -> None:
    assert sorted(seeded.list("run1")) == ["run1.txt", "run1/a", "run1/b/c", "run10/a"]
    assert seeded.subtree_size("run1") == {"N": 4, "num_bytes": 10}


@pytest.mark.writes
def test_siblings_survive(seeded: CloudFiles) -> None:
    assert seeded.rm("run1", recursive=True) == 2
    assert sorted(seeded.list()) == ["run", "run1.txt", "run10/a", "z/y"]
    assert not seeded.isdir("run1")
    assert seeded.rm("run1", recursive=True) == 0
    assert seeded.rm(["z/", "run"], recursive=True) == 2
    assert sorted(seeded.list()) == ["run1.txt", "run10/a"]


@pytest.mark.writes
def test_objects_alone(seeded: CloudFiles) -> None:
    seeded.rm("run")
    seeded.rm(path for path in ("run1.txt", "none"))
    assert sorted(seeded.list()) == ["run1/a", "run1/b/c", "run10/a", "z/y"]


@pytest.mark.writes
@pytest.mark.parametrize(("path", "recursive"), [("", True), ("", False), (["z/y", ""], True), ("z/", False)])
def test_what_would_remove_too_much(seeded: CloudFiles, path: str, recursive: bool) -> None:
    with pytest.raises(InvalidInputError):
        seeded.rm(path, recursive=recursive)
    assert sorted(seeded.list()) == sorted(CONTENTS)
