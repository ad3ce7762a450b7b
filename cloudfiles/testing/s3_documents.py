"""XML documents of S3: errors, responses, and the elements of a request."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from cloudfiles.testing.http_messages import Headers, ServerResponse


class S3Error(Exception):
    """An error response of S3: status, code, message, and headers."""

    def __init__(self, status: int, code: str, message: str = "", headers: Headers = ()) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code
        self.headers = headers

    def response(self) -> ServerResponse:
        return xml_response(error_xml(self.code, self.message), self.status, self.headers)


def error_xml(code: str, message: str = "", **more: str) -> str:
    """An `Error` element."""
    extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in more.items())
    return f"<Error><Code>{escape(code)}</Code><Message>{escape(message or code)}</Message>{extra}</Error>"


def xml_response(document: str, status: int = 200, headers: Headers = ()) -> ServerResponse:
    """A response with an XML document."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode("utf-8", "surrogateescape")
    return ServerResponse(status, (("Content-Type", "application/xml"), *headers), body)


def children(body: bytes, name: str) -> tuple[ET.Element, list[ET.Element]]:
    """The root of a document and its children of this name, in any namespace. Raises S3Error if `body` is not XML."""
    try:
        root = ET.fromstring(body)
    except ET.ParseError as error:
        raise S3Error(400, "MalformedXML") from error
    return root, [element for element in root if element.tag.rpartition("}")[2] == name]


def child_text(element: ET.Element, name: str) -> str:
    """The text of the first child of this name, '' without one."""
    return next((child.text or "" for child in element if child.tag.rpartition("}")[2] == name), "")
