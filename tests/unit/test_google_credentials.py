"""Google credentials: the order of the places, tokens of google-auth from servers of our own, renewal."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.credentials.google import REFRESH_EARLY, GoogleProvider, GoogleToken
from cloudfiles.credentials.google_chain import SCOPES, GoogleChain
from cloudfiles.credentials.renewal import RETRY_AFTER
from cloudfiles.exceptions import AuthorizationError, ConfigurationError, MissingExtraError
from cloudfiles.retry import RetryPolicy
from tests.servers.google_tokens import EMAIL, TokenServer, token_server

google_auth = pytest.importorskip("google.auth")
crypt = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")


@pytest.fixture(scope="session")
def private_key() -> Any:
    return crypt.generate_private_key(65537, 2048)


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


@pytest.fixture
def service_account(tokens: TokenServer, private_key: Any) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization

    pem = private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
    return {"type": "service_account", "client_email": EMAIL, "private_key": pem.decode(), "private_key_id": "k1",
            "project_id": "my-project", "token_uri": f"{tokens.url}/token", "client_id": "1"}


@pytest.fixture
def user(tokens: TokenServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{tokens.url}/user-token")
    return {"type": "authorized_user", "client_id": "id", "client_secret": "s3cret", "refresh_token": "1//refresh"}


@pytest.fixture
def secrets_dir(home: Path) -> Path:
    directory = home / ".cloudfiles" / "secrets"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture(autouse=True)
def _no_metadata_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True, raising=False)


QUICK = GoogleChain(policy=RetryPolicy(attempts=4, window=0.0))


def provider(secrets: Any = None, bucket: str = "bucket", **options: Any) -> GoogleProvider:
    return GoogleProvider(bucket, secrets, **{"chain": QUICK, **options})


# ---- kinds of credentials


def test_a_service_account_exchanges_a_signed_assertion(tokens: TokenServer, service_account: dict[str, str],
                                                        private_key: Any) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    token = provider(service_account).get()
    assert token.authorization == "Bearer ya29.token-1"
    assert token.project == "my-project"
    [(path, form)] = tokens.seen
    assert (path, form["grant_type"]) == ("/token", "urn:ietf:params:oauth:grant-type:jwt-bearer")
    signed, _, signature = form["assertion"].rpartition(".")
    private_key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
    assert (header["alg"], header["kid"]) == ("RS256", "k1")
    assert (claims["iss"], claims["aud"], claims["scope"]) == (EMAIL, "https://oauth2.googleapis.com/token", SCOPES[0])


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_secrets_may_be_a_dict_text_or_a_path(tokens: TokenServer, service_account: dict[str, str],
                                              tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(service_account))
    for secrets in (service_account, json.dumps(service_account), str(path), path):
        assert provider(secrets).get().authorization.startswith("Bearer ya29.token-")
    assert tokens.paths() == ["/token"] * 4


def test_a_user(tokens: TokenServer, user: dict[str, str]) -> None:
    assert provider(user).get().authorization == "Bearer ya29.user-token-1"
    assert tokens.seen[0][1]["refresh_token"] == "1//refresh"


def test_workload_identity_federation(tokens: TokenServer, tmp_path: Path) -> None:
    (tmp_path / "subject").write_text("subject-token")
    external = {"type": "external_account",
                "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/q",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{tokens.url}/sts",
                "credential_source": {"file": str(tmp_path / "subject")}}
    assert provider(external).get().authorization == "Bearer ya29.sts-1"
    assert tokens.seen[0][1]["subject_token"] == "subject-token"
    (tmp_path / "subject").unlink()
    with pytest.raises(AuthorizationError, match="not found"):
        provider(external).get()


def test_impersonation(tokens: TokenServer, user: dict[str, str]) -> None:
    impersonated = {"type": "impersonated_service_account", "source_credentials": user,
                    "service_account_impersonation_url":
                        f"{tokens.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"}
    chain = GoogleChain(policy=RetryPolicy(attempts=2, window=0.0))
    loaded = chain.from_values("secrets=", impersonated)
    loaded[0]._iam_endpoint_override = impersonated["service_account_impersonation_url"]
    assert chain.token(loaded, "secrets=").authorization.startswith("Bearer ya29.impersonated-")
    assert tokens.paths()[0] == "/user-token"
    assert tokens.seen[-1][1]["authorization"] == "Bearer ya29.user-token-1"


def test_a_token_at_hand(tokens: TokenServer) -> None:
    token = provider({"token": " ya29.mine\n", "project_id": "p"}).get()
    assert (token.authorization, token.project, token.signer, token.expiry) == ("Bearer ya29.mine", "p", None, None)
    assert tokens.seen == []


# ---- the order of places


def test_places_in_order(tokens: TokenServer, service_account: dict[str, str], user: dict[str, str], secrets_dir: Path,
                         monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    default = tmp_path / "adc.json"
    default.write_text(json.dumps(user))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(default))
    assert provider().get().source == "application default credentials"
    (secrets_dir / "google-secret.json").write_text(json.dumps({"token": "general"}))
    assert provider().get().authorization == "Bearer general"
    (secrets_dir / "bucket-google-secret.json").write_text(json.dumps({"token": "bucket's"}))
    assert provider().get().authorization == "Bearer bucket's"
    assert provider(bucket="other").get().authorization == "Bearer general"
    assert provider({"token": "handed in"}).get().authorization == "Bearer handed in"
    assert provider({"token": "handed in"}, anonymous=True).get().authorization == ""


def test_the_gcloud_file_is_found(tokens: TokenServer, user: dict[str, str], home: Path) -> None:
    directory = home / ".config" / "gcloud"
    directory.mkdir(parents=True)
    (directory / "application_default_credentials.json").write_text(json.dumps(user))
    assert provider().get().authorization == "Bearer ya29.user-token-1"


def test_the_metadata_server_is_asked_patiently(tokens: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = pytest.importorskip("google.auth.compute_engine._metadata")
    host = tokens.url.removeprefix("http://")
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    monkeypatch.setattr(metadata, "_NO_GCE_CHECK", False)
    monkeypatch.setattr(metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setattr(metadata, "_GCE_DEFAULT_HOST", host, raising=False)
    monkeypatch.setenv("GCE_METADATA_IP", host)
    monkeypatch.setattr(metadata, "_get_metadata_ip_root", lambda use_mtls=False: tokens.url)
    chain = GoogleChain(policy=RetryPolicy(attempts=4, window=0.0))
    loaded = chain.default()
    assert loaded[1] == "my-project"
    tokens.failures = [503, 500]
    token = chain.token(loaded, "metadata")
    assert token.authorization.startswith("Bearer ya29.")
    assert (token.signer.email, token.signer.is_remote) == (EMAIL, True)
    assert all(asked["flavor"] == "Google" for path, asked in tokens.seen)


def test_nothing_configured_goes_unsigned_and_says_so(caplog: pytest.LogCaptureFixture, secrets_dir: Path) -> None:
    with caplog.at_level(logging.INFO, "cloudfiles"):
        without = provider()
        assert without.get().authorization == ""
        assert without.get().authorization == ""
    [said] = [message for message in caplog.messages if message.startswith("gs://")]
    assert "no Google credentials" in said
    assert str(secrets_dir / "bucket-google-secret.json") in said
    assert "application default credentials" in said
    findings = without.explain()
    assert findings[-1].source == "without credentials"
    assert [finding.found for finding in findings[:-1]] == ["nothing"] * (len(findings) - 1)


def test_nothing_but_what_was_passed_goes_elsewhere(secrets_dir: Path) -> None:
    (secrets_dir / "google-secret.json").write_text(json.dumps({"token": "general"}))
    elsewhere = provider(explicit_only=True)
    assert elsewhere.get().authorization == ""
    assert "not Google's" in elsewhere.explain()[0].found
    assert provider({"token": "t"}, explicit_only=True).get().authorization == "Bearer t"
    cf = CloudFiles("gs://bucket/", endpoint="http://127.0.0.1:9")
    assert cf._store.here().explain_credentials()[0][1].startswith("not searched")


# ---- what is wrong with them


@pytest.mark.parametrize("secrets", [
    {"type": "service_account"}, {"type": "service_account", "client_email": EMAIL, "private_key": "s3cret",
                                  "token_uri": "http://127.0.0.1:9"},
    {"type": "unheard_of", "private_key": "s3cret"}, {"AWS_ACCESS_KEY_ID": "s3cret"}, {"token": 7}, {}])
def test_credentials_that_are_none_are_refused(secrets: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider(secrets).get()
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_default_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "not there.json"))
    with pytest.raises(ConfigurationError, match="application default credentials are not usable"):
        provider().get()
    assert "are not usable" in provider().explain()[-1].found


def test_a_refused_exchange_is_an_error(tokens: TokenServer, user: dict[str, str]) -> None:
    tokens.failures = [400]
    with pytest.raises(AuthorizationError, match="later"):
        provider(user).get()


def test_passing_failures_of_the_token_server_pass(tokens: TokenServer, user: dict[str, str]) -> None:
    tokens.failures = [503, 429, 500]
    assert provider(user).get().authorization == "Bearer ya29.user-token-4"


def test_lasting_failures_of_the_token_server_are_errors(tokens: TokenServer, user: dict[str, str]) -> None:
    tokens.failures = [503] * 50
    with pytest.raises(AuthorizationError, match="503"):
        provider(user).get()


def test_without_google_auth(monkeypatch: pytest.MonkeyPatch, service_account: dict[str, str]) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(MissingExtraError, match=r"cloudfiles\[gs\]"):
        provider(service_account).get()
    assert provider({"token": "t"}).get().authorization == "Bearer t"
    assert provider().get().authorization == ""
    assert "not installed" in provider().explain()[-2].found
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    with pytest.raises(MissingExtraError):
        GoogleProvider("bucket").get()


# ---- secrets stay secret


def test_nothing_shows_a_secret(tokens: TokenServer, service_account: dict[str, str], user: dict[str, str]) -> None:
    for secrets in (service_account, user, {"token": "ya29.mine"}):
        asked = provider(secrets)
        token = asked.get()
        shown = f"{asked!r} {token!r} {asked.explain()}"
        for secret in ("ya29", "s3cret", "1//refresh", "PRIVATE"):
            assert secret not in shown
        with pytest.raises(TypeError):
            pickle.dumps(token)
    assert EMAIL in str(provider(service_account).explain())


# ---- renewal


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Chain(GoogleChain):
    """Tokens that live for an hour of `clock`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.calls = 0
        self.error: Exception | None = None
        self.lifetime = 3600.0

    def from_values(self, name: str, values: Any) -> Any:
        return None, None

    def token(self, loaded: Any, source: str) -> GoogleToken:
        self.calls += 1
        if self.error:
            raise self.error
        return GoogleToken(f"Bearer {self.calls}", source, expiry=self.clock.now + self.lifetime)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(clock: Clock) -> Chain:
    return Chain(clock)


