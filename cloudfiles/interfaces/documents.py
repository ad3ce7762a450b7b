"""Answers that are XML or JSON, and their fields: what cannot be read, or is not there, is a ProtocolError."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.transport.request import Response
from cloudfiles.transport.web_page import unreadable

XML_ERRORS = (ET.ParseError, ValueError, LookupError, RecursionError)
"""What a parser raises: for what is malformed, for an encoding that it does not know, for a document too deep."""

JSON_ERRORS = (ValueError, RecursionError)

_DIGITS = 20

_ENTITY = b"<!ENTITY"

_MARK = b"\xef\xbb\xbf"  # a byte order mark, which Azure's documents begin with


def parse_xml_content(content: bytes) -> ET.Element:
    """The XML document in `content`. Raises UNREADABLE_XML.

    Entities of entities grow without bound, and no store declares any. They are looked for in UTF-8, which all send.
    """
    if _ENTITY in content or b"\0" in content:
        raise ET.ParseError("it declares entities, or is not encoded in UTF-8")
    return ET.fromstring(content.removeprefix(_MARK).strip())


def parse_xml(response: Response, what: str, path: str | None = None) -> ET.Element:
    """The answer's document. what: names it in the error ('the listing').

    Spaces may come before it: S3 sends them while it works on a completion or a copy.
    """
    try:
        return parse_xml_content(response.content)
    except XML_ERRORS as error:
        raise unreadable(what, response, f"is not valid XML: {error}", path) from error


def parse_json(response: Response, what: str, path: str | None = None) -> dict[str, Any]:
    """The JSON object in an answer. what: as `parse_xml`."""
    try:
        document = json.loads(response.content)
    except JSON_ERRORS as error:
        raise unreadable(what, response, f"is not valid JSON: {error}", path) from error
    if not isinstance(document, dict):
        raise ProtocolError(f"{what} is a JSON {type(document).__name__}, not an object", path=path)
    return document


def required(fields: Mapping[str, Any], name: str, what: str, path: str | None = None) -> str:
    """The text of a field that there has to be."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"{what} has no {name!r}" if value in (None, "") else
                            f"{what} has an invalid {name!r}: {str(value)[:100]!r}", path=path)
    return value


def required_text(element: ET.Element, name: str, what: str, path: str | None = None) -> str:
    """The text of a child element that there has to be; it may be empty."""
    text = element.findtext(name)
    if text is None and element.find(name) is None:
        raise ProtocolError(f"{what} has no {name.rpartition('}')[2]!r}", path=path)
    return text or ""


def count(value: Any, name: str, what: str, path: str | None = None) -> int:
    """A field that is a number from 0: in digits, as JSON writes those of 64 bits too, or a number of JSON's."""
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _DIGITS:
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise ProtocolError(f"{what} has an invalid {name!r}: expected a number, got {str(value)[:100]!r}", path=path)
