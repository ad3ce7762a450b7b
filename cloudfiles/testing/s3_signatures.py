"""Verification of AWS Signature Version 4 by botocore's implementation, so independently of the library's own.

The server does what S3 does: it rebuilds the canonical request from the *decoded* path and query, so that a
client that signs what it sends but does not encode by the rules is refused.
"""

from __future__ import annotations

import calendar
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, quote

from cloudfiles.testing.http_messages import ServerRequest, http_date
from cloudfiles.testing.s3_documents import S3Error
from cloudfiles.testing.s3_settings import S3Settings

_SKEW = 900  # seconds that S3 lets the clocks differ
_SAFE = "-_.~"


def is_signed(request: ServerRequest) -> bool:
    """Whether the request carries a SigV4 signature, right or wrong, and so means S3 and not a web page."""
    authorization = request.header("authorization") or ""
    return authorization.startswith("AWS4-") or "X-Amz-Algorithm=" in request.raw_query


def _parameters(request: ServerRequest) -> tuple[dict[str, str], bool]:
    """Credential, SignedHeaders, Signature, Date and Token of a signed request, and whether it is presigned."""
    authorization = request.header("authorization", "") or ""
    if authorization.startswith("AWS4-HMAC-SHA256 "):
        fields = dict(field.strip().partition("=")[::2] for field in authorization[17:].split(","))
        return {**fields, "Date": request.header("x-amz-date", "") or "",
                "Token": request.header("x-amz-security-token", "") or ""}, False
    query = request.query
    if query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256":
        names = {"Credential": "Credential", "SignedHeaders": "SignedHeaders", "Signature": "Signature",
                 "Date": "Date", "Token": "Security-Token", "Expires": "Expires"}
        return {ours: query.get(f"X-Amz-{theirs}", "") for ours, theirs in names.items()}, True
    raise S3Error(403, "AccessDenied", "The request is not signed")


def _canonical_url(request: ServerRequest, presigned: bool) -> str:
    pairs = parse_qsl(request.raw_query, keep_blank_values=True, errors="surrogateescape")
    encoded = [(_quote(key), _quote(value)) for key, value in pairs
               if not (presigned and key == "X-Amz-Signature")]
    query = "&".join(f"{key}={value}" for key, value in encoded)
    path = quote(request.path, safe="/" + _SAFE, errors="surrogateescape")
    return f"http://{request.header('host')}{path}" + (f"?{query}" if query else "")


def _quote(text: str) -> str:
    return quote(text, safe=_SAFE, errors="surrogateescape")


def _expected(request: ServerRequest, settings: S3Settings, fields: dict[str, str], presigned: bool) -> str:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    assert settings.secret_key is not None
    region = fields["Credential"].split("/")[2]
    signer: Any = S3SigV4Auth(Credentials(settings.access_key, settings.secret_key), "s3", region)
    headers = {name: ",".join(value for key, value in request.headers if key == name)
               for name in fields["SignedHeaders"].split(";")}
    if presigned:
        headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    copy = AWSRequest(request.method, _canonical_url(request, presigned), headers)
    copy.context["timestamp"] = fields["Date"]
    signer.headers_to_sign = lambda _: _http_headers({k: v for k, v in headers.items() if k != "X-Amz-Content-SHA256"})
    return str(signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy))


def _http_headers(headers: dict[str, str]) -> Any:
    from botocore.compat import HTTPHeaders

    return HTTPHeaders.from_dict(headers)


def _check_time(fields: dict[str, str], settings: S3Settings, presigned: bool) -> None:
    now = time.time() + settings.clock_offset
    try:
        signed = calendar.timegm(time.strptime(fields["Date"], "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise S3Error(403, "AccessDenied", "AWS authentication requires a valid x-amz-date") from error
    if presigned and now > signed + int(fields["Expires"] or 0):
        raise S3Error(403, "AccessDenied", "Request has expired")
    if not presigned and abs(now - signed) > _SKEW:
        raise S3Error(403, "RequestTimeTooSkewed", f"The server's time is {http_date(now)}")


def _check_region(region: str, bucket: str, settings: S3Settings) -> None:
    expected = settings.bucket_regions.get(bucket, settings.region)
    if region != expected:
        raise S3Error(400, "AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting '{expected}'",
                      (("x-amz-bucket-region", expected),))


def verify(request: ServerRequest, settings: S3Settings, bucket: str) -> None:
    """Raise the S3Error that S3 answers to a request that is not signed, or wrongly."""
    fields, presigned = _parameters(request)
    scope = fields["Credential"].split("/")
    if len(scope) != 5 or scope[3:] != ["s3", "aws4_request"]:
        raise S3Error(400, "AuthorizationHeaderMalformed")
    if scope[0] != settings.access_key:
        raise S3Error(403, "InvalidAccessKeyId")
    _check_region(scope[2], bucket, settings)
    _check_time(fields, settings, presigned)
    if settings.session_token is not None and fields["Token"] != settings.session_token:
        raise S3Error(403 if not fields["Token"] else 400, "InvalidToken")
    if "host" not in fields["SignedHeaders"].split(";"):
        raise S3Error(403, "AccessDenied", "The host header must be signed")
    unsigned = [key for key, _ in request.headers if key.startswith("x-amz-")
                and key not in fields["SignedHeaders"].split(";")]
    if unsigned:
        raise S3Error(403, "AccessDenied", f"headers that must be signed: {unsigned}")
    if _expected(request, settings, fields, presigned) != fields["Signature"]:
        raise S3Error(403, "SignatureDoesNotMatch")


def verify_payload(request: ServerRequest) -> None:
    """Check the body against x-amz-content-sha256 where that is a digest."""
    declared = request.header("x-amz-content-sha256") or ""
    if declared.startswith("STREAMING-"):
        raise S3Error(501, "NotImplemented", "aws-chunked uploads are not understood here")
    if len(declared) == 64 and hashlib.sha256(request.body).hexdigest() != declared:
        raise S3Error(400, "XAmzContentSHA256Mismatch")
