"""The address of Cloud Storage: Google's own, a private one, or that of an emulator."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from cloudfiles.transport.request import Origin

_LOOPBACK = ("localhost", "127.", "::1")

GOOGLE = "https://storage.googleapis.com"


class Endpoint(NamedTuple):
    """A service.

    Attributes:
        origin: the origin that requests are sent to.
        path: prefix of every target: '' or a path without a trailing slash.
    """

    origin: Origin
    path: str

    @property
    def is_google(self) -> bool:
        """Whether it is operated by Google: only then are tokens sent that were not passed as `secrets=`, and
        conditions relied on.

        This includes private and regional endpoints (storage-NAME.p.googleapis.com, storage.REGION.rep.googleapis.com).
        """
        return self.origin.scheme == "https" and self.origin.host.endswith(".googleapis.com")

    @property
    def is_safe(self) -> bool:
        """Whether the connection is safe for tokens."""
        return self.origin.scheme == "https" or self.origin.host.startswith(_LOOPBACK)


def find_endpoint(url: str | None, environ: Mapping[str, str]) -> Endpoint:
    """The service at `url`, or at STORAGE_EMULATOR_HOST, as in Google's libraries, or else Google's own.

    Raises InvalidPathError if it is not an http(s) URL.
    """
    url = url or environ.get("STORAGE_EMULATOR_HOST") or GOOGLE
    if "://" not in url:
        url = f"http://{url}"
    return Endpoint(Origin.of(url), urllib.parse.urlsplit(url).path.rstrip("/"))