@pytest.fixture
def renewed(clock: Clock, chain: Chain) -> GoogleProvider:
    return GoogleProvider("bucket", {"type": "service_account"}, clock=clock, chain=chain)


def test_tokens_are_renewed_early(renewed: GoogleProvider, clock: Clock, chain: Chain) -> None:
    assert renewed.get().authorization == "Bearer 1"
    clock.now += 3600 - REFRESH_EARLY - 1
    assert renewed.get().authorization == "Bearer 1"
    clock.now += 2
    assert renewed.get().authorization == "Bearer 2"


def test_an_early_renewal_that_fails_is_no_error(renewed: GoogleProvider, clock: Clock, chain: Chain) -> None:
    renewed.get()
    chain.error = AuthorizationError("the token server is away")
    clock.now += 3600 - REFRESH_EARLY + 1
    assert renewed.get().authorization == "Bearer 1"
    assert renewed.get().authorization == "Bearer 1"
    assert chain.calls == 2
    clock.now += REFRESH_EARLY
    with pytest.raises(AuthorizationError, match="away"):
        renewed.get()


def test_a_token_that_soon_expires_is_not_requested_all_the_time(renewed: GoogleProvider, clock: Clock,
                                                                 chain: Chain) -> None:
    chain.lifetime = 100.0
    renewed.get()
    renewed.get()
    assert chain.calls == 1
    clock.now += RETRY_AFTER + 1
    renewed.get()
    assert chain.calls == 2


