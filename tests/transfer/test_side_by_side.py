"""Keys of one batch that are one place at the target: none of them is lost without a word."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file import FileInterface
from cloudfiles.interfaces.mem import MemInterface
from cloudfiles.key_conflicts import check_key_conflicts, find_key_conflict
from tests.transfer.conftest import Make, tree

pytestmark = pytest.mark.one_runtime

CLASHES = [("x", "x.gz"), ("x.gz", "x"), ("d/x.br", "d/x"), ("x.gz", "x.gz.xz")]

Write = Callable[[CloudFiles, CloudFiles, Any], object]
WAYS: dict[str, Write] = {
    "puts": lambda source, target, keys: target.puts((key, b"1") for key in keys),
    "transfer_to": lambda source, target, keys: source.transfer_to(target, keys),
    "moves": lambda source, target, keys: source.moves(target, keys),
}


@pytest.fixture
def source(mem: CloudFiles) -> CloudFiles:
    mem.puts([(key, key.encode()) for key in {key for pair in CLASHES for key in pair}])
    return mem


@pytest.mark.parametrize("keys", CLASHES)
@pytest.mark.parametrize("way", ["transfer_to", "moves"])
def test_a_collection_writes_nothing(source: CloudFiles, disk: CloudFiles, tmp_path: Path, way: str,
                                     keys: tuple[str, str]) -> None:
    with pytest.raises(InvalidPathError, match=r"conflict: the target cannot hold both; nothing was written"):
        WAYS[way](source, disk, list(keys))
    assert tree(tmp_path) == {}
    assert len(list(source)) == 5


@pytest.mark.parametrize("keys", [*CLASHES, ("a", "a/b")])
def test_a_collection_of_puts_writes_nothing(disk: CloudFiles, tmp_path: Path, keys: tuple[str, str]) -> None:
    with pytest.raises(InvalidPathError, match=r"conflict: the target cannot hold both; nothing was written"):
        disk.puts([(key, b"1") for key in keys])
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("keys", CLASHES)
@pytest.mark.parametrize("way", list(WAYS))
def test_of_an_iterator_the_second_is_not_begun(source: CloudFiles, disk: CloudFiles, tmp_path: Path, way: str,
                                                keys: tuple[str, str]) -> None:
    with pytest.raises(InvalidPathError, match="was not written") as caught:
        WAYS[way](source, disk, iter(keys))
    assert caught.value.path == keys[1]
    assert set(tree(tmp_path)) <= {f"disk/{keys[0]}"}


def test_all_that_a_store_lists(source: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    with pytest.raises(InvalidPathError, match="conflict"):
        source.transfer_to(disk)
    ResumableTransfer(tmp_path / "journal").init(source, "s3://bucket/")
    with pytest.raises(InvalidPathError, match="conflict"):
        ResumableTransfer(tmp_path / "other").init(source, disk)


def test_other_stores_keep_them_apart(source: CloudFiles, store: Make) -> None:
    target = store("s3")
    assert source.transfer_to(target).copied == 5
    assert target.puts((key, b"1") for key in ("x", "x.gz")) == 2


def test_what_a_file_system_lists_goes_to_another(disk: CloudFiles, store: Make) -> None:
    target = store("file")
    disk.puts([("a", b"1" * 100), ("b", b"2")], compress="gzip")
    disk.put("b.xz", b"2", compress="br")
    assert disk.transfer_to(target).copied == 3
    assert target.get("a") == b"1" * 100


def test_the_same_key_twice_in_an_iterator_is_as_before(disk: CloudFiles) -> None:
    assert disk.puts((key, b"1") for key in ("x", "x", "y.gz", "y.gz")) == 4


# ---- against a model


class Folding(FileInterface):
    traits = FileInterface.traits._replace(folds_case=True)


def _interface(kind: type[Interface]) -> Interface:
    interface: Any = kind.__new__(kind)
    interface.root = "/nowhere/"
    return interface


NAMES = st.lists(st.text("aA.gzbr/", min_size=1, max_size=5).map(lambda name: name + ".gz") |
                 st.text("aA.gzbr/", min_size=1, max_size=5), unique=True, max_size=8)


def _clash(one: str, other: str, case: bool) -> bool:
    if case:
        one, other = one.casefold(), other.casefold()
    return one == other or any(other == one + suffix for suffix in (".gz", ".br", ".zstd", ".xz", ".bz2"))


@given(NAMES, st.booleans())
def test_any_names_in_any_order(names: list[str], case: bool) -> None:
    target = _interface(Folding if case else FileInterface)
    clashing = [pair for pair in itertools.permutations(names, 2) if _clash(*pair, case)]
    taken: list[str] = []
    try:
        taken.extend(find_key_conflict(target, iter(names), str))
    except InvalidPathError:
        assert clashing
        assert all(not _clash(*pair, case) for pair in itertools.permutations(taken, 2))
    else:
        assert not clashing
        assert taken == names


@given(NAMES)
def test_any_names_at_once(names: list[str]) -> None:
    nested = any(b.startswith(a + "/") for a, b in itertools.permutations(names, 2))
    clashing = nested or any(_clash(*pair, False) for pair in itertools.permutations(names, 2))
    try:
        check_key_conflicts(_interface(FileInterface), names)
    except InvalidPathError:
        assert clashing
    else:
        assert not clashing
    check_key_conflicts(_interface(MemInterface), names)
