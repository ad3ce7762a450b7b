"""What every test stands on: servers started when first used, nobody's credentials, no way out of the machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.interfaces.azure.paths import forget_namespaces
from cloudfiles.testing import S3Server
from tests.servers import leaks, processes
from tests.servers.adl_server import AdlServer
from tests.servers.azure_server import AzureServer
from tests.servers.azurite import AzuriteServer
from tests.servers.azurite import azurite as run_azurite
from tests.servers.delay_proxy import delay_proxy as run_delay_proxy
from tests.servers.forgetting import forget_server
from tests.servers.gcs_server import GcsServer
from tests.servers.guard import Guard
from tests.servers.hadoop import HadoopServer
from tests.servers.hadoop import hadoop as run_hadoop
from tests.servers.http_proxy import HttpProxy
from tests.servers.tls import Certificates, make_certificates
from tests.servers.webhdfs_server import WebHdfsServer

pytest_plugins = ["tests.selection", "tests.distribution", "tests.internals"]

_GUARD = Guard()

# Where one of these is set, pytest explains a difference in full, of expected failures too: minutes
# for two bodies of megabytes.
for _name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(_name, None)

# Tests start hundreds of interpreters: all but the first load compiled modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A run in the background ignores SIGINT, and so would the programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Environment variables, by how they begin or end, that would bring in the developer's own set-up.
_FOREIGN_PREFIXES = ("AWS_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "AZURE_", "CLOUD_FILES_", "CLOUDFILES_",
                     "CLOUD_VOLUME_", "BOTO", "HADOOP_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_", "XDG_")
_FOREIGN_SUFFIXES = ("_PROXY",)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stores", metavar="NAMES", help="run the conformance suite against these stores only, as in "
                     "--stores=mem,file,scripted; the names are those of tests/conformance/stores.py")


@pytest.fixture(scope="session", autouse=True)
def _only_loopback() -> Iterator[None]:
    _GUARD.active = True
    yield
    _GUARD.active = False


@pytest.fixture(autouse=True)
def _no_outside_connection() -> Iterator[None]:
    """Fails a test that tried to leave the machine, even where the code under test swallowed the error."""
    _GUARD.take_refused()
    yield
    if refused := _GUARD.take_refused():
        pytest.fail(f"connections to the outside were tried: {refused}")


@pytest.fixture(autouse=True)
def _no_hub_left() -> Iterator[None]:
    """Ends the gevent hub that a test has left in this thread: batches of the tests after it would all run in that."""
    yield
    if "gevent" in sys.modules:
        from gevent._hub_local import get_hub_if_exists

        if (hub := get_hub_if_exists()) is not None:
            hub.destroy(destroy_loop=True)


@pytest.fixture(autouse=True)
def _no_width_remembered() -> Iterator[None]:
    """Forgets how many workers batches had: the tests share servers, and each begins with 20."""
    yield
    if (adaptive_width := sys.modules.get("cloudfiles.transport.concurrency.adaptive_width")) is not None:
        adaptive_width._widths.clear()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("homes")
    return (directory / str(number) for number in count())


@pytest.fixture(autouse=True)
def home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and an environment without credentials, proxies or certificates.

    `CLOUD_FILES_DIR` names the directory in it that would be used anyway; it does not exist yet.
    """
    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN_PREFIXES) or name.upper().endswith(_FOREIGN_SUFFIXES):
            monkeypatch.delenv(name)
    directory = next(_homes)
    directory.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(directory))
    monkeypatch.setenv("CLOUD_FILES_DIR", str(directory / ".cloudfiles"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return directory


@pytest.fixture(params=[True, False], ids=["green", "threads"])
def green(request: pytest.FixtureRequest) -> bool:
    """Both runtimes, one after the other."""
    return bool(request.param)


@pytest.fixture
def no_leaks() -> Callable[..., AbstractContextManager[None]]:
    """`with no_leaks(directory, allow=(...)):` raises where the block leaves threads, descriptors or files."""
    return leaks.no_leaks


# ---- servers of our own


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


class ScriptedServers:
    """The scripted servers: each is started when a test first uses it, and stopped after the last test."""

    def __init__(self) -> None:
        self._running: dict[tuple[Any, ...], Any] = {}
        self._end = ExitStack()

    def as_new(self, kind: Callable[..., Any], *arguments: object) -> Any:
        """The server `kind(*arguments)` without what earlier tests have left in it, or learned about it."""
        key = (kind, *arguments)
        if key not in self._running:
            self._running[key] = self._end.enter_context(kind(*arguments))
        self._running[key].reset()
        forget_server(self._running[key].port)
        return self._running[key]

    def stop(self) -> None:
        self._end.close()


@pytest.fixture(scope="session")
def _scripted() -> Iterator[ScriptedServers]:
    servers = ScriptedServers()
    yield servers
    servers.stop()


@pytest.fixture
def fault_server(_scripted: ScriptedServers) -> S3Server:
    """The scripted S3."""
    return _scripted.as_new(S3Server)


@pytest.fixture
def tls_fault_server(_scripted: ScriptedServers, certificates: Certificates) -> S3Server:
    """The scripted S3 over TLS."""
    return _scripted.as_new(S3Server, certificates.server)


@pytest.fixture
def mtls_fault_server(_scripted: ScriptedServers, certificates: Certificates) -> S3Server:
    """The scripted S3 over TLS, which demands a client certificate."""
    return _scripted.as_new(S3Server, certificates.server, certificates.authority)


@pytest.fixture
def gcs_server(_scripted: ScriptedServers) -> GcsServer:
    """The scripted Cloud Storage."""
    return _scripted.as_new(GcsServer)


@pytest.fixture
def azure_server(_scripted: ScriptedServers) -> AzureServer:
    """The scripted Azure."""
    forget_namespaces()
    return _scripted.as_new(AzureServer)


@pytest.fixture
def adl_server(_scripted: ScriptedServers) -> AdlServer:
    """The scripted Data Lake Storage Gen1."""
    return _scripted.as_new(AdlServer)


@pytest.fixture
def webhdfs_server(_scripted: ScriptedServers) -> WebHdfsServer:
    """The scripted WebHDFS."""
    return _scripted.as_new(WebHdfsServer)


@pytest.fixture
def delay_proxy() -> Iterator[Callable[..., int]]:
    """`delay_proxy(target_port, rtt, reset_after=None)` starts a proxy and gives its port."""
    running: list[AbstractContextManager[int]] = []

    def start(target: int, rtt: float, reset_after: int | None = None) -> int:
        running.append(run_delay_proxy(target, rtt, reset_after))
        return running[-1].__enter__()

    yield start
    for proxy in running:
        proxy.__exit__(None, None, None)


@pytest.fixture
def http_proxy() -> Iterator[HttpProxy]:
    """A forward proxy that asks for nothing."""
    with HttpProxy() as proxy:
        yield proxy


# ---- real servers


@pytest.fixture(scope="session")
def gcs_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Server]:
    with processes.gcs_emulator(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.RunningS3Server]:
    with processes.rclone_s3(tmp_path_factory.mktemp("rclone-s3")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.RunningS3Server]:
    with processes.moto_s3(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(params=["rclone_s3", "moto_s3"])
def s3_server(request: pytest.FixtureRequest) -> processes.RunningS3Server:
    """Every real S3 server, one after the other."""
    server: Any = request.getfixturevalue(request.param)
    assert isinstance(server, processes.RunningS3Server)
    return server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteServer]:
    with run_azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HadoopServer]:
    with run_hadoop(tmp_path_factory.mktemp("hadoop")) as server:
        yield server


@pytest.fixture(scope="session")
def caddy(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[processes.Server]:
    with processes.caddy(tmp_path_factory.mktemp("caddy"), certificates) as server:
        yield server


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[processes.Server]:
    with processes.nginx(tmp_path_factory.mktemp("nginx"), certificates) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Server]:
    with processes.rclone_http(tmp_path_factory.mktemp("rclone-http")) as server:
        yield server


@pytest.fixture(params=["caddy", "nginx", "rclone_http"])
def http_server(request: pytest.FixtureRequest) -> processes.Server:
    """Every real web server, one after the other."""
    server: Any = request.getfixturevalue(request.param)
    assert isinstance(server, processes.Server)
    return server
