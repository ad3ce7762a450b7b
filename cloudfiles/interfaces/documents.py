"""Responses in XML, JSON and multipart/mixed, and their fields: what is malformed or missing is a ProtocolError."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.transport.request import Response
from cloudfiles.transport.web_page import unreadable

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

XML_ERRORS = (SyntaxError, ValueError, LookupError, RecursionError)
"""The exceptions of the parser for malformed documents (`ParseError` is a SyntaxError), unknown encodings, and
excessive nesting."""

JSON_ERRORS = (ValueError, RecursionError)

_DIGITS = 20

_BOUNDARY = r'boundary="?([^";]+)'
_STATUS_LINE = rb"(?m)^HTTP/1\.[01] ([1-5][0-9]{2})[^\n]*"
_CONTENT_ID = rb"(?mi)^content-id:\s*<?(?:response-)?(\d+)>?\s*$"

_ENTITY = b"<!ENTITY"

_MARK = b"\xef\xbb\xbf"  # a byte order mark, which precedes Azure's documents


def parse_xml_content(content: bytes) -> ET.Element:
    """The XML document in `content`. Raises UNREADABLE_XML.

    Documents that declare entities are rejected: nested entities grow without bound, and no store sends any. The check
    assumes UTF-8, which all stores send.
    """
    # Imported here, as many programs never receive XML.
    parser = with_descriptor(import_module, "xml.etree.ElementTree")
    if _ENTITY in content or b"\0" in content:
        raise SyntaxError("it declares entities, or is not encoded in UTF-8")
    document: ET.Element = parser.fromstring(content.removeprefix(_MARK).strip())
    return document


def parse_xml(response: Response, what: str, path: str | None = None) -> ET.Element:
    """The document in a response. what: its name in errors ('the listing').

    It may be preceded by spaces, which S3 sends while it processes a completion or a copy.
    """
    try:
        return parse_xml_content(response.content)
    except XML_ERRORS as error:
        raise unreadable(what, response, f"is not valid XML: {error}", path) from error


def parse_json(response: Response, what: str, path: str | None = None) -> dict[str, Any]:
    """The JSON object in a response. what: as for `parse_xml`."""
    try:
        document = json.loads(response.content)
    except JSON_ERRORS as error:
        raise unreadable(what, response, f"is not valid JSON: {error}", path) from error
    if not isinstance(document, dict):
        raise ProtocolError(f"{what} is a JSON {type(document).__name__}, not an object", path=path)
    return document


def required(fields: Mapping[str, Any], name: str, what: str, path: str | None = None) -> str:
    """The text of a required field."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"{what} has no {name!r}" if value in (None, "") else
                            f"{what} has an invalid {name!r}: {str(value)[:100]!r}", path=path)
    return value


def required_text(element: ET.Element, name: str, what: str, path: str | None = None) -> str:
    """The text of a required child element; it may be empty."""
    text = element.findtext(name)
    if text is None and element.find(name) is None:
        raise ProtocolError(f"{what} has no {name.rpartition('}')[2]!r}", path=path)
    return text or ""


def count(value: Any, name: str, what: str, path: str | None = None) -> int:
    """A non-negative number, as digits (as JSON APIs write 64-bit numbers) or as a JSON number."""
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _DIGITS:
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise ProtocolError(f"{what} has an invalid {name!r}: expected a number, got {str(value)[:100]!r}", path=path)


def escape_xml(text: str) -> str:
    """`text` as the content of an XML element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# ---- XML without its namespaces


def local_name(element: ET.Element) -> str:
    """The element's tag without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if local_name(child) == name)


def child_text(element: ET.Element, name: str) -> str:
    """The text of the first child of this name; '' if there is none."""
    return next(((child.text or "").strip() for child in children(element, name)), "")


def fields_of(element: ET.Element | None) -> dict[str, str]:
    """The texts of the children by their names; {} if there is no element."""
    return {} if element is None else {local_name(child): child.text or "" for child in element}


# ---- multipart/mixed


def parse_batch(response: Response) -> list[tuple[int | None, Response]]:
    """The responses inside the response to a batch request, each with the number in its Content-ID, None without."""
    boundary = re.search(_BOUNDARY, response.headers.get("content-type", ""))
    if boundary is None:
        raise unreadable("the response to a batch request", response, "is not multipart/mixed")
    return [_parse_part(part) for part in response.content.split(b"--" + boundary[1].encode("latin-1"))[1:-1]]


def _parse_part(part: bytes) -> tuple[int | None, Response]:
    line = re.search(_STATUS_LINE, part)
    if line is None:
        raise ProtocolError(f"a part of the response to a batch request has no status: {part.strip()[:60]!r}")
    number = re.compile(_CONTENT_ID).search(part, 0, line.start())
    head, _, body = part[line.end():].replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = (field.partition(":") for field in head.decode("latin-1").splitlines())
    headers = {name.strip().lower(): value.strip() for name, _, value in fields if name}
    return int(number[1]) if number else None, Response(int(line[1]), headers, body.strip())
