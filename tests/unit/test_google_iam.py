"""URLs presigned where no key is at hand: Google signs. Beside those of Google's own library, with the same key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cloudfiles.credentials.google import GoogleProvider
from cloudfiles.credentials.google_chain import GoogleChain
from cloudfiles.credentials.google_iam import SCOPES
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, UnsupportedOperationError
from cloudfiles.interfaces.gs import GsInterface
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.types import StoreOptions
from tests.servers.google_tokens import EMAIL, TokenServer, token_server

iam = pytest.importorskip("google.auth.iam")
signing = pytest.importorskip("google.cloud.storage._signing")


@pytest.fixture(scope="module")
def private_key() -> Any:
    return pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa").generate_private_key(65537, 2048)


@pytest.fixture
def google(private_key: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """Every endpoint of Google's that signing needs."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    with token_server() as server:
        server.sign = lambda data: private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        accounts = f"{server.url}/v1/projects/-/serviceAccounts/{{}}"
        monkeypatch.setattr(iam, "_IAM_SIGN_ENDPOINT", f"{accounts}:signBlob")
        monkeypatch.setattr(iam, "_IAM_ENDPOINT", f"{accounts}:generateAccessToken")
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/user-token")
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True, raising=False)
        yield server


def user() -> dict[str, str]:
    return {"type": "authorized_user", "client_id": "id", "client_secret": "s3cret", "refresh_token": "1//refresh"}


def impersonated(google: TokenServer) -> dict[str, Any]:
    return {"type": "impersonated_service_account", "source_credentials": user(),
            "service_account_impersonation_url":
                f"{google.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"}


def federated(google: TokenServer, directory: Path) -> dict[str, Any]:
    """Workload identity federation that ends in a service account."""
    (directory / "subject").write_text("subject-token")
    return {"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/pools/p/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{google.url}/sts",
            "credential_source": {"file": str(directory / "subject")},
            "service_account_impersonation_url":
                f"{google.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"}


def metadata(google: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of a virtual machine."""
    from google.auth.compute_engine import _metadata

    host = google.url.removeprefix("http://")
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    monkeypatch.setenv("GCE_METADATA_HOST", host)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setattr(_metadata, "_get_metadata_ip_root", lambda use_mtls=False: google.url)


def opened(secrets: Any) -> GsInterface:
    chain = GoogleChain(policy=RetryPolicy(attempts=2, window=0.0))
    provider = GoogleProvider("my-bucket", secrets, chain=chain)
    return GsInterface(extract("gs://my-bucket/dir/"), StoreOptions(secrets=secrets), blocking_runtime(),
                       provider=provider)


def by_googles_library(private_key: Any, url: str) -> str:
    """The same URL, made by google-cloud-storage with the private key itself."""
    from cryptography.hazmat.primitives import serialization
    from google.oauth2 import service_account

    pem = private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
    credentials = service_account.Credentials.from_service_account_info(
        {"client_email": EMAIL, "private_key": pem.decode(), "token_uri": "http://x/t"})
    asked = dict(parse_qsl(urlsplit(url).query))
    made: str = signing.generate_signed_url_v4(credentials, urlsplit(url).path, int(asked["X-Goog-Expires"]),
                                               method="GET", _request_timestamp=asked["X-Goog-Date"])
    return made


def same(url: str, other: str) -> bool:
    ours, theirs = urlsplit(url), urlsplit(other)
    return (ours.netloc, ours.path, sorted(parse_qsl(ours.query))) == (
        theirs.netloc, theirs.path, sorted(parse_qsl(theirs.query)))


@pytest.mark.parametrize("kind", ["impersonated", "federated", "metadata server"])
def test_google_signs_where_no_key_is_at_hand(google: TokenServer, private_key: Any, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "metadata server":
        metadata(google, monkeypatch)
    secrets = {"impersonated": impersonated(google), "federated": federated(google, tmp_path), "metadata server": None}
    interface = opened(secrets[kind])
    url = interface.presign("a key+%", 600, "GET")
    assert same(url, by_googles_library(private_key, url))
    assert dict(parse_qsl(urlsplit(url).query))["X-Goog-Credential"].startswith(EMAIL)
    asked = [request for path, request in google.seen if path.endswith(f"/{EMAIL}:signBlob")]
    assert len(asked) == 1
    assert asked[0]["authorization"].startswith("Bearer ya29.")
    if kind == "federated":
        assert google.seen[-2][1]["scope"] == list(SCOPES)  # tokens for Cloud Storage do not sign


def test_the_library_itself_impersonating(google: TokenServer, private_key: Any) -> None:
    """google-cloud-storage by the same impersonated credentials asks the same server, and makes the same URL."""
    interface = opened(impersonated(google))
    url = interface.presign("key", 600, "GET")
    credentials = interface.provider._chain.from_values("secrets=", impersonated(google))[0]
    asked = dict(parse_qsl(urlsplit(url).query))
    theirs = signing.generate_signed_url_v4(credentials, "/my-bucket/dir/key", 600, method="GET",
                                            _request_timestamp=asked["X-Goog-Date"])
    assert same(url, theirs)


def test_a_token_for_signing_serves_many_signatures(google: TokenServer, tmp_path: Path) -> None:
    interface = opened(federated(google, tmp_path))
    for number in range(5):
        interface.presign(f"key {number}", 600, "GET")
    assert sum(path.endswith(":signBlob") for path in google.paths()) == 5
    tokens = sum(path.endswith(":generateAccessToken") for path in google.paths())
    assert tokens == 3  # to find the project, to read, to sign


def test_without_permission_to_sign_the_error_says_what_is_required(google: TokenServer, tmp_path: Path) -> None:
    google.sign = None
    for secrets in (impersonated(google), federated(google, tmp_path)):
        with pytest.raises(AuthorizationError, match=r"signBlob.*denied.*serviceAccountTokenCreator"):
            opened(secrets).presign("key", 600, "GET")


def test_an_iam_that_is_not_there(google: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam, "_IAM_SIGN_ENDPOINT", "http://127.0.0.1:1/{}:signBlob")
    for secrets in (impersonated(google), federated(google, tmp_path)):
        with pytest.raises(CloudFilesError, match=r"signing as .* failed"):
            opened(secrets).presign("key", 600, "GET")


def test_a_user_is_no_service_account(google: TokenServer) -> None:
    with pytest.raises(UnsupportedOperationError, match="service account"):
        opened(user()).presign("key", 600, "GET")
    assert not any(path.endswith(":signBlob") for path in google.paths())


def test_a_network_without_a_way_to_the_project_of_federated_credentials(google: TokenServer, tmp_path: Path) -> None:
    """google-auth asks cloudresourcemanager.googleapis.com, which nothing answers for here."""
    token = opened(federated(google, tmp_path)).provider.get()
    assert token.authorization.startswith("Bearer ya29.impersonated-")
    assert token.project is None
