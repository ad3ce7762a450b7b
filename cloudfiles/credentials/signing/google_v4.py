"""Google's V4 signatures of URLs.

Source: Cloud Storage docs, "Signatures" and "Canonical requests" (V4 signing process).
"""

from __future__ import annotations

import hashlib
import time

from cloudfiles.credentials.google_sources import GoogleSigner
from cloudfiles.credentials.signing.sigv4 import UNSIGNED_PAYLOAD
from cloudfiles.credentials.signing.url_encoding import format_query

ALGORITHM = "GOOG4-RSA-SHA256"
MAX_EXPIRES = 7 * 24 * 3600
"""Maximum seconds of a signature."""


def presigned_query(method: str, path: str, host: str, expires: int, now: float, signer: GoogleSigner,
                    parameters: dict[str, str] | None = None) -> str:
    """The query of a URL that grants `method` on `path` of `host` for `expires` seconds from `now`, without '?'.

    path: percent-encoded except for slashes. now: seconds since the epoch. parameters: added to the query, and signed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/auto/storage/goog4_request"
    query = format_query({"X-Goog-Algorithm": ALGORITHM, "X-Goog-Credential": f"{signer.email}/{scope}",
                          "X-Goog-Date": stamp, "X-Goog-Expires": str(expires), "X-Goog-SignedHeaders": "host",
                          **(parameters or {})})
    canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\n{UNSIGNED_PAYLOAD}"
    digest = hashlib.sha256(canonical.encode("ascii")).hexdigest()
    signature = signer.sign(f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode("ascii")).hex()
    return f"{query}&X-Goog-Signature={signature}"
