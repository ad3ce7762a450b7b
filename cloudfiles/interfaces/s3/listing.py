"""Listings: ListObjectsV2, and ListObjects of gateways that are older than it.

Source: Amazon S3 API Reference, ListObjectsV2 and ListObjects. Keys are asked for URL-encoded, as XML
1.0 cannot carry all of them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import unquote_plus

from cloudfiles.credentials.sigv4 import format_query
from cloudfiles.exceptions import ProtocolError
from cloudfiles.transport.request import Dialect, Origin, Request, Response
from cloudfiles.types import ListEntry, ListPage

PAGE_ENTRIES = 1000  # the most that S3 gives at once
_MARKER = "marker:"  # begins the token of a page of ListObjects; the last key seen follows


class ListRequest(Request):
    """One page. Gives a ListPage of keys below `root`, which is cut off."""

    __slots__ = ("_flat", "_root")

    def __init__(self, origin: Origin, bucket_target: str, headers: dict[str, str], dialect: Dialect, root: str,
                 prefix: str, *, flat: bool, start_after: str | None, token: str | None, limit: int | None) -> None:
        most = min(limit or PAGE_ENTRIES, PAGE_ENTRIES)
        query = {"encoding-type": "url", "prefix": root + prefix, "max-keys": str(most)}
        if flat:
            query["delimiter"] = "/"
        if token is not None and token.startswith(_MARKER):
            query["marker"] = root + token[len(_MARKER):]
        else:
            query["list-type"] = "2"
            if token is not None:
                query["continuation-token"] = token
            elif start_after is not None:
                query["start-after"] = root + start_after
        Request.__init__(self, origin, "GET", f"{bucket_target}?{format_query(query)}", headers, dialect=dialect,
                         path=prefix or None)
        self._root = root
        self._flat = flat

    def accept(self, response: Response) -> ListPage:
        if response.status != 200:
            raise self.dialect.refusal(self, response)
        try:
            document = ET.fromstring(response.content)
        except ET.ParseError as error:
            raise ProtocolError(f"the listing is no XML: {error}", path=self.path) from error
        if not document.tag.endswith("ListBucketResult"):
            raise self.dialect.refusal(self, response)
        return parse_page(document, len(self._root))


def parse_page(document: ET.Element, cut: int) -> ListPage:
    """A listing's document as a page; the first `cut` characters of every key are left out."""
    space = document.tag[: -len("ListBucketResult")]
    decode = unquote_key if document.findtext(space + "EncodingType") == "url" else str
    key_tag, size_tag, etag_tag = space + "Key", space + "Size", space + "ETag"
    modified_tag = space + "LastModified"
    entries = []
    for element in document.iter(space + "Contents"):
        key = decode(element.findtext(key_tag) or "")[cut:]
        if key:  # the cloudpath itself as an object: a directory marker
            entries.append(ListEntry(key, int(element.findtext(size_tag) or 0), _quoted(element.findtext(etag_tag)),
                                     element.findtext(modified_tag)))
    prefixes = [decode(element.findtext(space + "Prefix") or "")[cut:]
                for element in document.iter(space + "CommonPrefixes")]
    return ListPage(entries, prefixes, _next_token(document, space, entries, prefixes, cut))


def unquote_key(text: str) -> str:
    """A URL-encoded key, whose spaces S3 writes as `+`. Bytes that are no UTF-8 become surrogates (PEP 383)."""
    return unquote_plus(text, errors="surrogateescape") if "%" in text or "+" in text else text


def _quoted(etag: str | None) -> str | None:
    """An ETag as headers have it: some servers leave the quotes out of listings."""
    return f'"{etag}"' if etag and not etag.endswith('"') else etag


def _next_token(document: ET.Element, space: str, entries: list[ListEntry], prefixes: list[str],
                cut: int) -> str | None:
    if (document.findtext(space + "IsTruncated") or "").lower() != "true":
        return None
    token = document.findtext(space + "NextContinuationToken")
    if token:
        return token
    # ListObjects names the next marker only in flat listings; else it is the last key.
    marker = document.findtext(space + "NextMarker")
    if marker:
        return _MARKER + unquote_key(marker)[cut:]
    last = max([entry.key for entry in entries[-1:]] + prefixes[-1:], default="")
    if not last:
        raise ProtocolError("the listing says that it goes on, but not where")
    return _MARKER + last
