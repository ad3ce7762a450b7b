"""Whether a request to the scripted Azure server is authorized.

Source: Azure Storage REST reference, "Authorize with Shared Key"; written anew from it, so that client and server
do not share a mistake.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import time
from urllib.parse import parse_qsl

from cloudfiles.testing.http_messages import ServerRequest
from tests.servers.azure_paths import AzureError, AzureSettings

_SKEW = 900.0  # seconds that Azure allows


def verify(request: ServerRequest, settings: AzureSettings) -> None:
    """Raise AzureError for a request that is not authorized."""
    if settings.key is None:
        return
    authorization = request.header("authorization") or ""
    if settings.sas and settings.sas in request.raw_query:
        return
    if settings.token and authorization == f"Bearer {settings.token}":
        return
    if not authorization:
        raise AzureError(401 if settings.token else 404, "NoAuthenticationInformation" if settings.token
                         else "ResourceNotFound")
    date = email.utils.parsedate_tz(request.header("x-ms-date") or "")
    now = time.time() + settings.clock_offset
    expected = f"SharedKey {settings.account}:{signature(request, settings.account, settings.key)}"
    if authorization.startswith("Bearer"):
        raise AzureError(401, "InvalidAuthenticationInfo")
    if date is None or abs(email.utils.mktime_tz(date) - now) > _SKEW or authorization != expected:
        raise AzureError(403, "AuthenticationFailed")


def signature(request: ServerRequest, account: str, key: str) -> str:
    names = ("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
             "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range")
    lines = [request.method] + [request.header(name.lower()) or "" for name in names]
    if lines[3] == "0":
        lines[3] = ""
    lines += sorted(f"{name}:{value}" for name, value in request.headers if name.startswith("x-ms-"))
    lines.append(f"/{account}{request.raw_path}")
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.raw_query, keep_blank_values=True):
        query.setdefault(name.lower(), []).append(value)
    lines += [f"{name}:{','.join(sorted(values))}" for name, values in sorted(query.items())]
    digest = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256)
    return base64.b64encode(digest.digest()).decode()
