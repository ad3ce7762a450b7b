"""torch reads samples from a store, in this process and in forked and spawned workers."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from torch.utils.data import DataLoader

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.programs.torch_datasets import Samples, Stream

pytestmark = pytest.mark.full

COUNT = 40


@pytest.fixture
def cf(fault_server: S3Server) -> CloudFiles:
    fault_server.put_many({f"samples/{number:02d}": bytes([number] * 8) for number in range(COUNT)})
    return CloudFiles(fault_server.cloudpath("bucket/samples"), secrets=fault_server.secrets)


WORKERS = [(0, None), (2, "fork"), (2, "spawn")]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize(("workers", "start"), WORKERS)
def test_samples(cf: CloudFiles, fault_server: S3Server, monkeypatch: pytest.MonkeyPatch, workers: int,
                 start: str | None) -> None:
    _give_secrets(fault_server, monkeypatch)
    cf = CloudFiles(cf.cloudpath)
    paths = sorted(cf)  # this process has used its connections before it forks
    loader = DataLoader(Samples(cf, paths), batch_size=8, num_workers=workers, multiprocessing_context=start)
    batches = [batch[:, 0].tolist() for batch in loader]
    assert batches == [list(range(first, first + 8)) for first in range(0, COUNT, 8)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize(("workers", "start"), WORKERS)
def test_stream(cf: CloudFiles, fault_server: S3Server, monkeypatch: pytest.MonkeyPatch, workers: int,
                start: str | None) -> None:
    _give_secrets(fault_server, monkeypatch)
    cf = CloudFiles(cf.cloudpath)
    loader = DataLoader(Stream(cf, sorted(cf)), batch_size=None, num_workers=workers, multiprocessing_context=start)
    assert sorted(int(sample[0]) for sample in loader) == list(range(COUNT))


def _give_secrets(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, which spawned workers inherit: pickles have no secrets."""
    for name, value in server.secrets.items():
        monkeypatch.setenv(name, value)
