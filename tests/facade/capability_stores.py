"""The stores on which the contract tests of capabilities run."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.servers.adl_server import AdlServer
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer
from tests.servers.hadoop import HadoopServer
from tests.servers.webhdfs_server import WebHdfsServer

KEY = base64.b64encode(b"an account's key" * 4).decode()
KINDS = ("file", "mem", "s3", "gs", "az", "abfs", "webhdfs", "adl", pytest.param("hadoop", marks=pytest.mark.full))


def open_store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    """abfs: an Azure account with a hierarchical namespace; az: one without."""
    if kind == "file":
        return CloudFiles(f"file://{tmp_path}/root")
    if kind == "mem":
        return CloudFiles(f"mem://{tmp_path.name}/root")
    if kind == "s3":
        server: S3Server = request.getfixturevalue("fault_server")
        return CloudFiles(f"s3://{server.url}/bucket/root", secrets=server.secrets)
    if kind == "gs":
        gcs: GcsServer = request.getfixturevalue("gcs_server")
        return CloudFiles(f"gs://{gcs.url}/bucket/root")
    if kind == "webhdfs":
        webhdfs: WebHdfsServer = request.getfixturevalue("webhdfs_server")
        return CloudFiles(f"webhdfs://me@{webhdfs.authority}/root")
    if kind == "hadoop":
        hadoop: HadoopServer = request.getfixturevalue("hadoop")
        return CloudFiles(f"webhdfs://{hadoop.user}@{hadoop.authority}/{uuid.uuid4().hex}/root")
    if kind == "adl":
        adl: AdlServer = request.getfixturevalue("adl_server")
        return CloudFiles("adl://store/root", endpoint=adl.url, secrets={"token": "t0k3n"})
    azure: AzureServer = request.getfixturevalue("azure_server")
    azure.configure(key=KEY, hierarchical=kind == "abfs")
    return CloudFiles(f"{'abfs' if kind == 'abfs' else 'az'}://{azure.container}/root", endpoint=azure.endpoint,
                      secrets={"account_name": "account", "account_key": KEY})
