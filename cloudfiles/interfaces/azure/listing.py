"""Listings: List Blobs.

Source: Azure Storage REST reference, "List Blobs". Snapshots, deleted versions and uncommitted blobs are listed on
request only, which is not used here. Names that XML 1.0 cannot represent are percent-encoded and marked as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.azure.objects import AzureContainer
from cloudfiles.interfaces.documents import count, parse_xml
from cloudfiles.interfaces.paging import check_echo, check_names, check_truncation_flag
from cloudfiles.transport.request import Request, Response
from cloudfiles.transport.web_page import unreadable
from cloudfiles.types import ListEntry, ListPage

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

PAGE_ENTRIES = 5000  # the maximum of Azure


class ListRequest(Request):
    """One page. Returns a ListPage of keys relative to the root."""

    operation = "LIST"

    __slots__ = ("_flat", "_limit", "_prefix", "_root")

    def __init__(self, container: AzureContainer, prefix: str, *, flat: bool, token: str | None,
                 limit: int | None) -> None:
        query = {"restype": "container", "comp": "list", "maxresults": str(min(limit or PAGE_ENTRIES, PAGE_ENTRIES))}
        if container.root + prefix:
            query["prefix"] = container.root + prefix
        if flat:
            query["delimiter"] = "/"
        if token is not None:
            query["marker"] = token
        Request.__init__(self, container.origin, "GET", container.container_target(query), {},
                         protocol=container.protocol, path=prefix or None)
        self._root = container.root
        self._prefix = container.root + prefix
        self._flat = flat
        self._limit = int(query["maxresults"])

    def accept(self, response: Response) -> ListPage:
        if response.status != 200:
            raise self.to_error(response)
        document = parse_xml(response, "the listing", self.path)
        if document.tag != "EnumerationResults":
            raise unreadable("the listing", response, f"is an unexpected document: {document.tag!r}", self.path)
        return parse_page(document, self._root, self._prefix, flat=self._flat, limit=self._limit)


def parse_page(document: ET.Element, root: str, prefix: str, *, flat: bool, limit: int = PAGE_ENTRIES) -> ListPage:
    """The document of a listing as a page; keys are relative to `root`, with which `prefix` starts.

    Children are looked up one by one, because ElementTree takes ten times as long for paths of several tags.
    """
    entries, prefixes = [], []
    blobs = document.find("Blobs")
    elements = [] if blobs is None else list(blobs)
    names = [_name(element) for element in elements]
    check_truncation_flag(document.find("NextMarker") is not None, len(names), limit)
    check_names([name for name, element in zip(names, elements, strict=True) if element.tag != "BlobPrefix"],
                [name for name, element in zip(names, elements, strict=True) if element.tag == "BlobPrefix"],
                prefix, flat=flat)
    check_echo(document.findtext("Prefix"), prefix)
    cut = len(root)
    for name, element in zip(names, elements, strict=True):
        key = name[cut:]
        if element.tag == "BlobPrefix":
            prefixes.append(key)
            continue
        properties = element.find("Properties")
        if key and (properties is None or properties.findtext("ResourceType") != "directory"):
            # An empty key is the cloudpath itself as an object: a directory marker.
            entries.append(_entry(key, properties))
    return ListPage(entries, prefixes, document.findtext("NextMarker") or None)


def _name(element: ET.Element) -> str:
    name = element.find("Name")
    if name is None:
        raise ProtocolError("the listing has an entry without a 'Name'")
    text = name.text or ""
    return unquote(text, errors="surrogateescape") if name.get("Encoded") == "true" else text


def _entry(key: str, properties: ET.Element | None) -> ListEntry:
    if properties is None:
        return ListEntry(key)
    size, etag = properties.findtext("Content-Length"), properties.findtext("Etag")
    return ListEntry(key, count(size, "Content-Length", "the listing") if size else None,
                     # Headers have quotes, which listings omit.
                     f'"{etag}"' if etag and not etag.endswith('"') else etag, properties.findtext("Last-Modified"))
