"""Shared Key and SAS against the vendor's own library, and against an example of the documentation."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.credentials.azure_sources import EMULATOR_KEY, AzureCredentials
from cloudfiles.credentials.signing.hmac_sha256 import HmacSha256
from cloudfiles.credentials.signing.sas import SAS_VERSION, BlobSas, DelegationKey
from cloudfiles.credentials.signing.shared_key import Signer, SigningContext
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from tests.selection import examples

RAW = base64.b64decode(EMULATOR_KEY)
ACCOUNT = AzureCredentials("account", RAW)
NOW = 1_800_000_000
EXPIRY = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
VERSION = "2023-11-03"


def vendors_authorization(method: str, url: str, headers: dict[str, str]) -> str:
    """What azure-storage-blob signs a request by."""
    from azure.core.pipeline import PipelineContext, PipelineRequest
    from azure.core.pipeline.transport import HttpRequest
    from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

    request = HttpRequest(method, url, headers=headers)
    policy = SharedKeyCredentialPolicy("account", EMULATOR_KEY)
    policy.on_request(PipelineRequest(request, PipelineContext(None)))
    return str(request.headers["Authorization"])


def ours(method: str, target: str, headers: dict[str, str], length: int) -> tuple[str, dict[str, str]]:
    """Our Authorization, and the other headers of the head."""
    head = SigningContext(ACCOUNT, NOW).head(method, target, "account.blob.core.windows.net", VERSION, headers, length)
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    assert line == f"{method} {target} HTTP/1.1"
    sent: dict[str, str] = dict(field.split(": ", 1) for field in fields)
    return sent.pop("authorization"), sent


HEADERS = st.dictionaries(
    st.sampled_from(["content-md5", "content-type", "if-match", "if-none-match", "x-ms-meta-a", "x-ms-blob-type",
                     "x-ms-copy-source", "x-ms-meta-b_1", "content-encoding"]),
    st.text("abcXYZ01/+=\"*", min_size=1, max_size=8))
# azure-storage-blob takes a query's values as they are; what they decode to is what counts.
QUERY = st.dictionaries(st.sampled_from(["comp", "restype", "blockid", "prefix", "marker"]), st.text(max_size=5))


@settings(max_examples=examples(150), deadline=None)
@given(method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]), key=st.text(min_size=1, max_size=10),
       query=QUERY, headers=HEADERS, length=st.sampled_from([0, 1, 4096]))
def test_shared_key_is_the_vendors(method: str, key: str, query: dict[str, str], headers: dict[str, str],
                                   length: int) -> None:
    try:
        path = f"/container/{quote_key(key)}"
    except Exception:
        return  # lone surrogates
    query = {name: value for name, value in query.items() if _encodes(value)}
    target = f"{path}?{format_query(query)}" if query else path
    authorization, sent = ours(method, target, headers, length)
    assert authorization == vendors_authorization(method, f"https://account.blob.core.windows.net{target}", sent)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(text)  # the vendor's library drops parameters without a value


def test_ranges_are_signed_by_the_documentation() -> None:
    """The library signs no Range, as it sends x-ms-range: "Authorize with Shared Key" says which line it is."""
    authorization, sent = ours("GET", "/container/key", {"range": "bytes=0-9"}, 0)
    to_sign = ("GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-9\n"
               f"x-ms-date:{sent['x-ms-date']}\nx-ms-version:{VERSION}\n/account/container/key")
    assert authorization == f"SharedKey account:{base64.b64encode(HmacSha256(RAW).digest(to_sign.encode())).decode()}"
    assert sent["x-ms-date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


def test_the_documentations_example() -> None:
    """"Authorize with Shared Key": the string to sign of a list of containers, query in canonical form."""
    context = SigningContext(AzureCredentials("myaccount", RAW), NOW)
    head = context.head("GET", "/?comp=metadata&restype=container&timeout=20", "myaccount.blob.core.windows.net",
                        "2015-02-21", {}, 0)
    to_sign = ("GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 15 Jan 2027 08:00:00 GMT\nx-ms-version:2015-02-21\n"
               "/myaccount/\ncomp:metadata\nrestype:container\ntimeout:20")
    assert base64.b64encode(HmacSha256(RAW).digest(to_sign.encode())) in head


def test_forms_are_kept_for_a_second() -> None:
    signer = Signer()
    context = signer.at(NOW + 0.2, ACCOUNT)
    assert signer.at(NOW + 0.9, ACCOUNT) is context
    first = context.head("GET", "/c/a", "host", VERSION, {}, 0)
    assert context.head("GET", "/c/a", "host", VERSION, {}, 0) == first
    assert context.head("HEAD", "/c/a", "host", VERSION, {}, 0) != first
    assert context.head("GET", "/c/a", "other", VERSION, {}, 0) != first
    assert context.head("GET", "/c/a", "host", VERSION, {"range": "bytes=0-1"}, 0) != first
    later = signer.at(NOW + 1, ACCOUNT)
    assert later.head("GET", "/c/a", "host", VERSION, {}, 0) != first
    for number in range(200):  # more forms than are kept
        context.head("GET", "/c/a", "host", VERSION, {"range": f"bytes=0-{number}"}, 0)


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 64, b"k" * 65, b"k" * 200])
def test_hmac(key: bytes) -> None:
    import hmac

    assert HmacSha256(key).digest(b"message") == hmac.digest(key, b"message", "sha256")


# ---- SAS


def fields(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, strict_parsing=True))


@pytest.mark.parametrize("key", ["a", "a b/caf\u00e9+%&?", "/leading", "x" * 500])
@pytest.mark.parametrize("permission", ["r", "cw", "d"])
@pytest.mark.parametrize("https", [True, False])
def test_a_service_sas_is_the_vendors(monkeypatch: pytest.MonkeyPatch, key: str, permission: str, https: bool) -> None:
    from azure.storage.blob import _shared_access_signature as vendor

    monkeypatch.setattr(vendor, "X_MS_VERSION", SAS_VERSION)
    expected = vendor.generate_blob_sas("account", "container", key, account_key=EMULATOR_KEY, permission=permission,
                                        expiry=EXPIRY, protocol="https" if https else None)
    sas = BlobSas(f"/blob/account/container/{key}", permission, EXPIRY.timestamp(), https)
    assert fields(sas.by_account_key(RAW)) == fields(expected)


def test_a_user_delegation_sas_by_the_documentation() -> None:
    """"Create a user delegation SAS", string to sign of versions from 2020-12-06 to 2024-11-04."""
    key = DelegationKey(b"value", "oid", "tid", "2030-01-01T00:00:00Z", "2030-01-08T00:00:00Z", "b", "2022-11-02")
    query = fields(BlobSas("/blob/account/container/a b", "r", EXPIRY.timestamp(), True).by_delegation_key(key))
    to_sign = ("r\n\n2030-01-02T03:04:05Z\n/blob/account/container/a b\noid\ntid\n2030-01-01T00:00:00Z\n"
               f"2030-01-08T00:00:00Z\nb\n2022-11-02\n\n\n\n\nhttps\n{SAS_VERSION}\nb\n\n\n\n\n\n\n")
    assert query["sig"] == base64.b64encode(HmacSha256(b"value").digest(to_sign.encode())).decode()
    assert "value" not in repr(key)
