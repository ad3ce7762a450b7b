"""Signature Version 4 against the examples of its documentation, and against botocore's implementation."""

from __future__ import annotations

import calendar
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.credentials.aws_sources import AwsCredentials
from cloudfiles.credentials.signing.sigv4 import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, Signer, SigningContext
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from cloudfiles.exceptions import InvalidPathError

# "Signature Calculations for the Authorization Header" in the Amazon S3 API Reference.
KEY = AwsCredentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = calendar.timegm((2013, 5, 24, 0, 0, 0))
HOST = "examplebucket.s3.amazonaws.com"
WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
tokens = st.none() | st.text(st.sampled_from("AZaz09+/="), min_size=1, max_size=30)


@pytest.fixture
def context() -> SigningContext:
    return SigningContext(KEY, "us-east-1", NOW)


def signature(head: bytes) -> str:
    return head.decode("latin-1").partition("Signature=")[2].strip()


def fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines if line)


# ---- the published examples


def test_get_object(context: SigningContext) -> None:
    head = context.head("GET", "/test.txt", HOST, {"range": "bytes=0-9"}, EMPTY_PAYLOAD)
    assert signature(head) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_put_object(context: SigningContext) -> None:
    headers = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    head = context.head("PUT", "/" + quote_key("test$file.text"), HOST, headers, WELCOME, 21)
    assert signature(head) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_get_bucket_lifecycle(context: SigningContext) -> None:
    head = context.head("GET", "/?" + format_query({"lifecycle": ""}), HOST, {}, EMPTY_PAYLOAD)
    assert signature(head) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


def test_list_objects(context: SigningContext) -> None:
    head = context.head("GET", "/?" + format_query({"prefix": "J", "max-keys": "2"}), HOST, {}, EMPTY_PAYLOAD)
    assert signature(head) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_presigned_url(context: SigningContext) -> None:
    query = context.presigned_query("GET", "/test.txt", HOST, 86400)
    assert query.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


# ---- heads


def test_the_head_is_a_whole_request(context: SigningContext) -> None:
    head = context.head("PUT", "/key", HOST, {"content-type": "text/plain"}, UNSIGNED_PAYLOAD, 21)
    assert head.startswith(b"PUT /key HTTP/1.1\r\nhost: examplebucket.s3.amazonaws.com\r\n")
    assert head.endswith(b"\r\n\r\n")
    found = fields(head)
    assert found["content-length"] == "21"
    assert found["x-amz-date"] == "20130524T000000Z"
    assert found["x-amz-content-sha256"] == UNSIGNED_PAYLOAD
    assert "content-type;host;x-amz-content-sha256;x-amz-date" in found["authorization"]


def test_a_read_is_sent_without_length(context: SigningContext) -> None:
    found = fields(context.head("GET", "/key", HOST, {}, EMPTY_PAYLOAD))
    assert "content-length" not in found
    assert found["x-amz-content-sha256"] == EMPTY_PAYLOAD


def test_the_secret_shows_nowhere(context: SigningContext) -> None:
    assert KEY.secret_key not in repr(context)
    assert KEY.secret_key.encode() not in context.head("GET", "/key", HOST, {}, EMPTY_PAYLOAD)


def test_heads_with_recurring_headers_do_not_mix(context: SigningContext) -> None:
    first = context.head("GET", "/a", HOST, {"x-amz-checksum-mode": "ENABLED"}, EMPTY_PAYLOAD)
    other = context.head("GET", "/a", HOST, {"range": "bytes=0-9"}, EMPTY_PAYLOAD)
    assert context.head("GET", "/a", HOST, {"x-amz-checksum-mode": "ENABLED"}, EMPTY_PAYLOAD) == first
    assert fields(other)["range"] == "bytes=0-9"
    assert "range" not in fields(first)
    assert fields(context.head("GET", "/a", "elsewhere", {}, EMPTY_PAYLOAD))["host"] == "elsewhere"


def test_values_of_the_head_before_are_not_sent_again(context: SigningContext) -> None:
    headers = {"range": "bytes=0-9", "if-match": "  a  b"}
    first = context.head("GET", "/a", HOST, headers, EMPTY_PAYLOAD)
    headers["range"] = "bytes=10-19"  # the dict of the request before, for its next attempt
    assert fields(context.head("GET", "/a", HOST, headers, EMPTY_PAYLOAD))["range"] == "bytes=10-19"
    headers["range"] = "bytes=0-9"
    assert context.head("GET", "/a", HOST, headers, EMPTY_PAYLOAD) == first
    assert context.head("GET", "/b", HOST, headers, EMPTY_PAYLOAD) != first
    again = SigningContext(context.credentials, context.region, context.now)
    assert again.head("GET", "/a", HOST, headers, EMPTY_PAYLOAD) == first


def test_header_names_may_have_percent_signs(context: SigningContext) -> None:
    found = fields(context.head("PUT", "/a", HOST, {"x-amz-meta-50%s": "100 %d"}, UNSIGNED_PAYLOAD, 0))
    assert found["x-amz-meta-50%s"] == "100 %d"
    assert ";x-amz-meta-50%s, " in found["authorization"]


