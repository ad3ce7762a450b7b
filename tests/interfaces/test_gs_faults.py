"""A bad day of a flaky network and a busy Cloud Storage: all comes out right, in both runtimes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from cloudfiles import CloudFiles
from cloudfiles.runtime.hub_engine import close_engine
from cloudfiles.testing import (
    Fault,
    FlipBit,
    ResetBefore,
    ResetInBody,
    Rule,
    ShortBody,
    SilentClose,
    internal_error,
    mix,
)
from cloudfiles.transport.client import close_clients
from tests.servers.gcs_server import GcsServer, backend_error, busy, json_error

pytestmark = pytest.mark.one_runtime


# The usual mix of the core's fault run, in Cloud Storage's words. The bit is one of the content.
USUAL: dict[Fault, float] = {
    backend_error(): 0.05, busy(): 0.02, internal_error(): 0.02, ResetBefore(): 0.03, ResetInBody(): 0.03,
    ShortBody(): 0.03, FlipBit(20_000): 0.01, SilentClose(): 0.05}


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    yield
    close_clients()
    close_engine()


@pytest.fixture(scope="module")
def contents(full: bool) -> dict[str, bytes]:
    return {f"key/{index:04}": random.Random(index).randbytes(4096) for index in range(2000 if full else 800)}


def differing(got: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """The keys whose contents differ: short enough to be shown."""
    return sorted(key for key in got.keys() | wanted.keys() if got.get(key) != wanted.get(key))


def store(server: GcsServer, green: bool, path: str = "") -> CloudFiles:
    return CloudFiles(f"gs://{server.url}/bucket/{path}", green=green)


def test_many_gets(gcs_server: GcsServer, green: bool, contents: dict[str, bytes]) -> None:
    gcs_server.put_many(contents)
    gcs_server.script(mix(7, USUAL))
    got = store(gcs_server, green).get(list(contents), return_dict=True)
    assert differing(got, contents) == []
    assert len(gcs_server.requests()) > 1.1 * len(contents)


@pytest.mark.full
def test_many_puts(gcs_server: GcsServer, green: bool, contents: dict[str, bytes]) -> None:
    gcs_server.script(mix(9, USUAL))
    assert store(gcs_server, green, "dir/").puts(contents.items()) == len(contents)
    assert differing(gcs_server.contents(), {f"dir/{key}": content for key, content in contents.items()}) == []


def test_listing_and_deleting_all(gcs_server: GcsServer, green: bool, contents: dict[str, bytes]) -> None:
    gcs_server.put_many(contents)
    gcs_server.configure(page_size=100)
    gcs_server.script(mix(11, {fault: share for fault, share in USUAL.items() if not isinstance(fault, FlipBit)}))
    cf = store(gcs_server, green)
    assert sorted(cf.list()) == sorted(contents)
    assert cf.exists(list(contents)) == dict.fromkeys(contents, True)
    cf.delete(list(contents))
    assert gcs_server.contents() == {}


def test_a_refusal_is_not_taken_for_missing(gcs_server: GcsServer, green: bool) -> None:
    gcs_server.put("key", b"content")
    gcs_server.script(Rule(json_error(404, "notFound", "The specified bucket does not exist."), times=None))
    cf = store(gcs_server, green)
    for ask in (cf.get, cf.exists, cf.head, cf.size):
        with pytest.raises(Exception, match=r"the bucket .* does not exist"):
            ask("key")
