"""Azurite, Microsoft's emulator of Blob Storage: verifies Shared Key, SAS and MD5; has no dfs endpoint.

Installed once into a directory of the cache (`CLOUDFILES_TEST_CACHE`, else ~/.cache/cloudfiles-tests); a machine
without node, or without a way to the registry, skips its tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.credentials.azure_sources import EMULATOR_ACCOUNT, EMULATOR_KEY
from tests.servers.processes import Server, _running, find_program

_VERSION = "3.35.0"
_INSTALL = f"npm install azurite@{_VERSION}"
_INSTALL_SECONDS = 120  # a test that takes five minutes ends the run
_CACHE = Path(os.environ.get("CLOUDFILES_TEST_CACHE") or Path.home() / ".cache" / "cloudfiles-tests")


@dataclass(frozen=True)
class AzuriteServer(Server):
    """A running azurite. `endpoint` has the account in its path."""

    account: str = EMULATOR_ACCOUNT
    key: str = EMULATOR_KEY

    @property
    def endpoint(self) -> str:
        return f"{self.url}/{self.account}"

    @property
    def secrets(self) -> dict[str, str]:
        """The account as a secrets file has it."""
        return {"AZURE_STORAGE_ACCOUNT": self.account, "AZURE_STORAGE_KEY": self.key}

    def client(self) -> Any:
        """The vendor's client, to look at the server from another side. Close it after use."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.endpoint, credential={"account_name": self.account, "account_key": self.key},
                                 retry_total=0)

    def make_container(self, *, public: bool = False) -> str:
        """Create a container and return its name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        with self.client() as client:
            client.create_container(name, public_access="container" if public else None)
        return name


def _program() -> str:
    """azurite-blob: installed where it is not. Skips the test where that cannot be."""
    find_program("node", "apt-get install nodejs npm")
    program = _CACHE / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip(f"azurite is not installed: {_INSTALL}")
        _CACHE.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run([npm, "install", "--prefix", str(_CACHE), "--no-audit", "--no-fund",
                                   f"azurite@{_VERSION}"], capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"azurite could not be installed by {_INSTALL} in {_INSTALL_SECONDS} s")
        if done.returncode or not program.exists():
            pytest.skip(f"azurite could not be installed by {_INSTALL}: {done.stderr[-300:]}")
    return str(program)


@contextmanager
def azurite(directory: Path) -> Iterator[AzuriteServer]:
    """Azurite in memory, at any x-ms-version."""
    program = _program()
    options = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with _running(directory / "home", lambda port: [program, "--blobHost", "127.0.0.1", "--blobPort", str(port),
                                                    *options]) as (port, pid):
        yield AzuriteServer("azurite", f"http://127.0.0.1:{port}", port, pid)
