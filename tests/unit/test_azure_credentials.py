"""Where Azure credentials are looked for, what is made of them, and when they are looked for anew."""

from __future__ import annotations

import base64
import json
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.credentials import azure_chain
from cloudfiles.credentials.azure import AzureProvider
from cloudfiles.credentials.azure_sources import EMULATOR_ACCOUNT, AzureCredentials
from cloudfiles.credentials.provider import RECHECK_FILES, REFRESH_EARLY
from cloudfiles.credentials.renewal import RETRY_AFTER, Renewal
from cloudfiles.exceptions import AuthorizationError, ConfigurationError, MissingCredentialsError, MissingExtraError

RAW = b"a key of sixty-four bytes, as the accounts of Azure have them...."
KEY = base64.b64encode(RAW).decode()
SAS = "sv=2022-11-02&sr=c&sp=rl&sig=c2VjcmV0%3D"


class Now:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Chain:
    """Tokens that live an hour; raises what `error` holds."""

    def __init__(self, now: Now) -> None:
        self.now, self.calls, self.error = now, 0, None  # type: ignore[var-annotated]

    def __call__(self) -> AzureCredentials:
        self.calls += 1
        if self.error:
            raise self.error
        return AzureCredentials(token=f"token{self.calls}", expiry=self.now.now + 3600, source="test")


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def chain(now: Now) -> Chain:
    return Chain(now)


@pytest.fixture
def provider(now: Now, chain: Chain) -> Callable[..., AzureProvider]:
    def make(environ: dict[str, str] | None = None, **options: Any) -> AzureProvider:
        return AzureProvider("container", environ=environ or {}, clock=now, chain=chain, **options)

    return make


@pytest.fixture
def secrets(home: Path) -> Callable[..., Path]:
    def write(name: str, **content: str) -> Path:
        directory = home / ".cloudfiles" / "secrets"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(json.dumps(content))
        return directory / name

    return write


# ---- what is found where


