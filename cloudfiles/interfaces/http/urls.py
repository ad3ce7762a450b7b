"""Cloudpaths and keys of web servers as request targets."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.paths import ExtractedPath
from cloudfiles.transport.request import Origin

_KEY_SAFE = "/:@,=~"
"""Characters that are not encoded in keys. RFC 3986 3.3 also allows `+`, `;` and `&` in a path, but many servers
interpret them differently; the others are those that other clients do not encode."""

_URL_SAFE = "/:@,=~+;&!$'()*?[]%"
"""Characters that are not encoded in URLs as typed: all that have a meaning there."""

_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def quote_key(key: str) -> str:
    """Encode `key` for a request target, so that the server receives exactly its characters.

    Raises InvalidPathError for the segments '.' and '..': clients and servers resolve them, encoded or not
    (RFC 3986 6.2.2.3), so that another object would be read or written.
    """
    check_segments(key, key)
    return quote(key, safe=_KEY_SAFE, errors="surrogateescape")


def quote_typed(url: str) -> str:
    """The path or query of a URL as typed: escapes are kept, invalid characters are encoded."""
    return quote(_STRAY_PERCENT.sub("%25", url), safe=_URL_SAFE, errors="surrogateescape")


def check_segments(path: str, shown: str) -> None:
    """Raise InvalidPathError if `path` has a segment '.' or '..'."""
    if "." in path and not {".", ".."}.isdisjoint(path.split("/")):
        raise InvalidPathError(f"{shown!r} has a segment '.' or '..', which web servers resolve: it cannot be part of "
                               "a key")


class WebAddress:
    """The address of a cloudpath: a web server, a path, and possibly a query.

    The cloudpath is a URL as typed: its escapes are kept, and a query (`https://host/dir?token=...`) is appended to
    every key. Keys are opaque: `?`, `#`, `%` in them are characters of the key.

    Attributes:
        origin: scheme, host and port, without user information.
        path: percent-encoded, starts with '/'.
        userinfo: `user:password` as typed; '' if there is none.
    """

    def __init__(self, location: ExtractedPath) -> None:
        scheme, _, netloc = (location.host or "").partition("://")
        self.userinfo, _, authority = netloc.rpartition("@")
        self.origin = Origin.of(f"{scheme}://{authority}")
        typed = location.path or ""
        if "#" in typed:
            raise InvalidPathError(f"{self.origin}/...: '#' starts a fragment, which is never sent to a server: write "
                                   "%23 for the character")
        path, _, query = typed.partition("?")
        check_segments(unquote(path), path)
        self.path = "/" + quote_typed(path)
        self.query = f"?{quote_typed(query)}" if query else ""

    def target(self, key: str) -> str:
        """The request target of `key`; for '', that of the cloudpath itself."""
        return (self.directory + quote_key(key) if key else self.path) + self.query

    @property
    def directory(self) -> str:
        """The path to which keys are appended."""
        return self.path if self.path.endswith("/") else self.path + "/"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def shown(origin: Origin, target: str) -> str:
    """A URL for messages, without the query, which may contain signatures and tokens."""
    path, query, _ = target.partition("?")
    return f"{origin}{path}{'?...' if query else ''}"
