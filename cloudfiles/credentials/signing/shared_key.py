"""Azure's Shared Key signatures in request headers.

Source: Azure Storage REST reference, "Authorize with Shared Key". The canonicalized resource has the path as it
is sent, percent-encoded, and the decoded values of the query.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.credentials.signing.hmac_sha256 import HmacSha256
from cloudfiles.http_dates import http_date

# The headers whose values are signed in this order, in addition to all of x-ms-*. The Date is empty, as x-ms-date is
# sent.
_STANDARD = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
             "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")
_MAX_TEMPLATES = 64


class _HeadTemplate(NamedTuple):
    """The constant parts of all heads with the same headers, without target and signature."""

    canonical: str  # the string to sign, up to the account
    head: str  # between target and signature


class SigningContext:
    """Signs requests of one second with the key of an account.

    Attributes:
        credentials: those of the account.
        now: seconds since the epoch by the server's clock, an integer.
        date: the same as an HTTP date.
    """

    __slots__ = ("_mac", "_resource", "_templates", "credentials", "date", "now")

    def __init__(self, credentials: AzureCredentials, now: int, before: SigningContext | None = None) -> None:
        assert credentials.key is not None
        self.credentials = credentials
        self.now = now
        self.date = http_date(now)
        same = before is not None and before.credentials is credentials
        self._mac: HmacSha256 = before._mac if before is not None and same else HmacSha256(credentials.key)
        self._resource = f"/{credentials.account}"
        self._templates: dict[object, _HeadTemplate] = {}

    def head(self, method: str, target: str, host: str, version: str, headers: Mapping[str, str], length: int) -> bytes:
        """The signed head of a request with a body of `length` bytes. Without a body, its constant parts are formatted
        once per second.

        version: the x-ms-version. headers: lower-case names.
        """
        if length:
            template = self._template(method, host, version, headers, length)
        else:
            shape = (method, host, version, *headers.items())
            template = self._templates.get(shape) or self._keep(
                shape, self._template(method, host, version, headers, length))
        signature = self._signed(template.canonical + _canonical_target(target))
        return f"{method} {target}{template.head}{signature}\r\n\r\n".encode("latin-1")

    def _keep(self, shape: object, template: _HeadTemplate) -> _HeadTemplate:
        if len(self._templates) < _MAX_TEMPLATES:
            self._templates[shape] = template
        return template

    def authorization(self, method: str, target: str, headers: Mapping[str, str]) -> str:
        """The Authorization header of a request within a batch request, without body and version."""
        sent = {**headers, "x-ms-date": self.date}
        return self._scheme + self._signed(self._canonical(method, sent) + _canonical_target(target))

    @property
    def _scheme(self) -> str:
        return f"SharedKey {self.credentials.account}:"

    def _template(self, method: str, host: str, version: str, headers: Mapping[str, str], length: int) -> _HeadTemplate:
        sent = {**headers, "x-ms-date": self.date, "x-ms-version": version}
        if length or method in ("PUT", "POST"):
            sent["content-length"] = str(length)
        lines = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
        return _HeadTemplate(self._canonical(method, sent),
                             f" HTTP/1.1\r\nhost: {host}\r\n{lines}authorization: {self._scheme}")

    def _canonical(self, method: str, sent: Mapping[str, str]) -> str:
        values = [sent.get(name, "") for name in _STANDARD]
        if values[2] == "0":
            values[2] = ""
        custom = "".join([f"{name}:{' '.join(sent[name].split())}\n" for name in sorted(sent)
                          if name.startswith("x-ms-")])
        return "\n".join([method, *values, custom + self._resource])

    def _signed(self, to_sign: str) -> str:
        return b2a_base64(self._mac.digest(to_sign.encode("utf-8")), newline=False).decode("ascii")


def _canonical_target(target: str) -> str:
    """A target as it is signed: the path, and the query parameters on separate lines, sorted and decoded."""
    if "?" not in target:
        return target
    path, _, query = target.partition("?")
    pairs = [part.partition("=") for part in query.split("&")]
    return path + "".join([f"\n{name}:{value}"
                           for name, value in sorted([(name.lower(), unquote(value)) for name, _, value in pairs])])


class Signer:
    """Creates a signing context for each second."""

    def __init__(self) -> None:
        self._context: SigningContext | None = None

    def at(self, now: float, credentials: AzureCredentials) -> SigningContext:
        """The context for signing. now: seconds since the epoch by the server's clock."""
        context = self._context
        if context is None or context.now != int(now) or context.credentials is not credentials:
            # Assigned at once: other threads use the old or the new one.
            self._context = context = SigningContext(credentials, int(now), context)
        return context
