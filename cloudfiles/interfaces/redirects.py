"""Where a redirect leads."""

from __future__ import annotations

from urllib.parse import urljoin

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.transport.request import Origin


def destination(origin: Origin, target: str, location: str) -> tuple[Origin, str, str]:
    """The origin, the path and the query (with its '?') of a Location header, in the response to a request for `target`
    (RFC 9110 10.2.2). They are as the server has written them, and may have to be encoded.

    Raises InvalidPathError (also a ValueError) for schemes other than http and https.
    """
    try:
        url = urljoin(f"{origin}{target}", location).partition("#")[0]
        there = Origin.of(url)
    except ValueError as error:
        path, mark, _ = location[:300].partition("?")  # a query may contain tokens
        raise InvalidPathError(f"{path}{mark and '?...'}: {error}") from error
    rest = url.partition("://")[2]
    path, mark, query = rest[len(rest.partition("?")[0].partition("/")[0]):].partition("?")
    return there, path, mark + query
