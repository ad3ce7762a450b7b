"""Data Lake Gen2 against a scripted server written from the vendor's documents: azurite has no dfs endpoint."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.acl import AclEntry, format_acl, parse_acl
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.capabilities import AccessControl, Appending, Directories, Expiry
from cloudfiles.testing import ResetBefore, ResetInHead, Rule, Status
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.s3_setup import Worker, close_opened
from tests.servers.azure_server import AzureServer

KINDS: tuple[Any, ...] = (Directories, AccessControl, Appending, Expiry)
KEY = base64.b64encode(b"an account's key" * 4).decode()


@pytest.fixture
def server(azure_server: AzureServer) -> Iterator[AzureServer]:
    azure_server.configure(key=KEY, hierarchical=True)
    yield azure_server
    close_opened()


def open_at(server: AzureServer, green: bool, path: str = "root", **options: Any) -> Worker:
    return open_azure(f"az://{server.container}/{path}", green, **{
        "endpoint": server.endpoint, "secrets": {"account_name": "account", "account_key": KEY}, **options})


@pytest.fixture
def az(server: AzureServer, green: bool) -> Worker:
    return open_at(server, green)


class Operations:
    """All operations of the capabilities of an interface."""

    def __init__(self, interface: Interface) -> None:
        self._interface = interface

    def __getattr__(self, name: str) -> Any:
        kind = next(each for each in KINDS if hasattr(each, name))
        return getattr(self._interface.capability(kind), name)


def operations_of(az: Worker) -> Worker:
    az.capability(Directories)  # looks up the credentials in a worker
    return Worker(Operations(az.interface), az.runtime)  # type: ignore[arg-type]


@pytest.fixture
def lake(az: Worker) -> Worker:
    return operations_of(az)


# ---- which accounts


def test_detected_not_configured(server: AzureServer, green: bool) -> None:
    server.configure(hierarchical=False)
    az = open_at(server, green)
    for kind in KINDS:
        assert az.capability(kind) is None
        assert "'account' does not have a hierarchical namespace" in az.reason_without(kind)
    assert len(server.requests()) == 1  # remembered


@pytest.mark.parametrize("hierarchical", [True, False])
def test_a_sas_that_may_not_ask_for_the_account(server: AzureServer, green: bool, hierarchical: bool) -> None:
    sas = "sv=2022-11-02&sig=abc"
    server.configure(sas=sas, account_information=False, hierarchical=hierarchical)
    az = open_at(server, green, secrets={"sas_token": sas})
    assert (az.capability(Directories) is not None) is hierarchical
    assert [request.status for request in server.requests()] == [403, 200]


# ---- the tree


def test_directories(server: AzureServer, az: Worker, lake: Worker) -> None:
    lake.mkdir("a/b c")
    assert server.paths()["root/a/b c"].directory
    assert lake.isdir("a/b c")
    assert not lake.isdir("nowhere")
    lake.mkdir("a/b c")
    with pytest.raises(PreconditionFailedError):
        lake.mkdir("a/b c", exist_ok=False)
    server.put_blob("root/file", b"x")
    with pytest.raises(PreconditionFailedError):
        lake.mkdir("file")
    assert not lake.isdir("file")
    assert [entry.key for entry in az.list_page().entries] == ["file"]


def test_empty_directories_are_found(server: AzureServer, az: Worker, lake: Worker) -> None:
    lake.mkdir("a/b")
    server.put_blob("root/file", b"x")
    assert all(az.isdir(key) for key in ("a/b", "a/b/", ""))
    assert not any(az.isdir(key) for key in ("file", "missing", "a/../a", "a\\b"))


def test_removing_directories(server: AzureServer, lake: Worker) -> None:
    lake.mkdir("a")
    server.put_blobs({f"root/a/{n}": b"" for n in range(25)})
    with pytest.raises(ServerError, match="DirectoryNotEmpty"):
        lake.rmdir("a")
    server.configure(acl_page=10)
    lake.rmdir("a", recursive=True)
    assert set(server.paths()) == {"root"}
    assert [request.method for request in server.requests("DELETE")] == ["DELETE"] * 4
    with pytest.raises(ServerError) as raised:
        lake.rmdir("a")
    assert raised.value.status == 404


def test_rename(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a b+\u00e9", b"content")
    lake.rename("a b+\u00e9", "new")
    assert server.path("root/new").content == b"content"  # type: ignore[union-attr]
    assert server.path("root/a b+\u00e9") is None
    server.put_blob("root/other", b"other")
    with pytest.raises(PreconditionFailedError):
        lake.rename("new", "other", overwrite=False)
    lake.rename("new", "other")
    assert server.path("root/other").content == b"content"  # type: ignore[union-attr]
    with pytest.raises(ServerError, match="PathNotFound"):
        lake.rename("missing", "other")


def test_a_directory_moves_with_all_that_is_in_it(server: AzureServer, lake: Worker) -> None:
    lake.mkdir("a")
    server.put_blobs({f"root/a/{n}": b"" for n in range(25)})
    server.configure(acl_page=10)  # the server asks to be asked again
    lake.rename("a", "b")
    assert sorted(server.paths()) == sorted(["root", "root/b", *(f"root/b/{n}" for n in range(25))])


@pytest.mark.parametrize("fault", [ResetInHead(), ResetBefore(acted=True)])
def test_a_rename_whose_answer_was_lost(server: AzureServer, lake: Worker, fault: Any) -> None:
    server.put_blob("root/a", b"content")
    server.script(Rule(fault, method="PUT"))
    lake.rename("a", "b")
    assert set(server.paths()) == {"root/b"}


def test_a_rename_that_somebody_else_made(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a", b"content")
    server.put_blob("root/b", b"somebody's")
    server.script(Rule(Status(500), method="PUT"),
                  Rule(Status(404, (("x-ms-error-code", "SourcePathNotFound"),)), method="PUT"))
    with pytest.raises(ServerError, match="SourcePathNotFound"):
        lake.rename("a", "b")


def test_interfaces_rename_in_one_step(server: AzureServer, az: Worker, green: bool) -> None:
    other = open_at(server, green, "elsewhere/deep")
    server.put_blob("root/a", b"content")
    assert other.rename_from(az.interface, "a", "b") is True
    assert set(server.paths()) == {"elsewhere/deep/b"}


# ---- access


def test_acl(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a", b"")
    access = lake.get_acl_status("a")
    assert (access.owner, access.group, access.permissions) == ("$superuser", "$superuser", "rwxr-x---")
    assert access.acl == [AclEntry("user", "", "rwx"), AclEntry("group", "", "r-x"), AclEntry("other", "", "---")]
    lake.modify_acl_entries("a", "user:oid:r-x,group::---")
    assert format_acl(lake.get_acl_status("a").acl) == "user::rwx,group::---,other::---,user:oid:r-x"
    lake.remove_acl_entries("a", "user:oid")
    assert format_acl(lake.get_acl_status("a").acl) == "user::rwx,group::---,other::---"
    lake.set_acl("a", [AclEntry("user", "", "rw-"), AclEntry("group", "", "r--"), AclEntry("other", "", "r--")])
    assert format_acl(lake.get_acl_status("a").acl) == "user::rw-,group::r--,other::r--"


def test_what_an_acl_is_reduced_to(server: AzureServer, lake: Worker) -> None:
    lake.mkdir("a")
    base = "user::rwx,group::r-x,other::---"
    lake.set_acl("a", f"{base},user:oid:r-x,mask::r-x,default:user::rwx,default:user:oid:r--")
    lake.remove_default_acl("a")
    assert format_acl(lake.get_acl_status("a").acl) == f"{base},user:oid:r-x,mask::r-x"
    lake.remove_acl("a")
    assert format_acl(lake.get_acl_status("a").acl) == base


def test_an_acl_that_changes_meanwhile_is_read_again(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a", b"")
    changed = Status(412, (("x-ms-error-code", "ConditionNotMet"),))
    server.script(Rule(changed, method="PATCH", times=3))
    lake.modify_acl_entries("a", "user:oid:r-x")
    server.script(Rule(changed, method="PATCH", times=None))
    with pytest.raises(PreconditionFailedError):
        lake.modify_acl_entries("a", "user:oid:r-x")


@pytest.mark.parametrize(("verb", "given", "sent"), [
    ("set_acl", "user::rwx,group::r-x,other::---", "set user::rwx,group::r-x,other::---"),
    ("modify_acl_entries", "default:user:oid:r-x", "modify default:user:oid:r-x"),
    ("remove_acl_entries", "user:oid:r-x,default:user:oid", "remove user:oid,default:user:oid")])
def test_acls_of_a_tree(server: AzureServer, lake: Worker, verb: str, given: str, sent: str) -> None:
    lake.mkdir("a/b")
    server.put_blobs({f"root/a/{n}": b"" for n in range(23)})
    server.put_blob("root/a/locked", b"")
    server.configure(acl_page=7)
    changes = getattr(lake, verb)("a", given, recursive=True)
    assert (changes.directories, changes.files) == (2, 23)
    assert list(changes.failures) == ["root/a/locked"]
    assert all(path.acl == sent for key, path in server.paths().items()
               if key.startswith("root/a") and not key.endswith("locked"))
    assert len([r for r in server.requests("PATCH") if "Recursive" in r.target]) == 4


def test_the_containers_root_has_an_acl_too(server: AzureServer, green: bool) -> None:
    az = open_at(server, green, "")
    lake = operations_of(az)
    lake.chown("", "me", "us")
    access = lake.get_acl_status("")
    assert (access.owner, access.group) == ("me", "us")


def test_owner_group_and_permissions(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a", b"")
    lake.chown("a", "me")
    lake.chmod("a", 0o640)
    access = lake.get_acl_status("a")
    assert (access.owner, access.group, access.permissions) == ("me", "$superuser", "0640")
    lake.chmod("a", "rwxrwxrwx")
    assert lake.get_acl_status("a").permissions == "rwxrwxrwx"
    with pytest.raises(ServerError, match="PathNotFound"):
        lake.chown("missing", "me")


@pytest.mark.parametrize("use", [
    lambda lake: lake.set_acl("a", "user::rwz"), lambda lake: lake.set_acl("a", "user:x"),
    lambda lake: lake.set_acl("a", ""), lambda lake: lake.modify_acl_entries("a", "world::rwx"),
    lambda lake: lake.remove_acl_entries("a", "user::"),
    lambda lake: lake.remove_acl_entries("a", "other::", recursive=True)])
def test_acls_that_are_none(lake: Worker, use: Callable[[Worker], object]) -> None:
    with pytest.raises(InvalidInputError):
        use(lake)


def test_acls_round_trip() -> None:
    text = "user::rwx,user:oid:r-x,group::r-x,mask::rwx,other::---,default:user::rwx,default:mask::---"
    assert format_acl(parse_acl(text)) == text
    assert parse_acl("") == []


# ---- content


def test_append_and_flush(server: AzureServer, lake: Worker) -> None:
    lake.create("log")
    lake.append("log", 0, b"first ")
    lake.append("log", 6, b"second")
    assert server.path("root/log").content == b""  # type: ignore[union-attr]
    server.script(Rule(ResetInHead(), method="PATCH"))
    lake.append("log", 6, b"second")  # twice does no harm
    etag = lake.flush("log", 12)
    path = server.path("root/log")
    assert path is not None
    assert (path.content, path.etag) == (b"first second", etag)
    with pytest.raises(ServerError, match="InvalidFlushPosition"):
        lake.flush("log", 40)
    with pytest.raises(PreconditionFailedError):
        lake.create("log", if_absent=True)
    assert {request.status for request in server.requests("PATCH")} == {202, 200, 400}


def test_expiry(server: AzureServer, lake: Worker) -> None:
    server.put_blob("root/a", b"")
    for given, sent in (({}, "NeverExpire "), ({"after": 90}, "RelativeToNow 90000"),
                        ({"at": 1_800_000_000}, "Absolute Fri, 15 Jan 2027 08:00:00 GMT")):
        lake.set_expiry("a", **given)
        assert server.path("root/a").expiry == sent  # type: ignore[union-attr]
    with pytest.raises(ServerError, match="BlobNotFound"):
        lake.set_expiry("missing")
