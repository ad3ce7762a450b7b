"""Shared access signatures for one blob: signed queries that grant access for a limited time.

Sources: Azure Storage REST reference, "Create a service SAS", "Create a user delegation SAS" (both version
2020-12-06 and later). The two differ in the key, and in the lines that identify it.
"""

from __future__ import annotations

import hmac
import time
from binascii import b2a_base64
from typing import NamedTuple
from urllib.parse import quote

SAS_VERSION = "2022-11-02"
"""Determines the fields of the string to sign."""


class DelegationKey(NamedTuple):
    """A user delegation key: signs with the permissions of a token. Times as sent by the server."""

    value: bytes
    oid: str
    tid: str
    start: str
    expiry: str
    service: str
    version: str

    def __repr__(self) -> str:
        return f"DelegationKey(until {self.expiry})"


class BlobSas(NamedTuple):
    """What a signature grants.

    Attributes:
        resource: '/blob/ACCOUNT/CONTAINER/KEY', not percent-encoded.
        permissions: letters in the order 'racwdxltmeop'.
        expiry: seconds since the epoch.
        https_only: whether it is valid only for HTTPS.
    """

    resource: str
    permissions: str
    expiry: float
    https_only: bool

    def by_account_key(self, key: bytes) -> str:
        """The query string, signed by the account's key: a service SAS."""
        return self._query({}, key, [""])  # no stored access policy

    def by_delegation_key(self, key: DelegationKey) -> str:
        """The query string, signed by a user delegation key."""
        whose = {"skoid": key.oid, "sktid": key.tid, "skt": key.start, "ske": key.expiry, "sks": key.service,
                 "skv": key.version}
        return self._query(whose, key.value, [*whose.values(), "", "", ""])  # no other agents, no correlation id

    def _query(self, whose: dict[str, str], key: bytes, lines: list[str]) -> str:
        expiry, protocol = iso(self.expiry), "https" if self.https_only else ""
        to_sign = "\n".join([self.permissions, "", expiry, self.resource, *lines, "", protocol, SAS_VERSION, "b",
                             "", "", "", "", "", "", ""])  # no address, snapshot, scope; no headers overridden
        signature = b2a_base64(hmac.digest(key, to_sign.encode("utf-8"), "sha256"), newline=False).decode("ascii")
        fields = {"sv": SAS_VERSION, "sr": "b", "sp": self.permissions, "se": expiry, "spr": protocol, **whose,
                  "sig": signature}
        return "&".join([f"{name}={quote(value, safe='')}" for name, value in fields.items() if value])


def iso(seconds: float) -> str:
    """Seconds since the epoch in the time format of these signatures."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
