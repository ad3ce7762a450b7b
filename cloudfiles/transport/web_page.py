"""Web pages that come in place of a store's answer, as from a captive portal or a proxy, in short words."""

from __future__ import annotations

import html
import re

from cloudfiles.exceptions import ProtocolError
from cloudfiles.transport.response import Response

_READ = 64 * 1024  # bytes of a page that are looked at
_TITLE_LENGTH, _TEXT_LENGTH = 100, 200

_BEGINS = re.compile(rb"\s*(?:\xef\xbb\xbf|<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body)\b",
                     re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)(?:</title|$)", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<!--.*?(?:-->|$)|<(script|style|head|title|svg)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*(?:>|$)")


def is_html_type(headers: dict[str, str]) -> bool:
    """Whether the Content-Type is that of a web page."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def is_web_page(response: Response) -> bool:
    """Whether the answer's body is one."""
    return _BEGINS.match(response.content, 0, 4096) is not None or (bool(response.content)
                                                                    and is_html_type(response.headers))


def summary(content: bytes) -> str:
    """A page in one line: its title and the beginning of its text, without markup."""
    text = content[:_READ].decode("utf-8-sig", "replace")
    found = _TITLE.search(text)
    title = _plain(found[1], _TITLE_LENGTH) if found else ""
    words = _plain(_UNSEEN.sub(" ", text), _TEXT_LENGTH)
    named = f"a web page with the title {title!r}" if title else "a web page"
    return f"{named}: {words}" if words and words != title else named


def _plain(markup: str, most: int) -> str:
    words = " ".join(html.unescape(_TAG.sub(" ", markup)).split())
    return words if len(words) <= most else f"{words[:most].rstrip()}..."


def unreadable(what: str, response: Response, reason: object, path: str | None = None) -> ProtocolError:
    """The error for an answer that cannot be read as what it should be.

    what: names the answer ('the listing'). reason: what is wrong with it where it is no web page ('is no XML: ...').
    """
    if is_web_page(response):
        return ProtocolError(f"{what} is {summary(response.content)}", path=path)
    return ProtocolError(f"{what} {reason}", path=path)


def check_is_the_stores(response: Response, path: str | None) -> None:
    """Raise ProtocolError for a web page without an ETag, where every answer of the store has one."""
    if is_html_type(response.headers) and "etag" not in response.headers:
        page = summary(response.content) if response.content else "of type text/html"
        raise ProtocolError(f"the server responded with {response.status} and something other than the store's "
                            f"response, which would have an ETag: {page}", path=path)
