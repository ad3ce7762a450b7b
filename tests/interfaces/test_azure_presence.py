"""`exists` and `size` of many keys on Azure: by listing, in whatever order it comes, and never wrong."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidPathError, ServerError
from cloudfiles.interfaces.azure import AzureInterface
from cloudfiles.testing import Rule, Status
from tests.selection import examples
from tests.servers.azure_paths import Path
from tests.servers.azure_server import AzureServer
from tests.servers.azurite import AzuriteServer

pytestmark = pytest.mark.one_runtime


@pytest.fixture
def server(azure_server: AzureServer) -> AzureServer:
    return azure_server


@pytest.fixture
def cf(server: AzureServer, green: bool) -> CloudFiles:
    return CloudFiles(f"az://{server.container}/", endpoint=server.endpoint, green=green,
                      secrets={"account_name": "account", "account_key": "a2V5"})


def methods(server: AzureServer) -> list[str]:
    return [request.method for request in server.requests()]


# Orders differ where astral characters meet those from U+E000 on (UTF-16), and before '/' (hierarchical namespaces).
_keys = st.text(st.sampled_from("ab-./ \u00e9\uff00\U0001f600"), min_size=1, max_size=4).filter(
    lambda key: {".", ".."}.isdisjoint(key.split("/")))


@pytest.mark.parametrize("hierarchical", [False, True])
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=st.dictionaries(_keys, st.binary(max_size=2), max_size=40),
       asked=st.lists(_keys, min_size=11, max_size=60))
def test_any_keys_in_any_order(server: AzureServer, cf: CloudFiles, hierarchical: bool, there: dict[str, bytes],
                               asked: list[str]) -> None:
    server.reset()
    server.configure(page_size=13, hierarchical=hierarchical)
    for key, content in there.items():
        server.put_blob(key, content)
    assert cf.exists(asked) == {key: key in there for key in asked}
    assert cf.size(asked) == {key: len(there[key]) if key in there else None for key in asked}


def test_many_keys_that_lie_dense_cost_few_requests(server: AzureServer, cf: CloudFiles) -> None:
    server.configure(page_size=500)
    keys = [f"d/{number:04}" for number in range(2000)]
    server._process.call("put_paths", {key: Path(b"x") for key in keys[:1800]})
    assert cf.exists(keys) == {key: key < "d/1800" for key in keys}
    assert methods(server) == ["GET"] * 4


def test_keys_far_apart_are_checked_one_by_one(server: AzureServer, cf: CloudFiles) -> None:
    server.configure(page_size=500)
    server._process.call("put_paths", {f"{number:04}": Path(b"x") for number in range(2000)})
    keys = [f"{number:04}" for number in range(1000, 2400, 100)]
    assert cf.exists(keys) == {key: key < "2000" for key in keys}
    assert sorted(methods(server)) == ["GET"] + ["HEAD"] * 14


def test_empty_blobs_may_be_directories(server: AzureServer, cf: CloudFiles) -> None:
    """Some programs mark directories by empty blobs with the metadata hdi_isfolder, which are no objects."""
    marker = Path(b"", {"x-ms-meta-hdi_isfolder": "true"})
    server._process.call("put_paths", {"dir": marker, "empty": Path(b""), **{f"k{n}": Path(b"x") for n in range(20)}})
    asked = ["dir", "empty", "none", *(f"k{n}" for n in range(20))]
    assert cf.exists(asked) == {key: key not in ("dir", "none") for key in asked} == {
        key: cf.exists(key) for key in asked}
    assert cf.size(["empty", *asked])["empty"] == 0


def test_a_key_that_no_blob_can_have_is_an_error_as_ever(server: AzureServer, cf: CloudFiles) -> None:
    for key in ("a/../b", "a\\b"):
        with pytest.raises(InvalidPathError):
            cf.exists([key, *(f"k{n}" for n in range(20))])


@pytest.mark.parametrize("status", [400, 403, 409])
def test_where_a_listing_is_refused_each_key_is_checked(server: AzureServer, cf: CloudFiles, status: int) -> None:
    """409: a prefix that goes through a file, in a hierarchical namespace."""
    server.put_blob("k3", b"x")
    server.script(Rule(Status(status, (("x-ms-error-code", "Some"),)), query="comp=list", times=None))
    keys = [f"k{n}" for n in range(20)]
    assert cf.exists(keys) == {key: key == "k3" for key in keys}


def test_a_transient_failure_is_not_missing(
        server: AzureServer, cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script(Rule(Status(501), times=None))
    with pytest.raises(ServerError):
        cf.exists([f"k{n}" for n in range(20)])


def test_at_azurite(azurite: AzuriteServer, green: bool) -> None:
    cf = CloudFiles(f"az://{azurite.make_container()}/x/", endpoint=azurite.endpoint, secrets=azurite.secrets,
                    green=green)
    there = [f"{number:03}\U0001f600-\uff00 &<%41" for number in range(0, 60, 2)]
    cf.puts([(key, b"content") for key in there])
    asked = [f"{number:03}\U0001f600-\uff00 &<%41" for number in range(60)]
    assert cf.exists(asked) == {key: key in there for key in asked}
    assert cf.size(asked) == {key: 7 if key in there else None for key in asked}
    assert not AzureInterface.traits.lists_in_key_order
