"""Percent-encoding of keys and queries, as signatures require it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from cloudfiles.exceptions import InvalidPathError

_NO_ESCAPES = re.compile(r"[A-Za-z0-9_.~/\-]*", re.ASCII).fullmatch


def quote_key(key: str) -> str:
    """`key` in the path of a URL: all bytes that are not unreserved are percent-encoded, except for `/`.

    Undecodable bytes of a listing, which are surrogates (PEP 383), are encoded as the original bytes. Raises
    InvalidPathError for other lone surrogates, which UTF-8 cannot encode.
    """
    if _NO_ESCAPES(key):
        return key
    try:
        return quote(key, safe="/~", errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidPathError(f"{key!r} cannot be encoded in UTF-8: {error.reason}") from error


def format_query(parameters: Mapping[str, str]) -> str:
    """A query string in canonical form: sorted and encoded, `name=` for an empty value."""
    pairs = sorted((_quote(name), _quote(value)) for name, value in parameters.items())
    return "&".join([f"{name}={value}" for name, value in pairs])


def _quote(text: str) -> str:
    return quote_key(text).replace("/", "%2F")
