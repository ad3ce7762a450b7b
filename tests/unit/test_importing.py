"""What is loaded when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudfiles.testing import S3Server
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer

PROJECT = Path(__file__).resolve().parents[2]
SDKS = ["boto3", "botocore", "google", "azure", "requests", "aiohttp"]

SLOW = ["asyncio", "concurrent.futures", "dataclasses", "email", "gevent", "html", "http.client", "inspect", "logging",
        "multiprocessing", "pickle", "platform", "shutil", "ssl", "tempfile", "tqdm", "urllib.request", "urllib3",
        "uuid", "xml"]
"""Modules that take long to import and that a single request over plain HTTP does not need."""


@pytest.mark.parametrize(("statement", "unwanted"), [
    ("import cloudfiles", [*SDKS, *SLOW, "cloudfiles.cloudfiles"]),
    ("from cloudfiles import CloudFiles", [*SDKS, *SLOW, "hashlib", "mimetypes", "pathlib", "socket", "urllib.parse",
                                           "cloudfiles.batch.listing_plan", "cloudfiles.interfaces.capabilities",
                                           "cloudfiles.transport.client"]),
    ("from cloudfiles import CloudFiles; CloudFiles('file:///').exists('x')", [*SDKS, "urllib3", "gevent"]),
    ("import cloudfiles.interfaces.http.interface, cloudfiles.interfaces.mem", ["dataclasses", "inspect"]),
    ("from cloudfiles import CloudFile, GetResult", [*SDKS, "urllib3", "gevent", "cloudfiles.transport.client"]),
    ("from cloudfiles import AsyncCloudFiles", [*SDKS, "cloudfiles.interfaces.azure"]),
    ("import cloudfiles.runtime.green", ["gevent.threadpool", "dataclasses", "inspect", "pprint"]),
    ("from cloudfiles import reset_connection_pools as reset; reset()", [*SDKS, "urllib3", "gevent"]),
])
def test_nothing_is_loaded_before_it_is_needed(statement: str, unwanted: list[str]) -> None:
    assert loaded(statement, unwanted) == "[]"


def loaded(statement: str, unwanted: list[str]) -> str:
    """Which of the modules a new interpreter has imported after `statement`, not counting those that `site` imports."""
    code = f"import sys\n{statement}\nprint([name for name in {unwanted!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])}).stdout.strip()


def test_naming_the_facade_compiles_no_patterns_and_no_annotations_of_tuples() -> None:
    """A pattern takes up to 2 ms, a `typing.NamedTuple` 0.2 ms."""
    code = """
import fnmatch, json, pathlib, re, typing
made = []
re.compile = lambda pattern, flags=0: made.append(pattern)
typing.NamedTupleMeta.__new__ = lambda cls, name, *args: made.append(name)
from cloudfiles import CloudFiles
print(made)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize("call", [
    "cf.get('key') == b'content'", "cf.get(['key'], return_dict=True) == {'key': b'content'}",
    "cf.exists(['key']) == {'key': True}", "cf.size(['key']) == {'key': 7}", "cf.delete('key') == 1",
    "cf.put('key', b'more') == 1", "cf.puts([('key', b'more')]) == 1",
    "next(iter(cf.stream(['key'])))['path'] == 'key'"])
def test_one_object_over_http_needs_few_modules(call: str, fault_server: S3Server, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    """With credentials in the environment, as in a job of a cluster."""
    fault_server.put("key", b"content")
    for name, value in fault_server.secrets.items():
        monkeypatch.setenv(name, value)
    code = f"from cloudfiles import CloudFiles; cf = CloudFiles({fault_server.cloudpath()!r}); assert {call}"
    assert loaded(code, [*SDKS, *SLOW]) == "[]"


def test_one_object_of_cloud_storage_needs_few_modules(gcs_server: GcsServer) -> None:
    gcs_server.configure(token="t0k3n")
    gcs_server.put("key", b"content")
    assert loaded_by_get(f"gs://{gcs_server.bucket}/", endpoint=gcs_server.url, secrets={"token": "t0k3n"}) == "[]"


def test_one_object_of_azure_needs_few_modules(azure_server: AzureServer) -> None:
    azure_server.put_blob("key", b"content")
    account = {"AZURE_STORAGE_ACCOUNT": "account", "AZURE_STORAGE_KEY": "a2V5"}
    assert loaded_by_get(f"az://{azure_server.container}/", endpoint=azure_server.endpoint, secrets=account) == "[]"


def test_one_local_object_needs_few_modules(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"content")
    assert loaded_by_get(tmp_path.as_uri()) == "[]"


def loaded_by_get(cloudpath: str, **options: object) -> str:
    return loaded(f"from cloudfiles import CloudFiles; cf = CloudFiles({cloudpath!r}, **{options!r}); "
                  "assert cf.get('key') == b'content'", [*SDKS, *SLOW])


@pytest.mark.parametrize(("arguments", "unwanted"), [
    (["--help"], ["cloudfiles.interfaces", "cloudfiles.transfer", "dataclasses", "email", "logging", "socket"]),
    (["ls", "."], ["email", "gevent", "logging", "random", "sqlite3", "tempfile", "tqdm"]),
    (["cp", "a", "b"], ["cloudfiles.transfer.sync", "difflib", "email", "gevent", "tempfile", "tqdm"])])
def test_commands_load_what_they_need(
        arguments: list[str], unwanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"content")
    command = f"""
from cloudfiles.cli import main
import contextlib, io
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main({arguments!r})
"""
    assert loaded(command, [*SDKS, *unwanted]) == "[]"
