"""What is loaded when."""

from __future__ import annotations

import subprocess
import sys

import pytest

SDKS = ["boto3", "botocore", "google", "azure", "requests", "aiohttp"]


@pytest.mark.parametrize(("statement", "unwanted"), [
    ("import cloudfiles", [*SDKS, "urllib3", "gevent", "ssl", "cloudfiles.cloudfiles"]),
    ("from cloudfiles import CloudFiles", [*SDKS, "urllib3", "gevent", "cloudfiles.transport.client"]),
    ("from cloudfiles import CloudFiles; CloudFiles('file:///').exists('x')", [*SDKS, "urllib3", "gevent"]),
    ("from cloudfiles import CloudFile, GetResult", [*SDKS, "urllib3", "gevent", "cloudfiles.transport.client"]),
    ("from cloudfiles import AsyncCloudFiles", [*SDKS, "cloudfiles.interfaces.azure"]),
    ("from cloudfiles import reset_connection_pools as reset; reset()", [*SDKS, "urllib3", "gevent"]),
])
def test_nothing_is_loaded_before_it_is_needed(statement: str, unwanted: list[str]) -> None:
    code = f"import sys; {statement}; print([name for name in {unwanted!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
