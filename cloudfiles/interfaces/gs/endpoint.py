"""Where Cloud Storage is: Google's own address, a private one, or an emulator's."""

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
        origin: where requests go.
        path: what every target begins with, '' or a path without a slash at its end.
    """

    origin: Origin
    path: str

    @property
    def is_google(self) -> bool:
        """Whether it is run by Google: only there tokens are sent that were not handed in, and conditions relied on.

        Private and regional endpoints are (storage-NAME.p.googleapis.com, storage.REGION.rep.googleapis.com).
        """
        return self.origin.scheme == "https" and self.origin.host.endswith(".googleapis.com")

    @property
    def is_safe(self) -> bool:
        """Whether nobody on the way there can read a token."""
        return self.origin.scheme == "https" or self.origin.host.startswith(_LOOPBACK)


def find_endpoint(url: str | None, environ: Mapping[str, str]) -> Endpoint:
    """The service at `url`; where None, at STORAGE_EMULATOR_HOST, as Google's libraries read it; else Google's.

    Raises InvalidPathError where it is no http(s) URL.
    """
    url = url or environ.get("STORAGE_EMULATOR_HOST") or GOOGLE
    if "://" not in url:
        url = f"http://{url}"
    return Endpoint(Origin.of(url), urllib.parse.urlsplit(url).path.rstrip("/"))
