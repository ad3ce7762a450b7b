"""The entries of a listing, without a parser of XML where they are written as S3 writes them.

A page has a thousand entries, all written alike, and parsing them as XML takes most of the time of a listing. Where the
pattern below does not match all of them, one after another, the document is parsed as XML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_TEXT = "[^<&\\x00-\\x1f\\ufffe\\uffff]*"
_ENTRY = re.compile(
    f"<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified><ETag>({_TEXT})</ETag>"
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
    if start < 0 or "<!" in text or "]]>" in text:  # comments, declarations, CDATA
        return None
    section = text[start:end].replace("&quot;", '"').replace("&#34;", '"')
    found = _ENTRY.findall(section)
    keys, modified, etags, checksums, sizes, classes = zip(*found, strict=True) if found else ((),) * 6
    texts = sum(len("".join(column)) for column in (keys, modified, etags, checksums, sizes, classes))
    if texts + len(found) * _FIXED != len(section):
        return None  # there is something else between them
    if section.count('"</ETag>') < len(found):
        etags = tuple(map(quoted, etags))
    return (text[:start] + text[end:]).encode(), EntryColumns(keys, tuple(map(int, sizes)), etags, modified)