@pytest.mark.parametrize("given", [
    {"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_KEY": KEY}, {"account_name": "acc", "account_key": KEY},
    {"account": "acc", "key": f"{KEY}\n"}, {"connection_string": f"AccountName=acc;AccountKey={KEY}"},
    json.dumps({"account": "acc", "key": KEY}),
    {"connection_string": f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=x.net"}])
def test_secrets_of_every_spelling(provider: Callable[..., AzureProvider], given: Any) -> None:
    found = provider(secrets=given).get()
    assert found is not None
    assert (found.account, found.key, found.sas, found.token) == ("acc", RAW, None, None)


def test_the_order(provider: Callable[..., AzureProvider], secrets: Callable[..., Path], home: Path) -> None:
    environ = {"AZURE_STORAGE_ACCOUNT": "env", "AZURE_STORAGE_KEY": KEY, "CLOUD_FILES_DIR": str(home / ".cloudfiles")}
    assert provider(environ).get().account == "env"  # type: ignore[union-attr]
    secrets("azure-secret.json", account="general", key=KEY)
    assert provider(environ).get().account == "general"  # type: ignore[union-attr]
    secrets("container-azure-secret.json", account="own", key=KEY)
    assert provider(environ).get().account == "own"  # type: ignore[union-attr]
    assert provider(environ, secrets={"account": "given", "key": KEY}).get().account == "given"  # type: ignore[union-attr]
    assert [name for name, _ in provider(environ).explain()][-2:] == ["environment", "azure-identity's default chain"]


def test_nothing_opens_another_account(provider: Callable[..., AzureProvider], chain: Chain) -> None:
    made = provider({"AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_KEY": KEY}, account="mine")
    assert made.get().token == "token1"  # type: ignore[union-attr]
    assert made.get().account == "mine"  # type: ignore[union-attr]
    assert made.location() == ("mine", None)
    assert "not used" in dict(made.explain())["environment"]


def test_connection_strings(provider: Callable[..., AzureProvider]) -> None:
    made = provider({"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"})
    assert made.get().account == EMULATOR_ACCOUNT  # type: ignore[union-attr]
    assert made.location() == (EMULATOR_ACCOUNT, f"http://127.0.0.1:10000/{EMULATOR_ACCOUNT}")
    made = provider({"AZURE_STORAGE_CONNECTION_STRING":
                     f"BlobEndpoint=https://acc.blob.core.chinacloudapi.cn/;SharedAccessSignature={SAS}"})
    assert made.get().sas == SAS  # type: ignore[union-attr]
    assert made.location()[1] == "https://acc.blob.core.chinacloudapi.cn/"
    made = provider({"AZURE_STORAGE_CONNECTION_STRING":
                     f"AccountName=acc;AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net"})
    assert made.location() == ("acc", "https://acc.blob.core.usgovcloudapi.net")


@pytest.mark.parametrize("given", [
    {"account": "acc", "key": "not base64!"}, {"key": KEY}, {"unknown": "x"}, {"sas": "sv=1"}, {"sas": "nonsense"},
    {"connection_string": "nonsense"}, {"connection_string": "A=b"}, {"account": 7, "key": KEY},
    {"account": "a\nb", "key": KEY}, {"sas": SAS + " HTTP/1.1"}])
def test_what_cannot_be_used(provider: Callable[..., AzureProvider], given: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider(secrets=given).get()
    assert KEY not in str(raised.value)


def test_explain_names_what_was_searched_before_an_unusable_source(provider: Callable[..., AzureProvider],
                                                                   secrets: Callable[..., Path]) -> None:
    path = secrets("azure-secret.json", AZURE_STORAGE_ACCOUNT="mine", AZURE_STORAGE_KEY=KEY)
    *searched, (source, found) = provider({"AZURE_STORAGE_SAS_TOKEN": "no SAS"}).explain()
    assert (str(path), "account mine, an account key") in searched
    assert (source, found) == ("error", "environment: expected a SAS as a query string with sv= and sig=")


def test_an_environment_that_names_but_the_account(provider: Callable[..., AzureProvider]) -> None:
    made = provider({"AZURE_STORAGE_ACCOUNT": "acc"})
    assert made.location() == ("acc", None)
    assert made.get().token == "token1"  # type: ignore[union-attr]


def test_a_sas_is_taken_with_its_question_mark(provider: Callable[..., AzureProvider]) -> None:
    found = provider({"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_SAS_TOKEN": f"?{SAS}"}).get()
    assert found is not None
    assert found.sas == SAS


def test_anonymous(provider: Callable[..., AzureProvider], chain: Chain) -> None:
    made = provider(anonymous=True)
    assert made.get() is None
    assert made.explain() == [("no_sign_request", "requests are not signed")]
    assert chain.calls == 0


def test_nothing_at_all(provider: Callable[..., AzureProvider], chain: Chain) -> None:
    for error in (AuthorizationError("nobody"), MissingExtraError("pip install 'cloudfiles[azure]'")):
        chain.error = error  # type: ignore[assignment]
        with pytest.raises(MissingCredentialsError, match=r"environment.*(nobody|pip install).*no_sign_request"):
            provider().get()


def test_anonymous_where_there_is_nothing(provider: Callable[..., AzureProvider], chain: Chain,
                                          caplog: pytest.LogCaptureFixture) -> None:
    chain.error = AuthorizationError("nobody")  # type: ignore[assignment]
    made = provider(or_anonymous=True)
    with caplog.at_level("INFO", "cloudfiles"):
        assert made.get() is None
        assert made.get() is None
    assert chain.calls == 1
    assert "without credentials" in caplog.text
    assert provider(or_anonymous=True, secrets={"account": "acc", "key": KEY}).get() is not None


# ---- secrets stay secret


def test_nothing_shows_a_secret(provider: Callable[..., AzureProvider]) -> None:
    for given in ({"account": "acc", "key": KEY}, {"account": "acc", "sas": SAS}):
        made = provider(secrets=given)
        found = made.get()
        for text in (repr(found), repr(made), str(made.explain())):
            assert KEY not in text
            assert "c2VjcmV0" not in text
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(found)


# ---- renewal


def test_tokens_are_renewed_early(provider: Callable[..., AzureProvider], now: Now, chain: Chain) -> None:
    made = provider()
    assert made.get() is made.get()
    now.now += 3600 - REFRESH_EARLY - 1
    assert made.get().token == "token1"  # type: ignore[union-attr]
    now.now += 2
    assert made.get().token == "token2"  # type: ignore[union-attr]
    assert chain.calls == 2


def test_a_token_lasts_where_its_renewal_fails(provider: Callable[..., AzureProvider], now: Now, chain: Chain) -> None:
    made = provider()
    made.get()
    chain.error = AuthorizationError("a bad moment")  # type: ignore[assignment]
    now.now += 3600 - REFRESH_EARLY + 1
    assert made.get().token == "token1"  # type: ignore[union-attr]
    assert made.get().token == "token1"  # type: ignore[union-attr]
    assert chain.calls == 2
    now.now += RETRY_AFTER + 1
    made.get()
    assert chain.calls == 3
    now.now += REFRESH_EARLY
    with pytest.raises(MissingCredentialsError):
        made.get()


def test_a_rejected_token(provider: Callable[..., AzureProvider], chain: Chain) -> None:
    made = provider()
    first = made.get()
    assert first is not None
    assert made.refresh(first).token == "token2"  # type: ignore[union-attr]
    assert made.refresh(first).token == "token2"  # type: ignore[union-attr]  # another worker's, with the old one
    assert chain.calls == 2


def test_files_are_looked_at_again(provider: Callable[..., AzureProvider], now: Now, secrets: Callable[..., Path],
                                   home: Path) -> None:
    environ = {"CLOUD_FILES_DIR": str(home / ".cloudfiles")}
    secrets("azure-secret.json", account="acc", key=KEY)
    made = provider(environ)
    assert made.get().key == RAW  # type: ignore[union-attr]
    secrets("azure-secret.json", account="acc", key=base64.b64encode(b"another").decode())
    assert made.get().key == RAW  # type: ignore[union-attr]
    now.now += RECHECK_FILES + 1
    assert made.get().key == b"another"  # type: ignore[union-attr]


def test_one_worker_renews_for_all(now: Now) -> None:
    calls, go = [], threading.Event()

    def chain() -> AzureCredentials:
        calls.append(1)
        go.wait(10)
        return AzureCredentials(token="token", expiry=now.now + 3600)

    made = AzureProvider("c", environ={}, clock=now, chain=chain, sleep=lambda seconds: time.sleep(0.001))
    found: list[Any] = []
    workers = [threading.Thread(target=lambda: found.append(made.get())) for _ in range(8)]
    for worker in workers:
        worker.start()
    go.set()
    for worker in workers:
        worker.join()
    assert len(calls) == 1
    assert len(found) == 8
    assert all(one is found[0] for one in found)


def test_a_failed_renewal_reaches_all(now: Now) -> None:
    def fetch() -> Any:
        raise AuthorizationError("refused")

    renewal: Renewal[str] = Renewal(fetch, now, lambda seconds: None)
    for _ in range(2):
        with pytest.raises(AuthorizationError, match="refused"):
            renewal.get()


# ---- azure-identity


def test_the_chain_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity
    from azure.core.exceptions import ClientAuthenticationError

    from cloudfiles.credentials import azure_chain

    class Stand:
        def __enter__(self) -> Stand:
            return self

        def __exit__(self, *error: object) -> None: ...

        def get_token(self, scope: str) -> Any:
            assert scope == "https://storage.azure.com/.default"
            if failing:
                raise ClientAuthenticationError("no member of the chain has one")
            return type("Token", (), {"token": "t", "expires_on": 123})()

    failing = False
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Stand)
    found = azure_chain.load()
    assert (found.token, found.expiry) == ("t", 123.0)
    failing = True
    with pytest.raises(AuthorizationError, match="no member"):
        azure_chain.load()


def test_a_chain_that_finds_nothing_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch,
                                                          caplog: pytest.LogCaptureFixture) -> None:
    identity = pytest.importorskip("azure.identity")
    from azure.core.exceptions import AzureError

    class Nobody:
        def get_token(self, *scopes: str, **options: object) -> object:
            raise identity.CredentialUnavailableError("nobody is signed in")

        def __enter__(self) -> Nobody:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(identity, "DefaultAzureCredential", lambda: identity.ChainedTokenCredential(Nobody()))
    with pytest.raises(AuthorizationError, match="nobody is signed in"):
        azure_chain.load()
    assert not caplog.records
    with pytest.raises(AzureError):
        identity.ChainedTokenCredential(Nobody()).get_token("scope")
    assert caplog.records  # of others it is logged as ever
