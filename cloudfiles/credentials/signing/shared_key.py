"""Azure's Shared Key signatures in request headers.

Source: Azure Storage REST reference, "Authorize with Shared Key". The canonicalized resource has the path as it
goes on the wire, percent-encoded, and the query's values decoded.
"""

from __future__ import annotations

import email.utils
from binascii import b2a_base64
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.credentials.signing.hmac_sha256 import HmacSha256

# The headers whose values are signed by their place, in order, besides all of x-ms-*. The Date is left
# empty, as x-ms-date is there.
_STANDARD = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
             "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")
_MANY_FORMS = 64


class _Form(NamedTuple):
    """What is the same in all heads with the same headers: the rest is target and signature."""

    canonical: str  # of the string to sign, up to the account
    head: str  # from behind the target to before the signature


class SigningContext:
    """One second in which an account's key signs.

    Attributes:
        credentials: whose key it is.
        now: seconds since the epoch as the server's clock shows them, whole.
        date: the same as an HTTP date.
    """

    __slots__ = ("_forms", "_mac", "_resource", "credentials", "date", "now")

    def __init__(self, credentials: AzureCredentials, now: int, before: SigningContext | None = None) -> None:
        assert credentials.key is not None
        self.credentials = credentials
        self.now = now
        self.date = email.utils.formatdate(now, usegmt=True)
        same = before is not None and before.credentials is credentials
        self._mac: HmacSha256 = before._mac if before is not None and same else HmacSha256(credentials.key)
        self._resource = f"/{credentials.account}"
        self._forms: dict[object, _Form] = {}

    def head(self, method: str, target: str, host: str, version: str, headers: Mapping[str, str], length: int) -> bytes:
        """The signed head of a request with a body of `length` bytes. What recurs without one is
        formatted once a second.

        version: the x-ms-version. headers: lower-case names.
        """
        if length:
            form = self._form(method, host, version, headers, length)
        else:
            shape = (method, host, version, *headers.items())
            form = self._forms.get(shape) or self._keep(shape, self._form(method, host, version, headers, length))
        signature = self._signed(form.canonical + _canonical_target(target))
        return f"{method} {target}{form.head}{signature}\r\n\r\n".encode("latin-1")

    def _keep(self, shape: object, form: _Form) -> _Form:
        if len(self._forms) < _MANY_FORMS:
            self._forms[shape] = form
        return form

    def authorization(self, method: str, target: str, headers: Mapping[str, str]) -> str:
        """The value of the Authorization header of a request in a batch, which has no body and no version."""
        sent = {**headers, "x-ms-date": self.date}
        return self._scheme + self._signed(self._canonical(method, sent) + _canonical_target(target))

    @property
    def _scheme(self) -> str:
        return f"SharedKey {self.credentials.account}:"

    def _form(self, method: str, host: str, version: str, headers: Mapping[str, str], length: int) -> _Form:
        sent = {**headers, "x-ms-date": self.date, "x-ms-version": version}
        if length or method in ("PUT", "POST"):
            sent["content-length"] = str(length)
        lines = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
        return _Form(self._canonical(method, sent),
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
    """A target as it is signed: the path, and the query's parameters one a line, sorted, decoded."""
    if "?" not in target:
        return target
    path, _, query = target.partition("?")
    pairs = [part.partition("=") for part in query.split("&")]
    return path + "".join([f"\n{name}:{value}"
                           for name, value in sorted([(name.lower(), unquote(value)) for name, _, value in pairs])])


class Signer:
    """Moments as time goes by."""

    def __init__(self) -> None:
        self._context: SigningContext | None = None

    def at(self, now: float, credentials: AzureCredentials) -> SigningContext:
        """The moment in which to sign. now: seconds since the epoch by the server's clock."""
        context = self._context
        if context is None or context.now != int(now) or context.credentials is not credentials:
            # Assigned whole: another thread sees the one or the other.
            self._context = context = SigningContext(credentials, int(now), context)
        return context
