"""Owners, permissions and ACLs, by `CloudFiles.data_lake()`."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.datalake import AclEntry, DataLake
from cloudfiles.exceptions import InvalidInputError, MissingObjectError, UnsupportedOperationError
from cloudfiles.interfaces.acl import base_entries, format_permissions, parse_permissions
from tests.facade.capability_stores import open_store

HAS_ACLS = frozenset({"abfs", "webhdfs", "adl"})


@pytest.fixture(params=["file", "abfs", "webhdfs", "adl", pytest.param("hadoop", marks=pytest.mark.full)])
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    return open_store(request.param, request, tmp_path)


def test_permissions(cf: CloudFiles) -> None:
    cf.put("dir/a", b"1")
    lake = cf.data_lake()
    lake.chmod("dir/a", "rw-r-----")
    assert lake.get_acl_status("dir/a").permissions == "rw-r-----"
    lake.chmod("dir", 0o755)
    lake.chmod("dir/a", "0600")
    assert cf.get("dir/a") == b"1"


def test_a_missing_path(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    lake = cf.data_lake()
    uses: list[Callable[[], object]] = [
        lambda: lake.get_acl_status("missing"), lambda: lake.chmod("missing", 0o600),
        lambda: lake.chown("missing", "0")]
    for use in uses:
        with pytest.raises(MissingObjectError):
            use()


def test_acls(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    lake = cf.data_lake()
    changes: list[Callable[[], object]] = [
        lambda: lake.set_acl("a", "user::rwx,group::r-x,other::---"),
        lambda: lake.modify_acl_entries("a", "user:x:r-x"),
        lambda: lake.remove_acl_entries("a", "user:x"),
        lambda: lake.remove_default_acl("a"),
        lambda: lake.remove_acl("a")]
    for change in changes:
        if cf.protocol in HAS_ACLS:
            change()
        else:
            with pytest.raises(UnsupportedOperationError, match=r"file://.* not ACLs"):
                change()


def test_expiry(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    if cf.protocol in ("abfs", "adl"):
        cf.data_lake().set_expiry("a", after=60)
        return
    with pytest.raises(UnsupportedOperationError, match=f"{cf.protocol}:// does not support expiry times"):
        cf.data_lake().set_expiry("a", after=60)


# ---- local files


@pytest.fixture
def lake(tmp_path: Path) -> DataLake:
    return CloudFiles(f"file://{tmp_path}").data_lake()


def test_owners_of_local_files(lake: DataLake, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"")
    access = lake.get_acl_status("a")
    lake.chown("a", access.owner, access.group)
    lake.chown("a", str(os.getuid()))
    lake.chmod("a", 0o640)
    assert stat.S_IMODE(os.stat(tmp_path / "a.gz").st_mode) == 0o640
    assert access.owner in (str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name)
    assert lake.get_acl_status("a").acl == [
        AclEntry("user", "", "rw-"), AclEntry("group", "", "r--"), AclEntry("other", "", "---")]
    with pytest.raises(InvalidInputError, match="no such owner"):
        lake.chown("a", "nobody-of-this-name")
    with pytest.raises(InvalidInputError, match="no such group"):
        lake.chown("a", group="nobody-of-this-name")


def test_the_cloudpath_itself(lake: DataLake, tmp_path: Path) -> None:
    lake.chmod("", 0o700)
    assert stat.S_IMODE(os.stat(tmp_path).st_mode) == 0o700
    assert lake.get_acl_status("").permissions == "rwx------"


@pytest.mark.parametrize("permissions", ["", "rwx", "0o750", "rwxrwxrwz", -1, 0o10000, True, None, "99"])
def test_what_no_permissions_are(lake: DataLake, tmp_path: Path, permissions: object) -> None:
    (tmp_path / "a").write_bytes(b"")
    before = os.stat(tmp_path / "a").st_mode
    with pytest.raises(InvalidInputError):
        lake.chmod("a", permissions)  # type: ignore[arg-type]
    assert os.stat(tmp_path / "a").st_mode == before


@pytest.mark.parametrize(("text", "mode"), [("rwxr-x---", 0o750), ("0750", 0o750), ("640", 0o640), (0, 0)])
def test_permissions_as_text_and_number(text: str, mode: int) -> None:
    assert parse_permissions(text) == mode
    assert parse_permissions(format_permissions(mode)) == mode
    assert "".join(entry.rights for entry in base_entries(mode)) == format_permissions(mode)


@pytest.mark.parametrize("kind", ["mem"])
def test_elsewhere(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperationError, match="mem:// does not support owners, permissions and ACLs"):
        open_store(kind, request, tmp_path).data_lake().chmod("a", 0o600)
