"""The entries of a listing, without a parser of XML where they are written as S3 writes them.

A page has a thousand entries, all written alike, and parsing them as XML takes most of the time of a listing. Where the
pattern below does not match all of them, one after another, the document is parsed as XML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudfiles.values import NamedTuple

_ENTRY = re.compile(
    "<Contents><Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>([^<]*)</ETag>"
    "((?:<ChecksumAlgorithm>[A-Z0-9]*</ChecksumAlgorithm>|<ChecksumType>[A-Z_]*</ChecksumType>)*)"
    "<Size>([0-9]{1,20})</Size>((?:<StorageClass>[A-Z_]*</StorageClass>)?)</Contents>")
_FIXED = len("<Contents><Key></Key><LastModified></LastModified><ETag></ETag><Size></Size></Contents>")
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
    found = _ENTRY.findall(text, start, end)
    keys, modified, etags, checksums, sizes, classes = zip(*found, strict=True) if found else ((),) * 6
    texts = ["".join(column) for column in (keys, modified, etags, checksums, sizes, classes)]
    if sum(map(len, texts)) + len(found) * _FIXED != end - start:
        return None  # there is something else between them
    written, unescaped = "".join(texts[:3]), "\n".join(etags).replace("&quot;", '"').replace("&#34;", '"')
    if not written.isprintable() or "]]>" in written or any("&" in each for each in (*texts[:2], unescaped)):
        return None  # there may be other escapes, or characters that XML does not allow
    all_quoted = unescaped.count('"\n') == len(found) - 1 and unescaped.endswith('"')
    with_quotes = unescaped.split("\n") if all_quoted else list(map(quoted, unescaped.split("\n")))
    return rest.encode(), EntryColumns(keys, list(map(int, sizes)), with_quotes, modified)
