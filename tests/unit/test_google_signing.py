"""V4 signed URLs beside those of Google's own library."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cloudfiles.credentials.google_sources import GoogleSigner
from cloudfiles.credentials.signing.google_v4 import presigned_query
from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.interfaces.gs import GsInterface
from cloudfiles.paths import extract
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.types import StoreOptions

signing = pytest.importorskip("google.cloud.storage._signing")
service_account = pytest.importorskip("google.oauth2.service_account")

EMAIL = "reader@my-project.iam.gserviceaccount.com"
NOW = 1_549_011_600  # 2019-02-01T09:00:00Z
KEYS = ["key", "dir/sub dir/key", "a+b%c?d=e&f#g", "caf\u00e9/\u6f22", "~-_.", "a//b", "x'(y)!*"]


@pytest.fixture(scope="module")
def info() -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"type": "service_account", "client_email": EMAIL, "private_key": pem.decode(), "token_uri": "http://x/t"}


@pytest.fixture(scope="module")
def credentials(info: dict[str, str]) -> Any:
    return service_account.Credentials.from_service_account_info(info)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("project", [None, "my-project"])
def test_urls_are_those_of_googles_library(credentials: Any, key: str, method: str, project: str | None) -> None:
    path = f"/my-bucket/{quote_key(key)}"
    parameters = {"userProject": project} if project else None
    expected = signing.generate_signed_url_v4(
        credentials, path, 3600, method=method, query_parameters=parameters, _request_timestamp="20190201T090000Z")
    query = presigned_query(method, path, "storage.googleapis.com", 3600, NOW,
                            GoogleSigner(EMAIL, credentials.sign_bytes), parameters)
    ours, theirs = dict(parse_qsl(query)), dict(parse_qsl(urlsplit(expected).query))
    assert ours == theirs
    assert len(ours) == (7 if project else 6)


def test_the_signature_can_be_verified(credentials: Any) -> None:
    signed: list[bytes] = []

    def sign(data: bytes) -> bytes:
        signed.append(data)
        return b"\x01\x02"

    query = presigned_query("GET", "/b/k", "storage.googleapis.com", 60, NOW, GoogleSigner(EMAIL, sign))
    assert query.endswith("&X-Goog-Signature=0102")
    algorithm, stamp, scope, digest = signed[0].decode().split("\n")
    assert (algorithm, stamp, scope) == ("GOOG4-RSA-SHA256", "20190201T090000Z", "20190201/auto/storage/goog4_request")
    assert len(digest) == 64


def test_the_interface_signs(info: dict[str, str], credentials: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    interface = GsInterface(extract("gs://my-bucket/dir/"), StoreOptions(secrets=info), blocking_runtime())
    found = interface.provider._chain.from_values("secrets=", info)
    signer = GoogleSigner(found[0].service_account_email, found[0].sign_bytes)
    from cloudfiles.credentials.google_sources import GoogleToken

    monkeypatch.setattr(interface.provider, "get", lambda: GoogleToken("Bearer t", "test", signer=signer))
    url = urlsplit(interface.presign("a key", 60, "get"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://storage.googleapis.com/my-bucket/dir/a%20key"
    query = dict(parse_qsl(url.query))
    assert (query["X-Goog-Expires"], query["X-Goog-SignedHeaders"]) == ("60", "host")
    assert base64.b16decode(query["X-Goog-Signature"].upper())
