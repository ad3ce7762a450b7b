"""`parallel=`: batches spread over processes, or handed to an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, InvalidInputError
from tests.conformance.stores import StoreUnderTest
from tests.servers.fault_server import FaultServer
from tests.servers.faults import Status
from tests.servers.scripts import Rule

pytestmark = pytest.mark.stores("file", "scripted", "rclone")

CONTENTS = {f"k{i:03}": b"%d" % i for i in range(50)}


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def spawned() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed", reason="pip install 'dask[distributed]'")
    with (distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, host="127.0.0.1",
                                   protocol="tcp", dashboard_address=None) as cluster,
          distributed.Client(cluster) as client, client.get_executor(pure=False) as executor):
        yield executor


def _every_verb(cf: CloudFiles) -> None:
    assert cf.puts(list(CONTENTS.items())) == len(CONTENTS)
    keys = [*CONTENTS, "nowhere"]
    found = cf.get(keys)
    assert [(one["path"], one["content"]) for one in found] == [*CONTENTS.items(), ("nowhere", None)]
    assert [one["content"] for one in cf.get(iter(keys))] == [*CONTENTS.values(), None]
    [ranged, *_] = cf.get([{"path": "k012", "start": 1, "end": 2, "tags": 5}, *keys])
    assert (ranged["content"], ranged["byte_range"], ranged["tags"]) == (b"2", (1, 2), 5)
    assert cf.get(keys, return_dict=True) == {**CONTENTS, "nowhere": None}
    assert cf.exists(keys) == {key: key in CONTENTS for key in keys}
    assert cf.get("k001") == b"1"
    cf.delete(list(CONTENTS)[:40])
    assert sorted(cf.list()) == sorted(CONTENTS)[40:]


def test_two_processes(store: StoreUnderTest) -> None:
    _every_verb(store.cf(parallel=2))


def test_a_thread_pool(store: StoreUnderTest, threads: Executor) -> None:
    _every_verb(store.cf(parallel=threads))


def test_processes_that_the_caller_knows(store: StoreUnderTest, threads: Executor) -> None:
    cf = store.cf()
    cf.puts(CONTENTS.items(), parallel=threads)
    assert [one["content"] for one in cf.get(CONTENTS.keys(), parallel=threads)] == list(CONTENTS.values())


def test_dask(store: StoreUnderTest, dask: Executor) -> None:
    _every_verb(store.cf(parallel=dask))


@pytest.mark.stores("file")
def test_a_process_pool(store: StoreUnderTest, spawned: Executor) -> None:
    _every_verb(store.cf(parallel=spawned))


@pytest.mark.stores("scripted")
def test_a_process_pool_finds_credentials_of_its_own(store: StoreUnderTest, home: Any,
                                                    fault_server: FaultServer) -> None:
    """A pool of somebody else's processes gets no secrets with the work; the files and the environment are there."""
    import orjson

    (home / ".cloudfiles" / "secrets").mkdir(parents=True)
    (home / ".cloudfiles" / "secrets" / "aws-secret.json").write_bytes(orjson.dumps(fault_server.secrets))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        _every_verb(store.cf(parallel=executor))


@pytest.mark.stores("scripted")
def test_an_error_of_a_process_is_the_callers(store: StoreUnderTest, fault_server: FaultServer,
                                              threads: Executor) -> None:
    store.seed(CONTENTS)
    fault_server.script(Rule(Status(403), key=store.cloudpath.split("/", 3)[3] + "k007", times=None))
    for parallel in (2, threads):
        with pytest.raises(AuthorizationError, match="k007"):
            store.cf(parallel=parallel).get(list(CONTENTS))
    found = store.cf(parallel=2).get(list(CONTENTS), raise_errors=False)
    assert [one["path"] for one in found if one["error"]] == ["k007"]
    assert isinstance(found[7]["error"], AuthorizationError)


@pytest.mark.stores("file")
def test_an_open_file_is_not_sent_to_another_process(store: StoreUnderTest) -> None:
    with open(__file__, "rb") as file, pytest.raises(InvalidInputError, match="parallel=1"):
        store.cf(parallel=2).puts([("a", b""), ("b", file)])
    assert list(store.cf().list()) == []


@pytest.mark.stores("file")
def test_progress_of_processes(store: StoreUnderTest, threads: Executor, capsys: pytest.CaptureFixture[str]) -> None:
    store.seed(CONTENTS)
    store.cf(parallel=threads).get(list(CONTENTS), progress=True)
    assert "50/50" in capsys.readouterr().err
