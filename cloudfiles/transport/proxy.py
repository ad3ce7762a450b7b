"""The proxies that the environment names."""

from __future__ import annotations

import binascii
import os
import sys

from cloudfiles.exceptions import ConfigurationError
from cloudfiles.transport.request import Origin
from cloudfiles.values import NamedTuple


class Proxy(NamedTuple):
    """A forward proxy. `authorization` is the value of Proxy-Authorization, '' for none."""

    origin: Origin
    authorization: str

    def __repr__(self) -> str:
        return f"Proxy({self.origin})"


def proxy_for(origin: Origin) -> Proxy | None:
    """The proxy that the environment names for `origin` (http_proxy, https_proxy, all_proxy, no_proxy)."""
    if not _has_settings():
        return None
    import urllib.parse
    import urllib.request  # takes longer than the rest of a first request, and few machines need it

    proxies = urllib.request.getproxies()
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or urllib.request.proxy_bypass(origin.authority):
        return None
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"unsupported proxy scheme {parts.scheme}:// in the environment for {origin}; supported: http://, https://"
        )
    authorization = ""
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        authorization = "Basic " + binascii.b2a_base64(user.encode(), newline=False).decode()
    return Proxy(Origin.of(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"), authorization)


def _has_settings() -> bool:
    """Whether proxies may be configured: by the environment, on macOS and Windows also by the system."""
    return sys.platform in ("darwin", "win32") or any(name.lower().endswith("_proxy") for name in os.environ)
