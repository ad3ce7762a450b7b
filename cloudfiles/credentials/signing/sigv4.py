"""AWS Signature Version 4 for S3, in request headers and in presigned URLs.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)". S3 differs from
other services: the path is percent-encoded once and never normalized, and payloads may be unsigned.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from cloudfiles.credentials.aws_sources import AwsCredentials
from cloudfiles.credentials.signing.hmac_sha256 import HmacSha256
from cloudfiles.credentials.signing.url_encoding import format_query

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_PAYLOAD = hashlib.sha256(b"").hexdigest()

_MAX_TEMPLATES = 64
_SPACES = re.compile("  +")
_hmac = hmac.digest
_sha256 = hashlib.sha256()


def signing_key(secret_key: str, day: str, region: str, service: str = "s3") -> bytes:
    """The key derived for one day ('20130524'), region and service."""
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request"):
        key = _hmac(key, part.encode(), "sha256")
    return key


class _HeadTemplate:
    """The constant parts of heads with the same header names; `signed` and `lines` are formatted with the values.

    Attributes:
        authorization: its header, up to the signature.
    """

    __slots__ = ("_last", "_lines", "_signed", "authorization")

    def __init__(self, signed: str, lines: str, authorization: str) -> None:
        self._signed = signed
        self._lines = lines
        self.authorization = authorization
        self._last: tuple[dict[str, str], tuple[str, str]] | None = None

    def headers(self, values: dict[str, str]) -> tuple[str, str]:
        """The headers with these values: as the end of the canonical request, and as sent."""
        signed = self._signed % values
        if "  " in signed:  # runs of spaces are signed as one
            signed = _SPACES.sub(" ", signed)
        return signed, self._lines % values

    def headers_of_read(self, values: dict[str, str]) -> tuple[str, str]:
        """The same. Those of the request before are kept: in a batch of reads most are the same."""
        last = self._last
        if last is None or last[0] != values:
            self._last = last = values.copy(), self.headers(values)
        return last[1]


class SigningContext:
    """Signs requests of one second, with one key for one region.

    Attributes:
        credentials: the key.
        region: the region of the requests.
        now: seconds since the epoch by the server's clock, an integer.
    """

    __slots__ = ("_authorization", "_mac", "_scope", "_stamp", "_templates", "_to_sign", "credentials", "now", "region")

    def __init__(self, credentials: AwsCredentials, region: str, now: int,
                 before: SigningContext | None = None) -> None:
        self.credentials = credentials
        self.region = region
        self.now = now
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = self._stamp[:8]
        self._scope = f"{day}/{region}/s3/aws4_request"
        if before is not None and before._scope == self._scope and before.credentials is credentials:
            self._mac: HmacSha256 = before._mac
        else:
            self._mac = HmacSha256(signing_key(credentials.secret_key, day, region))
        self._to_sign = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n"
        self._authorization = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{self._scope}, SignedHeaders="
        self._templates: dict[object, _HeadTemplate] = {}

    def head(self, method: str, target: str, host: str, headers: dict[str, str], payload: str,
             length: int | None = None) -> bytes:
        """The signed head of a request.

        target: path and query in canonical form (`quote_key`, `format_query`).
        headers: lower-case names. payload: the body's sha256 in hex, or UNSIGNED_PAYLOAD.
        length: the body's bytes; None for a request without body and Content-Length.
        """
        shape = (host, payload, *headers)
        template = self._templates.get(shape)
        if template is None:
            template = self._template(host, headers, payload)
            if len(self._templates) < _MAX_TEMPLATES:
                self._templates[shape] = template
        path, _, query = target.partition("?")
        signed, lines = template.headers_of_read(headers) if length is None else template.headers(headers)
        signature = self._signature(f"{method}\n{path}\n{query}\n{signed}")
        more = "" if length is None else f"content-length: {length}\r\n"
        return (f"{method} {target} HTTP/1.1\r\n{lines}{more}"
                f"{template.authorization}{signature}\r\n\r\n").encode("latin-1")

    def _template(self, host: str, headers: dict[str, str], payload: str) -> _HeadTemplate:
        fixed = {"x-amz-content-sha256": payload, "x-amz-date": self._stamp}
        if self.credentials.token:
            fixed["x-amz-security-token"] = self.credentials.token
        values = {"host": host, **{name: f"%({name})s" for name in headers},
                  **{name: value.replace("%", "%%") for name, value in fixed.items()}}
        signed = sorted(values)
        names = ";".join(signed)
        fields = "".join([f"{name.replace('%', '%%')}:{values[name]}\n" for name in signed])
        return _HeadTemplate(f"{fields}\n{names.replace('%', '%%')}\n{payload}",
                             "".join([f"{name.replace('%', '%%')}: {value}\r\n" for name, value in values.items()]),
                             f"authorization: {self._authorization}{names}, Signature=")

    def _signature(self, canonical: str) -> str:
        digest = _sha256.copy()  # takes less time than to create one
        digest.update(canonical.encode("latin-1"))
        return self._mac.digest((self._to_sign + digest.hexdigest()).encode("ascii")).hex()

    def presigned_query(self, method: str, path: str, host: str, expires: int) -> str:
        """The query of a URL that grants `method` on `path` of `host` for `expires` seconds, without '?'."""
        parameters = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Date": self._stamp, "X-Amz-Expires": str(expires),
                      "X-Amz-Credential": f"{self.credentials.access_key}/{self._scope}", "X-Amz-SignedHeaders": "host"}
        if self.credentials.token:
            parameters["X-Amz-Security-Token"] = self.credentials.token
        query = format_query(parameters)
        signature = self._signature(f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\n{UNSIGNED_PAYLOAD}")
        return f"{query}&X-Amz-Signature={signature}"


class Signer:
    """Creates a signing context for each second. The derived key of the day is reused."""

    def __init__(self) -> None:
        self._context: SigningContext | None = None

    def at(self, now: float, credentials: AwsCredentials, region: str) -> SigningContext:
        """The context for signing. now: seconds since the epoch by the server's clock."""
        context = self._context
        if (context is None or context.now != int(now) or context.credentials is not credentials
                or context.region != region):
            # Assigned at once: other threads use the old or the new one.
            self._context = context = SigningContext(credentials, region, int(now), context)
        return context