def test_a_refused_token_is_replaced_once_for_all(renewed: GoogleProvider, chain: Chain) -> None:
    refused = renewed.get()
    assert renewed.refresh(refused).authorization == "Bearer 2"
    assert renewed.refresh(refused).authorization == "Bearer 2"
    assert chain.calls == 2
    unsigned = GoogleToken("", "nothing")
    assert renewed.refresh(unsigned) is unsigned


def test_many_workers_cost_one_token(clock: Clock, chain: Chain) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def run_in_thread(function: Callable[..., Any], *args: Any) -> Any:
        begun.set()
        go_on.wait(5.0)
        return function(*args)

    shared = GoogleProvider("bucket", {"type": "service_account"}, clock=clock, chain=chain,
                            run_in_thread=run_in_thread)
    found: list[GoogleToken] = []
    workers = [threading.Thread(target=lambda: found.append(shared.get())) for _ in range(8)]
    for worker in workers:
        worker.start()
    begun.wait(5.0)
    go_on.set()
    for worker in workers:
        worker.join()
    assert [token.authorization for token in found] == ["Bearer 1"] * 8
    assert chain.calls == 1


def test_stores_of_one_bucket_share_a_token(tokens: TokenServer, service_account: dict[str, str]) -> None:
    one, two = (CloudFiles("gs://bucket/a/", secrets=service_account)._store.here() for _ in range(2))
    other = CloudFiles("gs://bucket/a/", secrets={"token": "t"})._store.here()
    assert one.provider is two.provider is not other.provider  # type: ignore[attr-defined]
