"""Where the examples of README and docs run: a directory of their own, and a server in the place of the world."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfiles import CloudFiles, clear_memory, paths
from cloudfiles.testing import S3Server
from tests.patience import patient_dask
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer
from tests.servers.webhdfs_server import WebHdfsServer

AZURE_KEY = base64.b64encode(b"an account's key" * 4).decode()

WEB_SITE = "https://data.example.org"
"""What the examples take for a web server."""

NAME_NODE = "namenode.example.org:9870"
"""What they take for a cluster."""


@pytest.fixture
def world(fault_server: S3Server, gcs_server: GcsServer, azure_server: AzureServer, webhdfs_server: WebHdfsServer,
          tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Every `s3://` leads to an S3 server in memory, and what the answer says to replace leads there too.

    `gs://` and `az://` lead to the scripted servers.
    """
    fault_server.configure(create_buckets=True, record=False)
    azure_server.configure(key=AZURE_KEY, hierarchical=True)
    for name, value in fault_server.secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", fault_server.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING",
                       f"AccountName=account;AccountKey={AZURE_KEY};BlobEndpoint={azure_server.endpoint}")
    monkeypatch.chdir(tmp_path)
    web = f"{fault_server.url}/web"
    CloudFiles(fault_server.cloudpath("web/dataset/"), secrets=fault_server.secrets).puts(
        [("info", b'{"scales": 3}'), ("0-64", bytes(range(100)) * 10), ("64-128", b"chunk")])
    log = logging.getLogger("cloudfiles")
    level = log.level
    with patient_dask():
        yield {WEB_SITE: web, NAME_NODE: webhdfs_server.authority}
    log.setLevel(level)
    paths.remove_persistent_alias("lab")
    clear_memory()