def test_many_forms_of_headers_are_not_hoarded(context: SigningContext) -> None:
    heads = [context.head("GET", "/a", HOST, {"range": f"bytes={n}-"}, EMPTY_PAYLOAD) for n in range(300)]
    again = SigningContext(KEY, "us-east-1", NOW)
    assert heads[299] == again.head("GET", "/a", HOST, {"range": "bytes=299-"}, EMPTY_PAYLOAD)
    assert len(context._templates) < 300


# ---- time


def test_a_signer_reuses_its_context_for_a_second() -> None:
    signer = Signer()
    context = signer.at(NOW + 0.2, KEY, "us-east-1")
    assert signer.at(NOW + 0.9, KEY, "us-east-1") is context
    assert signer.at(NOW + 1.0, KEY, "us-east-1") is not context


@pytest.mark.parametrize(("now", "region", "secret"), [
    (NOW + 86400, "us-east-1", KEY.secret_key), (NOW, "eu-west-1", KEY.secret_key), (NOW, "us-east-1", "another")])
def test_a_signer_derives_again_what_has_changed(now: int, region: str, secret: str) -> None:
    signer, credentials = Signer(), AwsCredentials(KEY.access_key, secret)
    signer.at(NOW, KEY, "us-east-1")
    head = signer.at(now, credentials, region).head("GET", "/a", HOST, {}, EMPTY_PAYLOAD)
    assert head == SigningContext(credentials, region, now).head("GET", "/a", HOST, {}, EMPTY_PAYLOAD)


# ---- encoding


@given(keys)
def test_keys_are_encoded_once_and_reversibly(key: str) -> None:
    quoted = quote_key(key)
    assert unquote(quoted) == key
    assert quoted == quote(key, safe="/-_.~")
    assert quoted.isascii()
    assert not set(quoted) & set(" ?#+&")


def test_slashes_and_dots_stay_as_they_are() -> None:
    assert quote_key("/a//b/../c/./~d/") == "/a//b/../c/./~d/"
    assert quote_key("a\nb") == "a%0Ab"  # `$` would match before a line end: the fast path must not


def test_undecodable_bytes_go_out_as_they_came() -> None:
    assert quote_key(b"\xff/a".decode("utf-8", "surrogateescape")) == "%FF/a"


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidPathError, match="UTF-8"):
        quote_key("a\ud800")


def test_queries_are_sorted_and_encoded() -> None:
    query = format_query({"prefix": "a/b c", "delimiter": "/", "uploads": ""})
    assert query == "delimiter=%2F&prefix=a%2Fb%20c&uploads="


# ---- botocore as the oracle


def botocores(key: AwsCredentials) -> Credentials:
    return Credentials(key.access_key, key.secret_key, key.token)


def signature_by_botocore(key: AwsCredentials, method: str, url: str, headers: dict[str, str]) -> str:
    """What botocore makes of a request at NOW whose headers are all there."""
    signer: Any = S3SigV4Auth(botocores(key), "s3", "us-east-1")
    signer.payload = lambda _: headers["x-amz-content-sha256"]
    request: Any = AWSRequest(method, url, headers=headers)
    request.context["timestamp"] = "20130524T000000Z"
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


@given(keys, st.dictionaries(st.sampled_from(["prefix", "marker", "uploadId"]), keys), values, tokens)
def test_heads_are_signed_as_by_botocore(key: str, query: dict[str, str], value: str, token: str | None) -> None:
    path = "/bucket/" + quote_key(key)
    target = path + ("?" + format_query(query) if query else "")
    credentials = AwsCredentials(KEY.access_key, KEY.secret_key, token)
    headers = {"x-amz-meta-a": value, "content-type": "text/plain"}
    head = SigningContext(credentials, "us-east-1", NOW).head("PUT", target, HOST, headers, UNSIGNED_PAYLOAD, 3)
    sent = fields(head)
    del sent["authorization"], sent["content-length"], sent["host"]
    assert signature(head) == signature_by_botocore(credentials, "PUT", f"https://{HOST}{target}", sent)


@given(keys, st.sampled_from(["GET", "PUT"]), tokens, st.integers(1, 604800))
def test_urls_are_presigned_as_by_botocore(key: str, method: str, token: str | None, expires: int) -> None:
    path = "/" + quote_key(key)
    credentials = AwsCredentials(KEY.access_key, KEY.secret_key, token)
    query = SigningContext(credentials, "us-east-1", NOW).presigned_query(method, path, HOST, expires)
    request: Any = AWSRequest(method, f"https://{HOST}{path}")
    signer: Any = S3SigV4QueryAuth(botocores(credentials), "s3", "us-east-1", expires=expires)
    request.context["timestamp"] = "20130524T000000Z"
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, canonical), request))
    assert parse_qs(query) == parse_qs(urlsplit(request.url).query)
