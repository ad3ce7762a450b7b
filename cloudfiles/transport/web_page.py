"""Web pages in place of a store's responses, as captive portals and proxies send them: recognized and summarized."""

from __future__ import annotations

import re
from functools import lru_cache

from cloudfiles.exceptions import ProtocolError
from cloudfiles.transport.wire import Response

_MAX_PARSED = 64 * 1024  # bytes of a page that are parsed
_TITLE_LENGTH, _TEXT_LENGTH = 100, 200

_START = re.compile(rb"\s*(?:\xef\xbb\xbf|<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body)\b",
                    re.IGNORECASE | re.DOTALL)
_TITLE = r"(?is)<title[^>]*>(.*?)(?:</title|$)"
_HIDDEN = r"(?is)<!--.*?(?:-->|$)|<(script|style|head|title|svg)\b.*?(?:</\1\s*>|$)"
_TAG = r"<[^>]*(?:>|$)"


def is_html_type(headers: dict[str, str]) -> bool:
    """Whether the Content-Type is that of a web page."""
    return _is_html(headers.get("content-type", ""))


@lru_cache(maxsize=64)
def _is_html(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def is_web_page(response: Response) -> bool:
    """Whether the response's body is a web page."""
    return _START.match(response.content, 0, 4096) is not None or (bool(response.content)
                                                                   and is_html_type(response.headers))


def summary(content: bytes) -> str:
    """One line: the page's title and the beginning of its text, without markup."""
    text = content[:_MAX_PARSED].decode("utf-8-sig", "replace")
    found = re.search(_TITLE, text)
    title = _plain(found[1], _TITLE_LENGTH) if found else ""
    words = _plain(re.sub(_HIDDEN, " ", text), _TEXT_LENGTH)
    named = f"a web page with the title {title!r}" if title else "a web page"
    return f"{named}: {words}" if words and words != title else named


def _plain(markup: str, max_length: int) -> str:
    from html import unescape  # here, as it is needed for errors only

    words = " ".join(unescape(re.sub(_TAG, " ", markup)).split())
    return words if len(words) <= max_length else f"{words[:max_length].rstrip()}..."


def unreadable(what: str, response: Response, reason: object, path: str | None = None) -> ProtocolError:
    """The error for a response that cannot be parsed.

    what: names the response ('the listing'). reason: what is wrong, unless it is a web page ('is not XML: ...').
    """
    if is_web_page(response):
        return ProtocolError(f"{what} is {summary(response.content)}", path=path)
    return ProtocolError(f"{what} {reason}", path=path)


def check_is_the_stores(response: Response, path: str | None, own: str) -> None:
    """Raise ProtocolError for a web page or an empty response about an object, unless an ETag or other headers show
    that it is the store's: captive portals and proxies respond with 200 to any request, even to a PUT.

    own: the beginning of the names of headers that only the store sends.
    """
    headers = response.headers
    if "etag" in headers or any(name.startswith(own) for name in headers):
        return
    if is_html_type(headers):
        found = summary(response.content) if response.content else "of type text/html"
    elif _is_empty(response) and "last-modified" not in headers and "content-range" not in headers:
        found = "an empty response"
    else:
        return  # simple servers send objects without an ETag
    raise ProtocolError(f"the server responded with {response.status} and something other than the store's "
                        f"response, which would have an ETag: {found}", path=path)


def _is_empty(response: Response) -> bool:
    """Whether there is no body; for a HEAD: whether there would be none."""
    headers = response.headers
    return not response.content and headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
