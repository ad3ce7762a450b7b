"""Listings. Cloud Storage lists in UTF-8 byte order of the names.

Source: Cloud Storage JSON API reference, "Objects: list".
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from cloudfiles.exceptions import ProtocolError
from cloudfiles.interfaces.documents import required
from cloudfiles.interfaces.gs.objects import GsBucket
from cloudfiles.interfaces.gs.protocol import BucketRequest
from cloudfiles.interfaces.gs.resource import size_of
from cloudfiles.interfaces.paging import check_names, follow_pages
from cloudfiles.types import ListEntry, ListPage

PAGE_ENTRIES = 1000  # the maximum of Cloud Storage

_SIZE = itemgetter(1)

_KIND = "storage#objects"

_FIELDS = "kind,nextPageToken,prefixes,items(name,size,etag,updated)"


class _ListRequest(BucketRequest):
    """A request for a page."""

    __slots__ = ()

    operation = "LIST"


def list_page(bucket: GsBucket, prefix: str, *, flat: bool, start_after: str | None, token: str | None,
              limit: int | None) -> ListPage:
    """One page of keys, relative to the root."""
    # startOffset includes the name itself, which is removed here.
    start = None if start_after is None else bucket.root + start_after
    max_size = min(limit or PAGE_ENTRIES, PAGE_ENTRIES)
    target = bucket.with_query(
        f"{bucket.bucket_target}/o", prefix=bucket.root + prefix or None, delimiter="/" if flat else None,
        startOffset=start or None, pageToken=token, maxResults=str(max_size), fields=_FIELDS)
    page: dict[str, Any] = bucket.client.send(
        _ListRequest(bucket.endpoint.origin, "GET", target, protocol=bucket.protocol))
    return _parse_page(page, bucket.root, prefix, start or "", flat=flat)


def resources_below(bucket: GsBucket, prefix: str, fields: str) -> Iterator[dict[str, Any]]:
    """These fields of all objects whose full names start with `prefix`, page by page."""
    def request_page(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
        target = bucket.with_query(f"{bucket.bucket_target}/o", prefix=prefix, pageToken=token,
                                   fields=f"kind,nextPageToken,items({fields})")
        page: dict[str, Any] = bucket.client.send(
            _ListRequest(bucket.endpoint.origin, "GET", target, protocol=bucket.protocol))
        _check_kind(page)
        items = _items(page)
        check_names([item["name"] for item in items], _texts(page, "prefixes"), prefix, flat=False)
        return items, _token(page)

    for items in follow_pages(f"the listing of {prefix!r}", request_page,
                              first=lambda items: items[0]["name"] if items else None):
        yield from items


def _parse_page(page: dict[str, Any], root: str, prefix: str, start: str, *, flat: bool) -> ListPage:
    _check_kind(page)
    cut = len(root)
    items, common = page.get("items") or [], _texts(page, "prefixes")
    try:
        check_names([item["name"] for item in items], common, root + prefix, flat=flat)
        entries = [ListEntry(item["name"][cut:], int(item.get("size", 0)), item.get("etag"), item.get("updated"))
                   for item in items if item["name"] > start and len(item["name"]) > cut]
        if min(map(_SIZE, entries), default=0) < 0:
            raise ValueError("negative size")
    except (AttributeError, KeyError, TypeError, ValueError):
        for item in _items(page):
            size_of(item)
        raise  # unreachable: one of the two raises
    return ListPage(entries, [name[cut:] for name in common], _token(page))


def _check_kind(page: dict[str, Any]) -> None:
    """Raise ProtocolError for an empty page that is not marked as a listing: any JSON object would look like one."""
    if not (page.get("items") or page.get("prefixes") or page.get("nextPageToken")) and page.get("kind") != _KIND:
        raise ProtocolError(f"the server sent {str(page)[:100]} in place of a listing: it is not Cloud Storage")


def _items(page: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources on a page, each with a name."""
    items = page.get("items") or []
    if not isinstance(items, list):
        raise ProtocolError(f"the listing has an invalid 'items': expected a list, got a JSON {type(items).__name__}")
    for item in items:
        if not isinstance(item, dict) or type(item.get("name")) is not str:
            raise ProtocolError(f"the listing has an entry without a 'name': {str(item)[:100]}")
    return items


def _texts(page: dict[str, Any], name: str) -> list[str]:
    texts = page.get(name) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ProtocolError(f"the listing has an invalid {name!r}: expected a list of strings, got {str(texts)[:100]}")
    return texts


def _token(page: dict[str, Any]) -> str | None:
    return required(page, "nextPageToken", "the listing") if page.get("nextPageToken") else None
