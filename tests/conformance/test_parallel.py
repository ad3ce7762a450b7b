"""`parallel=`: batches spread over processes, or handed to an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import pytest

from cloudfiles import CloudFile, CloudFiles
from cloudfiles.exceptions import AuthorizationError, InvalidInputError, MissingCredentialsError
from cloudfiles.secrets import export_secrets, import_secrets
from cloudfiles.testing import Rule, S3Server, Status
from tests.conformance.stores import StoreUnderTest
from tests.core.programs import run_program
from tests.patience import patient_dask

pytestmark = [pytest.mark.stores("file", "scripted", "rclone"), pytest.mark.own_servers]

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
    with (patient_dask(),
          distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, host="127.0.0.1",
                                   protocol="tcp", dashboard_address=":0") as cluster,
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
    assert cf.size(iter(keys)) == {**{key: len(content) for key, content in CONTENTS.items()}, "nowhere": None}
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


@pytest.fixture
def own_credentials(home: Any, fault_server: S3Server) -> Path:
    """A secrets file that any process finds."""
    file: Path = home / ".cloudfiles" / "secrets" / "aws-secret.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(orjson.dumps(fault_server.secrets))
    return file


@pytest.mark.stores("scripted")
def test_a_process_pool_finds_credentials_of_its_own(store: StoreUnderTest, own_credentials: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        _every_verb(store.cf(parallel=executor, secrets=None))


@pytest.mark.stores("scripted")
def test_a_process_pool_has_no_secrets_that_were_passed(store: StoreUnderTest, own_credentials: Path) -> None:
    """Nor does it take others for them: they might be another account's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        cf = store.cf(parallel=executor)
        for verb in (lambda: cf.get(list(CONTENTS)), lambda: cf.puts(list(CONTENTS.items())),
                     lambda: cf.exists(list(CONTENTS)), lambda: cf.delete(list(CONTENTS)),
                     executor.submit(cf.get, "k001").result, executor.submit(CloudFile.get, CloudFile(
                         cf.abspath("k001"), endpoint=cf._store.options.endpoint, secrets=cf._store.options.secrets)
                         ).result):
            with pytest.raises(MissingCredentialsError, match=r"import_secrets"):
                verb()
    assert list(cf.list()) == []


@pytest.mark.stores("scripted")
def test_a_process_pool_reads_the_file_that_secrets_names(store: StoreUnderTest, own_credentials: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = own_credentials.rename(own_credentials.parent / "mine.json")
    monkeypatch.chdir(elsewhere.parent)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        _every_verb(store.cf(parallel=executor, secrets="mine.json"))


@pytest.mark.stores("scripted")
def test_a_process_pool_is_given_the_secrets(store: StoreUnderTest) -> None:
    exported = export_secrets(store.cf())
    assert "secretkey" not in repr(exported)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=import_secrets,
                             initargs=(exported,)) as executor:
        _every_verb(store.cf(parallel=executor))


@pytest.mark.stores("scripted")
def test_a_fork_knows_what_was_passed(store: StoreUnderTest) -> None:
    """Though it was never pickled before the fork."""
    assert run_program(f"""
        import multiprocessing
        from cloudfiles import CloudFiles
        cf = CloudFiles({store.cloudpath!r}, **{store.options!r})
        with multiprocessing.get_context("fork").Pool(1) as forks:
            forks.apply(len, ([],))
            print(forks.apply(cf.get, ("nowhere",)))
    """) == "None"


@pytest.mark.stores("scripted")
def test_an_error_of_a_process_is_the_callers(store: StoreUnderTest, fault_server: S3Server,
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
    shown = capsys.readouterr().err
    assert "50/50" in shown
    assert "Downloading" in shown
