"""Data Lake Storage Gen1 against a scripted server: the service itself was shut down in 2024."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.credentials.adl import RESOURCE, AdlProvider
from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.datalake import AclEntry, auth
from cloudfiles.exceptions import (
    AuthorizationError,
    ConfigurationError,
    InvalidInputError,
    MissingCredentialsError,
    MissingObjectError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.acl import format_acl
from cloudfiles.testing import ResetBefore, ResetInBody, Rule, Status
from tests.servers.adl_server import AdlServer

TOKEN = "t0k3n"


@pytest.fixture
def server(adl_server: AdlServer) -> AdlServer:
    adl_server.configure(token=TOKEN)
    return adl_server


@pytest.fixture
def cf(server: AdlServer, green: bool) -> CloudFiles:
    return CloudFiles("adl://store/dir", endpoint=server.url, secrets={"token": TOKEN}, green=green)


def test_objects(server: AdlServer, cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b/c d+%é", b"22"), ("empty", b"")])
    assert cf.get(["a", "b/c d+%é", "missing"], return_dict=True) == {"a": b"1", "b/c d+%é": b"22", "missing": None}
    assert cf["b/c d+%é", 1:] == b"2"
    assert sorted(cf.list()) == ["a", "b/c d+%é", "empty"]
    assert sorted(cf.ls()) == ["a", "b/", "empty"]
    assert cf.exists(["a", "b"]) == {"a": True, "b": False}
    assert cf.size("empty") == 0
    cf.put("a", b"new")
    assert cf.get("a") == b"new"
    cf.delete(["a", "missing"])
    assert not cf.exists("a")
    assert cf.isdir("b")
    assert not [request for request in server.requests() if request.status == 307]


def test_what_is_sent(server: AdlServer, cf: CloudFiles) -> None:
    cf.put("a", b"1")
    cf.get("a")
    targets = [request.target for request in server.requests()]
    assert all(target.startswith("/webhdfs/v1/dir/") and "api-version=2018-09-01" in target for target in targets)
    assert all("write=true" in target for target in targets if "op=CREATE" in target)
    assert all("read=true" in target for target in targets if "op=OPEN" in target)
    assert not any("user.name" in target for target in targets)
    assert all(request.header("authorization") == f"Bearer {TOKEN}" for request in server.requests())


def test_a_directory_is_listed_in_pages(server: AdlServer, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudfiles.interfaces.adl import AdlInterface

    monkeypatch.setattr(AdlInterface, "dialect", AdlInterface.dialect._replace(list_size=10))
    names = [f"{number:03}" for number in range(35)]
    cf.puts((name, b"") for name in names)
    assert list(cf.list()) == names
    assert len([request for request in server.requests() if "LISTSTATUS" in request.target]) == 4


def test_a_large_file(cf: CloudFiles, server: AdlServer) -> None:
    content = bytes(range(256)) * 12_000
    cf.put("large", content)
    server.script(Rule(ResetInBody(), method="GET", query="op=OPEN"))
    assert cf.get("large") == content


def test_overload_is_waited_for(cf: CloudFiles, server: AdlServer) -> None:
    cf.put("a", b"1")
    server.script(Rule(Status(503), method="GET", times=2))
    assert cf.get("a") == b"1"


def test_a_wrong_token(server: AdlServer) -> None:
    cf = CloudFiles("adl://store/dir", endpoint=server.url, secrets={"token": "wrong"})
    with pytest.raises(AuthorizationError):
        cf.get("a")


# ---- beyond objects


def test_expiry(server: AdlServer, cf: CloudFiles) -> None:
    cf.put("a", b"1")
    lake = cf.data_lake()
    lake.set_expiry("a", at=1_896_091_200)
    assert server.nodes()["/dir/a"].expires == 1_896_091_200_000
    lake.set_expiry("a", after=60)
    assert server.nodes()["/dir/a"].expires == 60_000
    lake.set_expiry("a")
    assert server.nodes()["/dir/a"].expires == 0
    assert "/webhdfsext/dir/a?op=SETEXPIRY" in server.requests()[-1].target
    cf.mkdir("b")
    with pytest.raises(UnsupportedOperationError):
        lake.set_expiry("b", after=60)
    with pytest.raises(MissingObjectError):
        lake.set_expiry("missing")


def test_acls(server: AdlServer, cf: CloudFiles) -> None:
    cf.put("a", b"1")
    lake = cf.data_lake()
    access = lake.get_acl_status("a")
    assert (access.permissions, format_acl(access.acl)) == ("rwxrwx---", "user::rwx,group::rwx,other::---")
    lake.modify_acl_entries("a", "user:oid:r-x")
    access = lake.get_acl_status("a", names=True)
    assert (access.permissions, AclEntry("user", "oid", "r-x") in access.acl) == ("rwxrwx---+", True)
    assert "tooId=false" in server.requests()[-1].target
    lake.chown("a", owner="someone")
    lake.chmod("a", 0o640)
    assert (lake.get_acl_status("a").owner, lake.get_acl_status("a").permissions) == ("someone", "rw-r-----+")
    lake.remove_acl("a")
    assert len(lake.get_acl_status("a").acl) == 3


def concats(server: AdlServer) -> int:
    return len([request for request in server.requests() if "MSCONCAT" in request.target])


def test_files_that_are_deleted_are_concatenated_by_the_service(server: AdlServer, cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"22"), ("c", b"3")])
    cf.concat(["a", "b"], "all")
    assert (concats(server), cf.get("all"), cf.get("a")) == (0, b"122", b"1")
    cf.concat(["a", "b"], "moved/all", delete_source=True)
    assert (concats(server), cf.get("moved/all"), sorted(cf.list())) == (1, b"122", ["all", "c", "moved/all"])
    cf.concat(["moved/all", "c"], "all", delete_source=True)  # it would append to an existing file
    assert (concats(server), cf.get("all"), list(cf.list())) == (1, b"1223", ["all"])
    cf.puts([("d", b"4"), ("e,f", b"5")])
    cf.concat(["d", "e,f"], "new", delete_source=True)
    assert (concats(server), cf.get("new")) == (1, b"45")


def test_a_concatenation_whose_response_is_lost(server: AdlServer, cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"22")])
    server.script(Rule(ResetBefore(acted=True), method="POST"))
    cf.concat(["a", "b"], "all", delete_source=True)
    assert (cf.get("all"), list(cf.list())) == (b"122", ["all"])


def test_an_append_whose_response_is_lost(server: AdlServer, cf: CloudFiles) -> None:
    cf.put("a", b"1")
    server.script(Rule(ResetBefore(acted=True), method="POST"))
    cf.data_lake().append("a", 1, b"22")
    assert cf.get("a") == b"122"
    assert all("offset=1" in request.target for request in server.requests("POST"))


# ---- credentials


def requested(fields: Mapping[str, str]) -> tuple[str, float]:
    return "-".join(fields[name] for name in sorted(fields)), 10_000.0


def provider(secrets: Any = None, environ: Mapping[str, str] | None = None, **options: Any) -> AdlProvider:
    return AdlProvider("store", secrets, request=requested, clock=lambda: 0.0, environ=environ or {}, **options)


@pytest.mark.parametrize(("secrets", "token"), [
    ({"token": "abc"}, "abc"),
    ({"tenant_id": "t", "client_id": "c", "client_secret": "s"}, "c-s-t"),
    ({"tenant_id": "t", "username": "u", "password": "p"}, "p-t-u"),
    ({"username": "u", "password": "p"}, "p-u"),
])
def test_secrets(secrets: dict[str, str], token: str) -> None:
    assert provider(secrets).get().authorization == f"Bearer {token}"


@pytest.mark.parametrize("upper", [False, True])
def test_the_environment(tmp_path: Path, upper: bool) -> None:
    environ = {"azure_tenant_id": "t", "azure_username": "u", "azure_password": "p", "azure_client_id": "c"}
    environ = {name.upper() if upper else name: value for name, value in environ.items()}
    found = provider(environ={**environ, "CLOUD_FILES_DIR": str(tmp_path)},
                     chain=lambda _: AzureCredentials(token="chained"))
    assert found.get().authorization == "Bearer c-p-t-u"
    shown = str(found.explain()[:-1]) + repr(found)
    assert "username u" in shown
    assert "c-p-t-u" not in shown


def test_a_token_is_renewed() -> None:
    tokens = iter(["first", "second"])
    now = [0.0]
    found = AdlProvider("store", {"username": "u", "password": "p"}, request=lambda _: (next(tokens), now[0] + 3600),
                        clock=lambda: now[0], environ={})
    assert found.get().authorization == "Bearer first"
    now[0] = 3400.0
    assert found.get().authorization == "Bearer second"


def test_the_chain(tmp_path: Path) -> None:
    scopes = []

    def chain(scope: str) -> AzureCredentials:
        scopes.append(scope)
        return AzureCredentials(token="chained", source="azure-identity")

    environ = {"CLOUD_FILES_DIR": str(tmp_path)}
    assert provider(environ=environ, chain=chain).get().authorization == "Bearer chained"
    assert scopes == ["https://datalake.azure.net/.default"]

    def fails(scope: str) -> AzureCredentials:
        raise AuthorizationError("nothing")

    with pytest.raises(MissingCredentialsError, match="adl-secret"):
        provider(environ=environ, chain=fails).get()


def test_auth(server: AdlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = auth("t", client_id="c", client_secret="s")
    assert secrets == {"tenant_id": "t", "client_id": "c", "client_secret": "s", "resource": RESOURCE}
    assert provider(secrets).get().authorization == f"Bearer c-{RESOURCE}-s-t"
    monkeypatch.setenv("azure_tenant_id", "mine")
    assert auth(username="u", password="p")["tenant_id"] == "mine"
    for given in ({}, {"username": "u"}, {"client_id": "c"}):
        monkeypatch.delenv("azure_tenant_id", raising=False)
        with pytest.raises(InvalidInputError):
            auth("t", **given)
    with pytest.raises(UnsupportedOperationError, match="interactive"):
        auth("t", "u", "p", require_2fa=True)


@pytest.mark.parametrize("secrets", [{"client_id": "c", "client_secret": "s"}, {"username": "u"}, {"other": "x"}])
def test_secrets_that_are_not_enough(secrets: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        provider(secrets).get()


@pytest.mark.parametrize(("cloudpath", "endpoint"), [
    ("adl://store.example.org/dir", None), ("adl://store.azuredatalakestore.net.example.org/", None),
    ("adl://store/dir", "http://example.org"), ("adl://store/dir", "http://127.0.0.1.example.org")])
def test_servers_that_get_no_token(cloudpath: str, endpoint: str | None) -> None:
    with pytest.raises(ConfigurationError):
        CloudFiles(cloudpath, endpoint=endpoint, secrets={"token": TOKEN}).get("a")


def test_the_address_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def origin(cloudpath: str) -> str:
        return str(CloudFiles(cloudpath, secrets={"token": TOKEN})._store.here().origin)

    assert origin("adl://store/dir") == "https://store.azuredatalakestore.net"
    assert origin("adl://store.azuredatalakestore.net/dir") == "https://store.azuredatalakestore.net"
    monkeypatch.setenv("azure_url_suffix", "lake.example.org")
    assert origin("adl://store/dir") == "https://store.lake.example.org"
