"""The entries of a listing, without a parser of XML where they are written as S3 writes them.

A page has a thousand entries, all written alike, and parsing them as XML takes most of the time of a listing. Where the
pattern below does not match all of them, one directly after another, the document is parsed as XML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudfiles.values import NamedTuple

_ENTRY = (
    "<Contents><Key>([^<&]*)</Key><LastModified>([-+.:0-9TZ]*)</LastModified>"
    "<ETag>(&quot;|&#34;|\"|)([-+/=.:_0-9A-Za-z]*)\\3</ETag>"
    "(?:<ChecksumAlgorithm>[A-Z0-9]*</ChecksumAlgorithm>|<ChecksumType>[A-Z_]*</ChecksumType>)*"
    "<Size>([0-9]{1,20})</Size>(?:<StorageClass>[A-Z_]*</StorageClass>)?</Contents>(?=<Contents>|\\Z)")
_START, _END = "<Contents>", "</Contents>"


class EntryColumns(NamedTuple):
    """The entries of a page, by element; None for an element that is missing. Keys may be encoded; ETags are quoted."""

    keys: Sequence[str]
    sizes: Sequence[int | None]
    etags: Sequence[str | None]
    modified: Sequence[str | None]


def quoted(etag: str) -> str:
    """An ETag with quotes, which some servers omit in listings."""
    return f'"{etag}"' if etag and not etag.endswith('"') else etag


def split_entries(content: bytes) -> tuple[bytes, EntryColumns] | None:
    """The document without its entries, and the entries; None if it has to be parsed as a whole."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    start, end = text.find(_START), text.rfind(_END) + len(_END)
    rest = text[:start] + text[end:]
    if start < 0 or "<!" in rest:  # comments, declarations
        return None
    found = re.compile(_ENTRY).findall(text, start, end)
    if not found or len(found) < text.count(_START, start, end):
        return None  # some are written in another way, or there is something else between them
    keys, modified, quotes, inner, sizes = zip(*found, strict=True)
    written = "".join(keys)
    if not written.isprintable() or "]]>" in written:
        return None  # there may be characters that XML does not allow
    if "" in quotes:
        etags = [f'"{etag}"' if quote or etag else "" for quote, etag in zip(quotes, inner, strict=True)]
    else:
        etags = ('"' + '"\n"'.join(inner) + '"').split("\n")
    return rest.encode(), EntryColumns(keys, list(map(int, sizes)), etags, modified)
