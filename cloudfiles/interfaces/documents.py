"""Responses in XML, JSON and multipart/mixed, and their fields: what is malformed or missing is a ProtocolError."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.transport.request import Response
from cloudfiles.transport.web_page import unreadable

XML_ERRORS = (ET.ParseError, ValueError, LookupError, RecursionError)
"""What a parser raises: for what is malformed, for an encoding that it does not know, for a document too deep."""

JSON_ERRORS = (ValueError, RecursionError)

_DIGITS = 20

_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_STATUS_LINE = re.compile(rb"^HTTP/1\.[01] ([1-5][0-9]{2})[^\n]*", re.MULTILINE)
_CONTENT_ID = re.compile(rb"^content-id:\s*<?(?:response-)?(\d+)>?\s*$", re.MULTILINE | re.IGNORECASE)

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


# ---- XML without its namespaces


def local_name(element: ET.Element) -> str:
    """The element's tag without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if local_name(child) == name)


def child_text(element: ET.Element, name: str) -> str:
    """The text of the first child of this name, '' where there is none."""
    return next(((child.text or "").strip() for child in children(element, name)), "")


def fields_of(element: ET.Element | None) -> dict[str, str]:
    """The texts of the children by their names; {} where there is no element."""
    return {} if element is None else {local_name(child): child.text or "" for child in element}


# ---- multipart/mixed


def parse_batch(response: Response) -> list[tuple[int | None, Response]]:
    """The responses inside the response to a batch request, each with the number in its Content-ID, None without."""
    boundary = _BOUNDARY.search(response.headers.get("content-type", ""))
    if boundary is None:
        raise unreadable("the response to a batch request", response, "is not multipart/mixed")
    return [_parse_part(part) for part in response.content.split(b"--" + boundary[1].encode("latin-1"))[1:-1]]


def _parse_part(part: bytes) -> tuple[int | None, Response]:
    line = _STATUS_LINE.search(part)
    if line is None:
        raise ProtocolError(f"a part of the response to a batch request has no status: {part.strip()[:60]!r}")
    number = _CONTENT_ID.search(part, 0, line.start())
    head, _, body = part[line.end():].replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = (field.partition(":") for field in head.decode("latin-1").splitlines())
    headers = {name.strip().lower(): value.strip() for name, _, value in fields if name}
    return int(number[1]) if number else None, Response(int(line[1]), headers, body.strip())
