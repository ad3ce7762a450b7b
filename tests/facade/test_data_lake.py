"""`CloudFiles.data_lake()` and `CloudFiles.compose()`, and their awaitable twins, by their public names."""

from __future__ import annotations

import asyncio
import base64
import inspect
from typing import Any

import pytest

from cloudfiles import AsyncCloudFiles, CloudFiles
from cloudfiles.aio.async_datalake import AsyncDataLake
from cloudfiles.datalake import AclChanges, AclEntry, DataLake
from cloudfiles.exceptions import InvalidInputError, PreconditionFailedError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.capabilities import AccessControl, Appending, Directories, Expiry, Times
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer

KEY = base64.b64encode(b"an account's key" * 4).decode()
VERBS = [name for name, _ in inspect.getmembers(DataLake, inspect.isfunction) if not name.startswith("_")]


@pytest.fixture
def server(azure_server: AzureServer) -> AzureServer:
    azure_server.configure(key=KEY, hierarchical=True)
    return azure_server


@pytest.fixture
def az(server: AzureServer, green: bool) -> CloudFiles:
    return CloudFiles(f"az://{server.container}/root", endpoint=server.endpoint, green=green,
                      secrets={"account_name": "account", "account_key": KEY})


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> CloudFiles:
    return CloudFiles(f"gs://{gcs_server.url}/bucket/dir/", green=green)


# ---- Data Lake


def test_the_verbs_of_a_data_lake(server: AzureServer, az: CloudFiles) -> None:
    lake = az.data_lake()
    lake.mkdir("runs/7")
    assert lake.isdir("runs")
    az.put("runs/7/a", b"content")
    lake.rename("runs/7", "done")
    assert az.get("done/a") == b"content"
    assert isinstance(lake.set_acl("done", "user::rwx,group::r-x,other::---"), AclChanges)
    lake.modify_acl_entries("done", [AclEntry("user", "oid", "r-x")])
    assert AclEntry("user", "oid", "r-x") in lake.get_acl_status("done").acl
    lake.remove_acl_entries("done", "user:oid")
    lake.remove_default_acl("done")
    lake.remove_acl("done")
    lake.chown("done", owner="me")
    lake.chmod("done", 0o750)
    assert lake.get_acl_status("done").owner == "me"
    lake.create("log")
    lake.append("log", 0, b"line\n")
    lake.flush("log", 5)
    assert az.get("log") == b"line\n"
    lake.set_expiry("log", after=60)
    with pytest.raises(PreconditionFailedError):
        lake.mkdir("log")
    with pytest.raises(ServerError, match="DirectoryNotEmpty"):
        lake.rmdir("done")
    lake.rmdir("done", recursive=True)
    assert not lake.isdir("done")
    assert repr(lake) == f"DataLake('az://{server.container}/root')"


def test_where_there_is_none(server: AzureServer, az: CloudFiles, gs: CloudFiles) -> None:
    server.configure(hierarchical=False)
    with pytest.raises(UnsupportedOperationError, match="does not have a hierarchical namespace"):
        az.data_lake()
    for cf in (gs, CloudFiles("https://data.example.org/")):
        with pytest.raises(UnsupportedOperationError, match="does not support owners, permissions and ACLs"):
            cf.data_lake()


def test_the_twin_is_awaited(server: AzureServer, az: CloudFiles) -> None:
    async def use() -> None:
        cf = AsyncCloudFiles.of(az)
        lake = await cf.data_lake()
        await asyncio.gather(*(lake.mkdir(f"runs/{number}") for number in range(20)))
        await lake.rename("runs", "done")
        assert await lake.isdir("done/7")
        await lake.set_acl("done", "user::rwx,group::r-x,other::---")
        await lake.modify_acl_entries("done", "user:oid:r-x")
        assert AclEntry("user", "oid", "r-x") in (await lake.get_acl_status("done")).acl
        await lake.remove_acl_entries("done", "user:oid")
        await lake.remove_default_acl("done")
        await lake.remove_acl("done")
        await lake.chown("done", "me")
        await lake.chmod("done", "rwxr-x---")
        await lake.create("log")
        await lake.append("log", 0, b"line\n")
        await lake.flush("log", 5)
        await lake.set_expiry("log", after=60)
        assert await cf.get("log") == b"line\n"
        await lake.rmdir("done", recursive=True)
        with pytest.raises(ServerError, match="PathNotFound"):
            await lake.rename("missing", "x")

    asyncio.run(use())
    assert set(server.paths()) == {"root", "root/log"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_three_take_the_same_arguments(verb: str) -> None:
    given = [(name, value.kind, value.default) for name, value
             in inspect.signature(getattr(DataLake, verb)).parameters.items()]
    operations = next(kind for kind in (Directories, AccessControl, Appending, Expiry, Times) if hasattr(kind, verb))
    for other in (operations, AsyncDataLake):
        assert given == [(name, value.kind, value.default) for name, value
                         in inspect.signature(getattr(other, verb)).parameters.items()], other


# ---- compose


def test_compose(gs: CloudFiles) -> None:
    gs.puts([("a", b"1"), ("b", b"2")])
    etag = gs.compose(["a", "b", "a"], "all.txt", cache_control="no-store", metadata={"k": "v"})
    head = gs.head("all.txt")
    assert gs.get("all.txt") == b"121"
    assert (head["ETag"], head["Content-Type"], head["Cache-Control"]) == (etag, "text/plain", "no-store")
    gs.compose(["all.txt", "b"], "all.txt", if_match=etag)
    assert gs.get("all.txt") == b"1212"
    with pytest.raises(PreconditionFailedError):
        gs.compose(["a"], "all.txt", if_absent=True)
    with pytest.raises(ServerError) as raised:
        gs.compose(["a", "missing"], "other")
    assert raised.value.status == 404


def test_encoded_objects_are_composed_as_they_are_stored(gs: CloudFiles) -> None:
    gs.puts([("a", b"1"), ("b", b"2")], compress="gzip")
    gs.compose(["a", "b"], "all", encoding="gzip")
    assert gs.get("all") == b"12"


@pytest.mark.parametrize("paths", ["a", {"a"}, [], None])
def test_compose_of_what_is_no_sequence_of_paths(gs: CloudFiles, gcs_server: GcsServer, paths: Any) -> None:
    with pytest.raises(InvalidInputError):
        gs.compose(paths, "all")
    assert gcs_server.requests() == []


def test_compose_elsewhere(az: CloudFiles) -> None:
    for cf in (az, CloudFiles("mem://bucket/")):
        cf.puts([("a", b"1"), ("b", b"2")])
        cf.compose(["a", "b"], "all")
        assert cf.get("all") == b"12"


def test_compose_of_more_than_one_request_takes(gs: CloudFiles) -> None:
    gs.put("a", b"1")
    gs.compose(["a"] * 33, "all")
    assert gs.get("all") == b"1" * 33


def test_compose_is_awaited(gs: CloudFiles) -> None:
    async def use() -> None:
        cf = AsyncCloudFiles.of(gs)
        await cf.puts([("a", b"1"), ("b", b"2")])
        await cf.compose(["a", "b"], "all")
        assert await cf.get("all") == b"12"

    asyncio.run(use())
