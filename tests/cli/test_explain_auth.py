"""`cloudfiles explain-auth`: the order of the places, what is in them, and no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Cli = Callable[..., Outcome]
KEY = base64.b64encode(b"a secret key").decode()


@pytest.fixture
def secrets(home: Path) -> Callable[..., Path]:
    def write(name: str, **content: str) -> Path:
        path = home / ".cloudfiles" / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture(autouse=True)
def _no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity would ask servers."""
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", _Nobody)


class _Nobody:
    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *error: object) -> None: ...

    def get_token(self, scope: str) -> None:
        from azure.core.exceptions import ClientAuthenticationError

        raise ClientAuthenticationError("nobody is signed in")


def test_azure(cli: Cli, secrets: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = secrets("azure-secret.json", account_name="acc", account_key=KEY)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "other")
    outcome = cli("explain-auth", "az://container/x")
    assert (outcome.status, outcome.errors) == (0, "")
    lines = outcome.output.splitlines()
    assert [line.split("  ")[0].rpartition("/")[2] for line in lines] == [
        "container-azure-secret.json", "container-azure-secret.json", "azure-secret.json", "azure-secret.json",
        "environment", "azure-identity's default chain"]
    assert f"{path}  " in outcome.output
    assert "account acc, an account key" in outcome.output
    assert "account other" in outcome.output
    assert "nobody is signed in" in outcome.output
    assert KEY not in outcome.output


def test_s3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE0000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secretkey1234567")
    outcome = cli("explain-auth", "s3://bucket/x", "--json")
    found = {finding["place"]: finding["found"] for finding in json.loads(outcome.output)}
    assert "access key ...0000" in found["environment"]
    assert list(found)[-1] == "botocore's chain"
    assert "secretkey" not in outcome.output


def test_web(cli: Cli, secrets: Callable[..., Path], tmp_path: Path) -> None:
    path = secrets("http-secret.json", token="very-secret")
    outcome = cli("explain-auth", "https://user:hidden@host/x")
    assert outcome.output.splitlines()[0].split() == ["the", "cloudpath", "user", "and", "password"]
    assert f"Bearer, from {path}" in outcome.output
    assert "secret" not in outcome.output.replace("http-secret.json", "").replace("secrets", "")
    assert "hidden" not in outcome.output
    path.write_text("no json")
    assert "error" in cli("explain-auth", "https://host/x").output
    given = tmp_path / "given.json"
    given.write_text('{"other.host": {"token": "x"}}')
    assert "nothing for host" in cli("explain-auth", "https://host/x", "--secrets", str(given)).output


def test_protocols_without_credentials(cli: Cli) -> None:
    assert cli("explain-auth", "mem://bucket/x") == (0, "mem:// does not use credentials\n", "")
    assert cli("explain-auth", "ftp://x").status == 2
